"""An open folder: its lock, its records, its embedder and its vector index. What the parts of a collection work on."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kaggle_magics.errors import CollectionError
from kaggle_magics.rag.collection.folder import copy_records, take_folder
from kaggle_magics.rag.embedding.choice import choose_embedder, remember_embedder, replace_embedder
from kaggle_magics.rag.embedding.protocol import Embedder
from kaggle_magics.rag.storing.records import FILE, Records
from kaggle_magics.rag.storing.writing import Change
from kaggle_magics.rag.vectors import Store, VectorIndex, choose_store, discard_others, open_index, synchronise


class OpenedFolder:
    """The machinery of a `Collection`."""

    def __init__(
        self,
        path: str | os.PathLike[str] | None,
        *,
        name: str,
        embedder: Any = None,
        store: Any = None,
        contents: Path | None = None,
        wait: float = 0.0,
        read_only: bool = False,
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
        folder = None
        try:
            folder = take_folder(path, self._closing, contents, wait=wait, read_only=read_only)
            self.path, self.temporary = folder.path, folder.temporary
            self.source = Path(path).expanduser().resolve() if path is not None and not read_only else self.path
            self._warnings += [folder.warning] if folder.warning else []
            self._records = self._opened_records(folder.records)
            self._take_store(store)
            chosen = choose_embedder(self._records, embedder, name)
            self.embedder = chosen.embedder
            self._no_embedder = chosen.warning
        except BaseException:
            if folder is not None and contents is not None:
                folder.records.unlink(missing_ok=True)
            self._closing.close()
            raise
        # The temporary folder and the lock go even when nobody calls close.
        self._finalizer = weakref.finalize(self, self._closing.close)

    source: Path
    """The folder that was opened; `path` is another one where that is read-only."""

    def close(self) -> None:
        """Let go of the folder, and remove it when it is temporary. Closing twice is harmless."""
        with self._guard:
            self._finalizer()

    @property
    def closed(self) -> bool:
        return not self._finalizer.alive

    @property
    def store(self) -> str:
        """What the vector index is called."""
        return self._store.name

    def use_store(self, store: Any) -> None:
        """Use another vector index from now on; it is filled from the records when it is next needed.

        Raises `OptionError` for one that does not exist.
        """
        with self._working():
            chosen = choose_store(store)
            if chosen != self._store:
                self._close_index()
                self._take_store(chosen)

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

    def _opened_records(self, path: Path) -> Records:
        """The records at `path`; those of another folder are not written to."""
        if path.parent != self.path:
            try:
                records = Records(path, read_only=True)
            except CollectionError:  # an older release's: they are brought up to this one in a copy
                copy_records(path, self.path)
                return self._opened_records(self.path / FILE)
        else:
            records = Records(path, temporary=self.temporary)
        self._closing.callback(records.close)
        return records

    def _make_writable(self) -> None:
        """Before anything is stored: records that are read in place are copied to temporary space."""
        if not self._records.read_only:
            return
        self._close_index()
        try:
            copy_records(self._records.path, self.path)
        except OSError as error:
            raise CollectionError(
                f"{self.source} is read-only, and there is no room for a copy in {self.path} ({error.strerror}).",
                "Free some space, or copy its records.sqlite to a folder of your own and open that.",
            ) from error
        self._records.close()
        self._records = self._opened_records(self.path / FILE)

    def use_embedder(self, wanted: Any, *, reembed: bool = False) -> None:
        """Take this embedder (see `find_embedder`) from now on.

        Raises `CollectionError` when another one made the vectors that are there; with `reembed` they are given up, and
        the next ingest makes them anew.
        """
        with self._working():
            chosen = choose_embedder(self._records, wanted, self.name, reembed=reembed)
            if chosen.replaces and chosen.embedder is not None:
                self._make_writable()
                replace_embedder(self._records, chosen.embedder)
                self._close_index()
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

    def _take_store(self, wanted: Any) -> None:
        """The wanted index, else the one that was used last where it works here, else the best installed.

        The files of other kinds go: an index is made again faster than it is kept up to the records unused.
        """
        before = self._records.get_meta("store")
        self._store = choose_store(wanted, before)
        if self._store.lasts and before != self._store.name and wanted is not None:
            self._records.set_meta({"store": self._store.name})
        if before is not None and before != self._store.name:
            discard_others(self.path, self._store)

    @property
    def in_step(self) -> bool | None:
        """Whether the vector index holds what the records hold; None where it was not opened yet."""
        return None if self._index is None else self._indexed == self._records.changes

    def _opened_index(self) -> VectorIndex:
        if self._index is None:
            index = open_index(self._store, self.path, self._records, temporary=self.temporary)
            self._closing.callback(index.close)
            self._index = index
        self._synchronise()
        return self._index

    def _close_index(self) -> None:
        if self._index is not None:
            self._index.close()
        self._index, self._indexed = None, -1

    def _learn(self, seconds: float) -> None:
        """What the part that searches learns from new documents, within about so many seconds."""

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
            self._left_behind(error)

    def _left_behind(self, error: Exception) -> None:
        self._indexed = -1
        reason = str(error).strip().split("\n")[0][:200]
        warning = f"The vector index was not brought up to the records ({reason}); the next search tries again."
        if warning not in self._warnings:
            self._warnings.append(warning)
