"""Exact search in numpy: one matrix product a question, full recall, nothing to install and nothing to break.

It keeps no file of its own: the vectors come from the records when the collection is opened. In memory they are
float32, 4 bytes a number (100,000 passages of 384 numbers: 154 MB); float16 would be half of
that, and far slower.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from kaggle_magics.rag.embedding.protocol import Vectors
from kaggle_magics.rag.vectors.index import Batch, IndexSetting
from kaggle_magics.rag.vectors.keeping import ranked, top

_BLOCK = 8192
"""Rows of one matrix: the index grows by these, so nothing is copied and no vector is in memory twice."""


class NumpyIndex:
    """Vectors in blocks of float32 without gaps: a row that is removed is overwritten by the last one."""

    name = "numpy"

    def __init__(self, setting: IndexSetting) -> None:
        self._blocks: list[Vectors] = []
        self._ids: list[str] = []
        self._position: dict[str, int] = {}

    def ids(self) -> set[str]:
        return set(self._position)

    def add(self, batches: Iterable[Batch]) -> None:
        for ids, vectors in batches:
            self.remove(key for key in ids if key in self._position)
            done = 0
            while done < len(ids):
                block, at = divmod(len(self._ids), _BLOCK)
                if block == len(self._blocks):
                    self._blocks.append(np.empty((_BLOCK, vectors.shape[1]), np.float32))
                some = ids[done : done + _BLOCK - at]
                self._blocks[block][at : at + len(some)] = vectors[done : done + len(some)]
                self._position.update(zip(some, range(len(self._ids), len(self._ids) + len(some)), strict=True))
                self._ids += some
                done += len(some)

    def remove(self, ids: Iterable[str]) -> None:
        for key in ids:
            position = self._position.pop(key, None)
            if position is None:
                continue
            last = self._ids.pop()
            if last != key:
                self._row(position)[:] = self._row(len(self._ids))
                self._ids[position] = last
                self._position[last] = position
        del self._blocks[-(-len(self._ids) // _BLOCK) :]

    def search(self, vector: Vectors, limit: int) -> list[tuple[str, float]]:
        count = len(self._ids)
        if not count or limit < 1:
            return []
        scores = np.empty(count, np.float32)
        question = np.asarray(vector, np.float32)
        for number, block in enumerate(self._blocks):
            part = scores[number * _BLOCK : (number + 1) * _BLOCK]
            np.dot(block[: len(part)], question, out=part)
        best = top(scores, limit)
        return ranked([(self._ids[at], float(scores[at])) for at in best.tolist()])[:limit]

    def close(self) -> None:
        self._blocks, self._ids, self._position = [], [], {}

    def _row(self, position: int) -> Vectors:
        block, at = divmod(position, _BLOCK)
        row: Vectors = self._blocks[block][at]
        return row
