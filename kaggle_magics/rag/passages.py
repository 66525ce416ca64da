"""Documents, passages and hits: the plain data of retrieval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Place:
    """Where in its file a piece of text stands; None where the format has no such thing. All counted from 1."""

    page: int | None = None
    slide: int | None = None
    sheet: str | None = None
    row: int | None = None
    """First row of the piece; the header is row 1."""
    cell: int | None = None

    def __str__(self) -> str:
        named = {"page": self.page, "slide": self.slide, "sheet": self.sheet, "row": self.row, "cell": self.cell}
        return ", ".join(f"{name} {value}" for name, value in named.items() if value is not None)


@dataclass(frozen=True, slots=True)
class Block:
    """What a reader yields: a run of text that belongs together, with its place and what it is."""

    text: str
    kind: str = "paragraph"
    """"heading", "paragraph", "table" (first line is the header), "code", "list"."""
    level: int = 0
    """Depth of a heading, 1 is the title."""
    place: Place = field(default_factory=Place)


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a stored document: `document_text[start:end] == text`, always."""

    id: str
    document_id: str
    source: str
    start: int
    end: int
    text: str
    context: str = ""
    """Heading path or table header: embedded and prompted with the text, but outside the offsets."""
    place: Place = field(default_factory=Place)

    @property
    def page(self) -> int | None:
        return self.place.page


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage found for a question. `rank` counts from 1; `scores` by name, larger is nearer.

    "vector" is the cosine similarity, "lexical" the BM25 score (positive), "fused" what the rank was made of.
    """

    passage: Passage
    rank: int
    scores: Mapping[str, float]
