"""What a search found: where each passage stands, why it was found, and its scores as they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kaggle_magics.display import escape
from kaggle_magics.display.bundle import View, fold, join, note, title
from kaggle_magics.display.passages import whereabouts

if TYPE_CHECKING:
    from kaggle_magics.rag.passages import Hit

_MEANING = {
    "lexical": "words (BM25)",
    "dense": "meaning (cosine)",
    "fused": "both together",
    "rerank": "cross-encoder",
}


def hits_view(hits: Sequence[Hit]) -> View:
    """Passages that were found, best first, each with its scores."""
    if not hits:
        return note("Nothing was found.")
    best = {name: max(hit.scores.get(name, 0.0) for hit in hits) for hit in hits for name in hit.scores}
    return join(
        "hits",
        [title(f"{len(hits)} passage{'s' * (len(hits) != 1)}, nearest first"), *(_hit(hit, best) for hit in hits)],
    )


def _hit(hit: Hit, best: dict[str, float]) -> View:
    label = f"{hit.rank}. {whereabouts(hit.passage)}"
    numbers = ", ".join(f"{name} {value:.3f}" for name, value in hit.scores.items())
    place = _place(hit)
    also = f"The same text stands in {', '.join(hit.also)}." if hit.also else ""
    marked = _marked(hit)
    bars = "".join(_bar(name, value, best.get(name, 0.0)) for name, value in hit.scores.items())
    html = f'<div class="km-scores">{bars}{_strip(hit, place)}</div><blockquote>{marked}</blockquote>' + (
        f'<div class="km-note">{escape.html(also)}</div>' if also else ""
    )
    text = escape.plain(hit.passage.text.strip())
    facts = "; ".join(filter(None, (numbers, place, also)))
    return View(
        "hit",
        fold(label, html, open=True),
        f"{escape.markdown_line(label)}\n\n*{escape.markdown_line(facts)}*\n\n> {escape.markdown_line(text)}",
        f"{escape.plain(label)}\n  {escape.plain(facts)}\n" + "\n".join(f"    {line}" for line in text.splitlines()),
    )


def _bar(name: str, value: float, best: float) -> str:
    """A score as it is, and a bar that is full for the best of these hits; below 0 it is empty."""
    width = max(0.0, min(1.0, value / best)) if best > 0 else 0.0
    told = escape.attribute(_MEANING.get(name, name))
    return (
        f'<span class="km-score" title="{told}"><span>{escape.html(name)}</span>'
        f'<span class="km-meter"><i style="width:{100 * width:.0f}%"></i></span><span>{value:.3f}</span></span>'
    )


def _place(hit: Hit) -> str:
    """Where in its document a passage stands, in words; empty where the document's length is not known."""
    if not hit.document_characters:
        return ""
    told = f"characters {hit.passage.start:,} to {hit.passage.end:,} of {hit.document_characters:,}"
    if hit.document_pages and hit.passage.page is not None:
        told = f"page {hit.passage.page} of {hit.document_pages}, {told}"
    return told


def _strip(hit: Hit, place: str) -> str:
    """The document as a line, the passage as a mark on it."""
    if not place:
        return ""
    whole = hit.document_characters
    left = 100 * min(hit.passage.start / whole, 1.0)
    width = max(1.0, min(100 * (hit.passage.end - hit.passage.start) / whole, 100 - left))
    left = min(left, 99.0)
    return (
        f'<span class="km-score km-where" title="{escape.attribute(place)}"><span>in the document</span>'
        f'<span class="km-meter"><i style="margin-left:{left:.1f}%;width:{width:.1f}%"></i></span>'
        f"<span>{escape.html(_short(hit))}</span></span>"
    )


def _short(hit: Hit) -> str:
    if hit.document_pages and hit.passage.page is not None:
        return f"page {hit.passage.page} of {hit.document_pages}"
    return f"at {100 * hit.passage.start / hit.document_characters:.0f} %"


def _marked(hit: Hit) -> str:
    """The text with the question's words marked; what is between two marks is escaped for itself."""
    text, parts, at = hit.passage.text, list[str](), 0
    for start, end in hit.matches:
        if start < at or end > len(text):  # marks of another text
            continue
        parts += [escape.html(text[at:start]), f"<mark>{escape.html(text[start:end])}</mark>"]
        at = end
    parts.append(escape.html(text[at:]))
    return "".join(parts).replace("\n", "<br>")
