"""What a vector index is, and what it is given when it is opened."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from kaggle_magics.rag.embedding.protocol import Vectors
from kaggle_magics.rag.storing.records import Records

Batch = tuple[Sequence[str], Vectors]
"""Passage ids, and their unit vectors, shape (n, d)."""


class VectorIndex(Protocol):
    """Nearest passages by cosine similarity.

    Derived from the records: an index that is missing, damaged, half-written or filled by another embedder is empty
    after it is opened, and the caller fills it. Filters are no matter of an index (`keeping.nearest`).
    """

    @property
    def name(self) -> str: ...

    def ids(self) -> set[str]: ...

    def add(self, batches: Iterable[Batch]) -> None:
        """Passages and their vectors; one whose id is there already is replaced."""
        ...

    def remove(self, ids: Iterable[str]) -> None:
        """Ids that are not there are no error."""
        ...

    def search(self, vector: Vectors, limit: int) -> list[tuple[str, float]]:
        """`(id, cosine)` of at most `limit` passages, nearest first."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class IndexSetting:
    """What an index is made for."""

    folder: Path
    """The collection's: files of the index go beside the records."""
    records: Records
    temporary: bool = False
    """Whether the folder goes with the session."""
    target: Any = None
    """Where the index is when it is not in the folder: the address of a server, or a LangChain vector store."""

    @property
    def identity(self) -> str:
        """Of the embedder whose vectors these are."""
        return self.records.get_meta("embedder_identity") or ""

    @property
    def dimension(self) -> int | None:
        """Of the vectors, where it is known already."""
        dimension = self.records.get_meta("dimension")
        return int(dimension) if dimension else None
