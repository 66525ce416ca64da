"""A passage as it is shown: its label, and its text word for word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kaggle_magics.display import escape
from kaggle_magics.display.bundle import View, fold

if TYPE_CHECKING:
    from kaggle_magics.rag.passages import Passage

_HEADING = 70
"""Characters of a passage's heading path, or table header, that stand in its label."""
_TOOLTIP = 300
"""Characters of a passage that a citation shows when it is pointed at."""


def passage_view(label: str, passage: Passage, *, open: bool = False, id: str = "") -> View:
    context = f'<div class="km-note">{escape.html(passage.context)}</div>' if len(passage.context) > _HEADING else ""
    quoted = f"{context}<blockquote>{escape.html(passage.text).replace(chr(10), '<br>')}</blockquote>"
    text = escape.plain(passage.text.strip())
    return View(
        "passage",
        fold(label, quoted, open=open, id=id),
        f"{escape.markdown_line(label)}\n\n> {escape.markdown_line(text)}",
        f"{escape.plain(label)}\n" + "\n".join(f"    {line}" for line in text.splitlines()),
    )


def whereabouts(passage: Passage) -> str:
    """Source, place and heading: two passages of one file are told apart before they are opened."""
    place, heading = str(passage.place), passage.context
    if len(heading) > _HEADING:
        heading = f"{heading[: _HEADING - 1]}…"
    source = f"{passage.source}, {place}" if place else passage.source
    return f"{source} · {heading}" if heading else source


def tooltip(passage: Passage) -> str:
    text = " ".join(passage.text.split())
    return f"{whereabouts(passage)}: {text[:_TOOLTIP]}{'…' if len(text) > _TOOLTIP else ''}"
