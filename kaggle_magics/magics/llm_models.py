"""%llm_models: which models are there."""

from __future__ import annotations

from typing import get_args

from kaggle_magics.display.results import Models
from kaggle_magics.magics.arguments import Parser, one_of
from kaggle_magics.magics.call import Call
from kaggle_magics.magics.command import command
from kaggle_magics.magics.options import output_option
from kaggle_magics.models.kinds import Kind


def _options(parser: Parser) -> None:
    parser.argument(
        "FILTER", "Only models with these words in name, reference, path, kind, format or architecture.", nargs="*"
    )
    parser.option(
        "--kind",
        help=f"Only models of a kind: {', '.join(get_args(Kind))}.",
        type=one_of(*get_args(Kind)),
        complete="kind",
    )
    output_option(parser)


@command(
    "List the models that are attached, cached or bundled: what they are, whether they fit, how fast they would be.",
    options=_options,
    examples=("%llm_models", "%llm_models gguf", "%llm_models --kind adapter"),
)
def llm_models(call: Call) -> Models:
    found = Models(call.session.models(" ".join(call.options.filter), kind=call.options.kind))
    call.store(found)
    return found
