"""The tables of `records.sqlite` and how older files are brought up to them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator

from kaggle_magics.errors import CollectionError
from kaggle_magics.rag.storing.identity import digest_of, embedded_text, sameness_of
from kaggle_magics.rag.storing.segments import passage_terms

VERSION = 2

# Marks belong to words here: unicode61 takes the vowels and tones of Thai for separators. The table keeps no text, and
# takes an entry out only by what was put in: passages.terms keeps that. Most passages have no such terms, and no entry.
_SEGMENTS = """
CREATE VIRTUAL TABLE segments USING fts5 (
    terms, content = '', tokenize = "porter unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc'"
);
CREATE TRIGGER segments_added AFTER INSERT ON passages WHEN new.terms <> '' BEGIN
    INSERT INTO segments (rowid, terms) VALUES (new.number, new.terms);
END;
CREATE TRIGGER segments_removed AFTER DELETE ON passages WHEN old.terms <> '' BEGIN
    INSERT INTO segments (segments, rowid, terms) VALUES ('delete', old.number, old.terms);
END;
"""

_TABLES = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE documents (
    id TEXT PRIMARY KEY,
    uri TEXT NOT NULL UNIQUE,      -- where it came from, absolute: the identity of a source
    source TEXT NOT NULL UNIQUE,   -- the name shown and cited
    content_hash TEXT NOT NULL,    -- of the file's bytes
    splitter TEXT NOT NULL,        -- names how the file became passages: splitter and read options
    pages INTEGER,
    recognised INTEGER NOT NULL DEFAULT 0, -- pages read by OCR or from speech
    metadata TEXT NOT NULL DEFAULT '{{}}', -- JSON
    signature TEXT NOT NULL DEFAULT '',    -- of the file on disk when it was read; '' where it proves nothing
    characters INTEGER NOT NULL DEFAULT 0,
    passages INTEGER NOT NULL DEFAULT 0,
    ingested REAL NOT NULL DEFAULT 0,      -- when, in seconds since 1970
    text TEXT NOT NULL                     -- last, so that the columns before are read without it
);
CREATE TABLE passages (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    document_id TEXT NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    start INTEGER NOT NULL,        -- in characters (code points) of documents.text
    "end" INTEGER NOT NULL,
    text TEXT NOT NULL,
    context TEXT NOT NULL,
    page INTEGER,
    slide INTEGER,
    sheet TEXT,
    "row" INTEGER,
    last_row INTEGER,
    cell INTEGER,
    time REAL,                     -- seconds into a recording
    end_time REAL,
    digest BLOB NOT NULL DEFAULT x'',  -- of what is embedded for it; equal texts have equal vectors
    vector BLOB,                   -- float16 little-endian, unit length; NULL until it is embedded
    sameness INTEGER NOT NULL DEFAULT 0, -- of its text: texts that differ in whitespace only have the same
    terms TEXT NOT NULL DEFAULT '' -- what is indexed of it besides its words (see segments.py), with spaces between
);
CREATE INDEX passages_document ON passages (document_id, start);
CREATE INDEX passages_missing ON passages (number) WHERE vector IS NULL;
CREATE INDEX passages_digest ON passages (digest);
CREATE VIRTUAL TABLE lexical USING fts5 (
    text, context, content = 'passages', content_rowid = 'number', tokenize = 'porter unicode61 remove_diacritics 2'
);
CREATE TRIGGER passages_added AFTER INSERT ON passages BEGIN
    INSERT INTO lexical (rowid, text, context) VALUES (new.number, new.text, new.context);
END;
CREATE TRIGGER passages_removed AFTER DELETE ON passages BEGIN
    INSERT INTO lexical (lexical, rowid, text, context) VALUES ('delete', old.number, old.text, old.context);
END;
{_SEGMENTS}
"""


def _from_1(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE documents ADD COLUMN recognised INTEGER NOT NULL DEFAULT 0")
    connection.execute("ALTER TABLE documents ADD COLUMN metadata TEXT NOT NULL DEFAULT '{}'")
    for column in ("last_row INTEGER", "time REAL", "end_time REAL"):
        connection.execute(f"ALTER TABLE passages ADD COLUMN {column}")
    for column in ("signature TEXT NOT NULL DEFAULT ''", "ingested REAL NOT NULL DEFAULT 0"):
        connection.execute(f"ALTER TABLE documents ADD COLUMN {column}")
    for column in ("characters", "passages"):
        connection.execute(f"ALTER TABLE documents ADD COLUMN {column} INTEGER NOT NULL DEFAULT 0")
    connection.execute(
        "UPDATE documents SET characters = length(text), "
        "passages = (SELECT count(*) FROM passages p WHERE p.document_id = documents.id)"
    )
    connection.execute("ALTER TABLE passages ADD COLUMN digest BLOB NOT NULL DEFAULT x''")
    connection.create_function("digest_of", 2, lambda text, context: digest_of(embedded_text(text, context)))
    connection.execute("UPDATE passages SET digest = digest_of(text, context)")
    connection.execute("CREATE INDEX passages_digest ON passages (digest)")
    connection.execute("ALTER TABLE passages ADD COLUMN terms TEXT NOT NULL DEFAULT ''")
    connection.execute("ALTER TABLE passages ADD COLUMN sameness INTEGER NOT NULL DEFAULT 0")
    connection.create_function("passage_terms", 2, passage_terms)
    connection.create_function("sameness_of", 1, sameness_of)
    connection.execute("UPDATE passages SET terms = passage_terms(text, context), sameness = sameness_of(text)")
    for statement in _statements(_SEGMENTS):
        connection.execute(statement)
    connection.execute("INSERT INTO segments (rowid, terms) SELECT number, terms FROM passages WHERE terms <> ''")


def _statements(script: str) -> Iterator[str]:
    """The statements of a script one by one: `executescript` would end the transaction that they stand in."""
    waiting = ""
    for line in script.splitlines(keepends=True):
        waiting += line
        if sqlite3.complete_statement(waiting):
            yield waiting
            waiting = ""


MIGRATIONS: dict[int, Callable[[sqlite3.Connection], None]] = {1: _from_1}
"""Schema version -> what turns it into the next one; each runs in its own transaction."""


def prepare(connection: sqlite3.Connection) -> None:
    """Create the tables in a new file, migrate an older one. Raises `CollectionError` for one from a newer release."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        connection.executescript(f"BEGIN;{_TABLES}PRAGMA user_version = {VERSION};COMMIT;")
        return
    if version > VERSION:
        raise CollectionError(
            f"The collection was written by a newer release (schema {version}, this one knows {VERSION}).",
            "Run: %pip install --upgrade kaggle-magics",
        )
    while version < VERSION:
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            MIGRATIONS[version](connection)
            version += 1
            connection.execute(f"PRAGMA user_version = {version}")
