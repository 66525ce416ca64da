"""How alike answers are: equal word for word, and how much of their words they share in the same order.

Similarity is ROUGE-L's F-measure with beta 1 (Lin 2004, "ROUGE: A Package for Automatic Evaluation of Summaries"):
2 L / (m + n), where m and n are the numbers of words and L is the length of the longest common subsequence. Words are
compared without case; each Chinese, Japanese or Korean character and each mark of punctuation is a word of its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_IDEOGRAPHS = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
_WORD = re.compile(rf"[{_IDEOGRAPHS}]|[^\W{_IDEOGRAPHS}]+|[^\w\s]")


def words(text: str) -> list[str]:
    """The words of a text, as they are compared."""
    return _WORD.findall(text.casefold())


def similarity(one: str, other: str) -> float:
    """ROUGE-L F1 of two texts, between 0 (no word in common) and 1 (the same words in the same order)."""
    return _similarity(words(one), words(other))


def same(one: str, other: str) -> bool:
    """Whether two texts are equal, white space aside."""
    return one.split() == other.split()


def agreement(texts: Sequence[str | None]) -> list[tuple[float | None, float | None]]:
    """For each text the share of the others that are equal to it, and its mean similarity with them.

    None is an answer that does not exist: it is left out, and gets no figures. Neither does a text without others.
    """
    split = [None if text is None else words(text) for text in texts]
    figures: list[tuple[float | None, float | None]] = []
    for at, text in enumerate(texts):
        others = [index for index, other in enumerate(texts) if index != at and other is not None]
        own = split[at]
        if text is None or own is None or not others:
            figures.append((None, None))
            continue
        equal = sum(same(text, texts[index] or "") for index in others) / len(others)
        alike = sum(_similarity(own, split[index] or []) for index in others) / len(others)
        figures.append((equal, alike))
    return figures


def _similarity(one: Sequence[str], other: Sequence[str]) -> float:
    if not one and not other:
        return 1.0
    return 2 * _common(one, other) / (len(one) + len(other))


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """Length of the longest common subsequence, a row of the table at a time as the bits of one number.

    Hyyro 2004, "Bit-parallel LCS-length computation revisited": answers of thousands of words take milliseconds.
    """
    where: dict[str, int] = {}
    for at, word in enumerate(one):
        where[word] = where.get(word, 0) | 1 << at
    every = (1 << len(one)) - 1
    row = every
    for word in other:
        matches = row & where.get(word, 0)
        row = ((row + matches) | (row - matches)) & every
    return len(one) - row.bit_count()
