"""Measures of one ranking, and means of many with their intervals.

nDCG is Järvelin and Kekäläinen's (2002) with binary relevance and a logarithm of base 2, as trec_eval and BEIR have it.
Precision, recall and IoU of spans are those of Smith and Troynikov's "Evaluating Chunking Strategies for Retrieval"
(2024), counted in characters, with the difference that text that several passages share counts once.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Span = tuple[int, int]
"""`(start, end)` in characters of a text."""
RESAMPLES = 1000
SEED = 20240


def ndcg(relevant: Sequence[bool], wanted: int, k: int | None = None) -> float:
    """nDCG@k of a ranking, between 0 and 1.

    `relevant` says of each rank whether it brings something relevant that no earlier rank brought; `wanted` is how many
    relevant things there are (at least 1). `k` None takes the ranking as long as it is.
    """
    depth = len(relevant) if k is None else k
    gained = sum(1 / math.log2(rank + 1) for rank, hit in enumerate(relevant[:depth], start=1) if hit)
    ideal = sum(1 / math.log2(rank + 1) for rank in range(1, min(wanted, depth) + 1))
    return gained / ideal if ideal else 0.0


def reciprocal_rank(relevant: Iterable[bool]) -> float:
    """1 / the rank of the first relevant thing, 0 where there is none."""
    return next((1 / rank for rank, hit in enumerate(relevant, start=1) if hit), 0.0)


def union(spans: Iterable[Span]) -> list[Span]:
    """The same characters as spans that do not touch, in order; empty spans are left out."""
    joined: list[Span] = []
    for start, end in sorted(span for span in spans if span[1] > span[0]):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def length(spans: Iterable[Span]) -> int:
    """How many characters the spans cover together."""
    return sum(end - start for start, end in union(spans))


def common(one: Iterable[Span], other: Iterable[Span]) -> int:
    """How many characters both cover."""
    first, second = union(one), union(other)
    return length(first) + length(second) - length([*first, *second])


@dataclass(frozen=True, slots=True)
class Figure:
    """A mean over questions with its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float
    count: int
    """How many questions it is the mean of."""

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


def figure(values: Sequence[float]) -> Figure | None:
    """The mean with its percentile bootstrap interval (Efron 1979), the same for the same values; None for none."""
    if not values:
        return None
    mean = math.fsum(values) / len(values)
    if len(set(values)) == 1:
        return Figure(mean, mean, mean, len(values))
    draw = random.Random(SEED)
    means = sorted(math.fsum(draw.choices(values, k=len(values))) / len(values) for _ in range(RESAMPLES))
    tail = RESAMPLES * 25 // 1000
    return Figure(mean, means[tail], means[-tail - 1], len(values))


def paired(one: Sequence[float], other: Sequence[float]) -> Figure | None:
    """The mean of `other - one` over the same questions, with its interval: more than chance where 0 is outside."""
    return figure([b - a for a, b in zip(one, other, strict=True)])
