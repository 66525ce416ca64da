"""Collections: what was read in, what was found, and answers that cite it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kaggle_magics.display import escape, markdown
from kaggle_magics.display.answers import footer, not_begun, thoughts
from kaggle_magics.display.bundle import View, fold, join, note, seconds, size, table, title

if TYPE_CHECKING:
    from kaggle_magics.display.results import Collections
    from kaggle_magics.rag.answer import GroundedAnswer
    from kaggle_magics.rag.ingestion import IngestReport
    from kaggle_magics.rag.passages import Hit, Passage

_HEADING = 70
"""Characters of a passage's heading path, or table header, that stand in its label."""
_TOOLTIP = 300
"""Characters of a passage that a citation shows when it is pointed at."""


def grounded_view(answer: GroundedAnswer) -> View:
    """The answer with its citations as links to the sources below; cited sources are open, the others folded."""
    cited, prefix = _cited(answer), _prefix()
    text = not_begun(answer) or _text(answer, cited, prefix)
    return join("grounded", [thoughts(answer), text, _below(answer, cited, prefix)])


def hits_view(hits: Sequence[Hit]) -> View:
    """Passages that were found, best first, each with its scores."""
    if not hits:
        return note("Nothing was found.")
    views = [title(f"{len(hits)} passage{'s' * (len(hits) != 1)}, nearest first")]
    for hit in hits:
        scores = ", ".join(f"{name} {value:.3f}" for name, value in hit.scores.items())
        views.append(_passage(f"{hit.rank}. {_where(hit.passage)} ({scores})", hit.passage, open=True))
    return join("hits", views)


def ingest_view(report: IngestReport) -> View:
    """What became of each document; those that could not be read come with the reason."""
    counts: dict[str, int] = {}
    for row in report.rows:
        counts[row.status] = counts.get(row.status, 0) + 1
    summary = ", ".join(f"{number} {status}" for status, number in counts.items())
    caption = (
        f"Collection {report.collection}: {summary}. It holds {report.passages} passages of {report.documents} "
        f"documents ({report.embedded} embedded now by {report.embedder or 'none'}, {seconds(report.seconds)})"
    )
    columns = ("document", "status", "pages", "characters", "passages", "time", "reason")
    cells = [
        (
            row.source,
            row.status,
            row.pages,
            row.characters or None,
            row.passages or None,
            seconds(row.seconds),
            row.reason,
        )
        for row in report.rows
    ]
    drawn = table(caption, columns, cells, numbers=("pages", "characters", "passages", "time"))
    return join("ingest", [drawn, *(note(warning, warn=True) for warning in report.warnings)])


def collections_view(collections: Collections) -> View:
    """Open collections: how much is in them, by which embedder, where they lie; and their documents, if asked for."""
    if not collections:
        return note("No collection is open. Make one with: %rag_ingest PATH")
    rows = [
        (
            name,
            facts.documents,
            facts.passages,
            f"{facts.embedder} ({facts.dimension})" if facts.embedder else "none: search is by words only",
            facts.store,
            size(facts.bytes),
            f"{facts.path} (temporary)" if facts.temporary else facts.path,
        )
        for name, facts in collections.items()
    ]
    columns = ("collection", "documents", "passages", "embedder", "store", "size", "folder")
    views = [table("Collections", columns, rows, numbers=("documents", "passages", "size"))]
    for name, facts in collections.items():
        if collections.detailed:
            sources = [(source.source, source.pages, source.characters, source.passages) for source in facts.sources]
            heads = ("document", "pages", "characters", "passages")
            views.append(table(f"Documents of {name}", heads, sources, numbers=heads[1:]))
        views += [note(f"{name}: {warning}", warn=True) for warning in facts.warnings]
    return join("collections", views)


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
    tooltip = escape.attribute(_tooltip(passage))
    return f'<a class="km-chip" href="#{prefix}-{number}" title="{tooltip}">[{number}]</a>'


def _sources(answer: GroundedAnswer, cited: dict[int, Passage], prefix: str) -> View | None:
    """Cited passages under their numbers, then those that were found but not cited."""
    views = [title("Sources")] if cited else []
    for number, passage in sorted(cited.items()):
        views.append(_passage(f"[{number}] {_where(passage)}", passage, open=True, id=f"{prefix}-{number}"))
    shown = {passage.id for passage in cited.values()}
    rest = [hit.passage for hit in answer.hits if hit.passage.id not in shown]
    if rest:
        inner = "".join(_passage(_where(passage), passage).html for passage in rest)
        views.append(View("rest", fold(f"Found, but not cited: {len(rest)}", inner), "", ""))
    return join("sources", views) if views else None


def _passage(label: str, passage: Passage, *, open: bool = False, id: str = "") -> View:
    context = f'<div class="km-note">{escape.html(passage.context)}</div>' if len(passage.context) > _HEADING else ""
    quoted = f"{context}<blockquote>{escape.html(passage.text).replace(chr(10), '<br>')}</blockquote>"
    text = escape.plain(passage.text.strip())
    return View(
        "passage",
        fold(label, quoted, open=open, id=id),
        f"{escape.markdown_line(label)}\n\n> {escape.markdown_line(text)}",
        f"{escape.plain(label)}\n" + "\n".join(f"    {line}" for line in text.splitlines()),
    )


def _where(passage: Passage) -> str:
    """Source, place and heading: two passages of one file are told apart before they are opened."""
    place, heading = str(passage.place), passage.context
    if len(heading) > _HEADING:
        heading = f"{heading[: _HEADING - 1]}…"
    source = f"{passage.source}, {place}" if place else passage.source
    return f"{source} · {heading}" if heading else source


def _tooltip(passage: Passage) -> str:
    text = " ".join(passage.text.split())
    return f"{_where(passage)}: {text[:_TOOLTIP]}{'…' if len(text) > _TOOLTIP else ''}"
