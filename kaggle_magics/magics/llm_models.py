"""%llm_models: which models are there."""

from __future__ import annotations

from kaggle_magics.display.results import Checkpoints
from kaggle_magics.magics.arguments import Parser
from kaggle_magics.magics.call import Call
from kaggle_magics.magics.command import command
from kaggle_magics.magics.options import output_option


def _options(parser: Parser) -> None:
    parser.argument("FILTER", "Only models with this in their name, handle, path or format.", nargs="?")
    output_option(parser)


@command(
    "List the models that are attached, cached or bundled, best first.",
    options=_options,
    examples=("%llm_models", "%llm_models gguf"),
)
def llm_models(call: Call) -> Checkpoints:
    wanted = (call.options.filter or "").casefold()
    found = Checkpoints(
        checkpoint
        for checkpoint in call.session.models()
        if wanted in f"{checkpoint.name} {checkpoint.handle or ''} {checkpoint.path} {checkpoint.format}".casefold()
    )
    call.store(found)
    return found
