"""%%expect: assertions about what was asked last, over several seeds."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from kaggle_magics.compare.expectations import Expectation, parse
from kaggle_magics.display.verdicts import verdicts_view
from kaggle_magics.errors import OptionError, did_you_mean
from kaggle_magics.magics.arguments import Parser, number, several, variable, whole
from kaggle_magics.magics.call import Call
from kaggle_magics.magics.command import command
from kaggle_magics.magics.options import output_option, raw_option, text_argument
from kaggle_magics.magics.typed_names import typed_schema

if TYPE_CHECKING:
    from kaggle_magics.compare.verdicts import Verdicts
    from kaggle_magics.display.stream import Show


def _options(parser: Parser) -> None:
    text_argument(parser)
    parser.option("--seeds", help="Ask the same prompt again with the seeds 1 to N.", type=whole, metavar="N")
    parser.option("--seed", help="Ask the same prompt again with these seeds.", type=several(whole), metavar="N,...")
    parser.option(
        "--on",
        help="Variable with an answer, answers or a comparison; by default what was asked last.",
        type=variable,
        metavar="NAME",
        complete="variable",
    )
    demand_options(parser)
    output_option(parser)
    raw_option(parser)


def demand_options(parser: Parser) -> None:
    """When the cell fails."""
    parser.option(
        "--at-least", help="Raise an error where a smaller share of the answers passes, such as 0.9.", type=share,
        metavar="SHARE",
    )  # fmt: skip
    parser.switch("--must", help="Raise an error unless every answer passes.")


@command(
    "Check what was asked last, one assertion a line: contains, equals, regex, json, similar, python: and more.",
    body="assertions",
    options=_options,
    examples=(
        "%%expect\ncontains Lima\nnot contains Cusco\nequals Lima\nexpected lima\nmax_tokens 50\nstops",
        "%%expect --seeds 10 --at-least 0.9\nregex (?i)\\blima\\b\nsimilar 0.7 The capital of Peru is Lima.",
        "%%expect --must -o verdicts\njson\njson schema Person\npython: len(text) < 200 and answer.value.age > 0",
    ),
)
def expect(call: Call) -> Verdicts | None:
    options, session = call.options, call.session
    if options.seeds is not None and options.seed is not None:
        raise OptionError("--seeds and --seed do not go together.", "Give one of them.")
    wanted = expectations(call)
    subject = _named(call) if options.on is not None else None

    def run(output: Show) -> Verdicts:
        return session.expect(
            wanted,
            on=subject,
            seeds=options.seed or options.seeds,
            namespace=call.names,
            on_progress=lambda done, of: output.progress(f"{done} of {of} answers"),
        )

    return show_verdicts(call, run)


def show_verdicts(call: Call, work: Callable[[Show], Verdicts]) -> Verdicts | None:
    """Show verdicts; where they are not what the line demands, the error comes after they were shown and stored."""
    found: list[Verdicts] = []

    def run(output: Show) -> Verdicts:
        found.append(work(output))
        return found[0]

    shown = call.show(call.command.name, run, verdicts_view)
    least = 1.0 if call.options.must else call.options.at_least
    if least is not None:
        found[0].require(least)
    return shown


def expectations(call: Call) -> list[Expectation]:
    """The assertions of the cell, or of the line's words: fields are filled in each by itself."""
    text = call.cell() if call.is_cell else " ".join(call.options.text)
    return parse(text, schema_of=lambda word: typed_schema(word, call.names), fill=call.filled if call.is_cell else str)


def share(text: str) -> float:
    """A share, 0 to 1."""
    value = number(text)
    if not 0.0 <= value <= 1.0:
        raise argparse.ArgumentTypeError(f"needs a share from 0 to 1, not {text!r}.")
    return value


def _named(call: Call) -> Any:
    names: Mapping[str, Any] = call.names
    if call.options.on not in names:
        raise OptionError(f"There is no variable {call.options.on!r}.", did_you_mean(call.options.on, names))
    return names[call.options.on]
