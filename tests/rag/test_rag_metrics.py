"""Measures against values worked out by hand, and properties that hold for any spans."""

from __future__ import annotations

import math
import random
from itertools import pairwise

import pytest

from kaggle_magics.rag.evaluation.metrics import common, figure, length, ndcg, paired, reciprocal_rank, union


def test_ndcg_of_known_rankings() -> None:
    assert ndcg([True, False, True], 2) == pytest.approx((1 + 1 / math.log2(4)) / (1 + 1 / math.log2(3)))
    assert ndcg([True, True, False], 2) == 1.0
    assert ndcg([False, False, False], 1) == 0.0
    # Only the first two ranks count, and only two can be ideal.
    assert ndcg([False, True, True], 3, k=2) == pytest.approx((1 / math.log2(3)) / (1 + 1 / math.log2(3)))


def test_ndcg_equals_an_independent_implementation() -> None:
    sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    draw = random.Random(3)
    for _ in range(50):
        ranks = [draw.random() < 0.3 for _ in range(12)]
        if not any(ranks):
            continue
        scores = [[float(len(ranks) - place) for place in range(len(ranks))]]
        assert ndcg(ranks, sum(ranks), k=10) == pytest.approx(sklearn.ndcg_score([list(map(int, ranks))], scores, k=10))


def test_reciprocal_rank() -> None:
    assert reciprocal_rank([False, True, True]) == 0.5
    assert reciprocal_rank([False]) == 0.0
    assert reciprocal_rank([]) == 0.0


def test_spans_are_counted_as_sets_of_characters() -> None:
    draw = random.Random(5)
    for _ in range(200):
        one, other = (
            [(at := draw.randrange(40), at + draw.randrange(9)) for _ in range(draw.randrange(6))] for _ in range(2)
        )
        first, second = ({c for start, end in spans for c in range(start, end)} for spans in (one, other))
        assert length(one) == len(first)
        assert common(one, other) == len(first & second)
        joined = union(one)
        assert all(a[1] < b[0] for a, b in pairwise(joined))


def test_an_interval_holds_the_mean_and_narrows_with_more_questions() -> None:
    draw = random.Random(1)
    few = [float(draw.random() < 0.6) for _ in range(20)]
    many = few * 20
    small, large = figure(few), figure(many)
    assert small is not None and large is not None
    assert small.low < small.mean < small.high
    assert large.mean == pytest.approx(small.mean)
    assert large.high - large.low < (small.high - small.low) / 2
    assert figure(few) == small
    assert figure([]) is None
    one = figure([1.0, 1.0])
    assert one is not None and (one.low, one.high, one.count) == (1.0, 1.0, 2)


def test_a_pair_that_always_wins_is_more_than_chance() -> None:
    won = paired([0.1, 0.5, 0.2, 0.4], [0.3, 0.6, 0.5, 0.5])
    assert won is not None and won.low > 0
    same = paired([0.1, 0.5, 0.2, 0.4], [0.4, 0.2, 0.5, 0.1])
    assert same is not None and same.low < 0 < same.high
