"""%%ask: answer from documents only, with citations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kaggle_magics.display.bundle import View, join
from kaggle_magics.display.found import found_view, parts_view, rewritten_view
from kaggle_magics.display.grounded import Drawing, grounded_view, sources_view
from kaggle_magics.display.preview import preview_view
from kaggle_magics.display.stream import Show
from kaggle_magics.errors import OptionError
from kaggle_magics.magics.arguments import Parser, one_of
from kaggle_magics.magics.call import Call
from kaggle_magics.magics.command import command
from kaggle_magics.magics.options import (
    collection_option,
    dry_run_option,
    raw_option,
    sampling_options,
    search_options,
    text_argument,
)
from kaggle_magics.magics.prompting.dry_run import show_preview
from kaggle_magics.magics.prompting.thread import thread_place

if TYPE_CHECKING:
    from kaggle_magics.generation.preview import Preview
    from kaggle_magics.rag.answering.answer import GroundedAnswer
    from kaggle_magics.rag.answering.found import Found


def _options(parser: Parser) -> None:
    text_argument(parser)
    collection_option(parser)
    search_options(parser)
    parser.switch("--extract", help="Give the best sentences word for word, even where a model is loaded.")
    parser.switch("--no-refusal", help="Answer even where what was found is not good enough.")
    parser.option(
        "--thread",
        help="Go on with the conversation of this name: a follow-up question is made to stand alone and searched.",
        metavar="NAME",
        complete="thread",
    )
    parser.switch("--new", help="With --thread: start the conversation over.")
    parser.option(
        "--show",
        help="prompt: exactly what is sent, with tokens by part; sources: the text of all passages that were given.",
        type=one_of("prompt", "sources"),
        repeat=True,
        metavar="WHAT",
    )
    sampling_options(parser)
    dry_run_option(parser)
    raw_option(parser)


@command(
    "Answer from a collection only, with citations, or say that the documents do not tell.",
    body="question",
    options=_options,
    examples=(
        "%%ask\nWhen does the reading room open?",
        "%%ask --extract\nWhen does the reading room open?",
        "%%ask --thread library\nAnd on Sundays?",
        "%%ask --show prompt --show sources\nWho approves travel?",
        "%%ask -c handbook --passages 8 --max-tokens 120 -o answer\nWho approves travel?",
        'answer = %ask "Who approves travel?"',
    ),
)
def ask(call: Call) -> GroundedAnswer | Preview | None:
    question = call.text()
    session = call.session
    finding = call.finding()
    place = thread_place(call)
    shows = call.options.show or ()
    if call.options.dry_run:
        if call.options.extract:
            raise OptionError("--extract asks no model, so there is nothing to see.", "Leave out --dry-run.")
        return show_preview(
            call,
            lambda model: session.preview_ask(
                question, model=model, spans=call.spans, **place, **finding, **call.sampling()
            ),
        )
    current = session.model(call.options.model) if call.options.model else session.current
    label = current.name if current and not call.options.extract else "searching"
    above: list[View] = []

    def work(output: Show) -> GroundedAnswer:
        written = False

        def text(piece: str) -> None:
            nonlocal written
            written = True
            output.text(piece)

        def show_found(found: Found) -> None:
            above[:] = _above(found, prompt="prompt" in shows)
            output.part_done(join("found", [*(above if "prompt" in shows else ()), found_view(found)]))
            output.begin(label)

        answer = session.ask(
            question,
            **finding,
            model=call.options.model,
            extract=call.options.extract,
            no_refusal=call.options.no_refusal,
            on_found=show_found,
            on_text=text,
            on_reasoning=output.reasoning,
            **place,
            **call.about(),
            **call.sampling(),
        )
        if not written:
            output.text(answer.text)
        return answer

    drawing = Drawing(all_sources="sources" in shows)
    return call.show(
        label,
        work,
        lambda answer: join("ask", [*above, grounded_view(answer, drawing)]),
        lambda answer: sources_view(answer, drawing),
    )


def _above(found: Found, *, prompt: bool) -> list[View]:
    """What stays above the answer of what was shown before it."""
    views = [rewritten_view(found)]
    if prompt:
        views += [preview_view(found.preview()) if found.preview else None, parts_view(found)]
    return [view for view in views if view is not None]
