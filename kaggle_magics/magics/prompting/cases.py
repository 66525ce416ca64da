"""--file on %%compare and %%expect: a test set, asked and checked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kaggle_magics.compare.testset import QUESTION
from kaggle_magics.display.verdicts import verdicts_view
from kaggle_magics.errors import OptionError
from kaggle_magics.generation.tables.row_prompt import ROW
from kaggle_magics.generation.tables.rows import Rows, rows_of
from kaggle_magics.interpolation import name_of
from kaggle_magics.magics.arguments import Parser, share
from kaggle_magics.magics.prompting.table import paced

if TYPE_CHECKING:
    from kaggle_magics.compare.verdicts import Verdicts
    from kaggle_magics.display.stream import Show
    from kaggle_magics.generation.tables.table import TableProgress
    from kaggle_magics.magics.call import Call

_TEXT = f"{{{QUESTION}}}"


def file_option(parser: Parser) -> None:
    """A test set."""
    parser.option(
        "--file",
        help="Test set to ask and check: a .csv or .jsonl file, or a table in the notebook, with a column question and "
        "others that say what is expected (expected, contains, not_contains, regex, similar, json, max_tokens, ...).",
        metavar="TABLE",
        complete="path",
    )


def demand_options(parser: Parser) -> None:
    """When the cell fails."""
    parser.option(
        "--at-least",
        help="Raise an error where a smaller share of the answers passes, such as 0.9.",
        type=share,
        metavar="SHARE",
    )
    parser.switch("--must", help="Raise an error unless every answer passes.")


def rows(call: Call) -> tuple[str, Rows]:
    """The test set that the line names, and what to call it. Raises `OptionError`."""
    word = call.options.file
    if word.isidentifier() and word in call.names:
        return word, rows_of(call.names[word], name=word)
    name = Path(word).name
    return name, rows_of(Path(word), name=name)


def evaluate(call: Call, work: Callable[[dict[str, Any]], Verdicts]) -> Verdicts | None:
    """Run a test set, showing how far it is; `work` gets what is the same for every magic."""
    name, table = rows(call)

    def run(output: Show) -> Verdicts:
        # Fields that columns fill are no names of the notebook.
        call.used = tuple(path for path in call.used if name_of(path) not in (*table.columns, ROW))
        tells: dict[str, Callable[[TableProgress], None]] = {}

        def tell(variant: str, progress: TableProgress) -> None:
            if variant not in tells:
                tells[variant] = paced(output, variant)
            tells[variant](progress)

        return work(
            {
                "cases": table,
                "name": name,
                "namespace": call.names,
                "on_cases": tell,
                "on_progress": output.progress,
            }
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


def open_text(call: Call) -> None:
    """Leave the columns of the cell's or line's text open; without a text the column `question` is asked."""
    if call.options.raw:
        raise OptionError("--raw leaves fields as they are, and --file fills them.", "Use one of the two.")
    if call.saved is None and call.is_cell and not (call.body or "").strip():
        call.body = _TEXT
    elif call.saved is None and not call.is_cell and not call.options.text:
        call.options.text = [_TEXT]
    call.leave_open()


def only_with_file(call: Call) -> None:
    """Raise `OptionError` for a demand that nothing is checked against."""
    for name in ("must", "at_least"):
        if getattr(call.options, name):
            raise OptionError(
                f"--{name.replace('_', '-')} goes with --file.", "To check a comparison, write %%expect below it."
            )
