"""Records that an older release wrote are brought up to this one, and lose nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kaggle_magics.rag.collection import Collection
from kaggle_magics.rag.storing import schema

VERSION_1 = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE documents (
    id TEXT PRIMARY KEY, uri TEXT NOT NULL UNIQUE, source TEXT NOT NULL UNIQUE, content_hash TEXT NOT NULL,
    splitter TEXT NOT NULL, pages INTEGER, text TEXT NOT NULL
);
CREATE TABLE passages (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,
    document_id TEXT NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    start INTEGER NOT NULL, "end" INTEGER NOT NULL, text TEXT NOT NULL, context TEXT NOT NULL,
    page INTEGER, slide INTEGER, sheet TEXT, "row" INTEGER, cell INTEGER, vector BLOB
);
CREATE INDEX passages_document ON passages (document_id, start);
CREATE INDEX passages_missing ON passages (number) WHERE vector IS NULL;
CREATE VIRTUAL TABLE lexical USING fts5 (
    text, context, content = 'passages', content_rowid = 'number', tokenize = 'porter unicode61 remove_diacritics 2'
);
CREATE TRIGGER passages_added AFTER INSERT ON passages BEGIN
    INSERT INTO lexical (rowid, text, context) VALUES (new.number, new.text, new.context);
END;
CREATE TRIGGER passages_removed AFTER DELETE ON passages BEGIN
    INSERT INTO lexical (lexical, rowid, text, context) VALUES ('delete', old.number, old.text, old.context);
END;
PRAGMA user_version = 1;
"""


def columns(connection: sqlite3.Connection, table: str) -> set[tuple[Any, ...]]:
    return {
        (name, kind, null, default)
        for _, name, kind, null, default, _ in connection.execute(f"PRAGMA table_info({table})")
    }


def test_a_file_of_version_1_is_migrated_and_its_vectors_are_used(
    make: Callable[..., Collection], tmp_path: Path, embedder: Any
) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    text = "# Head\n\nThe tide is high."
    old = sqlite3.connect(kept / "records.sqlite")
    old.executescript(VERSION_1)
    old.executemany(
        "INSERT INTO meta VALUES (?, ?)",
        [("embedder", "hash"), ("embedder_identity", "hash@1"), ("embedder_folder", ""), ("dimension", "64")],
    )
    old.execute("INSERT INTO documents VALUES ('d', 'text:a.md', 'a.md', 'x', 'old', NULL, ?)", (text,))
    vector = embedder.embed_query("Head\nThe tide is high.").astype("<f2").tobytes()
    row = ("d:0", "d", 8, len(text), text[8:], "Head", vector)
    old.execute(
        'INSERT INTO passages (id, document_id, start, "end", text, context, vector) VALUES (?,?,?,?,?,?,?)', row
    )
    old.commit()
    old.close()
    collection = make(kept)
    for mode in ("lexical", "dense"):
        assert collection.search("tide", mode=mode)[0].passage.text == "The tide is high."
    (source,) = collection.facts().sources
    assert (source.characters, source.passages, source.ingested) == (len(text), 1, 0)
    report = collection.ingest({"a.md": text})
    assert (report.rows[0].status, report.embedded, report.reused, embedder.texts) == ("updated", 0, 1, [])
    assert collection._records._connection.execute("SELECT vector FROM passages").fetchall() == [(vector,)]
    fresh = make(tmp_path / "fresh")
    new, migrated = fresh._records._connection, collection._records._connection
    for table in ("documents", "passages", "meta"):
        assert columns(new, table) == columns(migrated, table)
    names = "SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY 1, 2"
    assert new.execute(names).fetchall() == migrated.execute(names).fetchall()
    assert migrated.execute("PRAGMA user_version").fetchone() == (schema.VERSION,)
