"""An index and the records: keeping one up to the other, and searching it within a filter."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from kaggle_magics.rag.embedding.protocol import Vectors
from kaggle_magics.rag.storing.records import Records
from kaggle_magics.rag.storing.where import Where
from kaggle_magics.rag.vectors.index import VectorIndex

EXACT = 2000
"""As many passages that a filter leaves are compared one by one, without the index."""


def synchronise(index: VectorIndex, records: Records) -> None:
    """Bring an index to what the records hold: passages that went are removed, new ones added, in batches."""
    wanted, present = records.passage_ids(), index.ids()
    if gone := present - wanted:
        index.remove(gone)
    if missing := wanted - present:
        index.add(records.vector_batches(None if len(missing) == len(wanted) else missing))


def nearest(
    index: VectorIndex, records: Records, vector: Vectors, limit: int, where: Where | None = None
) -> list[tuple[str, float]]:
    """`(id, cosine)` of at most `limit` passages within `where`, nearest first.

    What `where` means is said in one place, the records' SQL, so every index knows every filter: few passages that are
    left are compared themselves; for many the index is asked for more until enough of them are within.
    """
    if where is None:
        return index.search(vector, limit)
    allowed = records.passage_ids(where)
    if len(allowed) <= max(EXACT, limit):
        return compared(records, vector, allowed)[:limit]
    total = len(index.ids())
    ask = min(total, int(1.5 * limit * total / len(allowed)) + 10)
    while True:
        found = [pair for pair in index.search(vector, ask) if pair[0] in allowed]
        if len(found) >= limit:
            return found[:limit]
        if ask >= total:  # an approximate index may not reach all that it holds
            return compared(records, vector, allowed)[:limit]
        ask = min(total, 4 * ask)


def compared(records: Records, vector: Vectors, ids: Iterable[str]) -> list[tuple[str, float]]:
    """`(id, cosine)` of all of `ids` that have a vector, nearest first, from the records themselves."""
    scored: list[tuple[str, float]] = []
    for some, vectors in records.vector_batches(ids):
        scored += zip(some, (vectors @ vector).tolist(), strict=True)
    return ranked(scored)


def ranked(scored: list[tuple[str, float]]) -> list[tuple[str, float]]:
    """Nearest first; equal ones by id, so that an order does not depend on how an index was filled."""
    return sorted(scored, key=lambda pair: (-pair[1], pair[0]))


def top(scores: Vectors, limit: int) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Positions of the `limit` largest scores, and of all that equal the last of them; in no order."""
    if limit >= len(scores):
        return np.arange(len(scores))
    # The threshold first: argpartition alone would pick any of several equal scores.
    least = np.partition(scores, len(scores) - limit)[len(scores) - limit]
    return np.flatnonzero(scores >= least)
