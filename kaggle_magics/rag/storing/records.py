"""`records.sqlite`: documents, passages, the lexical index and the vectors of one collection, in transactions.

The rollback journal (not WAL) is used on purpose: a closed collection is one plain file, which can be copied, attached
as a data set and read where nothing can be written. SQLite 3.37 or newer.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from kaggle_magics.errors import CollectionError
from kaggle_magics.rag.embedding.protocol import Vectors, unit
from kaggle_magics.rag.passages import Passage, Place
from kaggle_magics.rag.storing import schema
from kaggle_magics.rag.storing.layout import Layout
from kaggle_magics.rag.storing.lexical import LexicalIndex
from kaggle_magics.rag.storing.transaction import Transaction
from kaggle_magics.rag.storing.where import Where
from kaggle_magics.rag.storing.writing import Change, NewDocument, State, remove, store

T = TypeVar("T", str, bytes)

FILE = "records.sqlite"
_SELECT = (
    'SELECT p.id, p.document_id, d.source, p.start, p."end", p.text, p.context, '
    'p.page, p.slide, p.sheet, p."row", p.last_row, p.cell, p.time, p.end_time '
    "FROM passages p JOIN documents d ON d.id = p.document_id "
)


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """One source of a collection."""

    source: str
    uri: str
    characters: int
    passages: int
    pages: int | None
    recognised: int = 0
    """Pages (in formats without pages: pieces) read by OCR or from speech."""
    ingested: float = 0.0
    """When it was read, in seconds since 1970; 0 where that was not kept."""


class Records:
    """One open `records.sqlite`. Raises `CollectionError` when the file is damaged or no records file."""

    def __init__(self, path: Path, *, temporary: bool = False, read_only: bool = False) -> None:
        self.path, self.read_only = path, read_only
        self._noted: dict[str, str] = {}
        self._changes = 0
        try:
            # Nobody changes a file that is read only: it needs no lock, which its disk may not have.
            name = f"{path.absolute().as_uri()}?mode=ro&immutable=1" if read_only else path
            self._connection = sqlite3.connect(
                name, timeout=10, check_same_thread=False, isolation_level=None, uri=read_only
            )
            self._connection.execute("PRAGMA foreign_keys = ON")
            self._connection.execute(f"PRAGMA synchronous = {'OFF' if temporary else 'FULL'}")
            if not read_only:
                self._connection.execute("PRAGMA journal_mode = TRUNCATE")
            schema.prepare(self._connection)
            self.lexical = LexicalIndex(self._connection)
        except sqlite3.Error as error:
            raise CollectionError(
                f"The collection's records in {path} cannot be opened ({error}).", "Name another folder with --path."
            ) from error

    def close(self) -> None:
        self.lexical.stemmer.close()
        self._connection.close()

    # Facts

    def get_meta(self, key: str) -> str | None:
        if key in self._noted:
            return self._noted[key]
        row = self._connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def set_meta(self, values: Mapping[str, str]) -> None:
        if self.read_only:  # notes of this session
            self._noted.update(values)
            return
        with self._transaction():
            self._connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", values.items())

    def forget_meta(self, keys: Iterable[str]) -> None:
        with self._transaction():
            self._connection.executemany("DELETE FROM meta WHERE key = ?", [(key,) for key in keys])

    def snapshot(self, path: Path) -> None:
        """A consistent copy in a new file, without gaps."""
        self._connection.execute("VACUUM INTO ?", (str(path),))

    def counts(self) -> tuple[int, int]:
        """Documents and passages."""
        query = "SELECT (SELECT count(*) FROM documents), (SELECT count(*) FROM passages)"
        documents, passages = self._connection.execute(query).fetchone()
        return documents, passages

    @property
    def changes(self) -> int:
        """Grows whenever passages or vectors are stored or removed through this connection."""
        return self._changes

    def is_empty(self) -> bool:
        """Whether there is no document."""
        return not self._connection.execute("SELECT EXISTS (SELECT 1 FROM documents)").fetchone()[0]

    def source_names(self) -> list[str]:
        """All sources by name, without the counting that `sources` does."""
        return [row[0] for row in self._connection.execute("SELECT source FROM documents ORDER BY source")]

    def sources(self) -> list[SourceFacts]:
        """All sources by name."""
        query = "SELECT source, uri, characters, passages, pages, recognised, ingested FROM documents ORDER BY source"
        return [SourceFacts(*row) for row in self._connection.execute(query)]

    def states(self) -> dict[str, State]:
        """What is stored, by uri; reads no texts."""
        query = (
            "SELECT uri, source, content_hash, splitter, signature, pages, recognised, characters, passages "
            "FROM documents"
        )
        return {uri: State(*row) for uri, *row in self._connection.execute(query)}

    def document_text(self, document_id: str) -> str:
        row = self._connection.execute("SELECT text FROM documents WHERE id = ?", (document_id,)).fetchone()
        if row is None:
            raise CollectionError(f"There is no document {document_id!r} in this collection.")
        return str(row[0])

    def source_text(self, source: str) -> str | None:
        row = self._connection.execute("SELECT text FROM documents WHERE source = ?", (source,)).fetchone()
        return str(row[0]) if row else None

    # Writing

    def store(self, documents: Sequence[NewDocument]) -> Change:
        """Store documents in place of what their uris had: all of them or, if anything fails, none. See `writing`."""
        change = Change()
        with self._transaction():
            for document in documents:
                store(self._connection, document, change)
        self._changes += 1
        return change

    def touch(self, signatures: Mapping[str, str]) -> None:
        """Write down new signatures of files whose content is the same, by uri."""
        with self._transaction():
            rows = [(signature, uri) for uri, signature in signatures.items()]
            self._connection.executemany("UPDATE documents SET signature = ? WHERE uri = ?", rows)

    def remove(self, uris: Iterable[str]) -> list[str]:
        """Remove sources, all or none; the ids of the passages that went with them."""
        removed: list[str] = []
        with self._transaction():
            for uri in uris:
                removed += remove(self._connection, uri)
        self._changes += 1
        return removed

    # Passages and vectors

    def passages(self, ids: Iterable[str]) -> dict[str, Passage]:
        """Passages by id; ids that are not there are left out."""
        found: dict[str, Passage] = {}
        for some in _batches(list(ids)):
            query = f"{_SELECT}WHERE p.id IN ({_marks(some)})"
            found.update((row[0], _passage(row)) for row in self._connection.execute(query, some))
        return found

    def beside(self, passage: Passage) -> list[Passage]:
        """The passages right after and right before one in its document, as far as there are any."""
        after = 'p.document_id = ? AND p."end" > ? AND p.start >= ? ORDER BY p.start, p."end" LIMIT 1'
        before = 'p.document_id = ? AND p.start < ? AND p."end" <= ? ORDER BY p.start DESC, p."end" DESC LIMIT 1'
        overlap = (passage.end - passage.start) // 2
        found = []
        for condition, values in (
            (after, (passage.document_id, passage.end, passage.start + overlap)),
            (before, (passage.document_id, passage.start, passage.end - overlap)),
        ):
            found += [_passage(row) for row in self._connection.execute(f"{_SELECT}WHERE {condition}", values)]
        return found

    def all_passages(self) -> list[Passage]:
        """Every passage, by source and place."""
        return [_passage(row) for row in self._connection.execute(f"{_SELECT}ORDER BY d.source, p.start")]

    def passage_ids(self, where: Where | None = None) -> set[str]:
        """Ids of all passages that have a vector, or of those within `where`."""
        conditions, values = _conditions(where)
        source = "passages p JOIN documents d ON d.id = p.document_id" if conditions else "passages p"
        query = f"SELECT p.id FROM {source} WHERE p.vector IS NOT NULL{conditions}"
        return {row[0] for row in self._connection.execute(query, values)}

    def has_vectors(self) -> bool:
        """Whether any passage was embedded."""
        query = "SELECT EXISTS (SELECT 1 FROM passages WHERE vector IS NOT NULL)"
        return bool(self._connection.execute(query).fetchone()[0])

    def vector_batches(self, ids: Iterable[str] | None = None, size: int = 4096) -> Iterator[tuple[list[str], Vectors]]:
        """Ids and unit vectors, shape (n, d) with n at most `size`, of passages that have one: all in the order of
        ingestion, or those of `ids`."""
        if ids is None:
            number = -1
            query = "SELECT number, id, vector FROM passages WHERE vector IS NOT NULL AND number > ? ORDER BY number "
            # One statement a batch: none is left open between them, when the caller may write.
            while rows := self._connection.execute(f"{query} LIMIT {size}", (number,)).fetchall():
                number = rows[-1][0]
                yield [row[1] for row in rows], _matrix([row[2] for row in rows])
            return
        for some in _batches(list(ids)):
            query = f"SELECT id, vector FROM passages WHERE vector IS NOT NULL AND id IN ({_marks(some)})"
            if rows := self._connection.execute(query, some).fetchall():
                yield [row[0] for row in rows], _matrix([row[1] for row in rows])

    def vectors_of(self, digests: Iterable[bytes]) -> dict[bytes, bytes]:
        """Stored vectors (float16, little-endian) of any passage with one of these digests, by digest."""
        found: dict[bytes, bytes] = {}
        for some in _batches(list(digests)):
            query = f"SELECT digest, vector FROM passages WHERE digest IN ({_marks(some)}) AND vector IS NOT NULL"
            found.update(self._connection.execute(query, some))
        return found

    def without_vector(self) -> list[tuple[str, str, str]]:
        """`(id, text, context)` of passages that were never embedded."""
        query = "SELECT id, text, context FROM passages WHERE vector IS NULL ORDER BY number"
        return self._connection.execute(query).fetchall()

    def set_vectors(self, vectors: Mapping[str, Vectors]) -> None:
        with self._transaction():
            rows = [(blob(vector), passage_id) for passage_id, vector in vectors.items()]
            self._connection.executemany("UPDATE passages SET vector = ? WHERE id = ?", rows)
        self._changes += 1

    def forget_vectors(self) -> None:
        """Leave all passages without a vector: another embedder will make new ones."""
        with self._transaction():
            self._connection.execute("UPDATE passages SET vector = NULL")
        self._changes += 1

    def layout(self) -> Layout:
        """Every passage in numbers; kept until something is stored or removed."""
        return self.lexical.layout(self._changes)

    def documents_of(self, ids: Iterable[str]) -> dict[str, tuple[int, int | None]]:
        """Characters and pages of the documents with these ids."""
        found: dict[str, tuple[int, int | None]] = {}
        for some in _batches(list(ids)):
            query = f"SELECT id, characters, pages FROM documents WHERE id IN ({_marks(some)})"
            found.update((key, (characters, pages)) for key, characters, pages in self._connection.execute(query, some))
        return found

    def metadata(self) -> dict[str, dict[str, Any]]:
        """What each source's file says of itself, by source."""
        query = "SELECT source, metadata FROM documents ORDER BY source"
        return {source: json.loads(metadata) for source, metadata in self._connection.execute(query)}

    def fingerprint(self) -> str:
        """Names what is stored: another one whenever a document came, went or changed."""
        digest = hashlib.blake2b(digest_size=10)
        for row in self._connection.execute("SELECT id FROM documents ORDER BY id"):
            digest.update(row[0].encode())
        return digest.hexdigest()

    def _transaction(self) -> Transaction:
        return Transaction(self._connection)


def _passage(row: Sequence[Any]) -> Passage:
    """A row of `_SELECT`."""
    key, document_id, source, start, end, text, context, *place = row
    return Passage(key, document_id, source, start, end, text, context, Place(*place))


def blob(vector: Vectors) -> bytes:
    """A vector as it is stored: float16, little-endian."""
    return np.asarray(vector).astype("<f2").tobytes()


def _matrix(blobs: list[bytes]) -> Vectors:
    return unit(np.frombuffer(b"".join(blobs), "<f2").reshape(len(blobs), -1))


def _conditions(where: Where | None) -> tuple[str, list[str | int]]:
    """What follows in an SQL condition on `d` (documents) and `p` (passages), and its values."""
    text, values = "", list[str | int]()
    if where is not None and where.sources is not None:
        text += f" AND d.source IN ({_marks(where.sources)})"
        values += where.sources
    if where is not None and where.pages is not None:
        text += f" AND p.page IN ({_marks(where.pages)})"
        values += where.pages
    return text, values


def _marks(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))


def _batches(values: list[T], size: int = 500) -> Iterator[list[T]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]
