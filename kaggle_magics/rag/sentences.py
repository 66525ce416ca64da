"""Where sentences begin and end, as offsets: no model, no word list beyond common abbreviations."""

from __future__ import annotations

import re
from collections.abc import Iterator

_END = re.compile(
    r"""[.!?\u2026]+[\"'\u2019\u201d)\]]*(?=\s)   # Latin: an end mark, closing quotes, then white space
      | [\u3002\uff01\uff1f]+[\u300d\u300f\uff09]* # Chinese and Japanese: no white space follows
    """,
    re.VERBOSE,
)
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\[])(?:[A-Z]|Dr|Mr|Mrs|Ms|Prof|St|Sr|Jr|No|Nr|Fig|Figs|Eq|Sec|Ch|Vol|pp|p|cf|vs|etc|approx|ca|e\.g|i\.e|a\.m|p\.m|al)\.$"
)
_LINE_UNIT = re.compile(r"^\s*(?:[-*+\u2022]\s|\d{1,3}[.)]\s|\|)|\s\|\s")
"""A line that stands for itself: a list item or a table row."""


def sentence_spans(text: str, start: int = 0, end: int | None = None) -> Iterator[tuple[int, int]]:
    """Yield `(start, end)` of each sentence of `text[start:end]`, without the white space around it."""
    stop = len(text) if end is None else end
    begin = start
    for match in _END.finditer(text, start, stop):
        if _inside(text, begin, match, stop):
            continue
        yield from _trimmed(text, begin, match.end())
        begin = match.end()
    yield from _trimmed(text, begin, stop)


def unit_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield the smallest pieces that can be shown alone: a sentence of prose, a list item, a table row."""
    for block in re.finditer(r"(?:[^\n]+\n?)+", text):
        begin = prose = block.start()
        for line in re.finditer(r"[^\n]+\n?", text[block.start() : block.end()]):
            at = block.start() + line.start()
            if _LINE_UNIT.search(line.group()):
                yield from sentence_spans(text, prose, at)
                yield from _trimmed(text, at, block.start() + line.end())
                prose = block.start() + line.end()
        begin = max(begin, prose)
        yield from sentence_spans(text, begin, block.end())


def _inside(text: str, begin: int, match: re.Match[str], stop: int) -> bool:
    """Whether this end mark stands inside a sentence: an abbreviation, or the next word starts in lower case."""
    if match.group()[0] in "\u3002\uff01\uff1f":
        return False
    following = text[match.end() : min(stop, match.end() + 40)].lstrip()
    if following and following[0].islower():
        return True
    return bool(
        match.group().startswith(".") and _ABBREVIATION.search(text[max(begin, match.start() - 10) : match.start() + 1])
    )


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if start < end:
        yield start, end
