"""%%prompt --over and -n: one prompt, asked once a row or for several answers."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from kaggle_magics.display.bundle import View, join, note
from kaggle_magics.display.several import answers_view
from kaggle_magics.display.tables import answer_table_view, table_line
from kaggle_magics.errors import OptionError
from kaggle_magics.generation.several import check_several
from kaggle_magics.generation.tables.row_prompt import RowPrompt
from kaggle_magics.generation.tables.rows import VALUE
from kaggle_magics.interpolation import Template, name_of
from kaggle_magics.magics.arguments import Parser, whole
from kaggle_magics.magics.prompting.over import Over, over_option, read_over

if TYPE_CHECKING:
    from kaggle_magics.display.stream import Show
    from kaggle_magics.generation.prompt import Prompt
    from kaggle_magics.generation.several import Answers
    from kaggle_magics.generation.tables.table import AnswerTable, TableProgress
    from kaggle_magics.magics.call import Call

_SECONDS = 0.1
"""Between two updates of the progress."""


def table_options(parser: Parser) -> None:
    """What asks once a row."""
    over_option(parser, "Ask once for each row, {column} in the text being its value")
    parser.option("--limit", help="With --over: only the first N rows.", type=whole, metavar="N")
    parser.switch("--again", help="With --over: also the rows that were answered before.")
    parser.option("-n", help="Give N answers, with the seeds S, S+1, ...; needs a temperature.", type=whole)


def prompt_over(call: Call) -> AnswerTable | None:
    """Ask the call's prompt once for each row of --over."""
    session = call.session
    model = session.model(call.options.model)
    prompt = table_prompt(call)
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

    def draw(answers: AnswerTable) -> View:
        return join("answers", [answer_table_view(answers), _where(call)])

    return call.show(model.name, run, draw, draw)


def first_prompt(call: Call) -> Prompt:
    """The prompt of the first row that can be asked, for a look at it; a note says which row that is."""
    prompt = table_prompt(call)
    over = given_rows(call, f"{prompt.text}\n{prompt.system or ''}")
    asked = RowPrompt.of(prompt, over.rows, call.names, name=over.name)
    reason = ""
    for place, row in enumerate(over.rows):
        try:
            filled = asked.fill(row)
        except OptionError as error:
            reason = reason or str(error)
            continue
        call.used = ()
        call.notes += (note(f"The row at position {place} of the {len(over.rows):,} of {over.name}."),)
        return filled
    raise OptionError(f"None of the {len(over.rows):,} rows can be asked.", reason)


def table_prompt(call: Call) -> Prompt:
    """The call's prompt with its fields open: columns go before names of the notebook."""
    if call.options.raw:
        raise OptionError("--raw leaves fields as they are, and --over fills them.", "Use one of the two.")
    call.leave_open()
    return call.prompt()


def prompt_many(call: Call) -> Answers | None:
    """Ask the call's prompt for -n answers."""
    prompt = call.prompt()
    session = call.session
    model = session.model(call.options.model)
    check_several(call.options.n, prompt.sampling)
    return call.show(
        model.name,
        lambda output: session.prompt_many(
            prompt, n=call.options.n, model=model.name, on_progress=paced(output, model.name)
        ),
        lambda answers: answers_view(answers, asked=call.options.n),
        lambda answers: answers_view(answers, asked=call.options.n),
    )


def check_alone(call: Call) -> None:
    """`OptionError` for options that do not go together, or that say something of one that is not there."""
    options = call.options
    many = next((flag for flag, value in (("--over", options.over), ("-n", options.n)) if value is not None), None)
    if many is None:
        stray = "--limit" if options.limit is not None else "--again" if options.again else None
        if stray:
            raise OptionError(f"{stray} is about the rows of a table, and none is named.", "Name one: --over NAME.")
        return
    if options.over is not None and options.n is not None:
        raise OptionError("-n and --over do not go together.", "Repeat the rows instead: df.loc[df.index.repeat(3)]")
    if options.thread is not None:
        raise OptionError(f"{many} asks many times, and a thread goes on with one answer.", "Use one of the two.")


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


def _where(call: Call) -> View | None:
    """How to get at a table that was only shown."""
    if call.options.output or not call.is_cell:
        return None
    return note("Add -o NAME to keep this table: the rows that are answered are not asked again.")


def _open_field(text: str, call: Call) -> str:
    """The field that plain values fill: the only one that the notebook does not, else {value}."""
    names = dict.fromkeys(map(name_of, Template.of(text).fields))
    open_names = [name for name in names if name not in call.names]
    return open_names[0] if len(open_names) == 1 and VALUE not in names else VALUE
