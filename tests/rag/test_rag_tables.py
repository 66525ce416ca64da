"""Tables of sheets and files: the row of every line, what is a header, where one table ends."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from kaggle_magics.rag.document import assemble
from kaggle_magics.rag.passages import Block, Place
from kaggle_magics.rag.readers import find_reader
from kaggle_magics.rag.readers.reading import Reading
from kaggle_magics.rag.readers.tables import Cell, has_header, numbered_blocks, spread
from kaggle_magics.rag.splitting.splitter import make_splitter


def blocks_of(rows: Sequence[tuple[int, Sequence[str]]], **options: bool) -> list[Block]:
    return list(numbered_blocks(rows, Place(sheet="S"), **options))


def rows_of(csv: str) -> dict[str, int]:
    """Word -> the row that its passage says, when every passage is one row."""
    document = assemble(find_reader("a.csv")(csv.encode(), Reading("a.csv")))
    found = {}
    for piece in make_splitter().split(document):
        text = document.text[piece.start : piece.end]
        first, last = piece.place.row, piece.place.last_row
        assert first is not None and last is not None
        # Every row is long, so that no two fit into one passage.
        assert first == last, text[:40]
        found[text.split()[0]] = first
    return found


def test_every_passage_of_a_file_says_its_row() -> None:
    filler = "x" * 700
    assert rows_of(f"name,text\nann,{filler}\n,\nbo,{filler}\n\ncy,{filler}\n") == {"ann": 2, "bo": 4, "cy": 5}


def test_passages_of_several_rows_say_the_first_and_the_last() -> None:
    document = assemble(
        find_reader("a.csv")(b"id,word\n" + b"".join(b"%d,fish\n" % n for n in range(500)), Reading(""))
    )
    pieces = make_splitter().split(document)
    assert len(pieces) > 3
    assert (pieces[0].place.row, pieces[-1].place.last_row) == (2, 501)
    for piece in pieces:
        lines = document.text[piece.start : piece.end].splitlines()
        assert (piece.place.row, piece.place.last_row) == tuple(
            int(line.split()[0]) + 2 for line in lines[:: len(lines) - 1]
        )
        assert piece.context == "id | word"
    assert [one.place.row for one in pieces[1:]] == [(one.place.last_row or 0) + 1 for one in pieces[:-1]]


def test_a_file_without_header_loses_no_row_to_it() -> None:
    document = assemble(find_reader("a.csv")(b"1,ann,3.5\n2,bo,4\n3,cy,7\n", Reading("")))
    assert document.text == "column 1 | column 2 | column 3\n1 | ann | 3.5\n2 | bo | 4\n3 | cy | 7"
    (piece,) = make_splitter().split(document)
    assert document.text[piece.start : piece.end].startswith("1 | ann")
    assert (piece.place.row, piece.place.last_row) == (1, 3)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([["id", "name"], ["1", "ann"]], True),
        ([["country", "capital"], ["Peru", "Lima"]], True),
        ([["city", "2020", "2021"], ["Lima", "5", "6"]], True),
        ([["1", "ann"], ["2", "bo"]], False),
        ([["2026-01-01", "rain"], ["2026-01-02", "sun"]], False),
        ([["spam", "win now"], ["ham", "hello"], ["spam", "cheap"]], False),
        ([["a", "b"], ["1", "2"], ["a", "b"], ["3", "4"]], True),
        ([["-3.5", "x"], ["$ 1,200.00", "y"], ["(4)", "z"]], False),
        ([["A long text of many words, " * 5], ["b"]], False),
        ([["x"]], True),
        ([["", "a"], ["1", "b"]], True),
    ],
)  # fmt: skip
def test_whether_the_first_row_is_a_header(rows: list[list[str]], expected: bool) -> None:
    assert has_header(rows) is expected


def test_blank_rows_divide_and_single_cells_above_are_titles() -> None:
    found = blocks_of(
        [(2, ["Sales", "", ""]), (3, ["", "item", "price"]), (4, ["", "tea", "3"]), (5, ["", "", ""]),
         (6, ["note", "", ""]), (7, []), (9, ["a", "b"]), (10, ["c", "d"])]
    )  # fmt: skip
    assert [(one.kind, one.text, one.place.row, one.place.last_row) for one in found] == [
        ("paragraph", "Sales", 2, None),
        ("table", "item | price\ntea | 3", 3, 4),
        ("paragraph", "note", 6, None),
        ("table", "a | b\nc | d", 9, 10),
    ]


def test_rows_that_are_hidden_leave_empty_lines_and_many_of_them_a_new_block() -> None:
    first, second = blocks_of([(1, ["n"]), (2, ["a"]), (4, ["b"]), (900, ["c"]), (901, ["d"])])
    assert (first.text, first.place.row) == ("n\na\n\nb", 1)
    assert (second.text, second.place.row) == ("n\nc\nd", 899)
    (far,) = blocks_of([(1, ["n"]), (900, ["c"])])
    assert (far.text, far.place.row) == ("n\nc", 899)


def test_cells_that_span_rows_are_repeated_and_those_that_span_columns_keep_the_columns() -> None:
    rows = [
        [Cell("a", rows=2), Cell("b", columns=2), Cell("c")],
        [Cell("d"), Cell("e"), Cell("f")],
        [Cell("g", columns=10**9)],
    ]
    table = spread(rows)
    assert table[0][:4] == ["a", "b", "", "c"]
    assert table[1][:4] == ["a", "d", "e", "f"]
    assert table[2][0] == "g" and len({len(row) for row in table}) == 1
    assert spread([]) == []


@pytest.mark.parametrize("header", ["id,word\n", ""])
def test_pieces_of_the_recursive_splitter_say_their_rows_too(header: str) -> None:
    text = header + "".join(f"{number},fish\n" for number in range(300))
    document = assemble(find_reader("a.csv")(text.encode(), Reading("a.csv")))
    first = 2 if header else 1
    pieces = make_splitter(400, 0).split(document)
    assert len(pieces) > 3
    for piece in pieces[1:]:
        lines = document.text[piece.start : piece.end].splitlines()
        numbers = [int(line.split(" ")[0]) + first for line in lines]
        assert (piece.place.row, piece.place.last_row) == (numbers[0], numbers[-1])
    assert pieces[0].place.row == 1
