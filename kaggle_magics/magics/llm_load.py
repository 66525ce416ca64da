"""%llm_load: from a reference to a model that answers."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from kaggle_magics.display.bundle import note, size
from kaggle_magics.display.results import Choices
from kaggle_magics.display.stream import Show, open_show
from kaggle_magics.errors import OptionError
from kaggle_magics.magics.arguments import Parser, one_of, whole
from kaggle_magics.magics.call import Call
from kaggle_magics.magics.command import command
from kaggle_magics.magics.options import output_option, template_option
from kaggle_magics.models.fit.quants import checked
from kaggle_magics.models.servers import is_endpoint

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
    parser.switch("--dry-run", help="Show every way to run it here, and which one would be taken; load nothing.")
    output_option(parser)


def quant_word(text: str) -> str:
    """A word for `quant`, or the error with the nearest one."""
    try:
        return checked(text) or "none"
    except OptionError as error:
        raise argparse.ArgumentTypeError(str(error).removeprefix("quant ")) from None


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
    ),
)
def llm_load(call: Call) -> LoadedModel | Choices:
    options = call.options
    reference = call.session.server_of(options.ref or call.settings.model or None)
    if is_endpoint(reference):
        return _connect(call, reference)
    if not options.dry_run:
        _fetch(call, reference)
    form = {name: getattr(options, name) for name in ("quant", "dtype", "context", "device")}
    if options.dry_run:
        ways = Choices(call.session.choices(reference, **form))
        call.store(ways)
        return ways
    plan = call.session.plan(reference, **form)
    found = plan.checkpoint
    with open_show(call.shell) as output:
        output.begin(f"Loading {found.name} ({size(found.bytes)}) with {plan.engine} on {plan.device}")
        model = _load(call, reference)
        output.finish(note(f"{model.name} is the current model."))
    call.store(model)
    return model


def _connect(call: Call, reference: str) -> LoadedModel:
    if call.options.dry_run:
        raise OptionError("A server's model is not loaded here: there is nothing to plan.", "Leave --dry-run out.")
    with open_show(call.shell) as output:
        # The address is not repeated: what should not be in it is refused before it is shown.
        output.begin("Connecting to the server")
        model = _load(call, reference)
        output.finish(note(f"{model.name} is the current model."))
    call.store(model)
    return model


def _load(call: Call, reference: str | None) -> LoadedModel:
    options = call.options
    return call.session.load(
        reference,
        name=options.name,
        quant=options.quant,
        dtype=options.dtype,
        context=options.context,
        device=options.device,
        template=options.template,
    )


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
