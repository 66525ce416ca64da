"""Documents, passages and hits: the plain data of retrieval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Place:
    """Where in its file a piece of text stands; None where the format has no such thing. All counted from 1."""

    page: int | None = None
    slide: int | None = None
    sheet: str | None = None
    row: int | None = None
    """First row of the piece; the header is row 1."""
    last_row: int | None = None
    cell: int | None = None
    time: float | None = None
    """Where in a recording the piece begins, in seconds."""
    end_time: float | None = None

    def __str__(self) -> str:
        named = {"page": self.page, "slide": self.slide, "sheet": self.sheet}
        parts = [f"{name} {value}" for name, value in named.items() if value is not None]
        if self.row is not None:
            several = self.last_row is not None and self.last_row > self.row
            parts.append(f"rows {self.row}-{self.last_row}" if several else f"row {self.row}")
        if self.cell is not None:
            parts.append(f"cell {self.cell}")
        if self.time is not None:
            parts.append(clock(self.time) + (f"-{clock(self.end_time)}" if self.end_time is not None else ""))
        return ", ".join(parts)


def clock(seconds: float) -> str:
    """A place in a recording: `0:07`, `1:02:33`."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


@dataclass(frozen=True, slots=True)
class Block:
    """What a reader yields: a run of text that belongs together, with its place and what it is."""

    text: str
    kind: str = "paragraph"
    """"heading", "paragraph", "table" (first line is the header), "code", "list"."""
    level: int = 0
    """Depth of a heading, 1 is the title."""
    place: Place = field(default_factory=Place)
    recognised: bool = False
    """Read by OCR or from speech, so it may hold mistakes."""


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

    "dense" is the cosine similarity, "lexical" the BM25 score (0 where no word of the question stands), "fused" both of
    them as one, "rerank" the cross-encoder's own score; the last one that is there made the rank.
    """

    passage: Passage
    rank: int
    scores: Mapping[str, float]
    matches: Sequence[tuple[int, int]] = field(default=(), compare=False)
    """Where in the passage's text words of the question stand, inflected ones too: `(start, end)` in order."""
    also: tuple[str, ...] = ()
    """Where else the same text stands."""
    document_characters: int = 0
    """Length of the document's text; 0 where it is not known."""
    document_pages: int | None = None
