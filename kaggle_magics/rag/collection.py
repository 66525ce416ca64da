"""A collection: documents ingested under one name, with their embedder, in one folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kaggle_magics.errors import CollectionError
from kaggle_magics.rag.embedder_choice import choose_embedder, remember_embedder
from kaggle_magics.rag.embedding_cache import EmbeddingCache
from kaggle_magics.rag.embeddings import Embedder
from kaggle_magics.rag.ingestion import Ingestion, IngestProgress, IngestReport, embedded_text
from kaggle_magics.rag.locking import FolderLock
from kaggle_magics.rag.passages import Hit
from kaggle_magics.rag.records import FILE, Records, SourceFacts, Where
from kaggle_magics.rag.search import Fusion, Mode, make_where, match_sources
from kaggle_magics.rag.search import search as search_records
from kaggle_magics.rag.splitting import make_splitter
from kaggle_magics.rag.vectors import VectorIndex, choose_index, open_index, synchronise


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


class Collection:
    """Documents under one name. `path` None is a temporary folder that goes when the collection is closed.

    `embedder` is a name, a model folder or an `Embedder`; None takes the one the collection was made with, else the
    best at hand. `store` is "chroma" or "numpy"; None is Chroma where it is installed. A folder that cannot be written
    to is copied to temporary space. Raises `CollectionError` when the folder is in use by another process, damaged, or
    was embedded by another model; `ModelNotFound` for an embedder that leads nowhere.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None,
        *,
        name: str,
        embedder: str | os.PathLike[str] | Embedder | None = None,
        store: str | None = None,
    ) -> None:
        self.name = name
        self.store = choose_index(store)
        self._guard = threading.RLock()
        self._warnings: list[str] = []
        self._index: VectorIndex | None = None
        self._closing = contextlib.ExitStack()
        self.temporary = path is None
        try:
            self.path = self._take_folder(path)
            self._records = Records(self.path / FILE, temporary=self.temporary)
            self._closing.callback(self._records.close)
            self.embedder, warning = choose_embedder(self._records, embedder, name)
            self._warnings += [warning] if warning else []
        except BaseException:
            self._closing.close()
            raise
        # The temporary folder and the lock go even when nobody calls close.
        self._finalizer = weakref.finalize(self, self._closing.close)

    def ingest(
        self,
        paths: Any,
        *,
        chunk_size: int | None = None,
        chunk_overlap: int | None = None,
        on_progress: Callable[[IngestProgress], None] | None = None,
    ) -> IngestReport:
        """Read files, folders, patterns, texts (dict of name -> text) or documents; see `find_sources`.

        What did not change is neither read nor embedded again. `chunk_size` and `chunk_overlap` in characters switch to
        the recursive splitter. Interrupted or killed, the documents finished so far are kept.
        Raises `OptionError`, `DocumentError` when none of the paths exists, `CollectionError` when storing fails.
        """
        splitter = make_splitter(chunk_size, chunk_overlap)
        with self._working(), contextlib.closing(EmbeddingCache()) as cache:
            begin = time.perf_counter()
            run = Ingestion(self._records, splitter, self._remembered_embedder(), cache, on_progress)
            try:
                rows = run.run(paths)
                filled = self._fill_vectors(cache)
            finally:
                if self._index is not None:
                    synchronise(self._index, self._records)
            documents, passages = self._records.counts()
            return IngestReport(
                rows,
                self.name,
                documents,
                passages,
                run.embedded + filled,
                self.embedder.name if self.embedder else None,
                time.perf_counter() - begin,
                tuple(self._warnings),
            )

    def search(
        self,
        question: str,
        *,
        passages: int = 5,
        mode: Mode = "hybrid",
        where: Where | Mapping[str, Any] | None = None,
        fusion: Fusion = "min-max",
    ) -> list[Hit]:
        """The best passages for a question, best first; empty when nothing fits.

        `mode` is "hybrid", "vector" or "lexical"; `where` keeps to sources and pages, such as
        `{"source": "a.md", "page": [1, 2]}`.
        Raises `CollectionError` when the collection is empty, `OptionError` on bad arguments.
        """
        with self._working():
            sources = [facts.source for facts in self._records.sources()]
            if not sources:
                raise CollectionError(f"The collection {self.name!r} is empty.", "Fill it first: %rag_ingest PATH")
            chosen = make_where(where, sources)
            embedder = None if mode == "lexical" else self._remembered_embedder()
            index = self._opened_index() if embedder is not None else None
            return search_records(
                question,
                records=self._records,
                index=index,
                embedder=embedder,
                passages=passages,
                mode=mode,
                where=chosen,
                fusion=fusion,
            )

    def document_text(self, document_id: str) -> str:
        """The stored text of a document: `document_text(p.document_id)[p.start:p.end] == p.text` for each passage."""
        with self._working():
            return self._records.document_text(document_id)

    def facts(self) -> CollectionFacts:
        """Counts, embedder, place and size; loads no model."""
        with self._working():
            documents, passages = self._records.counts()
            dimension = self._records.get_meta("dimension")
            size = sum(path.stat().st_size for path in self.path.rglob("*") if path.is_file())
            return CollectionFacts(
                self.name,
                documents,
                passages,
                self.embedder.name if self.embedder else None,
                int(dimension) if dimension and self.embedder else None,
                self.store,
                self.path,
                self.temporary,
                size,
                tuple(self._records.sources()),
                tuple(self._warnings),
            )

    def forget(self, source: str) -> int:
        """Remove a source by its name, its file name, its path or a pattern; how many passages went.

        Raises `CollectionError` when nothing bears that name.
        """
        with self._working():
            known = {facts.source: facts.uri for facts in self._records.sources()}
            by_uri = {uri: label for label, uri in known.items()}
            absolute = os.path.abspath(os.path.expanduser(str(source)))
            labels = (by_uri[absolute],) if absolute in by_uri else match_sources([source], list(known))
            count = sum(self._records.remove(known[label]) for label in labels)
            if self._index is not None:
                synchronise(self._index, self._records)
            return count

    def close(self) -> None:
        """Let go of the folder, and remove it when it is temporary. Closing twice is harmless."""
        with self._guard:
            self._finalizer()

    @property
    def closed(self) -> bool:
        return not self._finalizer.alive

    # What is below is the machinery of the above.

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

    def _remembered_embedder(self) -> Embedder | None:
        """The embedder, after its identity was written down beside the vectors it makes."""
        if self.embedder is not None:
            remember_embedder(self._records, self.embedder)
        return self.embedder

    def _fill_vectors(self, cache: EmbeddingCache) -> int:
        """Embed passages that were stored while no embedder was at hand; how many were computed."""
        missing = self._records.without_vector() if self.embedder is not None else []
        if not missing or self.embedder is None:
            return 0
        vectors, computed = cache.embed(self.embedder, [embedded_text(text, context) for _, text, context in missing])
        self._records.set_vectors({key: vector for (key, _, _), vector in zip(missing, vectors, strict=True)})
        return computed

    def _opened_index(self) -> VectorIndex:
        if self._index is None:
            identity = self._records.get_meta("embedder_identity") or ""
            index = open_index(self.store, self.path, identity)
            self._closing.callback(index.close)
            synchronise(index, self._records)
            self._index = index
        return self._index
