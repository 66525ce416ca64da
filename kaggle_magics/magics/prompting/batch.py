"""%%prompt --jsonl and --answers: requests into a file for a server, and its answers back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kaggle_magics.display.batches import batch_file_view
from kaggle_magics.display.several import answers_view
from kaggle_magics.display.tables import answer_table_view
from kaggle_magics.errors import OptionError
from kaggle_magics.generation.several import Answers
from kaggle_magics.magics.arguments import Parser
from kaggle_magics.magics.prompting.table import given_rows, table_prompt

if TYPE_CHECKING:
    from kaggle_magics.display.bundle import View
    from kaggle_magics.display.stream import Show
    from kaggle_magics.generation.tables.batch_file import BatchFile
    from kaggle_magics.generation.tables.table import AnswerTable
    from kaggle_magics.magics.call import Call


def batch_options(parser: Parser) -> None:
    """What has requests answered elsewhere."""
    parser.option(
        "--jsonl",
        help="Write the requests to a file in OpenAI's batch format, for vllm run-batch, and ask nothing.",
        metavar="FILE",
        complete="path",
    )
    parser.option(
        "--answers",
        help="Read the answers that a server wrote for the --jsonl of this cell.",
        metavar="FILE",
        complete="path",
    )


def prompt_batch(call: Call) -> BatchFile | AnswerTable | Answers | None:
    """Write the call's requests, or read their answers."""
    options = call.options
    if options.jsonl is not None and options.answers is not None:
        raise OptionError("--jsonl writes requests and --answers reads what came of them.", "Use one of the two.")
    flag = "--jsonl" if options.jsonl is not None else "--answers"
    if options.thread is not None:
        raise OptionError(f"{flag} asks nothing here, and a thread goes on with an answer.", "Use one of the two.")
    asked: dict[str, Any] = {"namespace": call.names}
    if options.over is not None:
        prompt = table_prompt(call)
        over = given_rows(call, f"{prompt.text}\n{prompt.system or ''}")
        asked |= {"rows": over.rows, "name": over.name}
        call.used = ()
    else:
        prompt = call.prompt()
        asked["n"] = options.n
    session = call.session
    if options.jsonl is not None:
        asked |= {"model": options.model, "overwrite": options.overwrite}
        return call.show(
            "batch file",
            lambda output: session.write_batch(prompt, options.jsonl, **asked),
            batch_file_view,
            batch_file_view,
        )

    def read(output: Show) -> AnswerTable | Answers:
        return session.read_batch(prompt, options.answers, **asked)

    return call.show("batch file", read, _view, _view)


def _view(answers: AnswerTable | Answers) -> View:
    return answers_view(answers) if isinstance(answers, Answers) else answer_table_view(answers)
