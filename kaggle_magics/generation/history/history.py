"""Everything that was asked, in one SQLite file that several notebooks write and search at once.

What goes wrong here never costs an answer: it is said once, and the answer is given.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import sqlite3
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from kaggle_magics import environment
from kaggle_magics.errors import HistoryError
from kaggle_magics.generation.answer import Answer
from kaggle_magics.generation.conversation import Turn
from kaggle_magics.generation.history import schema
from kaggle_magics.generation.history.rows import (
    ENTRY,
    WRITTEN,
    Asked,
    HistoryEntry,
    answer_of,
    entry_of,
    row_of,
    turn_of,
)
from kaggle_magics.generation.history.rows import where as where_of

FILE = "history.sqlite"
BUSY_SECONDS = 5.0
"""How long a kernel waits for another one that is writing."""
EXCERPT_WORDS = 12


class HistoryWarning(UserWarning):
    """The history could not be kept."""


class History:
    """The file of all questions and answers. It is opened when it is first needed."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.RLock()
        self._warned = False
        self.warn: Callable[[str], None] = lambda text: warnings.warn(text, HistoryWarning, stacklevel=4)
        """Says one line, once, when the history cannot be kept."""

    @property
    def path(self) -> Path:
        """The file; `KAGGLE_MAGICS_DATA` sets its folder."""
        if self._path is None:
            self._path = environment.data_dir() / FILE
        return self._path

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection = None

    # Writing: never raises

    def add(self, answers: Sequence[Answer], asked: Asked, notebook: str, *, table: bool = False) -> list[int] | None:
        """Note answers, in one transaction; their ids, or None where that cannot be done."""
        rows = [row_of(answer, asked, notebook, at, len(answers), table) for at, answer in enumerate(answers, start=1)]
        marks = ", ".join("?" * len(rows[0])) if rows else ""

        def write(connection: sqlite3.Connection) -> list[int]:
            query = f"INSERT INTO entries ({WRITTEN}) VALUES ({marks})"
            return [connection.execute(query, row).lastrowid or 0 for row in rows]

        return self._written(write)

    def change(self, entry: int, answer: Answer, asked: Asked) -> None:
        """What was noted of an answer is now known better, such as its code or its citations."""
        row = row_of(answer, asked, "", 1, 1, False)
        self._written(
            lambda connection: connection.execute(
                "UPDATE entries SET kind = ?, question = ?, answer = ?, data = ? WHERE id = ?",
                (row[1], row[2], row[3], row[-1], entry),
            )
        )

    def end(self, thread: str, notebook: str) -> None:
        """A thread was dropped: its entries stay, and it is not gone on with."""
        self._written(
            lambda connection: connection.execute(
                "UPDATE entries SET ended = 1 WHERE thread = ? AND notebook = ?", (thread, notebook)
            )
        )

    # Reading and forgetting: `HistoryError` where the file cannot be used

    def search(
        self, words: str = "", *, limit: int | None = 20, thread: str | None = None, model: str | None = None
    ) -> list[HistoryEntry]:
        """Entries with all these words (their beginnings are enough), the latest first.

        Without words a table is its first row only. Where a language puts no spaces between words, any part is found.
        """
        where, values, whole = where_of(words, thread, model)
        if not words.strip():
            where.append('coalesce(e."row", 1) = 1')
        excerpt = f", snippet(words, 1, '', '', '…', {EXCERPT_WORDS})" if whole else ", ''"
        joined = "JOIN words ON words.rowid = e.id" if whole else ""
        query = (
            f"SELECT {ENTRY}{excerpt} FROM entries e {joined} WHERE {' AND '.join(where) or '1'} "
            "ORDER BY e.id DESC LIMIT ?"
        )
        with self._reading() as connection:
            return [entry_of(row) for row in connection.execute(query, (*values, -1 if limit is None else limit))]

    def forget(self, words: str = "", *, thread: str | None = None, model: str | None = None) -> int:
        """Delete entries, without a trace in the file; how many there were."""
        where, values, whole = where_of(words, thread, model)
        joined = "JOIN words ON words.rowid = e.id" if whole else ""
        chosen = f"SELECT e.id, e.previous FROM entries e {joined} WHERE {' AND '.join(where) or '1'}"
        with self._reading() as connection, self._transaction(connection):
            found = connection.execute(chosen, values).fetchall()
            # A thread goes on without the turns that are forgotten.
            for entry, previous in found:
                connection.execute("UPDATE entries SET previous = ? WHERE previous = ?", (previous, entry))
                connection.execute("DELETE FROM entries WHERE id = ?", (entry,))
        with self._reading() as connection, contextlib.suppress(sqlite3.OperationalError):
            # Without these, deleted words would lie in the index's older segments and in the log.
            connection.execute("INSERT INTO words (words) VALUES ('optimize')")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return len(found)

    def latest(self, notebook: str, number: int = 1) -> Answer | None:
        """The latest answer of a notebook, or the one `number - 1` before it; tables do not count."""
        query = (
            f"SELECT {ENTRY}, '', e.data FROM entries e WHERE e.notebook = ? AND e.\"row\" IS NULL "
            "ORDER BY e.id DESC LIMIT 1 OFFSET ?"
        )
        with self._reading() as connection:
            row = connection.execute(query, (notebook, number - 1)).fetchone()
        return answer_of(row) if row else None

    def answer(self, entry: int) -> Answer | None:
        """The answer of an entry."""
        with self._reading() as connection:
            row = connection.execute(f"SELECT {ENTRY}, '', e.data FROM entries e WHERE e.id = ?", (entry,)).fetchone()
        return answer_of(row) if row else None

    def turns(self, thread: str, notebook: str) -> list[Turn]:
        """The turns of a thread as it was left, the first one first; none where there is no such thread."""
        query = (
            "WITH RECURSIVE turn (id, previous, depth) AS ("
            " SELECT id, previous, 0 FROM entries WHERE id = ("
            "  SELECT max(id) FROM entries WHERE thread = ? AND notebook = ? AND NOT ended)"
            " UNION ALL SELECT e.id, e.previous, depth + 1 FROM entries e JOIN turn ON e.id = turn.previous"
            f") SELECT {ENTRY}, '', e.data, e.cell, e.run FROM turn JOIN entries e USING (id) ORDER BY depth DESC"
        )
        with self._reading() as connection:
            found = connection.execute(query, (thread, notebook)).fetchall()
        return [turn_of(row) for row in found]

    def entries(self, ids: Sequence[int]) -> list[HistoryEntry]:
        """Entries by id, in this order; those that were forgotten are left out."""
        with self._reading() as connection:
            query = f"SELECT {ENTRY}, '' FROM entries e WHERE e.id = ?"
            rows = [connection.execute(query, (entry,)).fetchone() for entry in ids]
        return [entry_of(row) for row in rows if row]

    # The file

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            try:
                self._connection = _connect(self.path)
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise
                self._set_aside()
                self._connection = _connect(self.path)
        return self._connection

    def _written(self, write: Callable[[sqlite3.Connection], list[int] | sqlite3.Cursor]) -> list[int] | None:
        with self._lock:
            for again in (True, False):
                try:
                    connection = self._open()
                    with self._transaction(connection):
                        done = write(connection)
                    return done if isinstance(done, list) else None
                except (HistoryError, OSError, sqlite3.Error) as error:
                    if again and _is_damage(error):
                        self._set_aside()
                        continue
                    self._trouble(error)
                    return None
        return None

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                yield self._open()
            except (OSError, sqlite3.Error) as error:
                if _is_damage(error):
                    self._set_aside()
                where = f"It is in {self._path}." if self._path else None
                raise HistoryError(f"The history cannot be used ({error}).", where) from None

    @contextlib.contextmanager
    def _transaction(self, connection: sqlite3.Connection) -> Iterator[None]:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise

    def _set_aside(self) -> None:
        """Move a damaged file out of the way and begin a new one."""
        self.close()
        stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S-%f")
        aside = self.path.with_name(f"{self.path.name}.damaged-{stamp}")
        os.replace(self.path, aside)
        for end in ("-wal", "-shm"):
            self.path.with_name(self.path.name + end).unlink(missing_ok=True)
        self.warn(f"The history was damaged: it is now {aside}, and a new one is begun.")

    def _trouble(self, error: Exception) -> None:
        if not self._warned:
            self._warned = True
            self.warn(f"The history is not kept: {error}. Answers are given all the same.".replace("..", "."))


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, check_same_thread=False, isolation_level=None)
    try:
        # Readers and a writer at once. Where that cannot be (a network's drive, read-only) SQLite stays as it was.
        with contextlib.suppress(sqlite3.OperationalError):
            connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA secure_delete = ON")
        schema.prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _is_damage(error: Exception) -> bool:
    """Whether the file itself is broken: locked, full and read-only are `OperationalError`s."""
    return type(error) is sqlite3.DatabaseError
