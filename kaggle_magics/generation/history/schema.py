"""The tables of `history.sqlite` and how older files are brought up to them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from kaggle_magics.errors import HistoryError

VERSION = 1

_TABLES = """
CREATE TABLE entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used again, so that what points at a forgotten one points nowhere
    created TEXT NOT NULL,                 -- UTC, ISO 8601
    kind TEXT NOT NULL,                    -- prompt, chain, codegen, ask, table
    question TEXT NOT NULL,
    answer TEXT NOT NULL,
    model TEXT NOT NULL,
    stop_reason TEXT NOT NULL,
    usage TEXT NOT NULL,                   -- JSON
    notebook TEXT NOT NULL,                -- its file, else its folder
    thread TEXT,
    cell TEXT,                             -- the turn's key
    run TEXT,
    previous INTEGER,                      -- the entry of the thread's turn before
    ended INTEGER NOT NULL DEFAULT 0,      -- the thread was dropped: it is not gone on with from here
    "row" INTEGER,                         -- of a table, counted from 1
    "rows" INTEGER,
    data BLOB NOT NULL                     -- the whole answer: zlib of JSON
);
CREATE INDEX entries_thread ON entries (thread, notebook, id) WHERE thread IS NOT NULL;
CREATE INDEX entries_previous ON entries (previous) WHERE previous IS NOT NULL;
CREATE INDEX entries_notebook ON entries (notebook, id);
CREATE VIRTUAL TABLE words USING fts5 (
    question, answer, content = 'entries', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2'
);
CREATE TRIGGER entries_added AFTER INSERT ON entries BEGIN
    INSERT INTO words (rowid, question, answer) VALUES (new.id, new.question, new.answer);
END;
CREATE TRIGGER entries_removed AFTER DELETE ON entries BEGIN
    INSERT INTO words (words, rowid, question, answer) VALUES ('delete', old.id, old.question, old.answer);
END;
CREATE TRIGGER entries_changed AFTER UPDATE OF question, answer ON entries BEGIN
    INSERT INTO words (words, rowid, question, answer) VALUES ('delete', old.id, old.question, old.answer);
    INSERT INTO words (rowid, question, answer) VALUES (new.id, new.question, new.answer);
END;
"""

MIGRATIONS: dict[int, Callable[[sqlite3.Connection], None]] = {}
"""Schema version -> what turns it into the next one; each runs in its own transaction."""


def prepare(connection: sqlite3.Connection) -> None:
    """Create the tables in a new file, migrate an older one; other kernels may be doing the same.

    Raises `HistoryError` for a file from a newer release.
    """
    while (version := _version(connection)) != VERSION:
        if version > VERSION:
            raise HistoryError(
                f"The history was written by a newer release (schema {version}, this one knows {VERSION}).",
                "Run: %pip install --upgrade kaggle-magics",
            )
        connection.execute("BEGIN IMMEDIATE")
        try:
            # Another kernel may have been faster while this one waited.
            if (version := _version(connection)) == 0:
                for statement in _statements(_TABLES):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {VERSION}")
            elif version < VERSION:
                MIGRATIONS[version](connection)
                connection.execute(f"PRAGMA user_version = {version + 1}")
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _statements(script: str) -> list[str]:
    """The statements of a script one by one: `executescript` would commit the transaction."""
    found, statement = [], ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            found.append(statement)
            statement = ""
    return found
