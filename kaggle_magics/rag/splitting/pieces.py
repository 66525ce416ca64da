"""What a splitter makes of a document."""

from __future__ import annotations

from dataclasses import dataclass, field

from kaggle_magics.rag.passages import Place

Pair = tuple[int, int]
"""Offsets into a text: `text[start:end]`."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A passage before it has a name: `document.text[start:end]`, its context and its place."""

    start: int
    end: int
    context: str = ""
    place: Place = field(default_factory=Place)
    kind: str = "paragraph"
    """The kind of its blocks, "paragraph" where they are mixed: tells where it may be cut further."""
