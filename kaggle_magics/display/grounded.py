"""Answers from documents, with their citations."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kaggle_magics.display import escape, markdown
from kaggle_magics.display.answers import footer, not_begun, thoughts
from kaggle_magics.display.bundle import View, fold, join, note, title
from kaggle_magics.display.passages import passage_view, tooltip, whereabouts

if TYPE_CHECKING:
    from kaggle_magics.rag.answering.answer import GroundedAnswer
    from kaggle_magics.rag.passages import Passage


def grounded_view(answer: GroundedAnswer) -> View:
    """The answer with its citations as links to the sources below; cited sources are open, the others folded."""
    cited, prefix = _cited(answer), _prefix()
    text = not_begun(answer) or _text(answer, cited, prefix)
    return join("grounded", [thoughts(answer), text, _below(answer, cited, prefix)])


def sources_view(answer: GroundedAnswer) -> View:
    """What stands below a grounded answer's text: its label, its sources and its footer."""
    return _below(answer, _cited(answer), _prefix())


def _prefix() -> str:
    """Ids of our own: two outputs of one notebook never share one."""
    return f"km-{os.urandom(5).hex()}"


def _cited(answer: GroundedAnswer) -> dict[int, Passage]:
    return {citation.number: citation.passage for citation in answer.citations}


def _below(answer: GroundedAnswer, cited: dict[int, Passage], prefix: str) -> View:
    views = [_label(answer), _sources(answer, cited, prefix), None if answer.extractive else footer(answer)]
    return join("below", views)


def _label(answer: GroundedAnswer) -> View | None:
    if answer.refused:
        return None
    if answer.extractive:
        return note("Extract: these sentences stand in the documents word for word; no model wrote them.")
    if answer.unknown_citations:
        marks = ", ".join(f"[{number}]" for number in answer.unknown_citations)
        return note(f"{marks} in this answer points at no passage.", warn=True)
    if not answer.citations:
        return note("This answer cites no source: check it before you rely on it.", warn=True)
    return None


def _text(answer: GroundedAnswer, cited: dict[int, Passage], prefix: str) -> View:
    chips = {number: _chip(number, passage, prefix) for number, passage in cited.items()}
    html = f'<div class="km-scroll">{markdown.render(answer.text, chips)}</div>'
    return View("body", html, escape.markdown(answer.text.strip()), escape.plain(answer.text.strip()))


def _chip(number: int, passage: Passage, prefix: str) -> str:
    """A citation in the text: points at its source below, and shows its beginning when pointed at."""
    beginning = escape.attribute(tooltip(passage))
    return f'<a class="km-chip" href="#{prefix}-{number}" title="{beginning}">[{number}]</a>'


def _sources(answer: GroundedAnswer, cited: dict[int, Passage], prefix: str) -> View | None:
    """Cited passages under their numbers, then those that were found but not cited."""
    views = [title("Sources")] if cited else []
    for number, passage in sorted(cited.items()):
        views.append(passage_view(f"[{number}] {whereabouts(passage)}", passage, open=True, id=f"{prefix}-{number}"))
    shown = {passage.id for passage in cited.values()}
    rest = [hit.passage for hit in answer.hits if hit.passage.id not in shown]
    if rest:
        inner = "".join(passage_view(whereabouts(passage), passage).html for passage in rest)
        views.append(View("rest", fold(f"Found, but not cited: {len(rest)}", inner), "", ""))
    return join("sources", views) if views else None
