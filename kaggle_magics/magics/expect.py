"""%%expect: assertions about what was asked last, over several seeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kaggle_magics.compare.expectations import Expectation, parse
from kaggle_magics.compare.grid import seeds_of
from kaggle_magics.errors import OptionError, did_you_mean
from kaggle_magics.magics.arguments import Parser, several, variable, whole
from kaggle_magics.magics.call import Call
from kaggle_magics.magics.command import command
from kaggle_magics.magics.options import output_option, raw_option, text_argument
from kaggle_magics.magics.prompting.cases import demand_options, evaluate, file_option, show_verdicts
from kaggle_magics.magics.prompting.typed_names import typed_schema

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
    file_option(parser)
    demand_options(parser)
    output_option(parser)
    raw_option(parser)


@command(
    "Check what was asked last, one assertion a line: contains, equals, regex, json, similar, python: and more.",
    body="assertions",
    options=_options,
    examples=(
        "%%expect\ncontains Lima\nnot contains Cusco\nequals Lima\nexpected lima\nmax_tokens 50\nstops",
        "%%expect --seeds 10 --at-least 0.9\nregex (?i)\\blima\\b\nsimilar 0.7 The capital of Peru is Lima.",
        "%expect --file questions.csv --at-least 0.8",
        "%%expect --must -o verdicts\njson\njson schema Person\npython: len(text) < 200 and answer.value.age > 0",
    ),
)
def expect(call: Call) -> Verdicts | None:
    options, session = call.options, call.session
    if options.seeds is not None and options.seed is not None:
        raise OptionError("--seeds and --seed do not go together.", "Give one of them.")
    if options.file is not None:
        return _evaluate(call)
    wanted = expectations(call)
    subject = _named(call) if options.on is not None else None

    def run(output: Show) -> Verdicts:
        return session.expect(
            wanted,
            on=subject,
            seeds=options.seed if options.seeds is None else options.seeds,
            namespace=call.names,
            on_progress=lambda done, of: output.progress(f"{done} of {of} answers"),
        )

    return show_verdicts(call, run)


def expectations(call: Call) -> list[Expectation]:
    """The assertions of the cell, or of the line's words: fields are filled in each by itself."""
    text = call.cell() if call.is_cell else " ".join(call.options.text)
    return parse(text, schema_of=lambda word: typed_schema(word, call.names), fill=call.filled if call.is_cell else str)


def _evaluate(call: Call) -> Verdicts | None:
    """Ask a test set of the current model, as the settings say."""
    options, session = call.options, call.session
    if options.on is not None:
        raise OptionError("--on and --file do not go together.", "Give one of them.")
    has_text = bool((call.body or "").strip() or options.text)
    wanted = expectations(call) if has_text else []
    several = options.seed if options.seeds is None else options.seeds
    options.seed = None
    sampling = call.sampling() | ({} if several is None else {"seed": seeds_of(several)})
    system, way = call.setting("system") or None, call.setting("template")
    return evaluate(
        call,
        lambda shared: session.evaluate(expectations=wanted, system=system, template=way, **sampling, **shared),
    )


def _named(call: Call) -> Any:
    names: Mapping[str, Any] = call.names
    if call.options.on not in names:
        raise OptionError(f"There is no variable {call.options.on!r}.", did_you_mean(call.options.on, names))
    return names[call.options.on]
