"""Sentences, the structure-aware splitter, and the recursive one beside LangChain's."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

import pytest

from kaggle_magics.errors import OptionError
from kaggle_magics.rag.document import assemble
from kaggle_magics.rag.passages import Block, Place
from kaggle_magics.rag.readers import find_reader
from kaggle_magics.rag.readers.reading import Reading
from kaggle_magics.rag.sentences import sentence_spans, unit_spans
from kaggle_magics.rag.splitting.recursive import recursive_spans
from kaggle_magics.rag.splitting.splitter import make_splitter
from kaggle_magics.rag.splitting.titles import heading_text


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in sentence_spans(text)]


def test_sentences_end_at_end_marks_and_not_at_abbreviations() -> None:
    text = 'Dr. Renvik came at 9.30 a.m. on Monday. "Is it you?" asked J. Abara. It cost 3.5 crowns, i.e. little!'
    assert sentences(text) == [
        "Dr. Renvik came at 9.30 a.m. on Monday.",
        '"Is it you?" asked J. Abara.',
        "It cost 3.5 crowns, i.e. little!",
    ]


def test_sentences_of_chinese_and_of_no_text() -> None:
    assert sentences("海是蓝的。你好。再见") == ["海是蓝的。", "你好。", "再见"]
    assert sentences(" \n ") == []


def test_units_are_rows_items_and_sentences() -> None:
    text = "One is here. Two\nis here.\n- an item. With a dot\n- another\n\na | b\nc | d"
    units = [text[start:end] for start, end in unit_spans(text)]
    assert units == ["One is here.", "Two\nis here.", "- an item. With a dot", "- another", "a | b", "c | d"]


def split(text: str, name: str = "a.md", **sizes: int) -> list[tuple[str, str]]:
    document = assemble(find_reader(name)(text.encode(), Reading(name)))
    return [(document.text[p.start : p.end], p.context) for p in make_splitter(**sizes).split(document)]


def test_nothing_crosses_a_heading_and_the_path_is_the_context() -> None:
    text = "# House\n\nIntro.\n\n## Rooms\n\nTwo rooms.\n\nThree doors.\n\n## Garden\n\nA tree.\n"
    assert split(text) == [
        ("Intro.", "House"),
        ("Two rooms.\n\nThree doors.", "House > Rooms"),
        ("A tree.", "House > Garden"),
    ]


def test_a_heading_with_nothing_under_it_is_a_passage_of_its_own() -> None:
    assert split("# House\n\n## Closed in June\n\n## Garden\n\nA tree.\n\n# End\n") == [
        ("## Closed in June", "House"),
        ("A tree.", "House > Garden"),
        ("# End", ""),
    ]


def test_titles_between_equals_signs_are_headings() -> None:
    text = " = House = \nIntro.\n== Rooms ==\nTwo rooms. a == b\n= = Garden = = \nA tree.\n"
    for name in ("a.txt", "a.md"):
        assert split(text, name) == [
            ("Intro.", "House"),
            ("Two rooms. a == b", "House > Rooms"),
            ("A tree.", "House > Garden"),
        ]


def test_a_line_that_leads_in_stays_with_what_follows() -> None:
    filler = " ".join(["The sea is blue today."] * 24)
    items = "\n".join(f"- item {number} of the list" for number in range(12))
    pieces = [piece for piece, _ in split(f"{filler}\n\nBring with you:\n\n{items}\n", "a.md")]
    assert pieces == [filler, f"Bring with you:\n\n{items}"]


def test_a_short_title_stands_with_the_long_paragraph_below_it() -> None:
    body = " ".join(f"Sentence number {number} tells about the sea." for number in range(40))
    first, *rest = [piece for piece, _ in split(f"What is known of the sea.\n\n{body}\n", "a.txt")]
    assert first.startswith("What is known of the sea.\n\nSentence number 0 tells") and len(first) <= 800
    assert len(rest) == 2 and " ".join([first, *rest]).endswith(body)


def test_long_paragraphs_are_cut_at_sentences() -> None:
    text = " ".join(f"Sentence number {number} tells about the sea." for number in range(100))
    pieces = [piece for piece, _ in split(text)]
    assert len(pieces) > 4
    assert all(len(piece) <= 800 and piece.startswith("Sentence") and piece.endswith(".") for piece in pieces)
    assert " ".join(pieces) == text


def test_a_word_longer_than_a_passage_is_cut_hard_and_nothing_is_lost() -> None:
    pieces = [piece for piece, _ in split("x" * 2500, "a.txt")]
    assert "".join(pieces) == "x" * 2500 and max(map(len, pieces)) <= 800


def test_table_pieces_have_the_header_as_context_and_row_numbers() -> None:
    rows = [f"{number},name {number},{'word ' * 10}" for number in range(60)]
    document = assemble(find_reader("a.csv")("\n".join(["id,name,text", *rows]).encode(), Reading("a.csv")))
    pieces = make_splitter().split(document)
    assert len(pieces) > 3 and all(piece.context == "id | name | text" for piece in pieces)
    for piece in pieces:
        first = document.text[piece.start : piece.end].split(" | ")[0]
        assert piece.place.row == int(first) + 2  # the header is row 1, record 0 row 2


def test_a_table_in_prose_stands_as_it_is_with_the_lines_that_lead_into_it() -> None:
    table = "| what | price |\n|---|---|\n| bread | - |\n| - | - |"
    assert split(f"# Prices\n\n{table}\n") == [(table, "Prices: what | price")]
    text = f"# Prices\n\nWe bake.\n\nToday:\n\n{table}\n\nCome early."
    assert [piece for piece, _ in split(text)] == ["We bake.", f"Today:\n\n{table}", "Come early."]


def test_a_long_table_has_its_header_in_the_context_of_each_piece() -> None:
    rows = [f"| bread {number} | {number} crowns |" for number in range(100)]
    pieces = split("\n".join(["| what | price |", "|---|---|", *rows]))
    assert len(pieces) > 2 and {context for _, context in pieces} == {"what | price"}
    assert [line for piece, _ in pieces for line in piece.splitlines()][2:] == rows


def test_code_is_cut_at_lines_and_keeps_its_indentation() -> None:
    text = "def f():\n" + "".join(f"    value_{number} = {number}\n" for number in range(100))
    pieces = [piece for piece, _ in split(text, "a.py")]
    assert len(pieces) > 1 and all(piece.startswith("    value_") for piece in pieces[1:])


def test_pages_are_not_mixed() -> None:
    document = assemble(
        [Block("One.", place=Place(page=1)), Block("Two.", place=Place(page=2)), Block("Three.", place=Place(page=2))]
    )
    pieces = make_splitter().split(document)
    assert [(document.text[p.start : p.end], p.place.page) for p in pieces] == [("One.", 1), ("Two.\n\nThree.", 2)]
    recursive = make_splitter(1000, 0).split(document)
    assert [(document.text[p.start : p.end], p.place.page) for p in recursive] == [("One.", 1), ("Two.\n\nThree.", 2)]


def test_heading_text_is_words_only() -> None:
    assert heading_text("## The **new** [site](http://x.example/a) ##") == "The new site"
    assert heading_text("Title\n=====") == "Title"
    assert heading_text("=====\nTitle\n=====") == "Title"


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ((0, None), "chunk_size"),
        ((10, 11), "chunk_overlap"),
        ((None, -1), "chunk_overlap"),
        (("8", None), "chunk_size"),
        ((True, 0), "chunk_size"),
    ],
)
def test_bad_sizes_are_refused(sizes: tuple, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        make_splitter(*sizes)


def test_one_of_the_two_sizes_brings_the_other() -> None:
    assert (make_splitter(500).chunk_overlap, make_splitter(chunk_overlap=5).chunk_size) == (20, 1000)
    assert make_splitter(50).chunk_overlap == 5
    assert len({make_splitter().key, make_splitter(800).key, make_splitter(800, 0).key}) == 3


def test_recursive_offsets_are_exact_and_sizes_kept() -> None:
    text = "\n\n".join(" ".join(f"word{number}" for number in range(start, start + 40)) for start in range(0, 400, 40))
    spans = recursive_spans(text, 100, 20)
    assert all(0 < end - start <= 100 for start, end in spans)
    assert all(text[start:end] == text[start:end].strip() for start, end in spans)
    assert all(after[0] < before[1] or text[before[1] : after[0]].isspace() for before, after in pairwise(spans))


@pytest.mark.parametrize("seed", range(5))
def test_recursive_passages_are_those_of_langchain(seed: int) -> None:
    library = pytest.importorskip("langchain_text_splitters", reason="langchain-text-splitters is not installed")
    choose = random.Random(seed)
    parts = ["a", "bb ", "\n", "\n\n", "  ", "wörter ", " x", "海", "\t", "é́", ". "]
    parts += ["\u00a0", "\u2028", "\u3000", "\x1c", "\x85", "\u200b", "👩\u200d👧", "مرحبا ", "\r\n", "\U0001d518"]
    for _ in range(200):
        text = "".join(choose.choice(parts) for _ in range(choose.randint(0, 150)))
        size = choose.randint(1, 60)
        overlap = choose.randint(0, size)
        theirs = library.RecursiveCharacterTextSplitter(chunk_size=size, chunk_overlap=overlap).split_text(text)
        assert [text[start:end] for start, end in recursive_spans(text, size, overlap)] == theirs


@pytest.mark.parametrize(
    "file",
    [
        "documents/state-of-the-union-2022/state_of_the_union.txt",
        "questions/chunking-tune/corpora/wikitexts.md",
        "questions/chunking-tune/corpora/chatlogs.md",
    ],
)
def test_recursive_passages_of_a_file_are_those_of_langchain(shared: Path, file: str) -> None:
    library = pytest.importorskip("langchain_text_splitters", reason="langchain-text-splitters is not installed")
    path = shared / "data" / file
    document = assemble(find_reader(path.name)(path.read_bytes(), Reading(path.name)))
    theirs = library.RecursiveCharacterTextSplitter(chunk_size=1000, chunk_overlap=20).split_text(
        path.read_text("utf-8")
    )
    assert [document.text[p.start : p.end] for p in make_splitter(1000, 20).split(document)] == theirs
