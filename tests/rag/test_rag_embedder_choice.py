"""A collection stays with the model that embedded it, or all of its vectors are made anew."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_embedders as tiny

from kaggle_magics.errors import CollectionError, EngineError, OptionError
from kaggle_magics.rag.collection import Collection
from kaggle_magics.session import Session

PAPERS = {
    "hours.txt": "The library opens at nine and closes at six.",
    "loans.txt": "Books are lent for fourteen days.\n\nFilms are lent for seven days.",
}


@pytest.fixture
def session() -> Any:
    made = Session()
    yield made
    made.close()


@pytest.fixture
def static(tmp_path: Path) -> Path:
    return tiny.static(tmp_path / "static", saved=None)


def vectors_of(collection: Collection) -> Any:
    return np.concatenate([rows for _, rows in collection._records.vector_batches()])


def test_another_model_is_refused_with_both_ways_out(session: Any, static: Path, new_embedder: Any) -> None:
    session.ingest(PAPERS, embedder=static, store="numpy")
    with pytest.raises(CollectionError, match="was embedded with static, not with hash") as caught:
        session.ingest(PAPERS, embedder=new_embedder("hash"))
    assert "-c NAME" in str(caught.value) and "--reembed" in str(caught.value)
    assert session.search("When does it open?", mode="dense")


def test_the_same_model_is_taken_by_its_path_again_and_again(session: Any, static: Path, tmp_path: Path) -> None:
    for _ in range(2):
        report = session.ingest(PAPERS, embedder=static, path=tmp_path / "kept", store="numpy")
        assert report.embedder == "static"
    session.close_collection()
    opened = session.open_collection(tmp_path / "kept", store="numpy")
    assert opened.embedder.name == "static" and opened.warnings == ()


def test_other_weights_under_the_same_name_are_noticed(session: Any, static: Path, tmp_path: Path) -> None:
    session.ingest(PAPERS, embedder=static, path=tmp_path / "kept", store="numpy")
    session.close_collection()
    shutil.rmtree(static)
    tiny.static(static, seed=9, saved=None)
    opened = session.open_collection(tmp_path / "kept", store="numpy")
    assert opened.embedder is None and "other weights or settings" in opened.warnings[0]
    with pytest.raises(CollectionError, match="was embedded with static, not with static"):
        session.ingest(PAPERS, embedder=static, path=tmp_path / "kept")


@pytest.mark.parametrize("store", ["numpy", "chroma", "faiss"])
def test_reembedding_replaces_all_vectors_and_the_index(
    session: Any, static: Path, new_embedder: Any, tmp_path: Path, store: str
) -> None:
    pytest.importorskip({"chroma": "chromadb", "faiss": "faiss"}.get(store, "numpy"))
    session.ingest(PAPERS, embedder=static, path=tmp_path / "kept", store=store)
    assert session.search("library", mode="dense")
    other = new_embedder("other")
    report = session.ingest({"hours.txt": PAPERS["hours.txt"]}, embedder=other, reembed=True)
    assert report.embedder == "other" and report.embedded == report.passages == 2
    assert vectors_of(session.collection()).shape == (2, 64)
    best = session.search("books days lent", mode="dense")[0]
    assert best.passage.source == "loans.txt"
    session.close_collection()
    again = session.open_collection(tmp_path / "kept", embedder=new_embedder("other"), store=store)
    assert again.search("books days lent", mode="dense")[0].passage.source == "loans.txt"


def test_reembedding_goes_on_where_it_was_stopped(
    session: Any, static: Path, new_embedder: Any, tmp_path: Path
) -> None:
    session.ingest(PAPERS, embedder=static, path=tmp_path / "kept", store="numpy")
    other = new_embedder("other")

    def stop(texts: Any) -> Any:
        if len(texts) > 1:
            raise KeyboardInterrupt
        return type(other).embed_documents(other, texts)

    other.embed_documents = stop
    with pytest.raises(KeyboardInterrupt):
        session.ingest(PAPERS, embedder=other, reembed=True)
    session.close_collection()
    report = session.ingest(PAPERS, embedder=new_embedder("other"), path=tmp_path / "kept", store="numpy")
    assert report.embedder == "other" and vectors_of(session.collection()).shape == (2, 64)


def test_nothing_is_given_up_for_an_embedder_that_does_not_work(session: Any, static: Path) -> None:
    session.ingest(PAPERS, embedder=static, store="numpy")
    before = vectors_of(session.collection())
    with pytest.raises(EngineError):
        session.ingest(PAPERS, embedder=lambda texts: 1 / 0, reembed=True)
    assert np.array_equal(vectors_of(session.collection()), before)
    with pytest.raises(OptionError, match="needs the embedder"):
        session.ingest(PAPERS, reembed=True)


def test_an_object_has_to_be_passed_again(session: Any, tmp_path: Path) -> None:
    def letters(texts: list[str]) -> Any:
        return [[text.count(letter) + 0.1 for letter in "abcdefg"] for text in texts]

    session.ingest(PAPERS, embedder=letters, path=tmp_path / "kept", store="numpy")
    session.close_collection()
    opened = session.open_collection(tmp_path / "kept", store="numpy")
    assert opened.embedder is None and "Pass it again" in opened.warnings[0]
    session.close_collection()
    opened = session.open_collection(tmp_path / "kept", embedder=letters, store="numpy")
    assert opened.search("days", mode="dense")


def test_an_object_of_the_same_name_that_is_another_model_is_refused(session: Any, tmp_path: Path) -> None:
    def letters(texts: list[str]) -> Any:
        return [[text.count(letter) + 0.1 for letter in "abcdefg"] for text in texts]

    session.ingest(PAPERS, embedder=letters, path=tmp_path / "kept", store="numpy")
    session.close_collection()

    def others(texts: list[str]) -> Any:
        return [[text.count(letter) + 0.1 for letter in "tuvwxyz"] for text in texts]

    others.__name__ = "letters"
    session.open_collection(tmp_path / "kept", embedder=others, store="numpy")
    with pytest.raises(CollectionError, match="another model that was called letters"):
        session.search("days", mode="dense")
    report = session.ingest(PAPERS, embedder=others, reembed=True)
    assert report.embedded == 2 and session.search("days", mode="dense")


def test_what_is_to_be_known_of_an_embedder_is_in_the_report(session: Any, tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers")
    report = session.ingest(PAPERS, embedder=tiny.bert(tmp_path / "bare"), store="numpy")
    assert any("bare encoder" in line for line in report.warnings)
