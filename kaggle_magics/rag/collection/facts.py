"""What a collection holds, for people."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kaggle_magics.rag.storing.records import SourceFacts


@dataclass(frozen=True, slots=True)
class CollectionFacts:
    """What a collection holds, for people."""

    name: str
    documents: int
    passages: int
    embedder: str | None
    """Name of the embedding model; None means that search is by words only."""
    dimension: int | None
    store: str
    path: Path
    temporary: bool
    bytes: int
    """Of all files in its folder."""
    sources: tuple[SourceFacts, ...]
    warnings: tuple[str, ...] = ()
    characters: int = 0
    """Of all documents."""
    in_step: bool | None = None
    """Whether the vector index holds what the records hold; None where it was not opened yet."""
