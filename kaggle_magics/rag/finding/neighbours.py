"""Hits with the passages around them, as one piece of the document again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from kaggle_magics.rag.passages import Passage
from kaggle_magics.rag.storing.records import Records

_STEP = " > "


@dataclass(slots=True)
class Stretch:
    """A run of neighbouring passages; `best` is the one it was found by."""

    best: str
    first: int
    last: int
    """Positions in the layout, both included."""


def stretches(records: Records, ranked: Iterable[str], neighbours: int, most: int) -> list[Stretch]:
    """At most `most` runs around the ranked passages, in the order of their best; those that touch are one.

    A passage that touches a run is added to it, also when `most` are there already, up to the first that does not.
    """
    layout = records.layout()
    found: list[Stretch] = []
    for key in ranked:
        at = layout.position_of_id[key]
        document = layout.document[at]
        first, last = at, at
        while first > 0 and at - first < neighbours and layout.document[first - 1] == document:
            first -= 1
        while last < len(layout) - 1 and last - at < neighbours and layout.document[last + 1] == document:
            last += 1
        touching = [
            one
            for one in found
            if layout.document[one.first] == document and first <= one.last + 1 and last >= one.first - 1
        ]
        if not touching and len(found) == most:
            break
        if not touching:
            found.append(Stretch(key, first, last))
            continue
        touching[0].first = min(first, *(one.first for one in touching))
        touching[0].last = max(last, *(one.last for one in touching))
        for other in touching[1:]:
            found.remove(other)
    return found


def joined(records: Records, stretch: Stretch, best: Passage) -> Passage:
    """The stretch as one passage, `document_text[start:end] == text`; it bears the id of its best one.

    It stands where its first passage begins, under the headings that all of them share.
    """
    layout = records.layout()
    ids = layout.ids[stretch.first : stretch.last + 1]
    parts = list(records.passages(ids).values())
    start, end = min(part.start for part in parts), max(part.end for part in parts)
    text = records.document_text(best.document_id)[start:end]
    first = min(parts, key=lambda part: (part.start, part.end))
    return replace(best, start=start, end=end, text=text, context=_shared(parts), place=first.place)


def _shared(parts: list[Passage]) -> str:
    if all(part.context == parts[0].context for part in parts):
        return parts[0].context
    paths = [part.context.split(_STEP) for part in parts]
    common = []
    for steps in zip(*paths, strict=False):
        if any(step != steps[0] for step in steps):
            break
        common.append(steps[0])
    return _STEP.join(common)
