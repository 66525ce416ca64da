"""A document into the tables, by its difference to what is there: only passages that came or went are touched."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from kaggle_magics.rag.document import Document
from kaggle_magics.rag.splitting.pieces import Piece
from kaggle_magics.rag.storing.identity import document_id, sameness_of
from kaggle_magics.rag.storing.segments import passage_terms

_PLACE = 'page, slide, sheet, "row", last_row, cell, time, end_time'
_place = attrgetter(*_PLACE.replace('"', "").split(", "))


@dataclass(frozen=True, slots=True)
class State:
    """What is stored of a source: enough to tell that it did not change, and to report it."""

    source: str
    content_hash: str
    splitter: str
    signature: str
    pages: int | None
    recognised: int
    characters: int
    passages: int


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A document to be stored, and its passages in order."""

    uri: str
    source: str
    content_hash: str
    splitter: str
    signature: str
    document: Document
    pieces: Sequence[Piece]
    ids: Sequence[str]
    digests: Sequence[bytes]
    vectors: Sequence[bytes | None]
    """Float16, little-endian; None until it is embedded."""


@dataclass(slots=True)
class Change:
    """Passages that came and went."""

    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)


def store(connection: sqlite3.Connection, new: NewDocument, change: Change) -> None:
    """Write a document within a transaction; what came and went is added to `change`.

    Passages that stay keep their row, their words in the lexical index and their vector; their place is brought up to
    date.
    """
    identity = document_id(new.uri, new.content_hash, new.splitter)
    stored = connection.execute("SELECT id FROM documents WHERE uri = ?", (new.uri,)).fetchone()
    present: dict[str, tuple[object, ...]] = {}
    if stored is None:
        connection.execute(
            "INSERT INTO documents (id, uri, source, content_hash, splitter, pages, recognised, metadata, signature, "
            "characters, passages, ingested, text) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (identity, new.uri, *_facts(new)),
        )
    else:
        query = f'SELECT id, number, vector IS NULL, document_id, start, "end", {_PLACE} FROM passages '
        rows = connection.execute(f"{query} WHERE document_id = ?", stored)
        present = {key: tuple(rest) for key, *rest in rows}
        connection.execute("PRAGMA defer_foreign_keys = ON")  # until its passages bear the document's new id
        connection.execute(
            "UPDATE documents SET id = ?, source = ?, content_hash = ?, splitter = ?, pages = ?, recognised = ?, "
            "metadata = ?, signature = ?, characters = ?, passages = ?, ingested = ?, text = ? WHERE uri = ?",
            (identity, *_facts(new), new.uri),
        )
        gone = present.keys() - set(new.ids)
        connection.executemany("DELETE FROM passages WHERE number = ?", [(present[key][0],) for key in gone])
        change.removed += gone
    added, moved, filled = [], [], []
    for key, digest, piece, vector in zip(new.ids, new.digests, new.pieces, new.vectors, strict=True):
        place = (identity, piece.start, piece.end, *_place(piece.place))
        if key not in present:
            text = new.document.text[piece.start : piece.end]
            found = sameness_of(text), passage_terms(text, piece.context)
            added.append((key, *place, text, piece.context, digest, vector, *found))
            continue
        number, bare, *before = present[key]
        if tuple(before) != place:
            moved.append((*place, number))
        if bare and vector is not None:
            filled.append((vector, number))
            change.added.append(key)
    connection.executemany(
        f'UPDATE passages SET document_id = ?, start = ?, "end" = ?, {_PLACE.replace(",", " = ?,")} = ? '
        "WHERE number = ?",
        moved,
    )
    connection.executemany("UPDATE passages SET vector = ? WHERE number = ?", filled)
    connection.executemany(
        f'INSERT INTO passages (id, document_id, start, "end", {_PLACE}, text, context, digest, vector, '
        f"sameness, terms) VALUES ({', '.join('?' * 18)})",
        added,
    )
    change.added += [row[0] for row in added]


def remove(connection: sqlite3.Connection, uri: str) -> list[str]:
    """Remove a source within a transaction; the ids of its passages."""
    query = "SELECT p.id FROM passages p JOIN documents d ON d.id = p.document_id WHERE d.uri = ?"
    removed = [row[0] for row in connection.execute(query, (uri,))]
    connection.execute("DELETE FROM documents WHERE uri = ?", (uri,))
    return removed


def _facts(new: NewDocument) -> tuple[object, ...]:
    document = new.document
    return (
        new.source,
        new.content_hash,
        new.splitter,
        document.pages,
        document.recognised,
        json.dumps(dict(document.metadata), ensure_ascii=False),
        new.signature,
        len(document.text),
        len(new.pieces),
        time.time(),
        document.text,
    )
