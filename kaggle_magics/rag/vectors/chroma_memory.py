"""Chroma in memory: its HNSW index without files, made from the records whenever the collection is opened."""

from __future__ import annotations

import contextlib
from typing import Any
from uuid import uuid4

from kaggle_magics.errors import CollectionError
from kaggle_magics.rag.vectors.chroma_collection import ChromaCollection
from kaggle_magics.rag.vectors.index import IndexSetting


class ChromaMemoryIndex(ChromaCollection):
    """A collection of Chroma's in-memory database; all of a process share one, so it has a name of its own."""

    name = "chroma-memory"

    def __init__(self, setting: IndexSetting) -> None:
        super().__init__(setting, f"passages-{uuid4().hex}")
        self._open()

    def close(self) -> None:
        if self._client is not None:
            with contextlib.suppress(Exception):  # an index that cannot be deleted goes with the process
                self._client.delete_collection(self._called)
        super().close()

    def _connected(self) -> Any:
        # With Chroma's own settings: one in-memory database a process takes no others, and a notebook may have made it.
        try:
            return self._chromadb.EphemeralClient()
        except ValueError as error:
            raise CollectionError(
                "This notebook uses Chroma in memory with settings of its own.", "Use another --store, such as numpy."
            ) from error
