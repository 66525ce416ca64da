"""The same text in several places is one hit, which tells where else it stands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kaggle_magics.rag.passages import Passage


def without_duplicates(ranked: Iterable[str], passages: Mapping[str, Passage]) -> dict[str, list[Passage]]:
    """The first key of each text (whitespace and context aside), in order, with the passages that say the same."""
    first: dict[str, str] = {}
    found: dict[str, list[Passage]] = {}
    for key in ranked:
        text = " ".join(passages[key].text.split())
        if (before := first.setdefault(text, key)) == key:
            found[key] = []
        else:
            found[before].append(passages[key])
    return found


def told(passage: Passage) -> str:
    """Where a passage stands: `a.md`, `b.pdf, page 3`."""
    place = str(passage.place)
    return f"{passage.source}, {place}" if place else passage.source
