"""The same text in several places is one hit, which tells where else it stands."""

from __future__ import annotations

from collections.abc import Iterable

from kaggle_magics.rag.passages import Passage
from kaggle_magics.rag.storing.layout import Layout


def without_duplicates(ranked: Iterable[str], layout: Layout) -> dict[str, list[str]]:
    """The first key of each text (whitespace and context aside), in order, with those of passages that say the same."""
    first: dict[int, str] = {}
    found: dict[str, list[str]] = {}
    for key in ranked:
        before = first.setdefault(int(layout.sameness[layout.position_of_id[key]]), key)
        if before == key:
            found[key] = []
        else:
            found[before].append(key)
    return found


def told(passage: Passage) -> str:
    """Where a passage stands: `a.md`, `b.pdf, page 3`."""
    place = str(passage.place)
    return f"{passage.source}, {place}" if place else passage.source
