"""%llm_load: from a reference to a model that answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from kaggle_magics.display.bundle import note
from kaggle_magics.display.results import Choices
from kaggle_magics.display.stream import Show, open_show
from kaggle_magics.errors import OptionError, did_you_mean
from kaggle_magics.magics import held
from kaggle_magics.magics.arguments import Parser, one_of, variable, whole
from kaggle_magics.magics.call import Call
from kaggle_magics.magics.command import command
from kaggle_magics.magics.options import output_option, quant_word, template_option
from kaggle_magics.models.find.servers import is_endpoint

if TYPE_CHECKING:
    from kaggle_magics.models.loaded import LoadedModel


def _options(parser: Parser) -> None:
    parser.argument(
        "REF",
        "Path, Kaggle handle, Hugging Face id, .gguf file, a name of %llm_models, hub:ID, kaggle:HANDLE or "
        "openai:URL#MODEL.",
        nargs="?",
        complete="reference",
    )
    parser.option("--name", help="Name of the model in this session.")
    parser.option(
        "--quant",
        help="auto (the best that fits), none (as stored), nf4, int8, or a GGUF type such as q4_k_m to convert to.",
        type=quant_word,
        complete="quant",
    )
    parser.option(
        "--dtype",
        help="Type its weights are computed in; by default what suits the device.",
        type=one_of("float32", "float16", "bfloat16"),
        complete="dtype",
    )
    parser.option("--context", help="Tokens of prompt and answer together.", type=whole, metavar="N")
    parser.option(
        "--device", help="cpu, cuda or cuda:N; by default the GPU if the model fits on it.", complete="device"
    )
    template_option(parser, "Chat template that stays with the model, for one that comes without.")
    parser.option("--adapter", help="LoRA adapter on top: a PEFT folder, or a .gguf for GGUF models.", metavar="REF")
    parser.option(
        "--adopt",
        help="Take what the notebook holds: the names of a model and its tokenizer, a pipeline, or a Llama.",
        type=names,
        metavar="NAME,NAME",
    )
    parser.switch("--swap", help="Unload the current model first, so that there are never two in memory.")
    parser.switch(
        "--allow-pickle",
        help="Read pickled weights (.bin), which could run any code; torch is told to take tensors only.",
    )
    parser.switch(
        "--trust-remote-code", help="Run Python code that comes with the model: it can do anything that you can."
    )
    parser.switch("--dry-run", help="Show every way to run it here, and which one would be taken; load nothing.")
    output_option(parser)


def names(text: str) -> tuple[str, ...]:
    """Names of variables, separated by commas."""
    return tuple(variable(part.strip()) for part in text.split(","))


@command(
    "Load a model and make it the current one; without REF the best attached one that fits, else the bundled one.",
    options=_options,
    examples=(
        "%llm_load",
        "%llm_load qwen2.5/transformers/0.5b-instruct --context 4096",
        "%llm_load pocket --dry-run",
        "%llm_load hub:Qwen/Qwen2.5-0.5B-Instruct",
        "%llm_load pocket --quant auto",
        "%llm_load openai:http://127.0.0.1:8000/v1#my-model",
        "%llm_load gemma --swap",
        "%llm_load --adopt model,tokenizer",
    ),
)
def llm_load(call: Call) -> LoadedModel | Choices:
    options = call.options
    held.let_go(call.shell)
    reference = call.session.server_of(options.ref or (None if options.adopt else call.settings.model) or None)
    result: LoadedModel | Choices
    if options.adopt:
        result = _adopt(call)
    elif options.dry_run:
        result = _dry_run(call, reference)
    else:
        result = _load(call, reference)
    call.store(result)
    return result


def _dry_run(call: Call, reference: str | None) -> Choices:
    if is_endpoint(reference):
        raise OptionError("A server's model is not loaded here: there is nothing to plan.", "Leave --dry-run out.")
    names = ("quant", "dtype", "context", "device", "adapter", "allow_pickle")
    form = {name: getattr(call.options, name) for name in names}
    return Choices(call.session.choices(reference, **form))


def _load(call: Call, reference: str | None) -> LoadedModel:
    options = call.options
    on_server = is_endpoint(reference)
    if not on_server and not call.session.answers.replay:
        _fetch(call, reference)
    with open_show(call.shell) as output:
        # A server's address is not repeated: what should not be in it is refused before it is shown.
        output.begin("Connecting to the server" if on_server else f"Loading {reference or 'the best model here'}")
        model = call.session.load(
            reference,
            name=options.name,
            quant=options.quant,
            dtype=options.dtype,
            context=options.context,
            device=options.device,
            adapter=options.adapter,
            template=options.template,
            swap=options.swap,
            allow_pickle=options.allow_pickle,
            trust_remote_code=options.trust_remote_code,
            on_progress=_progress(output),
        )
        output.finish(note(f"{model.name} is the current model."))
    return model


def _progress(output: Show) -> Callable[[str], None]:
    """The first line is shown at once, the others as often as the output takes them."""
    show = iter((output.begin,))
    return lambda line: next(show, output.progress)(line)


def _adopt(call: Call) -> LoadedModel:
    options = call.options
    for name in ("ref", "quant", "dtype", "device", "adapter", "dry_run"):
        if getattr(options, name):
            word = "REF" if name == "ref" else f"--{name.replace('_', '-')}"
            raise OptionError(f"--adopt and {word} do not go together.", "What is adopted runs as it is.")
    for name in options.adopt:
        if name not in call.names:
            raise OptionError(f"There is no variable {name!r}.", did_you_mean(name, list(call.names)))
    things = (call.names[name] for name in options.adopt)
    model = call.session.adopt(*things, name=options.name, context=options.context, template=options.template)
    print(f"{model.name} is the current model.")
    return model


def _fetch(call: Call, reference: str | None) -> None:
    """Download what is not here yet, showing how far it is; nothing is shown where there is nothing to do."""
    shows: list[Show] = []

    def progress(line: str) -> None:
        if shows:
            shows[0].progress(line)
        else:
            shows.append(open_show(call.shell))
            shows[0].begin(line)

    try:
        found = call.session.fetch(reference, on_progress=progress)
    except BaseException:
        for show in shows:
            show.fail()
        raise
    for show in shows:
        show.finish(note(f"{found.name} was downloaded to {found.path}"))
