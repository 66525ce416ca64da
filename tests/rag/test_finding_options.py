"""What makes of a ranking a result: filters, diversity, neighbours, duplicates, weights, a cross-encoder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.errors import CollectionError, ModelNotFound, OptionError
from kaggle_magics.rag.collection import Collection
from kaggle_magics.rag.finding.options import SearchOptions
from kaggle_magics.rag.finding.where import make_where

Make = Callable[..., Collection]
FACTS = {
    "a.md": {"author": "Ada Lovelace", "year": 1843, "date": "1843-10-02"},
    "b.md": {"author": "Grace Hopper", "year": 1952, "date": "1952-05-09"},
    "c.md": {},
}


class Document:
    def __init__(self, text: str, **metadata: Any) -> None:
        self.page_content, self.metadata = text, metadata


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"author": "ada*"}, ("a.md",)),
        ({"author": ["ADA LOVELACE", "Grace Hopper"]}, ("a.md", "b.md")),
        ({"year": 1952}, ("b.md",)),
        ({"year": "1952.0"}, ("b.md",)),
        ({"year": range(1840, 1850)}, ("a.md",)),
        ({"year": "..1900"}, ("a.md",)),
        ({"date": "1952-05..1952-05"}, ("b.md",)),
        ({"date": "1843-10-02..1952-05-09"}, ("a.md", "b.md")),
        ({"author": "ada*", "year": 1952}, ()),
        ({"source": "b.md", "author": "*"}, ("b.md",)),
    ],
)
def test_metadata_is_filtered_on(where: dict[str, Any], expected: tuple[str, ...]) -> None:
    found = make_where(where, list(FACTS), lambda: FACTS)
    assert found is not None and found.sources == expected


@pytest.mark.parametrize(
    ("pages", "expected"),
    [(3, (3,)), ("3-5", (3, 4, 5)), (["1", "3-4"], (1, 3, 4)), ("1,7", (1, 7)), (range(2), (0, 1))],
)
def test_pages_are_numbers_and_ranges(pages: Any, expected: tuple[int, ...]) -> None:
    found = make_where({"page": pages}, list(FACTS))
    assert found is not None and found.pages == expected


@pytest.mark.parametrize("pages", ["5-3", "x", "", True, 1.5, "1-99999999999", "-3"])
def test_what_is_no_page_is_refused(pages: Any) -> None:
    with pytest.raises(OptionError, match="page"):
        make_where({"page": pages}, list(FACTS))


def test_an_unknown_field_names_the_known_ones() -> None:
    with pytest.raises(OptionError, match=r"'autor'.*Did you mean author"):
        make_where({"autor": "x"}, list(FACTS), lambda: FACTS)
    with pytest.raises(OptionError, match="source, page, author, year, date"):
        make_where({"zzz": "x"}, list(FACTS), lambda: FACTS)


def test_a_filter_that_leaves_nothing_finds_nothing(make: Make) -> None:
    collection = make()
    collection.ingest([Document("The tide is high.", source="t.md", author="Ada"), {"u.md": "The tide is low."}])
    if "author" not in collection.fields():
        pytest.skip("this reader keeps no metadata of documents")
    for mode in ("hybrid", "dense", "lexical"):
        assert collection.search("tide", mode=mode, where={"author": "nobody"}) == []
        assert len(collection.search("tide", mode=mode, where={"author": "ada"})) == 1


@pytest.mark.parametrize(
    "options",
    [
        {"weight": 1.5}, {"weight": True}, {"weight": float("nan")}, {"weight": 0.5, "fusion": "rrf"},
        {"weight": 0.5, "mode": "dense"}, {"diversity": -0.1}, {"diversity": "much"}, {"neighbours": -1},
        {"neighbours": 1.5}, {"fusion": "mean"}, {"where": "page=3"}, {"reranker": " "}, {"passages": 2.0},
    ],
)  # fmt: skip
def test_values_that_do_not_fit_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError) as caught:
        SearchOptions.of(options)
    assert "\n" not in str(caught.value)


def test_the_weight_chooses_the_leg(make: Make) -> None:
    collection = make()
    collection.ingest({f"{n}.txt": f"Text {n} about boats and tide number {n}." for n in range(30)})
    for mode, weight in (("dense", 1.0), ("lexical", 0.0)):
        alone = collection.search("boats tide 7", mode=mode)[0].passage.id
        assert collection.search("boats tide 7", weight=weight)[0].passage.id == alone


def test_the_same_text_is_one_hit_and_tells_where_else_it_stands(make: Make) -> None:
    collection = make()
    collection.ingest(
        {"a.md": "The mill grinds flour.", "b.md": "The mill   grinds flour.", "c.md": "The mill is old."}
    )
    for mode in ("hybrid", "dense", "lexical"):
        first, second = collection.search("mill grinds flour", mode=mode)
        assert (first.passage.source, first.also) == ("a.md", ("b.md",)) and second.also == ()
        assert [first.rank, second.rank] == [1, 2]


def test_texts_that_differ_in_whitespace_only_are_one_hit_also_beyond_what_is_shown(make: Make) -> None:
    collection = make()
    collection.ingest({"a": "The  tide\nis high.", "b": "The tide is low.", "c": "The tide is high."})
    hits = collection.search("high tide", mode="lexical", passages=1)
    assert [(hit.passage.source, hit.also) for hit in hits] == [("c", ("a",))]
    hits = collection.search("high tide", mode="lexical", passages=5)
    assert [(hit.passage.source, hit.also) for hit in hits] == [("c", ("a",)), ("b", ())]


def test_neighbours_are_joined_with_exact_offsets(make: Make) -> None:
    collection = make()
    words = [
        f"Part {n} tells of {name}." for n, name in enumerate(["apples", "pears", "plums", "quinces", "figs", "grapes"])
    ]
    collection.ingest(
        {"fruit.txt": "\n\n".join(words), "other.txt": "Nothing of fruit."}, chunk_size=30, chunk_overlap=0
    )
    for neighbours in (0, 1, 2, 50):
        hits = collection.search("plums", mode="lexical", neighbours=neighbours, passages=1)
        text = collection.document_text(hits[0].passage.document_id)
        passage = hits[0].passage
        assert text[passage.start : passage.end] == passage.text and "plums" in passage.text
        expected = [word for n, word in enumerate(words) if abs(n - 2) <= neighbours]
        assert passage.text == "\n\n".join(expected)
        assert [passage.text[start:end] for start, end in hits[0].matches] == ["plums"]
    both = collection.search("pears figs", mode="lexical", neighbours=1, passages=5)
    assert len(both) == 1 and both[0].passage.text == "\n\n".join(words)


def test_diversity_puts_back_what_resembles(make: Make) -> None:
    collection = make()
    collection.ingest(
        {"a": "tide tide tide harbour", "b": "tide tide tide harbour boat", "c": "tide mountain snow winter forest"}
    )
    assert [hit.passage.source for hit in collection.search("tide harbour", mode="dense")][:2] == ["a", "b"]
    diverse = collection.search("tide harbour", mode="dense", diversity=0.9)
    assert [hit.passage.source for hit in diverse][:2] == ["a", "c"] and [hit.rank for hit in diverse] == [1, 2, 3]


def test_the_learnt_weight_is_kept_until_the_documents_change(make: Make, tmp_path: Path) -> None:
    collection = make(tmp_path / "kept")
    topics = ["harbour tide", "mill flour", "snow winter", "library book", "fish soup", "garden bee", "train rail"]
    texts = {
        f"{n}.txt": f"A text on {topics[n % 7]} and number {n}.\n\nMore on {topics[n % 7]}, {n} times over."
        for n in range(24)
    }
    collection.ingest(texts, chunk_size=50, chunk_overlap=0)
    learnt = collection.learn()
    assert learnt is not None and learnt.questions >= 8 and 0 <= learnt.weight <= 1 and len(learnt.curve) == 21
    assert collection.weight == learnt.weight and collection.learn(again=False) is None
    collection.close()
    again = make(tmp_path / "kept")
    assert again.weight == learnt.weight and again.learn(again=False) is None
    again.ingest({"new.txt": "Something else."})
    repeated = again.learn(seconds=60)
    assert repeated is not None and repeated.questions >= 8


def test_few_questions_teach_nothing(make: Make) -> None:
    collection = make()
    collection.ingest({"a": "One text only, with a sentence that is long enough."})
    learnt = collection.learn()
    assert learnt is not None and learnt.weight == 0.6 and collection.weight == 0.6


# The cross-encoder


@pytest.fixture(scope="module")
def cross_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny one of random weights."""
    pytest.importorskip("sentence_transformers")
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    folder = tmp_path_factory.mktemp("cross-encoder")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "mill", "grinds", "flour", "is", "old", "tide"]
    (folder / "vocab.txt").write_text("\n".join(words))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        num_labels=1, max_position_embeddings=64, initializer_range=1.0,
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(folder)
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


@pytest.mark.slow
def test_a_cross_encoder_orders_anew_with_raw_scores(make: Make, cross_encoder: Path) -> None:
    collection = make()
    collection.ingest({"a": "The mill grinds flour.", "b": "The mill is old.", "c": "The tide is old.", "d": "Flour."})
    hits = collection.search("old mill", reranker=str(cross_encoder))
    scores = [hit.scores["rerank"] for hit in hits]
    assert len(hits) == 4 and scores == sorted(scores, reverse=True) and list(hits[0].scores)[-1] == "rerank"
    assert any(not 0 <= score <= 1 for score in scores), "raw scores are not squeezed into 0 to 1"
    kept = collection._reranker
    collection.search("tide", reranker=str(cross_encoder))
    assert collection._reranker is kept, "it is loaded once"


@pytest.mark.slow
def test_a_cross_encoder_that_is_not_there_is_one_line(make: Make, tmp_path: Path, monkeypatch: Any) -> None:
    pytest.importorskip("sentence_transformers")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    collection = make()
    collection.ingest({"a": "The mill grinds flour."})
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelNotFound) as caught:
        collection.search("mill", reranker=str(tmp_path / "empty"))
    assert "\n" not in str(caught.value)


def test_a_search_of_an_empty_collection_says_how_to_fill_it(make: Make) -> None:
    with pytest.raises(CollectionError, match="rag_ingest"):
        make().search("x", neighbours=2, diversity=0.5)
