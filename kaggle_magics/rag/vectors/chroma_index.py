"""Chroma in the collection's folder: an HNSW index with cosine distance, without its own embedding function.

Chroma is not safe for two processes on one folder (the collection's lock sees to that), and its files can be damaged by
a kill; every damage found here ends in an empty index, which the caller fills from the records.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from kaggle_magics.extras import require
from kaggle_magics.rag.embedding.protocol import Vectors
from kaggle_magics.rag.storing.where import Where
from kaggle_magics.rag.vectors import Row

_COLLECTION = "passages"
_PREFIX = "chroma-"
_PAGE = 10_000
_MARK = "index-unfinished"
"""A file that stands beside the index from its first change to its proper end."""


class ChromaIndex:
    """A persistent Chroma collection in a folder below `folder`.

    The folder gets a new name when the index is made anew: Chroma keeps one system a path and process, and a path
    cannot be used again in a process once its files are gone.
    """

    name = "chroma"

    def __init__(self, folder: Path, identity: str) -> None:
        self._chromadb = require("chromadb", "The Chroma vector store")
        self._folder = folder
        self._identity = identity
        self._client: Any = None
        self._collection: Any = None
        self._path = next(iter(sorted(folder.glob(f"{_PREFIX}*"))), None) or self._fresh_path()
        try:
            if (folder / _MARK).exists():
                raise ValueError("the process that changed the index was killed: vectors may be missing in it")
            self._open()
            self._probe()
        except Exception:  # Chroma's Rust core raises its own classes, sqlite errors and plain exceptions for damage
            self._start_over()

    def ids(self) -> set[str]:
        found: set[str] = set()
        for offset in range(0, self._collection.count(), _PAGE):
            found.update(self._collection.get(include=[], limit=_PAGE, offset=offset)["ids"])
        return found

    def add(self, rows: Iterable[Row]) -> None:
        (self._folder / _MARK).touch()
        size = min(5000, self._client.get_max_batch_size())
        iterator = iter(rows)
        while batch := list(islice(iterator, size)):
            metadatas = [{"source": row[1], "page": -1 if row[2] is None else row[2]} for row in batch]
            vectors = np.stack([row[3] for row in batch])
            self._collection.upsert(ids=[row[0] for row in batch], embeddings=vectors, metadatas=metadatas)

    def remove(self, ids: Iterable[str]) -> None:
        (self._folder / _MARK).touch()
        wanted = list(ids)
        size = min(5000, self._client.get_max_batch_size())
        for start in range(0, len(wanted), size):
            self._collection.delete(ids=wanted[start : start + size])

    def search(self, vector: Vectors, limit: int, where: Where | None = None) -> list[tuple[str, float]]:
        limit = min(limit, self._collection.count())
        if limit < 1:
            return []
        found = self._collection.query(
            query_embeddings=np.asarray(vector, np.float32)[None, :],
            n_results=limit,
            where=_condition(where),
            include=["distances"],
        )
        return [(key, 1.0 - distance) for key, distance in zip(found["ids"][0], found["distances"][0], strict=True)]

    def close(self) -> None:
        if self._client is not None:
            with contextlib.suppress(Exception):  # closing is best effort: the records are the truth
                self._client.close()
                (self._folder / _MARK).unlink(missing_ok=True)
            self._client = self._collection = None

    def _open(self) -> None:
        settings = self._chromadb.config.Settings(anonymized_telemetry=False)
        self._client = self._chromadb.PersistentClient(path=str(self._path), settings=settings)
        self._collection = self._client.get_or_create_collection(
            _COLLECTION,
            embedding_function=None,
            configuration={"hnsw": {"space": "cosine"}},
            metadata={"identity": self._identity},
        )

    def _probe(self) -> None:
        """Raise when the index belongs to another embedder or does not find what it holds."""
        if (self._collection.metadata or {}).get("identity") != self._identity:
            raise ValueError("the index was made by another embedder")
        some = self._collection.get(limit=1, include=["embeddings"])
        if some["ids"]:
            nearest = self.search(np.asarray(some["embeddings"][0], np.float32), 1)
            if not nearest or nearest[0][1] < 0.99:
                raise ValueError("the index does not find its own vector")

    def _start_over(self) -> None:
        self.close()
        (self._folder / _MARK).unlink(missing_ok=True)
        for old in self._folder.glob(f"{_PREFIX}*"):
            shutil.rmtree(old, ignore_errors=True)
        self._path = self._fresh_path()
        self._open()

    def _fresh_path(self) -> Path:
        return self._folder / f"{_PREFIX}{uuid4().hex[:8]}"


def _condition(where: Where | None) -> dict[str, Any] | None:
    """Chroma wants exactly one operator at the top."""
    parts: list[dict[str, Any]] = []
    if where is not None and where.sources is not None:
        parts.append({"source": {"$in": list(where.sources)}})
    if where is not None and where.pages is not None:
        parts.append({"page": {"$in": list(where.pages)}})
    return {"$and": parts} if len(parts) > 1 else parts[0] if parts else None
