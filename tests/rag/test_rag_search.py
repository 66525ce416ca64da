"""Finding: both indexes against each other, fusion, filters, queries of every kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kaggle_magics.errors import CollectionError, ModelNotFound, OptionError
from kaggle_magics.rag.collection import Collection
from kaggle_magics.rag.finding.fusion import min_max

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
    fused = min_max({"a": 0.9, "b": 0.5, "c": 0.1}, {"b": 4.0, "c": 1.0}, 0.5)
    assert fused == {"a": 0.5, "b": pytest.approx(0.25 + 0.5), "c": pytest.approx(0.125)}
    assert min_max({"a": 0.3}, {}, 0.5) == {"a": 0.5}
    assert min_max({"a": 0.9, "b": 0.1}, {"b": 2.0}, 0.9) == {"a": 0.9, "b": pytest.approx(0.1)}


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
    marks = {"d": ".", "a": "!", "c": ";", "b": ":"}
    collection.ingest({f"{name}.txt": f"The same words{mark}" for name, mark in marks.items()})
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


def test_a_reranker_that_is_nowhere_is_told_at_once(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library tries to reach the hub for most of a minute; ours is asked once, in vain."""
    pytest.importorskip("sentence_transformers")
    from kaggle_magics.rag.embedding import places

    asked: list[str] = []
    monkeypatch.setattr(places, "_answers", lambda url: bool(asked.append(url)))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.delenv("TRANSFORMERS_OFFLINE", raising=False)
    collection = make()
    collection.ingest({"a.txt": "The office opens at nine."})
    with pytest.raises(ModelNotFound, match="no cross-encoder 'somebody/nowhere'"):
        collection.search("office", reranker="somebody/nowhere")
    assert len(asked) == 1 and asked[0].endswith("somebody/nowhere/resolve/main/config.json")
