"""Words of every script and spelling are found, and marked where they stand."""

from __future__ import annotations

import math
import pickle
import random
from collections.abc import Callable

import pytest

from kaggle_magics.rag.collection import Collection
from kaggle_magics.rag.finding import terms
from kaggle_magics.rag.finding.bm25 import lexical_scores
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


def test_marks_are_made_when_looked_at_also_after_the_collection_is_closed(
    make: Callable[..., Collection], monkeypatch: pytest.MonkeyPatch
) -> None:
    collection = make()
    collection.ingest({"a": "The boats were sailing home.", "b": "getUserName reads a name."})
    made: list[str] = []
    real = terms.matches
    monkeypatch.setattr(terms, "matches", lambda text, *rest: made.append(text) or real(text, *rest))
    (hit,) = collection.search("a boat sails", mode="lexical")
    (other,) = collection.search("user", mode="lexical")
    assert made == []
    collection.close()
    assert list(hit.matches) == [(4, 9), (15, 22)] and len(hit.matches) == 2 and hit.matches[0] == (4, 9)
    assert hit.matches == ((4, 9), (15, 22)) and made == [hit.passage.text]
    copied = pickle.loads(pickle.dumps(other))
    assert copied.matches == ((0, 11),) and copied == other and type(copied.matches) is tuple


def test_scores_are_those_of_the_formula(make: Callable[..., Collection]) -> None:
    """Passage by passage, without the arrays."""
    collection = make()
    choose = random.Random(3)
    words = ["tide", "boat", "harbour", "mill", "winter", "forest", "pump", "oil"]
    texts = {
        f"{number}.txt": "\n\n".join(" ".join(choose.choices(words, k=7)).capitalize() + "." for _ in range(number + 1))
        for number in range(12)
    }
    collection.ingest(texts, chunk_size=60, chunk_overlap=0)
    records = collection._records
    layout, asked = records.layout(), {"tide": 1.0, "mill": 0.5, "nothere": 1.0}
    passages = records.passages(layout.ids)
    counted = [passages[key].text.lower().rstrip(".").split() for key in layout.ids]
    lengths = [len(passages[key].text) for key in layout.ids]
    for without in (None, 5):
        expected = []
        windows = [
            [at for at in range(len(layout)) if abs(at - own) <= 3 and layout.document[at] == layout.document[own]]
            for own in range(len(layout))
        ]
        means = sum(lengths) / len(lengths), sum(sum(lengths[at] for at in one) for one in windows) / len(lengths)
        for own, window in enumerate(windows):
            scores = [0.0, 0.0]
            for term, weight in asked.items():
                held = [0 if at == without else counted[at].count(term) for at in range(len(layout))]
                units = len({int(layout.unit[at]) for at in range(len(layout)) if held[at]})
                idf = weight * math.log(1 + (layout.units - units + 0.5) / (units + 0.5))
                for place, some in enumerate(([own], window)):
                    often, length = sum(held[at] for at in some), sum(lengths[at] for at in some)
                    norm = 1.2 * (1 - 0.75 + 0.75 * length / means[place])
                    scores[place] += idf * often * 2.2 / (often + norm)
            expected.append(0.2 * scores[0] + 0.8 * scores[1] if scores[0] > 0 else 0.0)
        found = lexical_scores(records.lexical, layout, asked, without=without)
        assert found.tolist() == pytest.approx(expected, abs=1e-4)
        assert any(expected) and not all(expected)
