"""Similarity of texts, and where they differ."""

from __future__ import annotations

import random
import time

import pytest

from kaggle_magics.compare.agreement import agreement, similarity, words
from kaggle_magics.compare.difference import difference


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        # Lin 2004, section 3.1: the reference against S2 (order kept) and S3 (same words, another order).
        ("police killed the gunman", "police kill the gunman", 0.75),
        ("police killed the gunman", "the gunman kill police", 0.5),
        ("Lima", "lima", 1.0),
        ("", "", 1.0),
        ("", "a", 0.0),
        ("首都是利马", "首都利马", 8 / 9),
        ("a b c", "x y", 0.0),
    ],
)
def test_similarity_is_rouge_l(one: str, other: str, expected: float) -> None:
    assert similarity(one, other) == pytest.approx(expected)
    assert similarity(other, one) == pytest.approx(expected)


def test_the_longest_common_subsequence_is_the_one_of_the_textbook() -> None:
    chance = random.Random(3)
    for _ in range(60):
        one = [chance.choice("abcd") for _ in range(chance.randrange(90))]
        other = [chance.choice("abcd") for _ in range(chance.randrange(90))]
        row = [0] * (len(other) + 1)
        for word in one:
            diagonal = 0
            for at, there in enumerate(other, start=1):
                kept = row[at]
                row[at] = diagonal + 1 if word == there else max(row[at], row[at - 1])
                diagonal = kept
        expected = 2 * row[-1] / (len(one) + len(other)) if one or other else 1.0
        assert similarity(" ".join(one), " ".join(other)) == pytest.approx(expected)


def test_long_answers_take_no_time() -> None:
    chance = random.Random(1)
    texts = [" ".join(chance.choice(("a", "b", "c", "d")) for _ in range(20_000)) for _ in range(2)]
    started = time.perf_counter()
    assert 0.5 < similarity(*texts) < 0.9
    assert time.perf_counter() - started < 5


def test_words_keep_punctuation_and_split_ideographs() -> None:
    assert words("Ça va, 利马?") == ["ça", "va", ",", "利", "马", "?"]


def test_agreement_leaves_out_what_is_not_there() -> None:
    figures = agreement(["a b", "a  b", None, "c d"])
    assert figures == [(0.5, 0.5), (0.5, 0.5), (None, None), (0.0, 0.0)]
    assert agreement(["alone"]) == [(None, None)]
    assert agreement([]) == []


def test_a_difference_puts_the_text_together_again() -> None:
    parts = difference("The capital of Peru is Lima.", "The capital of  Peru may be Lima")
    assert parts is not None
    assert "".join(part.text for part in parts) == "The capital of  Peru may be Lima"
    assert [part.text for part in parts if part.new] == ["may be"]
    assert [part.missing for part in parts if part.missing] == ["is", "."]


def test_a_difference_of_books_is_not_made() -> None:
    assert difference("a " * 5000, "a " * 5000) is None
