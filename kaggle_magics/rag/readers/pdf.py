"""PDF with pypdf: page numbers, headings by type size, paragraphs by line distance. Pages without text are told."""

from __future__ import annotations

import io
import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from kaggle_magics.errors import DocumentError, MissingExtra
from kaggle_magics.extras import require
from kaggle_magics.rag.passages import Block, Place
from kaggle_magics.rag.readers.reading import Reading

_LIGATURES = str.maketrans(
    {
        "\ufb00": "ff",
        "\ufb01": "fi",
        "\ufb02": "fl",
        "\ufb03": "ffi",
        "\ufb04": "ffl",
        "\ufb05": "st",
        "\ufb06": "st",
        "\u00ad": None,
    }
)
_ITEM = re.compile(r"\s*(?:[-*\u2022\u25cf\u2013\uf0b7]|\d{1,3}[.)])\s+\S")
_HEADING_RATIO = 1.12
"""A line is a heading from this many times the body's type size on."""
_GAP_RATIO = 1.4
"""A paragraph ends where the distance to the next line is this many times the usual one."""
_PROSE_WIDTH = 45
"""Mean characters a line from which on a paragraph's lines are joined; shorter ones are lists, tables, addresses."""


@dataclass(slots=True)
class _Line:
    text: str
    size: float
    y: float | None


def read(data: bytes, reading: Reading) -> Iterator[Block]:
    """Yield each page's headings and paragraphs, with `place.page` from 1; a page without text is one empty block.

    Raises `DocumentError` with the reason: encrypted, damaged, or no text at all (a scan). Needs pypdf.
    """
    try:
        pypdf = require("pypdf", "Reading PDF files")
    except MissingExtra as error:
        raise DocumentError(str(error)) from error
    with _quiet():
        pages = list(_pages(pypdf, data))
    if not any(line.text.strip() for lines in pages for line in lines):
        raise DocumentError(f"none of its {len(pages)} pages holds text (a scan? reading it needs OCR)")
    sizes = Counter[float]()
    for lines in pages:
        for line in lines:
            sizes[line.size] += len(line.text)
    body = sizes.most_common(1)[0][0]
    headings = sorted((size for size in sizes if size >= body * _HEADING_RATIO), reverse=True)
    for number, lines in enumerate(pages, start=1):
        place = Place(page=number)
        blocks = list(_blocks(lines, headings, place))
        yield from blocks or [Block("", place=place)]


def _pages(pypdf: Any, data: bytes) -> Iterator[list[_Line]]:
    try:
        reader = pypdf.PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise DocumentError("the file is encrypted with a password")
        for page in reader.pages:
            yield _page_lines(page)
    except DocumentError:
        raise
    except pypdf.errors.DependencyError as error:
        raise DocumentError(f"the file is encrypted ({error})") from error
    except Exception as error:  # a damaged file raises nearly anything: KeyError, RecursionError, zlib.error, ...
        raise DocumentError(f"the file is damaged ({type(error).__name__}: {error})"[:200]) from error


def _page_lines(page: Any) -> list[_Line]:
    fragments: list[tuple[str, float, float]] = []

    def visit(text: str, cm: Sequence[float], tm: Sequence[float], font: Any, size: float) -> None:
        if text:
            scale = abs(tm[3] * cm[3]) or 1.0
            fragments.append((text, round(abs(size or 1.0) * scale, 1), tm[4] * cm[1] + tm[5] * cm[3] + cm[5]))

    text = page.extract_text(visitor_text=visit)
    if "".join(fragment[0] for fragment in fragments).split() != text.split():
        return [_Line(line.translate(_LIGATURES), 0.0, None) for line in text.split("\n")]
    lines: list[_Line] = []
    parts: list[tuple[str, float, float]] = []
    for fragment, size, y in fragments:
        for number, piece in enumerate(fragment.split("\n")):
            if number:
                lines.append(_line(parts))
                parts = []
            if piece:
                parts.append((piece, size, y))
    return [*lines, _line(parts)]


def _line(parts: Sequence[tuple[str, float, float]]) -> _Line:
    sizes = Counter[float]()
    for text, size, _ in parts:
        sizes[size] += len(text.strip())
    y = next((y for text, _, y in parts if text.strip()), None)
    text = "".join(text for text, _, _ in parts).translate(_LIGATURES)
    return _Line(text, sizes.most_common(1)[0][0] if sizes else 0.0, y)


def _blocks(lines: Sequence[_Line], headings: Sequence[float], place: Place) -> Iterator[Block]:
    usual = _line_distance(lines)
    group: list[_Line] = []
    for line in lines:
        if group and (not line.text.strip() or _apart(group[-1], line, usual)):
            yield _block(group, headings, place)
            group = []
        if line.text.strip():
            group.append(line)
    if group:
        yield _block(group, headings, place)


def _line_distance(lines: Sequence[_Line]) -> float:
    """The usual distance of two lines of a paragraph: the lower quartile, since many paragraphs are one line long.

    Steps below 0.7 times the type size are superscripts, not lines. 0 when there is nothing to measure.
    """
    steps = []
    for before, line in pairwise(lines):
        if before.y is not None and line.y is not None and before.size == line.size:
            step = before.y - line.y
            if step > 0.7 * line.size:
                steps.append(step)
    return sorted(steps)[len(steps) // 4] if steps else 0.0


def _apart(before: _Line, line: _Line, usual: float) -> bool:
    """Whether a paragraph ends between two lines."""
    if before.size and abs(before.size - line.size) > 0.08 * before.size:
        return True
    if before.y is None or line.y is None or not usual:
        return False
    step = before.y - line.y
    ended = before.text.rstrip().endswith((".", "!", "?", ":"))
    return step > usual * _GAP_RATIO or (step < -usual and ended)


def _block(group: Sequence[_Line], headings: Sequence[float], place: Place) -> Block:
    size = group[0].size
    texts = [re.sub(r"[ \t]+", " ", line.text).strip() for line in group]
    if size in headings and sum(map(len, texts)) <= 200:
        return Block(" ".join(texts), "heading", headings.index(size) + 1, place)
    prose = len(texts) > 1 and sum(map(len, texts[:-1])) / len(texts[:-1]) >= _PROSE_WIDTH
    kind = "list" if _ITEM.match(texts[0]) else "paragraph"
    return Block(_joined(texts) if prose else "\n".join(texts), kind, 0, place)


def _joined(texts: Iterable[str]) -> str:
    """Lines of a paragraph as one; a word divided at a line's end is put together, a list item begins a new line."""
    whole = ""
    for text in texts:
        if not whole:
            whole = text
        elif _ITEM.match(text):
            whole += "\n" + text
        elif re.search(r"[a-z]-$", whole) and text[:1].islower():
            whole = whole[:-1] + text
        else:
            whole += " " + text
    return whole


@contextmanager
def _quiet() -> Iterator[None]:
    """pypdf logs a line for each oddity of a file; what matters is in the report."""
    log = logging.getLogger("pypdf")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)
