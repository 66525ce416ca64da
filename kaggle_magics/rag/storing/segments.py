"""What a tokenizer of words does not see as people do: scripts without spaces as character n-grams, camelCase as its
words, 1,000 as one number, C++ as a word."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

# Han, kana, bopomofo and Hangul in pairs of characters; Thai, Lao, Khmer and Burmese in threes, too, as their words are
# longer and their vowels and tones are characters of their own.
_PAIRED = (
    "\u1100-\u11ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u3100-\u318f\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff66-\uffdc\U00020000-\U0003ffff"
)
_TRIPLED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
RUN = re.compile(f"(?P<paired>[{_PAIRED}]+)|(?P<tripled>[{_TRIPLED}]+)")
"""A run of a script without spaces."""
_HUMPS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_CAMEL = re.compile(r"\b[A-Za-z]+[a-z][A-Z][A-Za-z0-9]*\b")
_GROUPED = re.compile(r"(?<![\d,.'])\d{1,3}(?:([,.'\u2019\u00a0\u202f])\d{3})(?:\1\d{3})*(?!\d)")
_SYMBOLS = re.compile(r"\b[A-Za-z](?:\+\+|#)(?![\w+#])")
_NAMES = {"+": "plus", "#": "sharp"}


def index_terms(text: str) -> str:
    """What is indexed of a text besides its words, with spaces between; empty for most texts of spaced scripts."""
    found = list(_written(text))
    if not text.isascii():
        for run in RUN.finditer(unicodedata.normalize("NFKC", text)):
            sizes = (1, 2) if run["paired"] else (1, 2, 3)
            found += [gram for size in sizes for gram in _grams(run[0], size)]
    return " ".join(found)


def passage_terms(text: str, context: str) -> str:
    """`index_terms` of a passage: what its row keeps, since the index takes an entry out only by what was put in."""
    return index_terms(f"{context}\n{text}")


def run_terms(text: str) -> list[str]:
    """Terms of a question's runs: their longest n-grams only, so that a word is not found by single characters of it.

    They stand in the index as they are: no stemmer touches them.
    """
    if text.isascii():
        return []
    found: list[str] = []
    for run in RUN.finditer(unicodedata.normalize("NFKC", text)):
        found += _grams(run[0], min(2 if run["paired"] else 3, len(run[0])))
    return found


def written_terms(text: str) -> list[str]:
    """Other words for what is written in a question or a text: parts of camelCase, whole numbers, C++."""
    if text.isalpha() and text.isascii() and (text.islower() or text[1:].islower()):
        return []  # most words: no humps, no digits, no symbols
    return list(_written(text))


def without_runs(text: str) -> str:
    """The text with as many spaces in place of the scripts that have none."""
    return text if text.isascii() else RUN.sub(lambda run: " " * len(run[0]), text)


def _written(text: str) -> Iterator[str]:
    for match in _CAMEL.finditer(text):
        yield from _HUMPS.findall(match[0])
    for match in _GROUPED.finditer(text):
        yield re.sub(r"\D", "", match[0])
    for match in _SYMBOLS.finditer(text):
        yield match[0][0] + "".join(_NAMES[mark] for mark in match[0][1:])


def _grams(word: str, size: int) -> list[str]:
    return [word[at : at + size] for at in range(len(word) - size + 1)]
