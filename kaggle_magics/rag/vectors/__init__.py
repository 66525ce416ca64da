"""Vector indexes: derived from the records, so that any of them can be thrown away and built again."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from kaggle_magics.errors import OptionError, did_you_mean
from kaggle_magics.extras import installed
from kaggle_magics.rag.embedding.protocol import Vectors
from kaggle_magics.rag.storing.records import Records
from kaggle_magics.rag.storing.where import Where

Row = tuple[str, str, int | None, Vectors]
"""Passage id, source, page, unit vector."""


class VectorIndex(Protocol):
    """Nearest passages by cosine similarity. An index that another embedder filled is emptied when it is opened."""

    @property
    def name(self) -> str: ...

    def ids(self) -> set[str]: ...

    def add(self, rows: Iterable[Row]) -> None: ...

    def remove(self, ids: Iterable[str]) -> None: ...

    def search(self, vector: Vectors, limit: int, where: Where | None = None) -> list[tuple[str, float]]:
        """`(id, cosine)` of at most `limit` passages, nearest first."""
        ...

    def close(self) -> None: ...


INDEXES = {
    "numpy": "kaggle_magics.rag.vectors.numpy_index:NumpyIndex",
    "chroma": "kaggle_magics.rag.vectors.chroma_index:ChromaIndex",
}
"""Name -> "module:class"; the class is called with the collection's folder and the embedder's identity."""


def choose_index(store: str | None) -> str:
    """A registered name; None is Chroma where it is installed, else exact search in numpy. Raises `OptionError`."""
    if store is None:
        return "chroma" if installed("chromadb") else "numpy"
    if store not in INDEXES:
        raise OptionError(
            f"There is no vector store {store!r}.", did_you_mean(store, INDEXES) or f"Known: {', '.join(INDEXES)}."
        )
    return store


def open_index(store: str, folder: Path, identity: str) -> VectorIndex:
    """The index of a collection. Raises `MissingExtra` when its library is not installed."""
    module, name = INDEXES[store].split(":")
    index: VectorIndex = getattr(importlib.import_module(module), name)(folder, identity)
    return index


def synchronise(index: VectorIndex, records: Records) -> None:
    """Bring an index to what the records hold: passages that went are removed, new ones added."""
    wanted, present = records.passage_ids(), index.ids()
    if present - wanted:
        index.remove(present - wanted)
    if not present:
        index.add(records.vector_rows())
    elif wanted - present:
        index.add(records.vector_rows(wanted - present))
