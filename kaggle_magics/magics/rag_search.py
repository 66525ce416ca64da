"""%%rag_search: the passages nearest to a question, without any model."""

from __future__ import annotations

from kaggle_magics.display.hits import hits_view
from kaggle_magics.display.results import Hits
from kaggle_magics.magics.arguments import Parser
from kaggle_magics.magics.call import Call
from kaggle_magics.magics.command import command
from kaggle_magics.magics.options import (
    collection_option,
    output_option,
    raw_option,
    search_options,
    text_argument,
)


def _options(parser: Parser) -> None:
    text_argument(parser)
    collection_option(parser)
    search_options(parser)
    output_option(parser)
    raw_option(parser)


@command(
    "Find the passages nearest to a question; no model is asked.",
    body="question",
    options=_options,
    examples=(
        "%%rag_search --passages 3\nopening hours",
        'hits = %rag_search "opening hours" --mode lexical --where page=3-5',
    ),
)
def rag_search(call: Call) -> Hits | None:
    question = call.text()
    return call.show(
        "searching",
        lambda output: Hits(call.session.search(question, **call.finding())),
        hits_view,
    )
