"""%rag_eval: how well a collection is found in and answered from, setting by setting."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kaggle_magics.display.bundle import note
from kaggle_magics.display.stream import open_show
from kaggle_magics.errors import OptionError
from kaggle_magics.generation.attachments.description import counted
from kaggle_magics.magics.arguments import Parser, several, whole
from kaggle_magics.magics.call import Call
from kaggle_magics.magics.command import command
from kaggle_magics.magics.options import sampling_options, search_options
from kaggle_magics.models.request import Sampling

if TYPE_CHECKING:
    from kaggle_magics.rag.evaluation.evaluation import Evaluation
    from kaggle_magics.session.judging import JudgingProgress


def _options(parser: Parser) -> None:
    parser.argument(
        "QUESTIONS",
        "Table of questions: a .csv or .jsonl file, or a variable. Columns: question, and source, quote, start and "
        "end, references or answer. Without it questions are made from the collection.",
        dest="questions",
        nargs="?",
        complete="path",
    )
    parser.option(
        "-c",
        "--collection",
        help="Collections to search; several are compared.",
        type=several(str),
        metavar="NAME,...",
        complete="collection",
    )
    search_options(parser)
    # Several filters at once are one setting; every other search option with several values makes several settings.
    searched = [each.dest for each in parser.options if each.dest not in ("collection", "where") and each.nargs != 0]
    parser.axis(*searched)
    parser.option("--make", help="How many questions are made where none are given.", type=whole, metavar="N")
    parser.switch("--answers", help="Answer every question, too, and judge answers, citations and refusals.")
    parser.switch("--extract", help="With --answers: by sentences of the documents, even where a model is loaded.")
    sampling_options(parser)


@command(
    "Measure what a collection finds and answers: recall, precision, nDCG and more; settings side by side.",
    options=_options,
    examples=(
        "%rag_eval questions.csv --mode hybrid,dense,lexical",
        "%rag_eval questions --passages 3,5,10 -o evaluation",
        "%rag_eval --make 50 --answers",
    ),
)
def rag_eval(call: Call) -> Evaluation:
    options = call.options
    if options.extract and not options.answers:
        raise OptionError("--extract is about answers, and none are asked for.", "Give --answers, too.")
    if options.make == 0:
        raise OptionError("--make needs at least 1 question.")
    if options.make is not None and options.questions is not None:
        raise OptionError("--make is for where no questions are given.", "Leave out either.")
    given = [option.name for option in fields(Sampling) if getattr(options, option.name, None) is not None]
    if given and not options.answers:
        word = given[0].replace("_", "-")
        raise OptionError(f"--{word} is about answers, and none are asked for.", "Give --answers, too.")
    finding = {name: value for name, value in call.finding().items() if name != "collection" and value is not None}
    asking: dict[str, Any] = {}
    if options.answers:
        asking = {"answers": True, "extract": options.extract, "model": options.model, **call.sampling()}
    questions, name = _questions(call)
    with open_show(call.shell) as output:
        output.begin("Evaluating")

        def on_judged(now: JudgingProgress) -> None:
            setting = f", {now.setting}" if now.setting != "as given" else ""
            output.progress(f"Evaluating: {now.done} of {now.of}{setting}")

        found = call.session.evaluate_search(
            questions,
            collection=options.collection or call.settings.collection,
            name=name,
            on_judged=on_judged,
            **({"make": options.make} if options.make is not None else {}),
            **finding,
            **asking,
        )
        output.finish(note(f"{counted(len(found), 'search', 'searches')} judged."))
    call.store(found)
    return found


def _questions(call: Call) -> tuple[Any, str | None]:
    """The table that the line names, and what to call it; None where it names none."""
    word = call.options.questions
    if word is None:
        return None, None
    if word.isidentifier() and word in call.names:
        return call.names[word], word
    return Path(word), Path(word).name
