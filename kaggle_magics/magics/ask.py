"""%%ask: answer from documents only, with citations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kaggle_magics.display.grounded import grounded_view, sources_view
from kaggle_magics.errors import OptionError
from kaggle_magics.magics.arguments import Parser
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

if TYPE_CHECKING:
    from kaggle_magics.generation.preview import Preview
    from kaggle_magics.rag.answering.answer import GroundedAnswer


def _options(parser: Parser) -> None:
    text_argument(parser)
    collection_option(parser)
    search_options(parser)
    parser.switch("--extract", help="Give the best sentences word for word, even where a model is loaded.")
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
        "%%ask -c handbook --passages 8 --max-tokens 120 -o answer\nWho approves travel?",
        'answer = %ask "Who approves travel?"',
    ),
)
def ask(call: Call) -> GroundedAnswer | Preview | None:
    question = call.text()
    session = call.session
    finding = call.finding()
    if call.options.dry_run:
        if call.options.extract:
            raise OptionError("--extract asks no model, so there is nothing to see.", "Leave out --dry-run.")
        return show_preview(
            call,
            lambda model: session.preview_ask(question, model=model, spans=call.spans, **finding, **call.sampling()),
        )
    current = session.model(call.options.model) if call.options.model else session.current
    return call.show(
        current.name if current and not call.options.extract else "searching",
        lambda output: session.ask(
            question,
            **finding,
            model=call.options.model,
            extract=call.options.extract,
            on_text=output.text,
            on_reasoning=output.reasoning,
            **call.about(),
            **call.sampling(),
        ),
        grounded_view,
        sources_view,
    )
