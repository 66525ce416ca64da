"""What an index on Chroma is, wherever Chroma keeps it: a collection of our vectors with cosine distance."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

import numpy as np

from kaggle_magics.extras import require
from kaggle_magics.rag.embedding.protocol import Vectors
from kaggle_magics.rag.vectors.index import Batch, IndexSetting
from kaggle_magics.rag.vectors.keeping import ranked

_PAGE = 10_000


class ChromaCollection(ABC):
    """A Chroma collection; `_connected` of a subclass makes the client."""

    def __init__(self, setting: IndexSetting, collection: str = "passages") -> None:
        self._chromadb = require("chromadb", "The Chroma vector store")
        self._identity = setting.identity
        self._dimension = setting.dimension
        self._called = collection
        self._client: Any = None
        self._collection: Any = None

    def ids(self) -> set[str]:
        found: set[str] = set()
        for offset in range(0, self._collection.count(), _PAGE):
            found.update(self._collection.get(include=[], limit=_PAGE, offset=offset)["ids"])
        return found

    def add(self, batches: Iterable[Batch]) -> None:
        size = self._batch_size()
        for ids, vectors in batches:
            for start in range(0, len(ids), size):
                some = slice(start, start + size)
                self._collection.upsert(ids=list(ids[some]), embeddings=np.ascontiguousarray(vectors[some]))

    def remove(self, ids: Iterable[str]) -> None:
        wanted, size = list(ids), self._batch_size()
        for start in range(0, len(wanted), size):
            self._collection.delete(ids=wanted[start : start + size])

    def search(self, vector: Vectors, limit: int) -> list[tuple[str, float]]:
        if limit < 1:
            return []
        found = self._collection.query(
            query_embeddings=np.asarray(vector, np.float32)[None, :], n_results=limit, include=["distances"]
        )
        return ranked(
            [(key, 1.0 - distance) for key, distance in zip(found["ids"][0], found["distances"][0], strict=True)]
        )

    def close(self) -> None:
        self._client = self._collection = None

    @abstractmethod
    def _connected(self) -> Any:
        """A client of this kind of Chroma."""

    def _batch_size(self) -> int:
        size: int = self._client.get_max_batch_size()
        return max(1, min(5000, size))

    def _open(self) -> None:
        """Raises whatever Chroma raises for damage, and ValueError when the index cannot be used as it is."""
        self._client = self._connected()
        self._collection = self._client.get_or_create_collection(
            self._called,
            embedding_function=None,
            configuration={"hnsw": {"space": "cosine"}},
            metadata={"identity": self._identity},
        )
        if (self._collection.metadata or {}).get("identity") != self._identity:
            raise ValueError("the index was made by another embedder")
        some = self._collection.get(limit=1, include=["embeddings"])
        if some["ids"]:
            own = np.asarray(some["embeddings"][0], np.float32)
            if self._dimension not in (None, len(own)):
                raise ValueError("the index holds vectors of another length")
            nearest = self.search(own, 1)
            if not nearest or not nearest[0][1] > 0.99 or not math.isclose(float(own @ own), 1.0, abs_tol=0.01):
                raise ValueError("the index does not find its own vector")


def settings(chromadb: Any) -> Any:
    return chromadb.config.Settings(anonymized_telemetry=False)
