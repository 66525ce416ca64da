"""FAISS: exact search up to 100,000 passages, above that inverted lists (IVF), which look at a part of the vectors.

Exact vectors are as quickly read from the records as from a file, so only inverted lists, whose training takes longer,
are kept in one: beside the records, written as a whole or not at all, and checked when it is read. What it lacks, and
what it has too much, is known by its ids.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import zlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from kaggle_magics.extras import require
from kaggle_magics.rag.embedding.protocol import Vectors
from kaggle_magics.rag.vectors.index import Batch, IndexSetting
from kaggle_magics.rag.vectors.keeping import ranked

FILE = "vectors.faiss"
FLAT_UNTIL = 100_000
"""Vectors that are compared one by one; more are put in inverted lists."""
PROBES = 64
"""Lists that a question looks into, of 4 * sqrt(n)."""
_OUTGROWN = 8
"""Lists that were trained for a size are trained anew, when the collection is opened, at this many times that size."""
_MAGIC = b"kaggle_magics faiss 1\n"


class FaissIndex:
    """Vectors under whole numbers, and which passage each number is."""

    name = "faiss"

    def __init__(self, setting: IndexSetting) -> None:
        self._faiss = require("faiss", "The FAISS vector store")
        self._identity = setting.identity
        self._dimension = setting.dimension
        self._expected = setting.records.counts()[1]
        self._path = setting.folder / FILE
        self._index: Any = None
        self._numbers: dict[str, int] = {}
        self._keys: dict[int, str] = {}
        self._next = self._lists = self._trained = self._changed = 0
        if self._path.is_file():
            try:
                self._read()
            except Exception:  # damage shows itself in FAISS, in JSON and in our checks; the records have it all
                self._forget_all()

    def ids(self) -> set[str]:
        return set(self._numbers)

    def add(self, batches: Iterable[Batch]) -> None:
        for ids, vectors in batches:
            self.remove(key for key in ids if key in self._numbers)
            if self._index is None:
                self._index = self._faiss.IndexIDMap2(self._faiss.IndexFlatIP(vectors.shape[1]))
            numbers = range(self._next, self._next + len(ids))
            self._next += len(ids)
            self._index.add_with_ids(np.ascontiguousarray(vectors, np.float32), np.asarray(numbers, np.int64))
            self._numbers.update(zip(ids, numbers, strict=True))
            self._keys.update(zip(numbers, ids, strict=True))
            self._changed += len(ids)
            if not self._lists and len(self._keys) > FLAT_UNTIL:
                self._make_lists()
        # A kernel may be killed rather than closed: training again would take longer than writing does.
        if self._lists and self._changed > len(self._keys) // 10:
            self._write()

    def remove(self, ids: Iterable[str]) -> None:
        numbers = [self._numbers.pop(key) for key in list(ids) if key in self._numbers]
        for number in numbers:
            del self._keys[number]
        if numbers:
            self._index.remove_ids(np.asarray(numbers, np.int64))
            self._changed += len(numbers)

    def search(self, vector: Vectors, limit: int) -> list[tuple[str, float]]:
        limit = min(limit, len(self._keys))
        if limit < 1:
            return []
        options = {}
        if self._lists:
            # The more is asked for, the more lists it may stand in; all is asked of all.
            share = min(1.0, 4 * limit / len(self._keys))
            probes = min(self._lists, PROBES + math.ceil(self._lists * share))
            options["params"] = self._faiss.SearchParametersIVF(nprobe=probes)
        scores, numbers = self._index.search(np.asarray(vector, np.float32)[None, :], limit, **options)
        found = zip(numbers[0].tolist(), scores[0].tolist(), strict=True)
        return ranked([(self._keys[number], score) for number, score in found if number >= 0])

    def close(self) -> None:
        if self._lists and self._changed:
            with contextlib.suppress(OSError):  # a full disk: it is made again from the records
                self._write()
        self._forget_all()

    def _forget_all(self) -> None:
        self._index, self._numbers, self._keys = None, {}, {}
        self._next = self._lists = self._trained = self._changed = 0

    def _make_lists(self) -> None:
        """Train inverted lists on what is there and move it into them."""
        flat, dimension = self._index.index, self._index.d
        size = max(len(self._keys), self._expected)
        self._lists = max(1, min(int(4 * math.sqrt(size)), len(self._keys) // 39))  # FAISS wants 39 vectors a list
        quantizer = self._faiss.IndexFlatIP(dimension)
        index = self._faiss.IndexIVFFlat(quantizer, dimension, self._lists, self._faiss.METRIC_INNER_PRODUCT)
        index.cp.max_points_per_centroid = 64
        vectors = flat.reconstruct_n(0, flat.ntotal)
        numbers = self._faiss.vector_to_array(self._index.id_map)
        index.train(vectors)
        index.add_with_ids(vectors, numbers)
        self._index, self._trained = index, size

    def _write(self) -> None:
        data = self._faiss.serialize_index(self._index).tobytes()
        keys = list(self._keys.items())
        facts = {
            "identity": self._identity,
            "lists": self._lists,
            "trained": self._trained,
            "numbers": [number for number, _ in keys],
            "ids": [key for _, key in keys],
        }
        head = json.dumps(facts).encode()
        sums = f"{len(head)} {len(data)} {zlib.crc32(data, zlib.crc32(head))}\n".encode()
        part = self._path.with_name(f"{FILE}.part")
        with part.open("wb") as file:
            file.writelines((_MAGIC, sums, head, data))
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._path)
        self._changed = 0

    def _read(self) -> None:
        with self._path.open("rb") as file:
            if file.readline(100) != _MAGIC:
                raise ValueError("no index of ours")
            head_length, length, checksum = map(int, file.readline(100).split())
            head, data = file.read(head_length), file.read()
        if len(data) != length or zlib.crc32(data, zlib.crc32(head)) != checksum:
            raise ValueError("damaged")
        facts = json.loads(head)
        if facts["identity"] != self._identity or self._expected > _OUTGROWN * facts["trained"]:
            raise ValueError("made by another embedder, or for far fewer vectors")
        index = self._faiss.deserialize_index(np.frombuffer(data, np.uint8))
        if index.ntotal != len(facts["ids"]) or self._dimension not in (None, index.d):
            raise ValueError("damaged")
        self._index, self._lists, self._trained = index, facts["lists"], facts["trained"]
        self._keys = dict(zip(facts["numbers"], facts["ids"], strict=True))
        self._numbers = {key: number for number, key in self._keys.items()}
        self._next = max(self._keys, default=-1) + 1
