"""Which texts are computed together: those of about the same length, as many as a budget of tokens holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

CPU_TOKENS = 2048
"""Padded tokens of a batch on a CPU: the best of 256 to 8192 for 1,000-character passages by all-MiniLM-L6-v2 on one
core (`benchmarks/embedding.py --budgets`), and a stop waits for one batch."""
GPU_TOKENS = 16384
"""The same on a GPU, where small batches leave most of it idle. An estimate, halved where memory runs out."""


def batches(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Places of texts in batches that, padded to their longest, have at most `budget` tokens; a longer text goes alone.

    The longest come first: if memory does not suffice, that shows at once, and the time left is never told too short.
    """
    order = sorted(range(len(lengths)), key=lambda place: -lengths[place])
    start = 0
    while start < len(order):
        size = max(1, budget // max(1, lengths[order[start]]))
        yield order[start : start + size]
        start += size


def padded(
    rows: Sequence[Sequence[int]], filler: int, *, left: bool = False
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Token ids filled up to the longest row, and the mask that is 1 where a token is real; both (n, longest)."""
    longest = max(map(len, rows), default=0)
    ids = np.full((len(rows), longest), filler, np.int64)
    mask = np.zeros_like(ids)
    for row, tokens in enumerate(rows):
        where = slice(longest - len(tokens), None) if left else slice(len(tokens))
        ids[row, where], mask[row, where] = tokens, 1
    return ids, mask
