"""Excel 97 to 2003 (.xls) with xlrd: as .xlsx is read, without pictures."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from kaggle_magics.errors import DocumentError
from kaggle_magics.rag.passages import Block, Place
from kaggle_magics.rag.readers.library import library
from kaggle_magics.rag.readers.numbers import value_text
from kaggle_magics.rag.readers.office.sheet_layout import is_default_name
from kaggle_magics.rag.readers.packed import is_locked
from kaggle_magics.rag.readers.reading import Reading
from kaggle_magics.rag.readers.tables import numbered_blocks


def read(data: bytes, reading: Reading) -> Iterator[Block]:
    """Yield each sheet that is shown: its name as a heading, then its tables with `place.sheet` and rows.

    Raises `DocumentError`: locked, damaged, not a workbook. Needs xlrd.
    """
    xlrd = library("xlrd", "Reading .xls workbooks")
    if is_locked(data):
        raise DocumentError("it is protected with a password; save it without one")
    try:
        book = xlrd.open_workbook(file_contents=data, formatting_info=True, logfile=io.StringIO())
    except Exception as error:  # a damaged file raises nearly anything
        if "encrypted" in str(error).lower():
            raise DocumentError("it is protected with a password; save it without one") from error
        raise DocumentError("the file is not an Excel workbook: damaged, or another type under this name") from error
    hidden = []
    for sheet in book.sheets():
        if sheet.visibility:
            hidden.append(sheet.name)
            continue
        place = Place(sheet=sheet.name)
        blocks = list(numbered_blocks(_rows(xlrd, book, sheet), place))
        if blocks and not is_default_name(sheet.name):
            yield Block(sheet.name, "heading", 1, place)
        yield from blocks
    if hidden:
        reading.warnings.append(f"hidden sheets not read: {', '.join(hidden)}"[:200])


def _rows(xlrd: Any, book: Any, sheet: Any) -> Iterator[tuple[int, Sequence[str]]]:
    merged = {}
    for top, bottom, left, _ in sheet.merged_cells:
        merged.update({(row, left): (top, left) for row in range(top + 1, bottom)})
    hidden = {column for column, info in sheet.colinfo_map.items() if info.hidden}
    for number in range(sheet.nrows):
        info = sheet.rowinfo_map.get(number)
        if info is not None and info.hidden:
            continue
        row = []
        for column in range(sheet.row_len(number)):
            if column not in hidden:
                row.append(_text(xlrd, book, sheet, *merged.get((number, column), (number, column))))
        yield number + 1, row


def _text(xlrd: Any, book: Any, sheet: Any, row: int, column: int) -> str:
    cell = sheet.cell(row, column)
    if cell.ctype in (xlrd.XL_CELL_EMPTY, xlrd.XL_CELL_BLANK):
        return ""
    if cell.ctype == xlrd.XL_CELL_ERROR:
        return str(xlrd.error_text_from_code.get(cell.value, ""))
    if cell.ctype == xlrd.XL_CELL_BOOLEAN:
        return value_text(bool(cell.value))
    if cell.ctype == xlrd.XL_CELL_TEXT:
        return str(cell.value)
    form = book.format_map.get(book.xf_list[cell.xf_index].format_key) if cell.xf_index is not None else None
    number_format = form.format_str if form is not None else "General"
    if cell.ctype == xlrd.XL_CELL_DATE:
        try:
            moment: datetime = xlrd.xldate_as_datetime(cell.value, book.datemode)
        except (ValueError, OverflowError):
            return value_text(cell.value)
        return value_text(moment.time() if cell.value < 1 else moment, number_format)
    return value_text(cell.value, number_format)
