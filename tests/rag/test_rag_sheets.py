"""Workbooks: values as they are shown, hidden parts left out, every table with its sheet and rows."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.errors import DocumentError
from kaggle_magics.rag.document import Document, assemble
from kaggle_magics.rag.passages import Place
from kaggle_magics.rag.readers import find_reader
from kaggle_magics.rag.readers.numbers import value_text
from kaggle_magics.rag.readers.reading import Reading
from kaggle_magics.rag.splitting.splitter import make_splitter

openpyxl = pytest.importorskip("openpyxl")


def saved(book: Any) -> bytes:
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def read(data: bytes, name: str = "a.xlsx") -> tuple[Document, Reading]:
    reading = Reading(name)
    return assemble(find_reader(name)(data, reading), reading.metadata), reading


def shown(document: Document) -> list[tuple[str, str]]:
    return [(str(span.place), document.text[span.start : span.end]) for span in document.spans]


def workbook(rows: Sequence[Sequence[Any]], title: str = "Sheet1") -> Any:
    book = openpyxl.Workbook()
    book.active.title = title
    for row in rows:
        book.active.append(row)
    return book


def test_tables_have_their_sheet_and_rows() -> None:
    book = workbook([["Prices 2026"], [], ["item", None, "price"], ["tea", None, 3.5], ["milk", None, 1], [],
                     ["Total", None, 4.5], [], ["a", "b"], ["x", "y"]], "Shop")  # fmt: skip
    assert shown(read(saved(book))[0]) == [
        ("sheet Shop", "Shop"),
        ("sheet Shop, row 1", "Prices 2026"),
        ("sheet Shop, rows 3-5", "item | price\ntea | 3.5\nmilk | 1"),
        # What a blank row cuts off has the header of the table above.
        ("sheet Shop, rows 6-7", "item | price\nTotal | 4.5"),
        ("sheet Shop, rows 9-10", "a | b\nx | y"),
    ]


def test_passages_say_the_rows_that_they_hold() -> None:
    document, _ = read(saved(workbook([["id", "word"], *([number, "fish"] for number in range(300))])))
    pieces = make_splitter().split(document)
    assert len(pieces) > 2
    for piece in pieces:
        numbers = [int(line.split(" ")[0]) for line in document.text[piece.start : piece.end].splitlines()]
        assert piece.place == Place(sheet="Sheet1", row=numbers[0] + 2, last_row=numbers[-1] + 2)
        assert piece.context == "id | word"


def test_hidden_rows_columns_and_sheets_are_left_out_and_merged_cells_are_in_each_row() -> None:
    book = workbook([["group", "name", "secret"], ["A", "ann", 1], [None, "bo", 2], [None, "cy", 3]])
    sheet = book.active
    sheet.merge_cells("A2:A4")
    sheet.row_dimensions[3].hidden = True
    sheet.column_dimensions["C"].hidden = True
    book.create_sheet("Notes")["A1"] = "hidden words"
    book["Notes"].sheet_state = "hidden"
    document, reading = read(saved(book))
    assert shown(document) == [("sheet Sheet1, rows 1-4", "group | name\nA | ann\n\nA | cy")]
    assert reading.warnings == ["hidden sheets not read: Notes"]
    pieces = make_splitter().split(document)
    assert [(piece.place.row, piece.place.last_row) for piece in pieces] == [(2, 4)]


def test_comments_are_read_and_formulas_without_value_are_told() -> None:
    book = workbook([["a", "b"], [1, "=A2*2"]])
    book.active["A2"].comment = openpyxl.comments.Comment("Check this.", "Ann")
    document, reading = read(saved(book))
    assert shown(document)[-1] == ("sheet Sheet1", "Comment on A2: Check this.")
    assert reading.warnings == ["sheet Sheet1: 1 formulas have no stored value (open and save it in Excel)"]


@pytest.mark.parametrize(
    ("value", "number_format", "text"),
    [
        (0.1 + 0.2, "General", "0.3"),
        (3.0, "General", "3"),
        (1234567.891, "#,##0.00", "1234567.89"),
        (0.255, "0.0%", "25.5%"),
        (12.5, '"$"#,##0.00', "$12.50"),
        (-12.5, "[$€-407] #,##0.00", "-€12.50"),
        (12.5, "#,##0.00 [$€-407]", "12.50 €"),
        (5, '0 "kg"', "5 kg"),
        (2.5, "0", "3"),
        (0.001, "0.00", "0.001"),
        (1e-7, "0.00E+00", "1e-07"),
        (1e20, "0.00", "1e+20"),
        (True, "General", "TRUE"),
        (None, "General", ""),
        (datetime(2026, 11, 28), "yyyy-mm-dd", "2026-11-28"),
        (datetime(2026, 11, 28, 9, 29, 59, 999_998), "dd.mm.yy hh:mm", "2026-11-28 09:30"),
        (date(2026, 1, 2), "General", "2026-01-02"),
        (time(9, 5), "hh:mm", "09:05"),
        (float("nan"), "0.00", "nan"),
        ("text", "0.00", "text"),
    ],
)
def test_values_are_written_as_they_are_shown(value: Any, number_format: str, text: str) -> None:
    assert value_text(value, number_format) == text


def test_dates_and_percentages_of_a_file() -> None:
    book = workbook([["day", "share"], [datetime(2026, 3, 1), 0.5]])
    book.active["B2"].number_format = "0%"
    assert shown(read(saved(book))[0])[-1][1] == "day | share\n2026-03-01 | 50%"


def test_what_is_no_workbook_says_what_it_is() -> None:
    locked = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "EncryptedPackage".encode("utf-16-le")
    data = saved(workbook([["a"]]))
    for name, wrong, reason in [
        ("a.xlsx", locked, "password"), ("a.xls", locked, "password"), ("a.xlsx", data[:200], "not an Excel"),
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "not an Excel"), ("a.xls", b"x", "not an Excel"),
    ]:  # fmt: skip
        with pytest.raises(DocumentError, match=reason):
            read(wrong, name)
    assert not read(saved(openpyxl.Workbook()))[0].spans


def test_samples(shared: Path) -> None:
    folder = shared / "data/documents/markitdown-samples"
    if not folder.is_dir():
        pytest.skip("needs documents")
    for name in ("test.xlsx", "test.xls"):
        document, _ = read((folder / name).read_bytes(), name)
        first, heading, second = document.spans
        assert (str(first.place), heading.kind) == ("sheet Sheet1, rows 1-24", "heading")
        assert "58 | 6ff4173b-42a5-4784-9b19-f49caff4d93d | 22 | 9" in document.text[first.start : first.end]
        assert second.place == Place(sheet="09060124-b5e7-4717-9d07-3c046eb", row=1, last_row=5)
