"""PDF with pypdf: page numbers, headings by type size, paragraphs by line distance, tables by place, scans by OCR."""

from __future__ import annotations

import io
import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any

from kaggle_magics.errors import DocumentError, MissingExtra
from kaggle_magics.extras import require
from kaggle_magics.rag.passages import Block, Place
from kaggle_magics.rag.readers.pdf.rows import Cell, rows_of, table_lines
from kaggle_magics.rag.readers.pdf.scans import COVERS, Box, Found, Picture, is_scan, pictures_of, recognise_pages
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
    row: tuple[Cell, ...] = ()
    """Its cells, on a page that is read in rows."""


@dataclass(slots=True)
class _Page:
    lines: list[_Line]
    pictures: list[Picture]


def read(data: bytes, reading: Reading) -> Iterator[Block]:
    """Yield each page's headings, paragraphs and tables, with `place.page` from 1; an empty page is one empty block.

    Scanned pages and pictures between text are read by OCR. Title, author and date go into `reading.metadata`.
    Raises `DocumentError` with the reason: encrypted, damaged, or no text at all (with what OCR lacks). Needs pypdf.
    """
    try:
        pypdf = require("pypdf", "Reading PDF files")
    except MissingExtra as error:
        raise DocumentError(str(error)) from error
    with _quiet():
        reader = _opened(pypdf, data)
        try:
            reading.metadata.update(_metadata(reader))
            opened = list(reader.pages)
            pages = [_page(page) for page in opened]
        except Exception as error:  # a damaged file raises nearly anything: KeyError, RecursionError, zlib.error, ...
            raise DocumentError(f"the file is damaged ({type(error).__name__}: {error})"[:200]) from error
        characters = [sum(len(line.text.strip()) for line in page.lines) for page in pages]
        scans = [number for number, page in enumerate(pages, 1) if is_scan(characters[number - 1], page.pictures)]
        beside = {
            number: [picture for picture in page.pictures if picture.covers < COVERS]
            for number, page in enumerate(pages, 1)
            if number not in scans
        }
        found = recognise_pages(data, opened, scans, beside, reading)
    if not any(characters) and not any(found.pages.values()):
        count = f"none of its {len(pages)} pages holds text" if len(pages) > 1 else "its page holds no text"
        raise DocumentError("; ".join([count, *reading.warnings]))
    yield from _all_blocks(pages, found)


def _all_blocks(pages: Sequence[_Page], found: Found) -> Iterator[Block]:
    sizes = Counter[float]()
    for page in pages:
        for line in page.lines:
            sizes[line.size] += len(line.text)
    body = sizes.most_common(1)[0][0] if sizes else 0.0
    headings = sorted((size for size in sizes if size >= body * _HEADING_RATIO), reverse=True)
    for number, page in enumerate(pages, start=1):
        place = Place(page=number)
        if found.pages.get(number):
            blocks = [Block(text, place=place, recognised=True) for text in found.pages[number].split("\n\n")]
        else:
            blocks = list(_page_blocks(page.lines, found.pictures.get(number, ()), headings, place))
        yield from blocks or [Block("", place=place)]


def _page_blocks(
    lines: Sequence[_Line], pictures: Sequence[tuple[float, str]], headings: Sequence[float], place: Place
) -> Iterator[Block]:
    """The page's blocks, and between them the texts of pictures, each before the first line that stands below it."""
    start = 0
    for y, text in sorted(pictures, reverse=True):
        below = (number for number, line in enumerate(lines) if line.y is not None and line.text.strip() and line.y < y)
        end = max(next(below, len(lines)), start)
        yield from _blocks(lines[start:end], headings, place)
        yield Block(text, place=place, recognised=True)
        start = end
    yield from _blocks(lines[start:], headings, place)


def _opened(pypdf: Any, data: bytes) -> Any:
    try:
        reader = pypdf.PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise DocumentError("the file is encrypted with a password")
        len(reader.pages)
    except DocumentError:
        raise
    except pypdf.errors.DependencyError as error:
        raise DocumentError(f"the file is encrypted ({error})") from error
    except Exception as error:
        raise DocumentError(f"the file is damaged ({type(error).__name__}: {error})"[:200]) from error
    return reader


def _metadata(reader: Any) -> dict[str, str | int | float]:
    """What the file says of itself; entries that hold nothing to read are left out."""
    try:
        info = reader.metadata
        date = info.creation_date if info is not None else None
        told = {"title": info.title, "author": info.author, "date": date.isoformat() if date else ""} if info else {}
    except Exception:  # a date that is none, a string in no encoding
        return {}
    # Printers name the file here, and programs themselves.
    flat = {name: " ".join(str(value or "").split()) for name, value in told.items()}
    return {name: value for name, value in flat.items() if value and value.lower() not in ("untitled", "anonymous")}


def _page(page: Any) -> _Page:
    boxes: dict[str, Box] = {}
    lines = _page_lines(page, boxes)
    return _Page(lines, pictures_of(page, boxes))


def _page_lines(page: Any, boxes: dict[str, Box]) -> list[_Line]:
    fragments: list[tuple[str, float, float]] = []
    pieces: list[Cell] = []

    def visit(text: str, cm: Sequence[float], tm: Sequence[float], font: Any, size: float) -> None:
        if text:
            height = round(abs(size or 1.0) * (abs(tm[3] * cm[3]) or 1.0), 1)
            y = tm[4] * cm[1] + tm[5] * cm[3] + cm[5]
            fragments.append((text, height, y))
            if text.strip():
                x = tm[4] * cm[0] + tm[5] * cm[2] + cm[4]
                pieces.append(Cell(text.strip("\n").translate(_LIGATURES), x, y, height))

    def before(operator: bytes, operands: Sequence[Any], cm: Sequence[float], tm: Sequence[float]) -> None:
        if operator == b"Do" and operands:
            boxes[str(operands[0])] = cm[5] + cm[3] / 2, abs(cm[0]) or abs(cm[1]), abs(cm[3]) or abs(cm[2])

    text = page.extract_text(visitor_text=visit, visitor_operand_before=before)
    if "".join(fragment[0] for fragment in fragments).split() != text.split():
        return [_Line(line.translate(_LIGATURES), 0.0, None) for line in text.split("\n")]
    # A piece of several lines has one place only: such pages are set as running text.
    rows = None if any("\n" in piece.text for piece in pieces) else rows_of(pieces)
    if rows is not None:
        return [_row_line(row) for row in rows]
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


def _row_line(row: Sequence[Cell]) -> _Line:
    sizes = Counter[float]()
    for cell in row:
        sizes[cell.size] += len(cell.text)
    return _Line(" ".join(cell.text for cell in row), sizes.most_common(1)[0][0], row[0].y, tuple(row))


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
    for cells, run in groupby(lines, key=lambda line: len(line.row) > 1):
        if cells:
            if group:
                yield _block(group, headings, place)
            group = []
            yield _table([line.row for line in run], place)
            continue
        for line in run:
            if group and (not line.text.strip() or _apart(group[-1], line, usual)):
                yield _block(group, headings, place)
                group = []
            if line.text.strip():
                group.append(line)
        if group:
            yield _block(group, headings, place)
        group = []


def _table(rows: Sequence[Sequence[Cell]], place: Place) -> Block:
    lines = table_lines(rows)
    # Of a table the first line is taken for its header; a form's first line is not one.
    words = not any(character.isdigit() or character == ":" for character in lines[0])
    header = words and len(rows) > 2 and len(rows[0]) >= max(map(len, rows)) - 1 and len(rows[0]) > 1
    return Block("\n".join(lines), "table" if header else "paragraph", place=place)


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
