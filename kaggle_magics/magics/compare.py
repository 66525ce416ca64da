"""%%compare: one prompt, several models or settings, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kaggle_magics.compare.grid import AXES
from kaggle_magics.display.comparison import column_view, comparison_view, figures_view
from kaggle_magics.magics.arguments import Parser
from kaggle_magics.magics.call import Call
from kaggle_magics.magics.command import command
from kaggle_magics.magics.options import prompting_options, quant_word
from kaggle_magics.magics.prompting import cases

if TYPE_CHECKING:
    from kaggle_magics.compare.result import Compared, Comparison
    from kaggle_magics.compare.verdicts import Verdicts
    from kaggle_magics.display.stream import Show

_AXES = tuple(name for name in AXES if name != "system")
"""The system text is free text: its commas are its own. From Python it can be a list."""


def _options(parser: Parser) -> None:
    prompting_options(parser)
    parser.option(
        "--quant",
        help="none (as stored), auto, nf4, int8 or a GGUF type: the weights are loaded like that for the comparison.",
        type=quant_word,
        complete="quant",
    )
    cases.file_option(parser)
    cases.demand_options(parser)
    parser.axis(*_AXES)
    parser.describe(
        "model",
        "Loaded models, or references to others, which are loaded for the comparison; the current one by default.",
        complete="loaded_or_reference",
    )


@command(
    "Ask one prompt of several models or with several settings, and show the answers side by side.",
    body="prompt",
    options=_options,
    examples=(
        "%%compare --temperature 0,0.7 --seed 1,2,3 -o answers\nName a colour.",
        "%%compare -m pocket,qwen2.5/transformers/0.5b-instruct --max-tokens 60\nWhat is the capital of {country}?",
        "%%compare --quant none,q8_0,q4_0\nWhat is the capital of Peru?",
        "%%compare --file questions.csv --temperature 0,0.7 -o verdicts\nAnswer in one word. {question}",
    ),
)
def compare(call: Call) -> Comparison | Verdicts | None:
    given = axes(call)
    session = call.session
    if call.options.file is not None:
        cases.open_text(call)
        template = call.prompt()
        return cases.evaluate(call, lambda shared: session.evaluate(text=template, **given, **shared))
    cases.only_with_file(call)
    asked = call.prompt()

    def run(output: Show) -> Comparison:
        return session.compare(
            asked,
            **given,
            on_variant=shown(output),
            on_text=output.text,
            on_reasoning=output.reasoning,
            on_progress=output.progress,
        )

    return call.show("compare", run, comparison_view, figures_view)


def axes(call: Call) -> dict[str, Any]:
    """The options with several values, taken off the line: what is left of it is one prompt."""
    given: dict[str, Any] = {}
    for name in _AXES:
        values = getattr(call.options, name, None)
        if isinstance(values, list) or (name == "model" and values is not None):  # a saved prompt's is one word
            given["models" if name == "model" else name] = values
            setattr(call.options, name, None)
    return given


def shown(output: Show) -> Any:
    """Shows rows as they begin and end."""

    def on_variant(row: Compared) -> None:
        if row.answer is None and row.error is None:
            output.part(row.title)
        else:
            output.part_done(column_view(row))

    return on_variant
