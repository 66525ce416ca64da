"""Finding: both indexes against each other, fusion, filters, queries of every kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kaggle_magics.errors import CollectionError, MissingExtra, OptionError
from kaggle_magics.rag.collection import Collection
from kaggle_magics.rag.embedding.protocol import unit
from kaggle_magics.rag.finding.search import _min_max
from kaggle_magics.rag.finding.words import lexical_query
from kaggle_magics.rag.storing.records import Where
from kaggle_magics.rag.vectors import choose_index, open_index

TEXTS = {
    "boats.md": "# Boats\n\nThe research vessel Sturla carries eleven people.\n",
    "library.md": "# Library\n\nThe library opens at nine in the morning.\n",
    "canteen.md": "# Canteen\n\nA lunch costs six crowns. On Thursdays there is fish soup.\n",
}


def sources(hits) -> list[str]:
    return [hit.passage.source for hit in hits]


@pytest.fixture
def filled(make: Callable[..., Collection]) -> Collection:
    collection = make()
    collection.ingest(TEXTS)
    return collection


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
def test_the_right_passage_comes_first_in_every_mode(filled: Collection, mode: str) -> None:
    hits = filled.search("When does the library open?", mode=mode)
    assert hits[0].passage.source == "library.md" and [hit.rank for hit in hits] == list(range(1, len(hits) + 1))
    assert hits[0].passage.context == "Library"
    wanted = {"hybrid": {"dense", "lexical", "fused"}, "dense": {"dense"}, "lexical": {"lexical"}}[mode]
    assert set(hits[0].scores) == wanted and all(value > 0 for value in hits[0].scores.values())


def test_hybrid_scores_are_the_mean_of_scaled_scores() -> None:
    fused = _min_max({"a": 0.9, "b": 0.5, "c": 0.1}, {"b": 4.0, "c": 1.0})
    assert fused == {"a": 0.5, "b": pytest.approx(0.25 + 0.5), "c": pytest.approx(0.125)}
    assert _min_max({"a": 0.3}, {}) == {"a": 0.5}


def test_reciprocal_ranks_are_an_option(filled: Collection) -> None:
    best = filled.search("fish soup", fusion="rrf")[0]
    assert best.passage.source == "canteen.md" and best.scores["fused"] == pytest.approx(2 / 61)


def test_context_words_are_found(make: Callable[..., Collection]) -> None:
    collection = make()
    collection.ingest({"a.md": "# Zebra\n\nIt has stripes.\n", "b.md": "# Lion\n\nIt has a mane.\n"})
    assert sources(collection.search("zebra", mode="lexical")) == ["a.md"]


@pytest.mark.parametrize(
    "question",
    ['"', '"" OR', "AND", "a NOT b NEAR(c)", "library*", "text:library", "^library", "(((", "--", "; DROP TABLE x",
     "lunch\0", "海图书馆", "🐟", "'", "what is it?", "Ünïcödé", "x" * 5000, "word " * 3000, "\ud800"],
)  # fmt: skip
def test_any_text_is_a_question(filled: Collection, question: str) -> None:
    for mode in ("hybrid", "lexical"):
        assert isinstance(filled.search(question, mode=mode), list)


def test_lexical_queries_hold_only_quoted_words() -> None:
    assert lexical_query('Who "is" NEAR the boat OR ship*?') == '"near" OR "boat" OR "ship"'
    assert lexical_query("who is it") == '"who" OR "is" OR "it"'
    assert lexical_query("?!") is None


@pytest.mark.parametrize("question", ["", "  \n", None, 3])
def test_an_empty_question_is_refused(filled: Collection, question: object) -> None:
    with pytest.raises(OptionError, match="empty"):
        filled.search(question)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mode": "semantic"}, "mode"),
        ({"passages": 0}, "passages"),
        ({"passages": True}, "passages"),
        ({"where": {"author": "x"}}, "author"),
        ({"where": {"page": "one"}}, "page"),
    ],
)
def test_bad_options_are_named(filled: Collection, options: dict, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        filled.search("lunch", **options)


def test_filters_on_source_and_page(make: Callable[..., Collection]) -> None:
    class Page:
        def __init__(self, text: str, page: int) -> None:
            self.page_content, self.metadata = text, {"source": "report.pdf", "page": page}

    for store in ("numpy", "chroma"):
        if store == "chroma":
            pytest.importorskip("chromadb")
        collection = make(store=store)
        collection.ingest(
            [Page("The tide is high.", 0), Page("The tide is low.", 1), {"notes/tide.md": "The tide turns."}]
        )
        for mode in ("hybrid", "dense", "lexical"):
            where = {"source": "report.pdf", "page": 2}
            assert [hit.passage.text for hit in collection.search("tide", where=where, mode=mode)] == [
                "The tide is low."
            ]
            assert sources(collection.search("tide", where={"source": ["tide.md"]}, mode=mode)) == ["notes/tide.md"]
            assert sources(collection.search("tide", where={"source": "notes/*"}, mode=mode)) == ["notes/tide.md"]
            assert collection.search("tide", where={"page": 9}, mode=mode) == []
        with pytest.raises(CollectionError, match=r"Did you mean report\.pdf"):
            collection.search("tide", where={"source": "reports.pdf"})


def test_equal_scores_come_in_the_order_of_sources(make: Callable[..., Collection]) -> None:
    collection = make()
    collection.ingest({f"{name}.txt": "The same words." for name in "dacb"})
    for mode in ("hybrid", "dense", "lexical"):
        assert sources(collection.search("same words", mode=mode)) == ["a.txt", "b.txt", "c.txt", "d.txt"]
        assert sources(collection.search("same words", mode=mode, passages=2)) == ["a.txt", "b.txt"]


def test_without_embedder_search_is_lexical_and_says_so(
    make: Callable[..., Collection], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kaggle_magics.rag.embedding.choice.find_embedder", lambda reference: None)
    collection = make(embedder=None)
    report = collection.ingest(TEXTS)
    assert report.embedder is None and report.embedded == 0 and "by words only" in report.warnings[0]
    assert collection.facts().warnings == report.warnings
    hits = collection.search("fish soup")
    assert sources(hits) == ["canteen.md"] and set(hits[0].scores) == {"lexical"}
    with pytest.raises(CollectionError, match="no vectors"):
        collection.search("fish", mode="dense")


# The indexes themselves


@pytest.fixture(params=["numpy", "chroma"])
def index(request: pytest.FixtureRequest, tmp_path: Path):
    if request.param == "chroma":
        pytest.importorskip("chromadb")
    opened = open_index(request.param, tmp_path, "test@1")
    yield opened
    opened.close()


def rows(count: int, seed: int = 0):
    vectors = unit(np.random.default_rng(seed).normal(size=(count, 16)))
    return [(f"p{number}", f"s{number % 3}", number % 4 or None, vectors[number]) for number in range(count)]


def test_an_index_finds_what_brute_force_finds(index) -> None:
    data = rows(300)
    index.add(data)
    assert index.ids() == {row[0] for row in data}
    query = unit(np.random.default_rng(9).normal(size=16))
    expected = sorted(((float(row[3] @ query), row[0]) for row in data), reverse=True)[:10]
    found = index.search(query, 10)
    assert [key for key, _ in found] == [key for _, key in expected]
    assert np.allclose([score for _, score in found], [score for score, _ in expected], atol=1e-4)


def test_an_index_filters_removes_and_takes_again(index) -> None:
    data = rows(40)
    index.add(data)
    found = index.search(data[0][3], 40, Where(("s1",), (1, 2)))
    assert {key for key, _ in found} == {row[0] for row in data if row[1] == "s1" and row[2] in (1, 2)}
    index.remove(row[0] for row in data[:39])
    assert [key for key, _ in index.search(data[0][3], 5)] == ["p39"]
    index.add(data[:1])
    assert index.search(data[0][3], 1)[0] == ("p0", pytest.approx(1.0, abs=1e-4))
    index.remove(["p0", "p39", "never there"])
    assert index.search(data[0][3], 5) == [] and index.ids() == set()


def test_store_names() -> None:
    with pytest.raises(OptionError, match="Did you mean chroma"):
        choose_index("chromadb")


def test_without_chroma_the_store_is_numpy_and_asking_for_it_names_the_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("kaggle_magics.rag.vectors.installed", lambda name: name != "chromadb")
    monkeypatch.setattr("kaggle_magics.extras.installed", lambda name: name != "chromadb")
    assert choose_index(None) == "numpy"
    with pytest.raises(MissingExtra, match=r"kaggle-magics\[rag\]"):
        open_index("chroma", tmp_path, "x")
