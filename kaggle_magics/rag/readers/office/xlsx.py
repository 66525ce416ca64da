"""Excel (.xlsx, .xlsm) with openpyxl, row by row: the shown values of each sheet as tables with their rows."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from kaggle_magics.errors import DocumentError
from kaggle_magics.rag.passages import Block, Place
from kaggle_magics.rag.readers.library import library, local, parse_xml, refusing
from kaggle_magics.rag.readers.numbers import value_text
from kaggle_magics.rag.readers.office.package import take_properties
from kaggle_magics.rag.readers.office.pictures import Pictures
from kaggle_magics.rag.readers.office.sheet_layout import Layout, is_default_name, layout_of, pictures_of, related
from kaggle_magics.rag.readers.packed import Packed, open_packed
from kaggle_magics.rag.readers.reading import Reading
from kaggle_magics.rag.readers.tables import numbered_blocks

_MOST_EMPTY = 10_000
"""A row after more empty ones than this is taken for an accident of formatting."""


def read(data: bytes, reading: Reading) -> Iterator[Block]:
    """Yield each sheet that is shown: its name as a heading, its tables, its comments and pictures.

    Blank rows divide tables; hidden rows and columns are left out; a cell merged over rows is in each of them; formulas
    give the value that the file holds. `place.sheet`, `place.row` and `place.last_row` are set. Raises `DocumentError`.
    Needs openpyxl.
    """
    openpyxl = library("openpyxl", "Reading Excel workbooks")
    packed = open_packed(data, "an Excel workbook (.xlsx)")
    with refusing("the file is not an Excel workbook: damaged, or another type under this name"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl warns of every extension that it does not know
            book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        sheets = list(book.worksheets)
        take_properties(book.properties, reading)
    pictures = Pictures(reading)
    hidden = [sheet.title for sheet in sheets if sheet.sheet_state != "visible"]
    for sheet in sheets:
        if sheet.sheet_state == "visible":
            try:
                with refusing("damaged"):
                    blocks = list(_sheet(sheet, packed, pictures))
            except DocumentError as error:
                reading.warnings.append(f"sheet {sheet.title} not read: {error}"[:150])
                continue
            if blocks and not is_default_name(sheet.title):
                yield Block(sheet.title, "heading", 1, Place(sheet=sheet.title))
            yield from blocks
    if hidden:
        reading.warnings.append(f"hidden sheets not read: {', '.join(hidden)}"[:200])
    pictures.finish()
    book.close()


def _sheet(sheet: Any, packed: Packed, pictures: Pictures) -> Iterator[Block]:
    place = Place(sheet=sheet.title)
    path = sheet._worksheet_path
    layout = layout_of(packed.read(path)) if path in packed else Layout()
    if layout.uncomputed:
        pictures.reading.warnings.append(
            f"sheet {sheet.title}: {layout.uncomputed} formulas have no stored value (open and save it in Excel)"
        )
    sheet.reset_dimensions()  # some programs write a wrong extent, and openpyxl would stop there
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # dates outside of what Excel knows
        yield from numbered_blocks(_rows(sheet, layout), place)
    for comment in _comments(packed, path):
        yield Block(comment, place=place)
    for row, data in pictures_of(packed, path):
        yield from pictures.blocks(data, replace(place, row=row))


def _rows(sheet: Any, layout: Layout) -> Iterator[tuple[int, Sequence[str]]]:
    shown: dict[tuple[int, int], str] = {}
    origins = set(layout.merged.values())
    empty = 0
    for number, cells in enumerate(sheet.iter_rows(), start=1):
        row = []
        for column, cell in enumerate(cells, start=1):
            text = "" if cell.value is None else value_text(cell.value, cell.number_format or "General")
            if (number, column) in origins:
                shown[number, column] = text
            elif not text and (number, column) in layout.merged:
                text = shown.get(layout.merged[number, column], "")
            if column not in layout.hidden_columns:
                row.append(text)
        if number in layout.hidden_rows:
            continue
        empty = 0 if any(row) else empty + 1
        if empty > _MOST_EMPTY:
            return
        yield number, row


def _comments(packed: Packed, path: str) -> Iterator[str]:
    """The notes on cells, as `Comment on B2: text`."""
    for part in (*related(packed, path, "comments"), *related(packed, path, "threadedComment")):
        for comment in parse_xml(packed.read(part)).iter():
            if local(comment.tag) in ("comment", "threadedComment") and comment.get("ref"):
                words = " ".join(
                    "".join(one.text or "" for one in comment.iter() if local(one.tag) in ("t", "text")).split()
                )
                # Beside a thread stands a note for older programs, which only says that there is one.
                if words and not words.startswith("[Threaded comment]"):
                    yield f"Comment on {comment.get('ref')}: {words}"
