"""Chroma in the collection's folder: an HNSW index with cosine distance, without its own embedding function.

Chroma is not safe for two processes on one folder (the collection's lock sees to that), and its files can be damaged by
a kill; every damage found here ends in an empty index, which the caller fills from the records.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from uuid import uuid4

from kaggle_magics.rag.vectors.chroma_collection import ChromaCollection, settings
from kaggle_magics.rag.vectors.index import Batch, IndexSetting

_PREFIX = "chroma-"
_MARK = "index-unfinished"
"""A file that stands beside the index from its first change to its proper end."""


class ChromaIndex(ChromaCollection):
    """A persistent Chroma collection in a folder below the collection's.

    The folder gets a new name when the index is made anew: Chroma keeps one system a path and process, and a path
    cannot be used again in a process once its files are gone.
    """

    name = "chroma"

    def __init__(self, setting: IndexSetting) -> None:
        super().__init__(setting)
        self._folder = setting.folder
        self._path = next(iter(sorted(self._folder.glob(f"{_PREFIX}*"))), None) or self._fresh_path()
        try:
            if (self._folder / _MARK).exists():
                raise ValueError("the process that changed the index was killed: vectors may be missing in it")
            self._open()
        except Exception:  # Chroma's Rust core raises its own classes, sqlite errors and plain exceptions for damage
            self._start_over()

    def add(self, batches: Iterable[Batch]) -> None:
        (self._folder / _MARK).touch()
        super().add(batches)

    def remove(self, ids: Iterable[str]) -> None:
        (self._folder / _MARK).touch()
        super().remove(ids)

    def close(self) -> None:
        if self._client is not None:
            with contextlib.suppress(Exception):  # closing is best effort: the records are the truth
                self._client.close()
                (self._folder / _MARK).unlink(missing_ok=True)
        super().close()

    def _connected(self) -> Any:
        return self._chromadb.PersistentClient(path=str(self._path), settings=settings(self._chromadb))

    def _start_over(self) -> None:
        self.close()
        (self._folder / _MARK).unlink(missing_ok=True)
        for old in self._folder.glob(f"{_PREFIX}*"):
            shutil.rmtree(old, ignore_errors=True)
        self._path = self._fresh_path()
        self._open()

    def _fresh_path(self) -> Path:
        return self._folder / f"{_PREFIX}{uuid4().hex[:8]}"
