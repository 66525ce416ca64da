"""Exact search in numpy: one matrix product a question, full recall, nothing to install and nothing to break.

It keeps no file of its own: the vectors come from the records when the collection is opened.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from kaggle_magics.rag.embedding.protocol import Vectors
from kaggle_magics.rag.storing.where import Where
from kaggle_magics.rag.vectors import Row


class NumpyIndex:
    """All vectors in one float32 matrix (n, d), which is put together when it is next searched."""

    name = "numpy"

    def __init__(self, folder: Path, identity: str) -> None:
        self._rows: dict[str, Row] = {}
        self._matrix: Vectors | None = None

    def ids(self) -> set[str]:
        return set(self._rows)

    def add(self, rows: Iterable[Row]) -> None:
        self._rows.update((row[0], row) for row in rows)
        self._matrix = None

    def remove(self, ids: Iterable[str]) -> None:
        for passage_id in ids:
            self._rows.pop(passage_id, None)
        self._matrix = None

    def search(self, vector: Vectors, limit: int, where: Where | None = None) -> list[tuple[str, float]]:
        if not self._rows or limit < 1:
            return []
        if self._matrix is None:
            self._matrix = np.stack([row[3] for row in self._rows.values()])
            # The rows keep views of the one matrix, so that every vector is in memory once.
            self._rows = {key: (*row[:3], self._matrix[number]) for number, (key, row) in enumerate(self._rows.items())}
        scores = self._matrix @ np.asarray(vector, np.float32)
        if where is not None:
            scores = np.where([_allowed(row, where) for row in self._rows.values()], scores, -np.inf)
        top = np.argsort(-scores, kind="stable")[:limit]
        ids = list(self._rows)
        return [(ids[number], float(scores[number])) for number in top if scores[number] > -np.inf]

    def close(self) -> None:
        self._rows.clear()
        self._matrix = None


def _allowed(row: Row, where: Where) -> bool:
    return (where.sources is None or row[1] in where.sources) and (where.pages is None or row[2] in where.pages)
