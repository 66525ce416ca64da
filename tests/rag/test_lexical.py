"""Words of every script and spelling are found, and marked where they stand."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kaggle_magics.rag.collection import Collection
from kaggle_magics.rag.storing.segments import index_terms

TEXTS = {
    "zh": "北京市图书馆每天上午九点开放。读者可以借阅三本书。",
    "ja": "東京の国立図書館は毎朝九時に開館します。カメラの持ち込みは禁止です。",
    "ko": "서울 도서관은 매일 아침 아홉 시에 문을 엽니다. 학생은 책을 세 권 빌릴 수 있습니다.",
    "th": "ห้องสมุดเปิดทุกวันเวลาเก้าโมงเช้า นักเรียนยืมหนังสือได้สามเล่ม",
    "de": "Die Krankenversicherung zahlt den Beitrag. Die Straße nach München. Der Garten des Krankenhauses blüht.",
    "code": "def read_csv(path): getUserName(path)\n# C++ or C#, file.names, in all 1,000 units, write ada@example.org",
    "en": "Café crème costs naïve people 2.5 crowns. The boats were sailing.",
    "mixed": "使用 Python 的 pandas 库读取 Parquet 文件。",
}


@pytest.fixture
def spoken(make: Callable[..., Collection]) -> Collection:
    collection = make()
    collection.ingest(TEXTS)
    return collection


@pytest.mark.parametrize(
    ("question", "source", "marked"),
    [
        ("图书馆", "zh", "图书馆"),
        ("书", "zh", "书"),
        ("图书馆几点开放?", "zh", "图书馆"),
        ("図書館は何時ですか", "ja", "図書館は"),
        ("カメラ", "ja", "カメラ"),
        ("ｶﾒﾗ", "ja", "カメラ"),
        ("禁止", "ja", "禁止"),
        ("도서관", "ko", "도서관"),
        ("책", "ko", "책"),
        ("ห้องสมุด", "th", "ห้องสมุด"),
        ("หนังสือ", "th", "หนังสือ"),
        ("ยืม", "th", "ยืม"),
        ("krankenversicherungsbeitrag", "de", "Krankenversicherung"),
        ("Krankenhausgarten", "de", "Garten"),
        ("versicherung", "de", "Krankenversicherung"),
        ("kranken", "de", "Krankenversicherung"),
        ("munchen", "de", "München"),
        ("Muenchen", "de", "München"),
        ("Strasse", "de", "Straße"),
        ("STRAßE", "de", "Straße"),
        ("user name", "code", "getUserName"),
        ("read csv", "code", "read"),
        ("C++", "code", "C"),
        ("1000", "code", None),
        ("1,000", "code", "1"),
        ("ada@example.org", "code", "ada"),
        ("file.names", "code", "file"),
        ("cafe creme", "en", "Café"),
        ("cafe\u0301", "en", "Café"),
        ("boat sails", "en", "boats"),
        ("pandas 读取", "mixed", "pandas"),
        ("parquet", "mixed", "Parquet"),
    ],
)
def test_words_of_any_script_are_found_and_marked(
    spoken: Collection, question: str, source: str, marked: str | None
) -> None:
    best = spoken.search(question, mode="lexical")[0]
    assert best.passage.source == source
    words = [best.passage.text[start:end] for start, end in best.matches]
    assert marked in words if marked else not words


def test_c_is_not_c_plus_plus(make: Callable[..., Collection]) -> None:
    collection = make()
    collection.ingest({"a": "Written in C by hand.", "b": "Written in C++ by hand.", "c": "Written in C# by hand."})
    assert [collection.search(name, mode="lexical")[0].passage.source for name in ("C++", "C#")] == ["b", "c"]


def test_other_scripts_do_not_weigh_down_plain_text() -> None:
    assert index_terms("Plain words, 12 of them, nothing else; v1.2.3, 10.5 and 2024,12.") == ""
    assert index_terms("書") == "書" and index_terms("図書館") == "図 書 館 図書 書館"


def test_an_edit_takes_the_old_words_out(make: Callable[..., Collection]) -> None:
    collection = make()
    collection.ingest({"a": "北京图书馆 getUserName"})
    collection.ingest({"a": "上海博物馆 setUserName"})
    assert collection.search("图书馆", mode="lexical") == [] and collection.search("getUserName", mode="lexical")
    assert collection.search("博物馆", mode="lexical")[0].passage.text.startswith("上海")
    collection.forget("a")
    collection.ingest({"b": "plain"})
    assert collection.search("博物馆", mode="lexical") == []


def test_words_near_a_passage_count_for_it(make: Callable[..., Collection]) -> None:
    """Two passages say the same; the one whose neighbours speak of the question's other word comes first."""
    collection = make()
    sentences = ["The pump was cleaned in spring.", "It needs oil every month."]
    collection.ingest(
        {
            "a.txt": f"The mill stands by the river.\n\n{sentences[1]}",
            "b.txt": f"{sentences[0]}\n\n{sentences[1]}",
            "c.txt": "Nothing of that kind is told here at all.",
        },
        chunk_size=35,
        chunk_overlap=0,
    )
    hits = collection.search("oil for the pump", mode="lexical")
    oil = [hit.passage.source for hit in hits if "oil" in hit.passage.text]
    assert oil[0] == "b.txt"
