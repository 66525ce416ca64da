"""An open folder: its lock, its records, its embedder and its vector index. What the parts of a collection work on."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kaggle_magics.errors import CollectionError
from kaggle_magics.rag.embedding.choice import choose_embedder, remember_embedder, replace_embedder
from kaggle_magics.rag.embedding.protocol import Embedder
from kaggle_magics.rag.storing.locking import FolderLock
from kaggle_magics.rag.storing.records import FILE, Records
from kaggle_magics.rag.storing.writing import Change
from kaggle_magics.rag.vectors import Store, VectorIndex, choose_store, open_index, synchronise


class OpenedFolder:
    """The machinery of a `Collection`."""

    def __init__(
        self,
        path: str | os.PathLike[str] | None,
        *,
        name: str,
        embedder: Any = None,
        store: Any = None,
    ) -> None:
        self.name = name
        self._store: Store = choose_store(store)
        self._guard = threading.RLock()
        self._warnings: list[str] = []
        self.embedder: Embedder | None = None
        self._no_embedder: str | None = None
        self._index: VectorIndex | None = None
        self._indexed = -1
        # What `Records.changes` was when the index was brought up to the records.
        self._closing = contextlib.ExitStack()
        self.temporary = path is None
        try:
            self.path = self._take_folder(path)
            self._records = Records(self.path / FILE, temporary=self.temporary)
            self._closing.callback(self._records.close)
            chosen = choose_embedder(self._records, embedder, name)
            self.embedder = chosen.embedder
            self._no_embedder = chosen.warning
        except BaseException:
            self._closing.close()
            raise
        # The temporary folder and the lock go even when nobody calls close.
        self._finalizer = weakref.finalize(self, self._closing.close)

    def close(self) -> None:
        """Let go of the folder, and remove it when it is temporary. Closing twice is harmless."""
        with self._guard:
            self._finalizer()

    @property
    def closed(self) -> bool:
        return not self._finalizer.alive

    @contextlib.contextmanager
    def _working(self) -> Iterator[None]:
        """One call at a time; SQLite's errors as ours."""
        with self._guard:
            if self.closed:
                raise CollectionError(
                    f"The collection {self.name!r} is closed.", "Open it again, or ingest into a new one."
                )
            try:
                yield
            except sqlite3.Error as error:
                raise CollectionError(
                    f"The collection's records in {self.path} cannot be used ({error}).",
                    "Nothing that was stored is lost; free some space or name another folder with --path.",
                ) from error

    def _take_folder(self, path: str | os.PathLike[str] | None) -> Path:
        if path is not None:
            folder = Path(path).expanduser().absolute()
            try:
                folder.mkdir(parents=True, exist_ok=True)
                lock = FolderLock(folder)
            except FileExistsError as error:
                raise CollectionError(f"{folder} is a file, not a folder.", "Name a folder with --path.") from error
            except OSError as error:
                if not (folder / FILE).is_file():
                    raise CollectionError(
                        f"The folder {folder} cannot be written to ({error.strerror}) and holds no collection.",
                        "Name another one with --path.",
                    ) from error
                return self._copied(folder)
            self._closing.callback(lock.release)
            return folder
        return self._temporary_folder()

    def _temporary_folder(self) -> Path:
        folder = Path(tempfile.mkdtemp(prefix="kaggle_magics-"))
        self._closing.callback(shutil.rmtree, folder, ignore_errors=True)
        return folder

    def _copied(self, folder: Path) -> Path:
        """Records of a read-only folder in temporary space; the vector index is built from them."""
        self.temporary = True
        copy = self._temporary_folder()
        for part in folder.glob(f"{FILE}*"):  # a journal beside it belongs to it
            shutil.copyfile(part, copy / part.name)
        self._warnings.append(f"{folder} is read-only: a copy in temporary space is used, changes to it do not last.")
        return copy

    def use_embedder(self, wanted: Any, *, reembed: bool = False) -> None:
        """Take this embedder (see `find_embedder`) from now on.

        Raises `CollectionError` when another one made the vectors that are there; with `reembed` they are given up, and
        the next ingest makes them anew.
        """
        with self._working():
            chosen = choose_embedder(self._records, wanted, self.name, reembed=reembed)
            if chosen.replaces and chosen.embedder is not None:
                replace_embedder(self._records, chosen.embedder)
                if self._index is not None:
                    self._index.close()
                    self._index, self._indexed = None, -1
            self.embedder, self._no_embedder = chosen.embedder, chosen.warning

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know of this collection and its embedder."""
        notes = getattr(self.embedder, "notes", ())
        return (*self._warnings, *filter(None, [self._no_embedder]), *notes)

    def _remembered_embedder(self) -> Embedder | None:
        """The embedder, after its identity was written down beside the vectors it makes."""
        if self.embedder is not None:
            remember_embedder(self._records, self.embedder, self.name)
        return self.embedder

    @property
    def store(self) -> str:
        """What the vector index is called."""
        return self._store.name

    def _opened_index(self) -> VectorIndex:
        if self._index is None:
            index = open_index(self._store, self.path, self._records, temporary=self.temporary)
            self._closing.callback(index.close)
            self._index = index
        self._synchronise()
        return self._index

    def _synchronise(self) -> None:
        """Bring an open index up to the records; one that is not open is brought there when it is."""
        if self._index is not None and self._indexed != self._records.changes:
            synchronise(self._index, self._records)
            self._indexed = self._records.changes

    def _follow(self, change: Change | None = None) -> None:
        """Let the index follow a change of the records at once, where it was in step before; None: whatever changed.

        Exact search that is not open is left alone: it keeps no file, so it is filled when it is first searched. An
        index that fails is a warning, and brought up to the records later: what was stored is stored.
        """
        if self._index is None and (change is None or self._store.name == "numpy" or self.embedder is None):
            return
        try:
            if change is None or self._index is None or self._indexed != self._records.changes - 1:
                self._opened_index()
                return
            if change.removed:
                self._index.remove(change.removed)
            if change.added:
                self._index.add(self._records.vector_batches(change.added))
            self._indexed = self._records.changes
        except sqlite3.Error:  # of the records
            raise
        except Exception as error:  # each library has errors of its own
            self._indexed = -1
            reason = str(error).strip().split("\n")[0][:200]
            warning = f"The vector index was not brought up to the records ({reason}); the next search tries again."
            if warning not in self._warnings:
                self._warnings.append(warning)
