"""Answers from documents, with their citations."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kaggle_magics.display import escape, markdown
from kaggle_magics.display.answers import footer, not_begun, thoughts
from kaggle_magics.display.bundle import View, fold, join, note, title
from kaggle_magics.display.passages import passage_view, tooltip, whereabouts

if TYPE_CHECKING:
    from kaggle_magics.rag.answering.answer import Citation, GroundedAnswer
    from kaggle_magics.rag.answering.evidence import Evidence
    from kaggle_magics.rag.passages import Passage

UNSUPPORTED = "not in the sources"
"""The mark behind a sentence that no cited passage supports."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """How a grounded answer is drawn."""

    all_sources: bool = False
    """Whether every passage that was given is shown with its text, not only those that are cited."""


def grounded_view(answer: GroundedAnswer, drawing: Drawing = Drawing()) -> View:
    """The answer with its citations as links to the sources below; cited sources are open, the others folded."""
    prefix = _prefix()
    text = not_begun(answer) or _text(answer, prefix)
    return join("grounded", [thoughts(answer), text, _below(answer, prefix, drawing)])


def sources_view(answer: GroundedAnswer, drawing: Drawing = Drawing()) -> View:
    """What stands below a grounded answer's text: its label, its sources and its footer."""
    return _below(answer, _prefix(), drawing)


def _prefix() -> str:
    """Ids of our own: two outputs of one notebook never share one."""
    return f"km-{os.urandom(5).hex()}"


def _below(answer: GroundedAnswer, prefix: str, drawing: Drawing) -> View:
    from_model = not answer.extractive and answer.refused_by != "evidence"
    foot = footer(answer) if from_model else None
    return join("below", [*_labels(answer), _sources(answer, prefix, drawing), foot])


def _labels(answer: GroundedAnswer) -> list[View]:
    """What a person should know of the answer before relying on it."""
    said = []
    if answer.refused:
        if answer.refused_by == "evidence" and answer.evidence is not None:
            asked = "" if answer.extractive else "; no model was asked"
            # Where nothing was found there is nothing to ask about.
            asked += " (--no-refusal asks it all the same)" if asked and answer.hits else ""
            said.append(note(f"Nothing that was found is good enough: {evidence_line(answer.evidence)}{asked}."))
        return said
    if answer.extractive:
        said.append(note("Extract: these sentences stand in the documents word for word; no model wrote them."))
    elif not answer.citations and not answer.unknown_citations:
        said.append(note("This answer cites no source: check it before you rely on it.", warn=True))
    if answer.unknown_citations:
        marks = ", ".join(f"[{number}]" for number in answer.unknown_citations)
        point = "points" if len(answer.unknown_citations) == 1 else "point"
        said.append(note(f"{marks} in this answer {point} at no passage.", warn=True))
    count = len(answer.unsupported)
    if count:
        told = "A sentence of this answer is" if count == 1 else f"{count} sentences of this answer are"
        said.append(note(f"{told} not supported by the passages cited: marked \u201c{UNSUPPORTED}\u201d.", warn=True))
    return said


def evidence_line(evidence: Evidence) -> str:
    """The score and what it has to reach, in words."""
    return f"evidence {evidence.score:.2f}, needed {evidence.threshold:.2f}"


def _text(answer: GroundedAnswer, prefix: str) -> View:
    """The text, a mark behind each sentence without support, and citations as links."""
    chips = {citation.number: _chip(citation, prefix) for citation in answer.citations}
    # The mark goes through Markdown as a citation does, with a number that nothing else bears.
    mark = next(number for number in range(999, 0, -1) if number not in {*chips, *answer.unknown_citations})
    text = answer.text
    for claim in reversed(answer.claims):
        if not claim.supported:
            end = claim.end - text[: claim.end].endswith("|")
            text = f"{text[:end]} [{mark}]{text[end:]}"
    chips[mark] = f'<span class="km-note km-warn">[{UNSUPPORTED}]</span>'
    html = f'<div class="km-scroll">{markdown.render(text, chips)}</div>'
    told = text.strip().replace(f" [{mark}]", f" [{UNSUPPORTED}]")
    return View("body", html, escape.markdown(told), escape.plain(told))


def _chip(citation: Citation, prefix: str) -> str:
    """A citation in the text: points at its source below, and shows its sentence when pointed at."""
    beginning = escape.attribute(tooltip(citation.passage, citation.spans))
    number = citation.number
    return f'<a class="km-chip" href="#{prefix}-{number}" title="{beginning}">[{number}]</a>'


def _sources(answer: GroundedAnswer, prefix: str, drawing: Drawing) -> View | None:
    """Cited passages under their numbers, then those that were given but not cited; of a refusal, the nearest."""
    views = [title("Sources")] if answer.citations else []
    for citation in sorted(answer.citations, key=lambda citation: citation.number):
        passage = citation.passage
        label = f"[{citation.number}] {whereabouts(passage)}"
        id = f"{prefix}-{citation.number}"
        views.append(passage_view(label, passage, open=True, id=id, marked=citation.spans))
    cited = {citation.number for citation in answer.citations}
    rest = [(number, hit.passage) for number, hit in enumerate(answer.hits, start=1) if number not in cited]
    if rest:
        told = "Given, but not cited"
        if answer.refused:
            told = "Nearest found, but not good enough" if answer.refused_by == "evidence" else "Given to the model"
        views.append(_rest(f"{told}: {len(rest)}", rest, named=answer.refused, whole=drawing.all_sources))
    if answer.left_out:
        views.append(note(f"Found, but the context had no room for them: {answer.left_out}."))
    return join("sources", views) if views else None


def _rest(heading: str, rest: list[tuple[int, Passage]], *, named: bool, whole: bool) -> View:
    """Passages in a fold; in text their names, and with `whole` what they say."""
    drawn = [passage_view(f"[{number}] {whereabouts(passage)}", passage) for number, passage in rest]
    if whole:
        return join("rest", [title(heading), *(replace(view, html=_opened(view.html)) for view in drawn)])
    names = [f"[{number}] {whereabouts(passage)}" for number, passage in rest]
    listed = "\n".join(f"- {escape.markdown_line(name)}" for name in names)
    plain = "\n".join(f"    {escape.plain(name)}" for name in names)
    return View(
        "rest",
        fold(heading, "".join(view.html for view in drawn)),
        f"{escape.markdown_line(heading)}\n\n{listed}" if named else f"*{escape.markdown_line(heading)}*",
        f"{heading}\n{plain}" if named else heading,
    )


def _opened(html: str) -> str:
    return html.replace("<details>", "<details open>", 1)
