"""The passages of LangChain's `RecursiveCharacterTextSplitter`, with exact offsets.

Same separators, same order of merging and the same overlap rule as langchain-text-splitters 1.x with its defaults
(`keep_separator=True`, `strip_whitespace=True`); a test holds the two side by side. Here every split is a pair of
offsets instead of a string, which works because kept separators make neighbouring splits touch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

SEPARATORS = ("\n\n", "\n", " ", "")

Pair = tuple[int, int]


def recursive_spans(text: str, chunk_size: int, chunk_overlap: int) -> list[Pair]:
    """`(start, end)` of each passage of `text`; sizes in characters, `0 <= chunk_overlap <= chunk_size`."""
    return list(_split(text, (0, len(text)), SEPARATORS, chunk_size, chunk_overlap))


def _split(text: str, whole: Pair, separators: tuple[str, ...], size: int, overlap: int) -> Iterator[Pair]:
    separator, rest = _choose(text, whole, separators)
    good: list[Pair] = []
    for start, end in _cut(text, whole, separator):
        if end - start < size:
            good.append((start, end))
            continue
        yield from _merge(text, good, size, overlap)
        good = []
        if rest:
            yield from _split(text, (start, end), rest, size, overlap)
        else:
            yield start, end
    yield from _merge(text, good, size, overlap)


def _choose(text: str, whole: Pair, separators: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    for number, separator in enumerate(separators):
        if not separator or text.find(separator, *whole) >= 0:
            return separator, separators[number + 1 :]
    return separators[-1], ()


def _cut(text: str, whole: Pair, separator: str) -> Iterator[Pair]:
    """Cut before each separator, so that it stays at the start of the split that follows."""
    start, end = whole
    if not separator:
        yield from ((place, place + 1) for place in range(start, end))
        return
    for match in re.compile(re.escape(separator)).finditer(text, start, end):
        if match.start() > start:
            yield start, match.start()
        start = match.start()
    if start < end:
        yield start, end


def _merge(text: str, splits: list[Pair], size: int, overlap: int) -> Iterator[Pair]:
    """Pack splits that touch into passages of at most `size`; up to `overlap` characters are carried over."""
    current: list[Pair] = []
    total = 0
    for split in splits:
        length = split[1] - split[0]
        if total + length > size and current:
            yield from _stripped(text, current[0][0], current[-1][1])
            first = 0
            while total > overlap or (total + length > size and total > 0):
                total -= current[first][1] - current[first][0]
                first += 1
            del current[:first]
        current.append(split)
        total += length
    if current:
        yield from _stripped(text, current[0][0], current[-1][1])


def _stripped(text: str, start: int, end: int) -> Iterator[Pair]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if start < end:
        yield start, end
