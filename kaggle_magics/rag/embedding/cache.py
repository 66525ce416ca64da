"""Vectors kept by text and embedder, outside collections: what was embedded once is never embedded again."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from kaggle_magics import environment
from kaggle_magics.errors import EngineError
from kaggle_magics.rag.embedding.probing import is_same, probe_of
from kaggle_magics.rag.embedding.protocol import Batch, Embedder, StreamingEmbedder, Vectors, unit

BATCH = 256
"""Texts that an embedder which does not stream gets at a time."""
WINDOW = 4096
"""Texts that an embedder may sort by length, and holds the tokens of."""
_SECONDS = 0.5
"""Between writings: what a kill in the middle can lose. An interrupt loses only the batch that is being computed."""
MOST_BYTES = 4 << 30
"""Of the file: five million vectors of 384 numbers. When it is opened and holds more, the oldest days go."""
_FILE = "embeddings-1.sqlite"


class EmbeddingCache:
    """Float16 vectors in one SQLite file. A cache that cannot be read or written only costs time, never an error."""

    def __init__(self, folder: Path | None = None) -> None:
        self._connection: sqlite3.Connection | None = None
        with contextlib.suppress(OSError, sqlite3.Error):
            self._connection = _open((folder or environment.cache_dir()) / _FILE)

    def embed(
        self, embedder: Embedder, texts: Sequence[str], on_batch: Callable[[int], None] | None = None
    ) -> tuple[Vectors, int]:
        """Vectors of `texts`, shape (n, d), and how many had to be computed.

        Equal texts are computed once. `on_batch` is called with the number of texts that are done. All vectors are
        rounded to float16 first, so a vector is the same whether it comes from the cache or not.
        """
        identity = self._identity(embedder) if texts else ""
        keys = [_key(identity, text) for text in texts]
        found = self._read(set(keys))
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        done = len(texts) - len(missing)
        if on_batch:
            on_batch(done)
        for start in range(0, len(missing), WINDOW):
            window = dict(islice(missing.items(), start, start + WINDOW))
            # Closed at once, also where an interrupt comes between two batches: what was computed is written then.
            with contextlib.closing(self._compute(embedder, window)) as computed:
                for fresh in computed:
                    found.update(fresh)
                    done += len(fresh)
                    if on_batch:
                        on_batch(done)
        if on_batch:
            on_batch(len(texts))
        if not texts:
            return np.zeros((0, embedder.dimension), np.float32), 0
        return unit(np.stack([np.frombuffer(found[key], np.float16) for key in keys])), len(missing)

    def holds(self, embedder: Embedder, texts: Sequence[str]) -> list[bool]:
        """Whether each text's vector is kept, so that `embed` need not compute it."""
        identity = self._identity(embedder) if texts else ""
        keys = [_key(identity, text) for text in texts]
        found = self._read(set(keys))
        return [key in found for key in keys]

    def _compute(self, embedder: Embedder, texts: dict[bytes, str]) -> Generator[dict[bytes, bytes]]:
        """Vectors by key as they are computed. What was computed is kept, however this ends."""
        keys, waiting, written = list(texts), dict[bytes, bytes](), time.monotonic()
        try:
            for places, vectors in _stream(embedder, list(texts.values())):
                halves = vectors.astype(np.float16)
                fresh = {keys[place]: half.tobytes() for place, half in zip(places, halves, strict=True)}
                waiting.update(fresh)
                if time.monotonic() - written > _SECONDS:
                    self._write(waiting)
                    waiting, written = {}, time.monotonic()
                yield fresh
        finally:
            self._write(waiting)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _identity(self, embedder: Embedder) -> str:
        """The embedder's identity; where that cannot tell its weights, with a number for each model that answered to it
        (`probing`)."""
        probe = probe_of(embedder)
        if probe is None or self._connection is None:
            return embedder.identity
        with contextlib.suppress(sqlite3.Error):
            query = "SELECT number, probe FROM probes WHERE identity = ? ORDER BY number"
            known = self._connection.execute(query, (embedder.identity,)).fetchall()
            same = (number for number, blob in known if is_same(probe, np.frombuffer(blob, np.float16)))
            if (number := next(same, None)) is None:
                number = len(known)
                with self._connection:
                    row = (embedder.identity, number, probe.astype(np.float16).tobytes())
                    self._connection.execute("INSERT OR IGNORE INTO probes VALUES (?, ?, ?)", row)
            return f"{embedder.identity}#{number}"
        return embedder.identity

    def _read(self, keys: set[bytes]) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        if self._connection is not None:
            wanted = list(keys)
            with contextlib.suppress(sqlite3.Error):
                for start in range(0, len(wanted), 500):
                    some = wanted[start : start + 500]
                    marks = ",".join("?" * len(some))
                    found.update(
                        self._connection.execute(f"SELECT key, vector FROM vectors WHERE key IN ({marks})", some)
                    )
        return found

    def _write(self, vectors: dict[bytes, bytes]) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error), self._connection:
                rows = [(key, vector, _today()) for key, vector in vectors.items()]
                self._connection.executemany("INSERT OR IGNORE INTO vectors (key, vector, day) VALUES (?, ?, ?)", rows)


def _stream(embedder: Embedder, texts: list[str]) -> Iterator[Batch]:
    if isinstance(embedder, StreamingEmbedder):
        yield from embedder.stream_documents(texts)
        return
    # Long texts together: most libraries pad a batch to its longest member.
    order = sorted(range(len(texts)), key=lambda place: -len(texts[place]))
    for start in range(0, len(order), BATCH):
        places = order[start : start + BATCH]
        vectors = np.asarray(embedder.embed_documents([texts[place] for place in places]), np.float32)
        if len(vectors) != len(places):
            raise EngineError(f"{embedder.name} gave {len(vectors)} vectors for {len(places)} texts.")
        yield places, vectors


def _key(identity: str, text: str) -> bytes:
    return hashlib.blake2b(f"{identity}\0{text}".encode("utf-8", "replace"), digest_size=16).digest()


def _today() -> int:
    return int(time.time() // 86400)


def _open(path: Path) -> sqlite3.Connection:
    try:
        connection = _connect(path)
        with contextlib.suppress(sqlite3.OperationalError):  # another process writes: another time
            _trim(connection)
        return connection
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):  # locked, read-only, full: not damaged
            raise
        path.unlink()
        return _connect(path)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=5, check_same_thread=False)
    try:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS vectors "
            "(key BLOB PRIMARY KEY, vector BLOB NOT NULL, day INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID"
        )
        connection.execute(
            "CREATE TABLE IF NOT EXISTS probes "
            "(identity TEXT, number INTEGER, probe BLOB NOT NULL, PRIMARY KEY (identity, number)) WITHOUT ROWID"
        )
        if "day" not in [column[1] for column in connection.execute("PRAGMA table_info(vectors)")]:
            connection.execute("ALTER TABLE vectors ADD COLUMN day INTEGER NOT NULL DEFAULT 0")
        connection.commit()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _trim(connection: sqlite3.Connection) -> None:
    """Let the oldest days go until half of `MOST_BYTES` is in use; the file keeps its size and is filled again."""
    if _used(connection) <= MOST_BYTES:
        return
    for (day,) in connection.execute("SELECT DISTINCT day FROM vectors ORDER BY day").fetchall():
        with connection:
            connection.execute("DELETE FROM vectors WHERE day = ?", (day,))
        if _used(connection) <= MOST_BYTES // 2:
            return


def _used(connection: sqlite3.Connection) -> int:
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)
