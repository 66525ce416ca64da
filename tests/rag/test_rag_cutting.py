"""Text without joints, in any script: where it is cut, and that a large one takes no more than its length."""

from __future__ import annotations

import json
import time
from itertools import pairwise

import pytest

from kaggle_magics.rag.document import assemble
from kaggle_magics.rag.passages import Block, Place
from kaggle_magics.rag.splitting.cutting import divided, hard_cut, packed
from kaggle_magics.rag.splitting.recursive import recursive_spans
from kaggle_magics.rag.splitting.splitter import STRUCTURED_SIZE, make_splitter


def cut(text: str, size: int = 100, kind: str = "paragraph") -> list[str]:
    return [text[start:end] for start, end in divided(text, 0, len(text), size, kind)]


def test_a_long_sentence_is_cut_at_its_clauses_into_even_parts() -> None:
    text = ", ".join(f"the {number} fish of the deep sea" for number in range(20)) + "."
    pieces = cut(text, 200)
    assert all(piece.endswith((",", ".")) and 100 <= len(piece) <= 200 for piece in pieces)
    assert " ".join(pieces) == text


def test_minified_json_is_cut_between_records() -> None:
    text = json.dumps([{"id": number, "name": f"fish {number}"} for number in range(200)], separators=(",", ":"))
    pieces = cut(text, 200)
    assert "".join(pieces) == text and all(len(piece) <= 200 for piece in pieces)
    assert all(piece.endswith(("},", "]")) for piece in pieces)


@pytest.mark.parametrize(
    ("sentence", "mark"),
    [
        ("海の魚を食べた。", "。"),
        ("هل رأيت البحر اليوم؟ ", "؟"),
        ("האם ראית את הים היום? ", "?"),
        ("क्या तुमने आज समुद्र देखा। ", "।"),
    ],
)
def test_sentences_of_other_scripts_are_kept_whole(sentence: str, mark: str) -> None:
    pieces = cut((sentence * 60).strip(), 120)
    assert len(pieces) > 3 and all(piece.endswith(mark) and len(piece) <= 120 for piece in pieces)
    assert "".join(piece.replace(" ", "") for piece in pieces) == (sentence * 60).replace(" ", "")


def test_a_letter_of_several_characters_is_not_cut() -> None:
    for letter in (
        "e\u0301",
        "\U0001f469\u200d\U0001f469\u200d\U0001f467",
        "\u0e01\u0e33\u0e48",
        "\U0001f44d\U0001f3fd",
    ):
        text = letter * 200
        pieces = [text[start:end] for start, end in hard_cut(text, 0, len(text), 50)]
        assert "".join(pieces) == text and all(len(piece) <= 50 for piece in pieces)
        if "\u0e33" not in letter:  # a letter of its own to Unicode
            assert all(len(piece) % len(letter) == 0 for piece in pieces)


def test_accents_without_end_are_cut_all_the_same() -> None:
    text = "e" + "\u0301" * 500
    assert "".join(cut(text, 50)) == text and max(map(len, cut(text, 50))) <= 50


def test_code_is_cut_before_functions_then_at_blank_lines() -> None:
    functions = [f"def f{number}():\n    a = {number}\n\n    return a" for number in range(12)]
    text = "\n\n\n".join(functions)
    pieces = cut(text, 100, "code")
    assert all(piece.startswith("def ") and piece.endswith("return a") for piece in pieces)
    long = "def g():\n" + "\n\n".join(f"    x = {number}\n    y = {number}" for number in range(30))
    parts = cut(long, 100, "code")
    assert all(piece.startswith("    x") for piece in parts[1:]) and all(
        piece.rsplit("\n", 1)[-1][4] == "y" for piece in parts
    )


def test_list_items_keep_the_lines_that_continue_them() -> None:
    text = "\n".join(f"- item {number}\n  which goes on here" for number in range(30))
    assert all(piece.startswith("- item") and piece.endswith("here") for piece in cut(text, 100, "list"))


def test_units_are_packed_evenly_and_never_above_the_size() -> None:
    units = [(number * 10, number * 10 + 9) for number in range(21)]
    lengths = [end - start for start, end in packed(units, 100)]
    assert lengths == [69, 69, 69]


def test_a_huge_table_says_its_rows() -> None:
    rows = [f"{number} | {'word ' * (number % 7)}" for number in range(20_000)]
    document = assemble([Block("\n".join(["id | text", *rows]), "table", place=Place(sheet="S", row=1))])
    pieces = make_splitter().split(document)
    assert (pieces[0].place.row, pieces[-1].place.last_row) == (2, 20_001)
    assert all((before.place.last_row or 0) + 1 == after.place.row for before, after in pairwise(pieces))
    assert all(piece.end - piece.start <= STRUCTURED_SIZE and piece.context == "id | text" for piece in pieces)


def test_records_that_share_a_passage_say_the_first_and_the_last() -> None:
    document = assemble([Block(f"name: fish {number}", "list", place=Place(row=number)) for number in range(1, 100)])
    pieces = make_splitter().split(document)
    assert (pieces[0].place.row, pieces[-1].place.last_row) == (1, 99) and len(pieces) < 5
    assert all((before.place.last_row or 0) + 1 == after.place.row for before, after in pairwise(pieces))


@pytest.mark.parametrize(
    "unit",
    ["x", "word ", "a\n", "海の魚を食べた。", '{"a":[1,2],"b":"c"},', "One is here. ", "\\n", "- x\n", "e\u0301", "= "],
)
def test_time_grows_with_the_length_only(unit: str) -> None:
    def seconds(length: int) -> float:
        text = unit * (length // len(unit))
        document = assemble([Block(text)])
        began = time.process_time()
        make_splitter().split(document)
        recursive_spans(text, 1000, 20)
        return time.process_time() - began

    # Eight times the text: a quadratic way would take 64 times as long.
    assert seconds(400_000) < 24 * seconds(50_000) + 0.05
