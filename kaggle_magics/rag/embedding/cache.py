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
from kaggle_magics.rag.embedding.protocol import Batch, Embedder, StreamingEmbedder, Vectors, unit

BATCH = 256
"""Texts that an embedder which does not stream gets at a time."""
WINDOW = 4096
"""Texts that an embedder may sort by length, and holds the tokens of."""
_SECONDS = 0.5
"""Between writings: what a kill in the middle can lose. An interrupt loses only the batch that is being computed."""
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
        keys = [_key(embedder.identity, text) for text in texts]
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
        keys = [_key(embedder.identity, text) for text in texts]
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
                self._connection.executemany("INSERT OR IGNORE INTO vectors VALUES (?, ?)", vectors.items())


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


def _open(path: Path) -> sqlite3.Connection:
    try:
        return _connect(path)
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
            "CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID"
        )
        connection.commit()
    except sqlite3.Error:
        connection.close()
        raise
    return connection
