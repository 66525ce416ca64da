"""The vector indexes: each against brute force, filters, and what becomes of a damaged, stale or foreign one."""

from __future__ import annotations

import importlib.util
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kaggle_magics.errors import MissingExtra, OptionError
from kaggle_magics.rag.collection import Collection
from kaggle_magics.rag.embedding.protocol import unit
from kaggle_magics.rag.storing.records import Records
from kaggle_magics.rag.storing.where import Where
from kaggle_magics.rag.vectors import NAMES, VectorIndex, choose_store, nearest, open_index
from kaggle_magics.rag.vectors.keeping import compared

Make = Callable[..., Collection]
NEEDS = {"chroma": "chromadb", "chroma-memory": "chromadb", "faiss": "faiss"}
FILES = [name for name in NAMES if name in ("chroma", "faiss")]


def store_names(*names: str) -> list[Any]:
    return [
        pytest.param(
            name,
            marks=pytest.mark.skipif(
                name in NEEDS and importlib.util.find_spec(NEEDS[name]) is None, reason=f"{name} is not installed"
            ),
        )
        for name in names
    ]


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    opened = Records(tmp_path / "records.sqlite")
    opened.set_meta({"embedder_identity": "test@1"})
    yield opened
    opened.close()


@pytest.fixture(params=store_names(*NAMES))
def index(request: pytest.FixtureRequest, tmp_path: Path, records: Records) -> Iterator[VectorIndex]:
    opened = open_index(request.param, tmp_path, records)
    yield opened
    opened.close()


def batch(count: int, seed: int = 0) -> tuple[list[str], np.ndarray]:
    return [f"p{number}" for number in range(count)], unit(np.random.default_rng(seed).normal(size=(count, 16)))


def question(seed: int = 9) -> np.ndarray:
    return unit(np.random.default_rng(seed).normal(size=16))


def test_an_index_finds_what_brute_force_finds(index: VectorIndex) -> None:
    ids, vectors = batch(300)
    index.add([(ids[:100], vectors[:100]), (ids[100:], vectors[100:])])
    assert index.ids() == set(ids)
    expected = sorted(zip((vectors @ question()).tolist(), ids, strict=True), reverse=True)[:10]
    found = index.search(question(), 10)
    assert [key for key, _ in found] == [key for _, key in expected]
    assert np.allclose([score for _, score in found], [score for score, _ in expected], atol=1e-4)
    assert index.search(question(), 0) == [] and len(index.search(question(), 1000)) == 300


def test_an_index_removes_replaces_and_takes_again(index: VectorIndex) -> None:
    ids, vectors = batch(40)
    index.add([(ids, vectors)])
    index.remove(ids[:39])
    assert [key for key, _ in index.search(vectors[0], 5)] == ["p39"]
    index.add([(ids[:1], vectors[:1])])
    assert index.search(vectors[0], 1)[0] == ("p0", pytest.approx(1.0, abs=1e-4))
    index.add([(ids[:1], vectors[1:2])])
    assert index.search(vectors[1], 1)[0] == ("p0", pytest.approx(1.0, abs=1e-4)) and len(index.ids()) == 2
    index.remove(["p0", "p39", "never there"])
    assert index.search(vectors[0], 5) == [] and index.ids() == set()
    index.add([(ids, vectors)])
    assert index.search(vectors[7], 1)[0][0] == "p7"


def test_many_random_changes_leave_what_a_dictionary_would_hold(index: VectorIndex) -> None:
    choose = np.random.default_rng(3)
    held: dict[str, np.ndarray] = {}
    ids, vectors = batch(60)
    for _ in range(30):
        some = choose.choice(60, size=int(choose.integers(1, 12)), replace=False)
        if choose.random() < 0.6:
            index.add([([ids[at] for at in some], vectors[some])])
            held.update((ids[at], vectors[at]) for at in some)
        else:
            index.remove(ids[at] for at in some)
            for at in some:
                held.pop(ids[at], None)
    assert index.ids() == held.keys()
    expected = sorted(held, key=lambda key: -float(held[key] @ question()))
    assert [key for key, _ in index.search(question(), 60)] == expected


def test_equal_scores_are_cut_by_id_however_the_index_was_filled(tmp_path: Path, records: Records) -> None:
    vectors = np.tile(question(), (9, 1))
    orders = [list("abcdefghi"), list("ihgfedcba"), list("cabihgdfe")]
    found = []
    for order in orders:
        index = open_index("numpy", tmp_path, records)
        index.add([(order, vectors)])
        index.remove("e")
        found.append([key for key, _ in index.search(question(), 3)])
    assert found == [["a", "b", "c"]] * 3


def test_blocks_of_the_exact_index_are_filled_and_given_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, records: Records
) -> None:
    monkeypatch.setattr("kaggle_magics.rag.vectors.numpy_index._BLOCK", 8)
    index = open_index("numpy", tmp_path, records)
    ids, vectors = batch(37)
    index.add([(ids[:5], vectors[:5]), (ids[5:], vectors[5:])])
    assert len(index._blocks) == 5
    for at in (0, 7, 8, 20, 36):
        assert index.search(vectors[at], 1)[0][0] == ids[at]
    index.remove(ids[3:20])
    assert len(index._blocks) == 3 and index.search(vectors[36], 1)[0][0] == "p36"
    index.remove(ids)
    assert index._blocks == [] and index.search(vectors[0], 1) == []


# Kept up to the records


def paged(count: int) -> list[Any]:
    class Page:
        def __init__(self, number: int) -> None:
            self.page_content = f"The tide number {number} of {number % 7} seas."
            self.metadata = {"source": f"report-{number % 3}.pdf", "page": number // 3}

    return [Page(number) for number in range(count)]


@pytest.mark.parametrize("store", store_names(*NAMES))
@pytest.mark.parametrize("exact", [0, 2000])
def test_filters_give_what_comparing_all_gives(
    make: Make, monkeypatch: pytest.MonkeyPatch, embedder: Any, store: str, exact: int
) -> None:
    monkeypatch.setattr("kaggle_magics.rag.vectors.keeping.EXACT", exact)
    collection = make(store=store)
    collection.ingest(paged(90))
    collection.search("tide")
    direction = embedder.embed_query("tide number 5")
    for where in (Where(("report-1.pdf",)), Where(None, (2, 3)), Where(("report-0.pdf", "report-2.pdf"), (1,))):
        allowed = collection._records.passage_ids(where)
        expected = compared(collection._records, direction, allowed)[:4]
        found = nearest(collection._index, collection._records, direction, 4, where)
        assert len(found) == min(4, len(allowed)) and len(allowed) > 0
        assert [score for _, score in found] == pytest.approx([score for _, score in expected], abs=1e-4)
        assert {key for key, _ in found} <= allowed
    assert nearest(collection._index, collection._records, direction, 4, Where(None, (99,))) == []


@pytest.mark.parametrize("store", store_names(*NAMES))
def test_an_index_follows_the_records_and_only_when_they_change(
    make: Make, monkeypatch: pytest.MonkeyPatch, store: str
) -> None:
    collection = make(store=store)
    texts = {f"{number}": f"Text number {number}." for number in range(20)}
    collection.ingest(texts)
    collection.search("text")
    calls: list[int] = []
    inner = type(collection._index).ids
    monkeypatch.setattr(type(collection._index), "ids", lambda self: calls.append(1) or inner(self))
    collection.search("text")
    collection.ingest(texts)
    assert calls == []
    collection.forget("7")
    collection.ingest({"new": "Text number 99."})
    assert calls == [], "what changed is known: the index need not be compared as a whole"
    assert collection._index.ids() == collection._records.passage_ids()
    found = {hit.passage.source for hit in collection.search("text number", passages=30, mode="dense")}
    assert found == {*texts, "new"} - {"7"}


def test_vectors_are_streamed_in_batches(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    collection = make()
    collection.ingest({f"{number}": f"Text number {number}." for number in range(25)})
    sizes = [len(ids) for ids, _ in collection._records.vector_batches(size=10)]
    assert sizes == [10, 10, 5]
    some = list(collection._records.passage_ids())[:3]
    (pair,) = collection._records.vector_batches([*some, "never there"])
    assert sorted(pair[0]) == sorted(some) and np.allclose(np.linalg.norm(pair[1], axis=1), 1, atol=1e-3)


# Damage


@pytest.mark.parametrize("store", store_names(*FILES))
@pytest.mark.parametrize("damage", ["gone", "emptied", "cut", "garbage", "foreign", "other size", "killed"])
def test_a_broken_index_is_built_again(
    make: Make, tmp_path: Path, new_embedder: Any, store: str, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kaggle_magics.rag.vectors.faiss_index.FLAT_UNTIL", 10)
    kept = tmp_path / "kept"
    first = make(kept, store=store)
    first.ingest({f"{number}": f"Text number {number}." for number in range(30)})
    expected = first.search("number 7", mode="dense")
    first.close()
    break_index(kept, store, damage, new_embedder)
    again = make(kept, store=store)
    found = again.search("number 7", mode="dense")
    assert [hit.passage.id for hit in found] == [hit.passage.id for hit in expected]
    assert again._index.ids() == again._records.passage_ids()


def break_index(kept: Path, store: str, damage: str, new_embedder: Any) -> None:
    (index,) = kept.glob(f"{store}-*") if store == "chroma" else kept.glob("vectors.faiss")
    if damage == "gone":
        shutil.rmtree(index) if index.is_dir() else index.unlink()
    elif damage == "killed" and store == "chroma":  # a vector that Chroma lists but does not find, and the mark
        shutil.rmtree(next(path for path in index.iterdir() if path.is_dir()), ignore_errors=True)
        (kept / "index-unfinished").touch()
    elif damage == "killed":
        index.rename(kept / "vectors.faiss.part")
    elif damage in ("garbage", "cut"):
        file = index / "chroma.sqlite3" if store == "chroma" else index
        file.write_bytes(b"no database" * 1000 if damage == "garbage" else file.read_bytes()[:-700])
    elif damage == "emptied" and store == "chroma":
        connection = sqlite3.connect(index / "chroma.sqlite3")
        connection.execute("DELETE FROM embeddings")
        connection.commit()
        connection.close()
    elif damage == "emptied":
        index.write_bytes(b"")
    else:
        shutil.rmtree(index) if index.is_dir() else index.unlink()
        records = Records(kept / "records.sqlite")
        before = records.get_meta("embedder_identity")
        if damage == "foreign":
            records.set_meta({"embedder_identity": "other@1"})
        other = open_index(store, kept, records)
        ids = [f"x{number}" for number in range(20)]
        other.add([(ids, unit(np.random.default_rng(1).normal(size=(20, 64 if damage == "foreign" else 8))))])
        other.close()
        records.set_meta({"embedder_identity": before})
        records.close()


# Names


def test_store_names() -> None:
    for wrong, words in (("chromadb", "Did you mean chroma"), ("x", "Known: numpy"), (3, "must be a name"), ("", "''")):
        with pytest.raises(OptionError, match=words):
            choose_store(wrong)
    assert choose_store("http://u:secret@host:9000/x/").name == "http://host:9000/x"
    assert choose_store("https://host").name == "https://host:443"
    with pytest.raises(OptionError, match="no address"):
        choose_store("http://:x")


def test_without_chroma_the_store_is_numpy_and_asking_for_it_names_the_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, records: Records
) -> None:
    monkeypatch.setattr("kaggle_magics.rag.vectors.choice.installed", lambda name: name != "chromadb")
    monkeypatch.setattr("kaggle_magics.extras.installed", lambda name: name != "chromadb")
    assert choose_store(None).name == "numpy"
    with pytest.raises(MissingExtra, match=r"kaggle-magics\[rag\]"):
        open_index("chroma", tmp_path, records)


# LangChain's vector stores


def langchain_store(kind: str) -> Any:
    from langchain_core.embeddings import DeterministicFakeEmbedding

    if kind == "memory":
        from langchain_core.vectorstores import InMemoryVectorStore

        return InMemoryVectorStore(DeterministicFakeEmbedding(size=64))
    chroma = pytest.importorskip("langchain_chroma", reason="langchain-chroma is not installed")
    from uuid import uuid4

    given = None if kind == "chroma without embeddings" else DeterministicFakeEmbedding(size=64)
    return chroma.Chroma(f"test-{uuid4().hex}", embedding_function=given)


@pytest.mark.parametrize("kind", ["memory", "chroma", "chroma without embeddings"])
def test_a_langchain_store_finds_what_the_exact_index_finds(make: Make, embedder: Any, kind: str) -> None:
    pytest.importorskip("langchain_core")
    store = langchain_store(kind)
    if kind != "chroma without embeddings":
        store.add_texts(["not ours"] * 30, metadatas=[{"owner": "x"}] * 30)
        held = {name: value for name, value in vars(store).items() if "embedding" in name}
    ours, exact = make(store=store), make()
    for collection in (ours, exact):
        collection.ingest(paged(60))
    assert ours.store.startswith("langchain:")
    for question_ in ("tide number 5", "seas", "7"):
        for options in ({}, {"mode": "dense"}, {"where": {"page": [2, 3]}}, {"passages": 60}):
            found, expected = ours.search(question_, **options), exact.search(question_, **options)
            assert [hit.passage.id for hit in found] == [hit.passage.id for hit in expected]
            for ours_hit, exact_hit in zip(found, expected, strict=True):
                assert ours_hit.scores == pytest.approx(exact_hit.scores, abs=1e-5)
    gone = ours.forget("report-1.pdf")
    assert gone == 20 and ours._index.ids() == ours._records.passage_ids()
    assert {hit.passage.source for hit in ours.search("tide", passages=60, mode="dense")} == {
        "report-0.pdf",
        "report-2.pdf",
    }
    if kind != "chroma without embeddings":
        assert all(getattr(store, name) is value for name, value in held.items())
        assert store.similarity_search("x", k=200)[0].page_content


def test_a_langchain_store_is_filled_again_when_it_was_emptied_and_not_when_it_was_not(
    make: Make, tmp_path: Path, embedder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("langchain_core")
    store = langchain_store("memory")
    first = make(tmp_path / "kept", store=store)
    first.ingest(paged(9))
    expected = first.search("tide number 5")
    first.close()
    added: list[int] = []
    inner = store.add_texts
    monkeypatch.setattr(store, "add_texts", lambda texts, **rest: added.append(len(texts)) or inner(texts, **rest))
    again = make(tmp_path / "kept", store=store)
    assert again.search("tide number 5") == expected and added == []
    again.close()
    other = langchain_store("memory")
    third = make(tmp_path / "kept", store=other)
    assert third.search("tide number 5") == expected and len(other.store) == 9
    (metadata,) = {str(other.store[hit.passage.id]["metadata"]) for hit in expected[:1]}
    assert "report-" in metadata and "'start_index': " in metadata and "'page': " in metadata


def test_a_langchain_store_that_fails_or_cannot_be_given_vectors_is_named(make: Make) -> None:
    pytest.importorskip("langchain_core")
    from langchain_core.vectorstores import VectorStore

    from kaggle_magics.errors import CollectionError

    class Hidden(VectorStore):
        def similarity_search(self, query: str, k: int = 4, **rest: Any) -> list[Any]:
            raise RuntimeError("no quota\nleft")

        def add_texts(self, texts: Any, metadatas: Any = None, **rest: Any) -> list[str]:
            raise RuntimeError("no quota\nleft")

        @classmethod
        def from_texts(cls, *args: Any, **rest: Any) -> Any: ...

    collection = make(store=Hidden())
    report = collection.ingest({"a": "The tide."})
    assert report.count("added") == 1 and "the next search tries again" in report.warnings[-1]
    with pytest.raises(CollectionError, match="does not say which embeddings"):
        collection.search("tide")
    assert collection.search("tide", mode="lexical")[0].passage.source == "a"
    broken = Hidden()
    broken._embedding = None
    collection = make(store=broken)
    collection.ingest({"a": "The tide."})
    with pytest.raises(CollectionError, match=r"Hidden could not be used to add to it \(no quota\)"):
        collection.search("tide")
    with pytest.raises(OptionError):
        choose_store(Hidden)
