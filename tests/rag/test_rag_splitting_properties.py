"""What holds for every document: nothing is lost, nothing twice, every limit kept; for documents made at random."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise

import pytest

from kaggle_magics.rag.document import Document, assemble
from kaggle_magics.rag.passages import Block, Place
from kaggle_magics.rag.readers import find_reader
from kaggle_magics.rag.readers.reading import Reading
from kaggle_magics.rag.splitting.pieces import Piece
from kaggle_magics.rag.splitting.splitter import make_splitter
from kaggle_magics.rag.splitting.titles import with_marked_titles

WORDS = (
    *("sea", "wave", "Fisch", "a.b;c", "{k:1},", "3.5", "end.", "Stop!", "x_y", "|", "-", "##", "==", "<b>"),
    *("海", "魚を食べた。", "كتاب", "שלום", "é́", "👩\u200d👩\u200d👧", "ไทยไม่มีเว้นวรรค"),
)


class Letters:
    """An embedder that counts each character as a token, and two more."""

    name = identity = "letters"
    dimension = 1
    max_tokens = 60

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text) + 2 for text in texts]


def prose(choose: random.Random, most: int) -> str:
    joint = choose.choice((" ", " ", " ", "", "\n", " \n "))
    return joint.join(choose.choices(WORDS, k=choose.randint(1, most)))


def any_block(choose: random.Random) -> Block:
    kind = choose.choice(("heading", "paragraph", "paragraph", "list", "code", "table"))
    place = Place(page=choose.randint(1, 2)) if choose.random() < 0.3 else Place()
    if kind == "heading":
        return Block(" ".join(choose.choices(WORDS, k=3)), kind, choose.randint(1, 3), place)
    if kind in ("table", "list", "code"):
        joint = {"table": " | ", "list": " ", "code": "\n    "}[kind]
        first = {"table": "", "list": "- ", "code": choose.choice(("", "\n"))}[kind]
        rows = choose.randint(1, 40)
        return Block("\n".join(first + joint.join(choose.choices(WORDS, k=3)) for _ in range(rows)), kind, 0, place)
    return Block(prose(choose, choose.choice((3, 30, 400))), kind, 0, place)


def check(document: Document, pieces: list[Piece], size: int) -> None:
    text = document.text
    assert all(0 <= piece.start < piece.end <= len(text) for piece in pieces)
    assert all(before.end <= after.start for before, after in pairwise(pieces)), "pieces overlap or are out of order"
    covered = bytearray(len(text))
    for piece in pieces:
        assert text[piece.start : piece.end].strip()
        assert not text[piece.end - 1].isspace()
        covered[piece.start : piece.end] = b"\1" * (piece.end - piece.start)
    for span in with_marked_titles(document):
        if span.kind == "heading":
            continue
        for at in range(span.start, span.end):
            assert covered[at] or text[at].isspace(), f"{text[at]!r} at {at} of a {span.kind} is lost"


@pytest.mark.parametrize("seed", range(8))
def test_nothing_is_lost_and_nothing_is_there_twice(seed: int) -> None:
    choose = random.Random(seed)
    for _ in range(25):
        document = assemble([any_block(choose) for _ in range(choose.randint(1, 30))])
        check(document, make_splitter().split(document), 800)
        limited = make_splitter(embedder=Letters()).split(document)
        check(document, limited, 800)
        for piece in limited:
            assert piece.end - piece.start + len(piece.context) + bool(piece.context) + 2 <= Letters.max_tokens


@pytest.mark.parametrize("name", ["a.md", "a.txt", "a.py", "a.html"])
def test_no_character_of_a_random_file_is_lost(name: str) -> None:
    choose = random.Random(name)
    marks = [
        *WORDS,
        "\n",
        "\n\n",
        "# T\n",
        "- x\n",
        "| a | b |\n|---|---|\n| 1 | 2 |\n",
        "```\ncode\n```\n",
        "== T ==\n",
    ]
    for _ in range(40):
        text = " ".join(choose.choices(marks, k=choose.randint(1, 300)))
        document = assemble(find_reader(name)(text.encode(), Reading(name)))
        if document.spans:
            check(document, make_splitter().split(document), 800)
