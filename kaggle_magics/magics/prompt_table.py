"""%%prompt --over: one prompt, asked once a row."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from kaggle_magics.display.tables import answer_table_footer, answer_table_view, table_line
from kaggle_magics.errors import OptionError
from kaggle_magics.generation.rows import VALUE
from kaggle_magics.interpolation import Template, name_of
from kaggle_magics.magics.arguments import Parser, whole
from kaggle_magics.magics.over import Over, over_option, read_over

if TYPE_CHECKING:
    from kaggle_magics.display.stream import Show
    from kaggle_magics.generation.table import AnswerTable, TableProgress
    from kaggle_magics.magics.call import Call

_SECONDS = 0.1
"""Between two updates of the progress."""


def table_options(parser: Parser) -> None:
    """What asks once a row."""
    over_option(parser, "Ask once for each row, {column} in the text being its value")
    parser.option("--limit", help="With --over: only the first N rows.", type=whole, metavar="N")
    parser.switch("--again", help="With --over: also the rows that were answered before.")


def prompt_over(call: Call) -> AnswerTable | None:
    """Ask the call's prompt once for each row of --over."""
    if call.options.raw:
        raise OptionError("--raw leaves fields as they are, and --over fills them.", "Use one of the two.")
    session = call.session
    model = session.model(call.options.model)
    # Columns go before names of the notebook, so the fields must not be filled yet.
    call.leave_open()
    prompt = call.prompt()
    over = given_rows(call, f"{prompt.text}\n{prompt.system or ''}")

    def run(output: Show) -> AnswerTable:
        answers = session.prompt_over(
            prompt,
            over.rows,
            model=model.name,
            namespace=call.names,
            name=over.name,
            again=call.options.again,
            on_progress=paced(output, model.name),
        )
        call.used, call.missing = answers.run.names, ()
        return answers

    return call.show(model.name, run, answer_table_view, answer_table_footer)


def given_rows(call: Call, text: str) -> Over:
    """The rows of --over, no more than --limit."""
    over = read_over(call.options.over, call.names, field=lambda: _open_field(text, call))
    limit = call.options.limit
    if limit is None:
        return over
    if limit < 1:
        raise OptionError(f"--limit must be at least 1, not {limit}.")
    return Over(over.name, over.rows.first(limit))


def paced(output: Show, label: str) -> Callable[[TableProgress], None]:
    """Tell how far it is, at most ten times a second."""
    due = 0.0

    def tell(progress: TableProgress) -> None:
        nonlocal due
        now = time.perf_counter()
        if now >= due:
            due = now + _SECONDS
            output.progress(f"{label}: {table_line(progress)}")

    return tell


def _open_field(text: str, call: Call) -> str:
    """The field that plain values fill: the only one that the notebook does not, else {value}."""
    names = dict.fromkeys(map(name_of, Template.of(text).fields))
    open_names = [name for name in names if name not in call.names]
    return open_names[0] if len(open_names) == 1 and VALUE not in names else VALUE
