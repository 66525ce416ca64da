"""Records that an older release wrote are brought up to this one, and lose nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kaggle_magics.rag.collection import Collection
from kaggle_magics.rag.storing import schema
from kaggle_magics.rag.storing.identity import sameness_of

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


def indexed_terms(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """Every term of both lexical indexes, with its table."""
    found = []
    for table in ("lexical", "segments"):
        connection.execute(f"CREATE VIRTUAL TABLE temp.{table}_all USING fts5vocab ('main', '{table}', 'row')")
        found += [(table, row[0]) for row in connection.execute(f"SELECT term FROM temp.{table}_all ORDER BY term")]
        connection.execute(f"DROP TABLE temp.{table}_all")
    return found


def test_a_file_of_version_1_is_migrated_and_its_vectors_are_used(
    make: Callable[..., Collection], tmp_path: Path, embedder: Any
) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    text = "# Head\n\nThe tide is high. getTideHeight 港口"
    old = sqlite3.connect(kept / "records.sqlite")
    old.executescript(VERSION_1)
    old.executemany(
        "INSERT INTO meta VALUES (?, ?)",
        [("embedder", "hash"), ("embedder_identity", "hash@1"), ("embedder_folder", ""), ("dimension", "64")],
    )
    old.execute("INSERT INTO documents VALUES ('d', 'text:a.md', 'a.md', 'x', 'old', NULL, ?)", (text,))
    vector = embedder.embed_query("Head\nThe tide is high. getTideHeight 港口").astype("<f2").tobytes()
    row = ("d:0", "d", 8, len(text), text[8:], "Head", vector)
    old.execute(
        'INSERT INTO passages (id, document_id, start, "end", text, context, vector) VALUES (?,?,?,?,?,?,?)', row
    )
    old.commit()
    old.close()
    collection = make(kept)
    for mode in ("lexical", "dense"):
        assert collection.search("tide", mode=mode)[0].passage.text == text[8:]
    assert collection.search("height", mode="lexical") and collection.search("港口", mode="lexical")
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
    (sameness,) = migrated.execute("SELECT sameness FROM passages").fetchone()
    assert sameness == sameness_of(text[8:]) != sameness_of("another text")
    collection.forget("a.md")
    assert indexed_terms(migrated) == []


def test_passages_go_from_the_lexical_indexes_by_sql_alone(make: Callable[..., Collection], tmp_path: Path) -> None:
    """No function of ours is called for each of them, which made forgetting slow; rows without such terms have no
    entry."""
    collection = make(tmp_path / "kept")
    collection.ingest({"a": "getUserName 图书馆 1,000 C++", "b": "Plain words of the harbour."})
    collection.close()
    plain = sqlite3.connect(tmp_path / "kept" / "records.sqlite")
    plain.execute("PRAGMA foreign_keys = ON")
    terms = dict(plain.execute("SELECT d.source, terms FROM passages p JOIN documents d ON d.id = p.document_id"))
    assert terms["b"] == "" and set(terms["a"].split()) >= {"get", "User", "Name", "图书", "1000", "Cplusplus"}
    assert {term for table, term in indexed_terms(plain) if table == "segments"} >= {"user", "图书", "1000"}
    plain.execute("DELETE FROM documents WHERE source = 'a'")
    left = indexed_terms(plain)
    assert {table for table, _ in left} == {"lexical"} and ("lexical", "harbour") in left
    plain.execute("INSERT INTO segments (segments) VALUES ('integrity-check')")
    plain.execute("INSERT INTO lexical (lexical) VALUES ('integrity-check')")
    plain.rollback()
    plain.close()
