"""Where a text may be cut: each kind of text at its own joints, from the widest to the narrowest.

Prose is cut between paragraphs, then sentences; a list between items; code between what stands at the margin, then at
blank lines, then lines; a table between rows. What is still too long is cut at the best mark near its middle, and never
inside a letter that is made of several characters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from math import ceil

from kaggle_magics.rag.sentences import unit_spans
from kaggle_magics.rag.splitting.pieces import Pair

Joints = Callable[[str, int, int], Iterator[Pair]]
"""Yields the units of `text[start:end]` in order, without the white space between them."""

_WORD = re.compile(r"\w")
_LINE = re.compile(r"[^\n]*\S[^\n]*")
_ITEM = re.compile(r"^(?=[ \t]*(?:[-*+\u2022\u25e6\u2013]|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)])[ \t]+\S)", re.MULTILINE)
_MARGIN = re.compile(r"\n[ \t]*\n(?=[^\s})\]])")
_BLANK = re.compile(r"\n[ \t]*\n")
# Best first: the end of a line (also one that is written as an escape), a sentence, a record, a clause, a word; a mark.
_MARKS = tuple(
    re.compile(pattern)
    for pattern in (
        r"\n|\\n",
        r"[.!?\u2026\u061f\u06d4\u0964][\"'\u2019\u201d)\]]*\s|[\u3002\uff01\uff1f][\u300d\u300f\uff09]*",
        r"[}\])>],?\s?",
        r"[,;:\u061b\u060c](?:\s|(?=[\"'{\[]))|[\uff0c\u3001\uff1b\uff1a]",
        r"\s",
        r"[-_/|&=+.,;:]",
    )
)
_CLOSING = tuple(",;.:!?)]}\"'")


def paragraphs(text: str, start: int, end: int) -> Iterator[Pair]:
    """Runs of lines between blank lines."""
    yield from _between(_BLANK, text, start, end)


def sentences(text: str, start: int, end: int) -> Iterator[Pair]:
    """Sentences, list items and table rows; a mark that stands alone belongs to the sentence before it."""
    held: Pair | None = None
    for first, last in unit_spans(text[start:end]):
        if held is not None and not _WORD.search(text, start + first, start + last):
            held = (held[0], start + last)
            continue
        if held is not None:
            yield held
        held = (start + first, start + last)
    if held is not None:
        yield held


def items(text: str, start: int, end: int) -> Iterator[Pair]:
    """List items with the lines that continue them."""
    at = start
    for match in _ITEM.finditer(text, start, end):
        yield from _trimmed(text, at, match.start())
        at = max(at, match.start())
    yield from _trimmed(text, at, end)


def lines(text: str, start: int, end: int) -> Iterator[Pair]:
    """Lines that hold something, without the line break; indentation stays."""
    for match in _LINE.finditer(text, start, end):
        yield match.start(), match.end()


def functions(text: str, start: int, end: int) -> Iterator[Pair]:
    """What begins at the margin after a blank line: functions, classes, runs of statements."""
    yield from _between(_MARGIN, text, start, end, indented=True)


def statements(text: str, start: int, end: int) -> Iterator[Pair]:
    """Runs of lines of code between blank lines; indentation stays."""
    yield from _between(_BLANK, text, start, end, indented=True)


JOINTS: dict[str, tuple[Joints, ...]] = {
    "paragraph": (paragraphs, sentences),
    "list": (paragraphs, items, sentences),
    "code": (functions, statements, lines),
    "table": (lines,),
}


def divided(text: str, start: int, end: int, size: int, kind: str) -> Iterator[Pair]:
    """Pieces of `text[start:end]` of at most `size` characters, cut at the widest joints of its kind that allow it."""
    yield from _divided(text, start, end, size, JOINTS.get(kind, JOINTS["paragraph"]))


def _divided(text: str, start: int, end: int, size: int, joints: Sequence[Joints]) -> Iterator[Pair]:
    if end - start <= size:
        yield start, end
        return
    if not joints:
        yield from hard_cut(text, start, end, size)
        return
    run: list[Pair] = []
    for unit in joints[0](text, start, end):
        if unit[1] - unit[0] <= size:
            run.append(unit)
            continue
        yield from packed(run, size)
        run = []
        yield from _divided(text, *unit, size, joints[1:])
    yield from packed(run, size)


def packed(units: Sequence[Pair], size: int, tied: Sequence[bool] = ()) -> Iterator[Pair]:
    """Join neighbouring units, none longer than `size`, into pieces of about the same length, none longer than `size`.

    `tied[i]` says that unit i should stand with the one after it where both fit.
    """
    if not units:
        return
    first, end = 0, units[-1][1]
    for number in range(1, len(units)):
        start = units[first][0]
        count = ceil((end - start) / size)
        target = (end - start) / count
        before, after = units[number - 1][1] - start, units[number][1] - start
        # The piece ends where its length is nearest to an even share, and what remains fits into the other pieces.
        left_over = end - units[number][0] > (count - 1) * size
        if after <= size and (left_over or before + after <= 2 * target):
            continue
        cut = number
        while cut - 1 > first and tied and tied[cut - 1] and units[number][0] - units[cut - 1][0] <= size // 3:
            cut -= 1
        if units[number][1] - units[cut][0] > size:
            cut = number
        yield start, units[cut - 1][1]
        first = cut
    yield units[first][0], units[-1][1]


def hard_cut(text: str, start: int, end: int, size: int) -> Iterator[Pair]:
    """Cut text that has no joints near the best mark in the second half of each piece, about evenly."""
    while end - start > size:
        remaining = end - start
        share = ceil(remaining / ceil(remaining / size))
        cut = _best_cut(text, start, min(start + size, start + share + share // 8), start + max(1, share // 2))
        yield from _trimmed(text, start, cut)
        start = cut
    yield from _trimmed(text, start, end)


def _best_cut(text: str, start: int, most: int, least: int) -> int:
    for mark in _MARKS:
        found = 0
        for match in mark.finditer(text, least, most):
            # Not between a bracket and the comma after it.
            if match.end() < most or text[most : most + 1] not in _CLOSING:
                found = match.end()
        if found > start:
            return found
    cut = most
    while cut > start + 1 and _joined_to_previous(text, cut):
        cut -= 1
    return cut if cut > start + 1 or not _joined_to_previous(text, cut) else most


def _joined_to_previous(text: str, at: int) -> bool:
    """Whether the character at `at` belongs to the letter before it: an accent, a joiner, a modifier of an emoji."""
    if at >= len(text):
        return False
    return _modifies(text[at]) or text[at - 1] == "\u200d"


def _modifies(character: str) -> bool:
    return (
        character == "\u200d"
        or unicodedata.category(character) in ("Mn", "Mc", "Me")
        or "\U0001f3fb" <= character <= "\U0001f3ff"
    )


def _between(separator: re.Pattern[str], text: str, start: int, end: int, indented: bool = False) -> Iterator[Pair]:
    at = start
    for match in separator.finditer(text, start, end):
        yield from _trimmed(text, at, match.start(), indented)
        at = match.end()
    yield from _trimmed(text, at, end, indented)


def _trimmed(text: str, start: int, end: int, indented: bool = False) -> Iterator[Pair]:
    """The pair without white space around it, if anything is left; `indented` keeps that of its first line."""
    part = text[start:end]
    stripped = part.strip()
    if stripped:
        first = start + len(part) - len(part.lstrip())
        if indented:
            first = max(start, text.rfind("\n", start, first) + 1)
        yield first, end - (len(part) - len(part.rstrip()))
