"""Words as answers and evidence compare them: without endings, in any script."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kaggle_magics.rag.finding.words import STOP_WORDS

_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u0e00-\u0e7f"
"""Kana, ideographs and Thai: written without spaces, so that pairs of characters stand for words."""
_RUN = re.compile(rf"[{_UNSPACED}]+|[^\W{_UNSPACED}]+(?:[.,](?=\d)\d+)*")
_ENDINGS = ("ations", "ation", "ingly", "edly", "ings", "ing", "ies", "ied", "ed", "es", "s", "ly", "e", "y")


def terms(text: str) -> list[str]:
    """The words of a text in their order, stemmed; of unspaced scripts its pairs of characters."""
    found: list[str] = []
    for run in _RUN.findall(text):
        if "\u0e00" <= run[0] <= "\u0e7f" or run[0] >= "\u3040":
            found += [run[at : at + 2] for at in range(max(1, len(run) - 1))]
        else:
            found.append(stem(run))
    return found


def content_terms(text: str) -> list[str]:
    """Each term once, without English function words (unless there are no others)."""
    words = dict.fromkeys(terms(text))
    return [word for word in words if word not in _STOPPED] or list(words)


def content_tokens(text: str, spans: Sequence[tuple[int, int]]) -> list[int]:
    """Which of a text's tokens, (start, end) each, belong to no English function word or mark (unless all do)."""
    found = []
    for at, (start, end) in enumerate(spans):
        if not text[start:end][:1].isalnum():
            continue
        while start > 0 and text[start - 1].isalnum():
            start -= 1
        while end < len(text) and text[end].isalnum():
            end += 1
        if stem(text[start:end]) not in _STOPPED:
            found.append(at)
    return found or list(range(len(spans)))


def stem(word: str) -> str:
    """A word in lower case without its commonest English endings; enough for "boats" to meet "boat"."""
    word = word.casefold()
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


_STOPPED = frozenset(map(stem, STOP_WORDS))


def numbers(text: str) -> list[str]:
    """Numbers in figures, without marks between thousands."""
    return [number.replace(",", "").rstrip(".") for number in re.findall(r"\d[\d.,]*", text)]


def names(text: str) -> list[str]:
    """Terms of words that are written as names: a capital letter, and not at the beginning of a sentence."""
    found = []
    for match in re.finditer(r"[^\W\d_][\w'\u2019-]*", text):
        before = text[: match.start()].rstrip()
        if match.group()[0].isupper() and before and before[-1] not in ".!?:\u2026\"'\u201c(":
            found.append(stem(match.group()))
    return [name for name in dict.fromkeys(found) if name not in _STOPPED]
