"""Collections on the move: into one file and back, from folders that nothing is written to, from index to index."""

from __future__ import annotations

import json
import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.errors import CollectionError, OptionError
from kaggle_magics.rag.collection import Collection
from kaggle_magics.rag.storing import schema
from kaggle_magics.session import Session

Make = Callable[..., Collection]
TEXTS = {f"{number}.md": f"# Part {number}\n\nText number {number} about tides.\n" for number in range(12)}


@pytest.fixture
def session(embedder: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.setattr("kaggle_magics.rag.embedding.choice.find_embedder", lambda *_, **__: embedder)
    from kaggle_magics.rag.embedding.choice import Choice

    monkeypatch.setattr("kaggle_magics.rag.embedding.choice._again", lambda *_: Choice(embedder, None))
    session = Session()
    yield session
    session.close()


def shown(collection: Collection, question: str = "number 7") -> list[tuple[str, str, dict[str, float]]]:
    hits = collection.search(question)
    return [(hit.passage.id, hit.passage.text, {k: round(v, 5) for k, v in hit.scores.items()}) for hit in hits]


def tree(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# One file


@pytest.mark.parametrize("name", ["out/books.zip", "books", "Bücher 海.zip", "books.sqlite"])
def test_a_collection_comes_back_as_it_was_and_embeds_nothing(
    session: Session, tmp_path: Path, embedder: Any, name: str
) -> None:
    session.ingest(TEXTS, collection="books", path=tmp_path / "kept", store="numpy")
    before, count = shown(session.collection("books")), len(embedder.texts)
    done = session.export_collection(tmp_path / name, collection="books")
    assert (done.documents, done.passages) == (12, 12) and done.bytes == (tmp_path / name).stat().st_size
    assert list(tmp_path.rglob("*.part")) == [] and str(tmp_path / name) in str(done)
    kept = session.import_collection(tmp_path / name, collection="kept", path=tmp_path / "again", store="numpy")
    loose = session.import_collection(tmp_path / name, collection="loose", store="numpy")
    assert not kept.temporary and loose.temporary and (tmp_path / "again/records.sqlite").is_file()
    assert shown(kept) == shown(loose) == before
    assert session.ingest(TEXTS, collection="kept").embedded == 0 and len(embedder.texts) == count
    loose.forget("7.md")
    assert shown(session.collection("books")) == before


def test_an_unpacked_export_is_a_collection(session: Session, tmp_path: Path) -> None:
    session.ingest(TEXTS, store="numpy")
    before = shown(session.collection())
    session.export_collection(tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        manifest = json.loads(archive.read("manifest.json"))
        archive.extractall(tmp_path / "dataset")
    assert manifest["documents"] == 12 and manifest["embedder"] == "hash" and manifest["schema"] == schema.VERSION
    assert shown(session.open_collection(tmp_path / "dataset", collection="b", store="numpy")) == before


def test_passages_as_lines(session: Session, tmp_path: Path) -> None:
    session.ingest(TEXTS, store="numpy")
    session.export_collection(tmp_path / "a.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 12 and len(rows[0]["vector"]) == 64 and {row["source"] for row in rows} == TEXTS.keys()
    assert all(session.collection().document_text(r["document_id"])[r["start"] : r["end"]] == r["text"] for r in rows)


def test_what_is_exported_into_a_langchain_store_is_there(session: Session) -> None:
    pytest.importorskip("langchain_core")
    from langchain_core.embeddings import DeterministicFakeEmbedding
    from langchain_core.vectorstores import InMemoryVectorStore

    store = InMemoryVectorStore(DeterministicFakeEmbedding(size=64))
    session.ingest(TEXTS, store="numpy")
    done = session.export_collection(store=store)
    assert done.passages == 12 and len(store.store) == 12 and session.collection().store == "numpy"
    with pytest.raises(OptionError, match="index of the collection's own"):
        session.export_collection(store="faiss")


def test_exports_that_cannot_be_are_refused(session: Session, tmp_path: Path) -> None:
    session.open_collection(None, collection="empty")
    with pytest.raises(CollectionError, match="is empty"):
        session.export_collection(tmp_path / "a.zip", collection="empty")
    session.ingest(TEXTS, store="numpy")
    (tmp_path / "a.zip").write_text("mine")
    for target, words in (
        (tmp_path / "a.zip", "there already"),
        (tmp_path, "is a folder"),
        (None, "either"),
        (tmp_path / "a.txt", r"a\.txt\.zip"),
    ):
        with pytest.raises(OptionError, match=words):
            session.export_collection(target)
    assert (tmp_path / "a.zip").read_text() == "mine"
    with pytest.raises(CollectionError, match="cannot be written"):
        session.export_collection(tmp_path / "a.zip/b.zip")
    assert session.export_collection(tmp_path / "a.zip", overwrite=True).documents == 12


def test_an_import_never_takes_the_place_of_anything(session: Session, tmp_path: Path) -> None:
    session.ingest(TEXTS, path=tmp_path / "kept", store="numpy")
    session.export_collection(tmp_path / "a.zip")
    with pytest.raises(OptionError, match="'default' is open"):
        session.import_collection(tmp_path / "a.zip")
    session.close_collection()
    before = tree(tmp_path / "kept")
    with pytest.raises(CollectionError, match="holds a collection already"):
        session.import_collection(tmp_path / "a.zip", path=tmp_path / "kept")
    assert tree(tmp_path / "kept")["records.sqlite"] == before["records.sqlite"]
    with pytest.raises(CollectionError, match="cannot be written to"):
        session.import_collection(tmp_path / "a.zip", path="/proc/nothing")
    assert not session.collections


def rewritten(source: Path, target: Path, change: Callable[[dict[str, bytes]], Any]) -> Path:
    with zipfile.ZipFile(source) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    change(parts)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return target


def manifest_with(**values: Any) -> Callable[[dict[str, bytes]], Any]:
    def change(parts: dict[str, bytes]) -> None:
        parts["manifest.json"] = json.dumps(json.loads(parts["manifest.json"]) | values).encode()

    return change


def hostile(parts: dict[str, bytes]) -> None:
    """A trigger in the records, and a manifest that goes with it."""
    import hashlib

    connection = sqlite3.connect(":memory:")
    connection.deserialize(parts["records.sqlite"])
    connection.execute("CREATE TRIGGER t AFTER INSERT ON documents BEGIN DELETE FROM passages; END")
    connection.commit()
    data = parts["records.sqlite"] = connection.serialize()
    manifest_with(size=len(data), blake2b=hashlib.blake2b(data, digest_size=32).hexdigest())(parts)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda parts: parts.update({"../evil": b"x"}), r"'\.\./evil', which is no part"),
        (lambda parts: parts.update({"/etc/x": b"x"}), "no part"),
        (lambda parts: parts.pop("manifest.json"), "no exported collection"),
        (lambda parts: parts.pop("records.sqlite"), "no exported collection"),
        (lambda parts: parts.update({"manifest.json": b"[" * 100_000}), "no exported collection"),
        (lambda parts: parts.update({"manifest.json": b'{"format": 3}'}), "no exported collection"),
        (lambda parts: parts.update({"manifest.json": b"{}" + b" " * (2 << 20)}), "no exported collection"),
        (lambda parts: parts.update({"records.sqlite": parts["records.sqlite"][:-1] + b"x"}), "is damaged"),
        (lambda parts: parts.update({"records.sqlite": parts["records.sqlite"] * 50}), "is damaged"),
        (manifest_with(schema=schema.VERSION + 1), "newer release"),
        (manifest_with(version=2), "newer release"),
        (manifest_with(size=1 << 60), "MB left"),
        (manifest_with(size=10), "is damaged"),
        (manifest_with(size="big"), "no exported collection"),
        (manifest_with(documents=3), "manifest says"),
        (hostile, "defines what no collection has"),
    ],
)
def test_a_file_that_was_tampered_with_is_refused_and_leaves_nothing(
    session: Session, tmp_path: Path, change: Callable[[dict[str, bytes]], Any], words: str
) -> None:
    session.ingest(TEXTS, store="numpy")
    session.export_collection(tmp_path / "a.zip")
    bad = rewritten(tmp_path / "a.zip", tmp_path / "bad.zip", change)
    with pytest.raises(CollectionError, match=words) as caught:
        session.import_collection(bad, collection="bad", path=tmp_path / "new")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "new/records.sqlite").exists() and list(session.collections) == ["default"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no exported"),
        (b"PK\x03\x04 nothing", "no exported"),
        (b"SQLite format 3\0" + b"x" * 5000, "cannot be used"),
        (None, "no file"),
    ],
)
def test_a_file_of_another_kind_is_named(session: Session, tmp_path: Path, data: bytes | None, words: str) -> None:
    if data is not None:
        (tmp_path / "x").write_bytes(data)
    with pytest.raises(CollectionError, match=words):
        session.import_collection(tmp_path / "x")


def test_passages_as_lines_are_no_collection(session: Session, tmp_path: Path) -> None:
    session.ingest(TEXTS, store="numpy")
    session.export_collection(tmp_path / "a.jsonl")
    with pytest.raises(CollectionError, match="passages alone"):
        session.import_collection(tmp_path / "a.jsonl", collection="b")


def test_a_cut_off_export_is_damaged(session: Session, tmp_path: Path) -> None:
    session.ingest(TEXTS, store="numpy")
    session.export_collection(tmp_path / "a.zip")
    whole = (tmp_path / "a.zip").read_bytes()
    for length in (100, len(whole) // 2, len(whole) - 10):
        (tmp_path / "cut.zip").write_bytes(whole[:length])
        with pytest.raises(CollectionError):
            session.import_collection(tmp_path / "cut.zip", collection="cut")


# Folders that nothing is written to


def kept(make: Make, folder: Path) -> list[Any]:
    collection = make(folder)
    collection.ingest(TEXTS)
    found = shown(collection)
    collection.close()
    (folder / "lock").unlink()
    return found


@pytest.mark.parametrize("limit", [0, 1 << 30])
@pytest.mark.parametrize("store", ["numpy", "chroma"])
def test_an_input_is_read_and_never_written(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int, store: str
) -> None:
    if store == "chroma":
        pytest.importorskip("chromadb")
    monkeypatch.setenv("KAGGLE_MAGICS_INPUT", str(tmp_path / "input"))
    monkeypatch.setattr("kaggle_magics.rag.collection.folder.COPIED_UNTIL", limit)
    folder = tmp_path / "elsewhere"
    expected = kept(make, folder)
    (tmp_path / "input").mkdir()
    folder = folder.rename(tmp_path / "input/books")
    before = tree(folder)
    collection, other = make(folder, store=store), make(folder, store=store)
    assert collection._records.read_only == (limit == 0)
    assert shown(collection) == shown(other) == expected
    facts = collection.facts()
    assert facts.temporary and "read-only" in facts.warnings[0] and facts.documents == 12
    assert collection.ingest({"new": "Whales."}).documents == 13
    assert collection.search("whales")[0].passage.source == "new" and shown(other) == expected
    assert other.forget("7.md") == 1 and other.facts().documents == 11
    assert tree(folder) == before and not collection._records.read_only


def test_records_of_an_older_release_are_brought_up_in_a_copy(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kaggle_magics.rag.collection.folder.COPIED_UNTIL", 0)
    kept(make, tmp_path / "input/books")
    monkeypatch.setenv("KAGGLE_MAGICS_INPUT", str(tmp_path / "input"))
    monkeypatch.setattr(schema, "VERSION", schema.VERSION + 1)
    monkeypatch.setitem(schema.MIGRATIONS, schema.VERSION - 1, lambda connection: None)
    before = tree(tmp_path / "input/books")
    collection = make(tmp_path / "input/books")
    assert not collection._records.read_only and collection.facts().documents == 12
    assert tree(tmp_path / "input/books") == before


def test_a_folder_whose_writing_fails_is_copied(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As root, whom permissions do not bind: the disk itself refuses."""
    import errno

    expected = kept(make, tmp_path / "books")

    def refuse(folder: Path, **options: Any) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("kaggle_magics.rag.collection.folder.FolderLock", refuse)
    collection = make(tmp_path / "books")
    assert shown(collection) == expected and collection.path != tmp_path / "books"
    with pytest.raises(CollectionError, match=r"Read-only file system.*holds no collection"):
        make(tmp_path / "none")


# From index to index, from name to name


def test_any_index_to_any_other(session: Session, tmp_path: Path) -> None:
    pytest.importorskip("chromadb")
    pytest.importorskip("faiss")
    session.ingest(TEXTS, path=tmp_path / "kept", store="chroma")
    before = shown(session.collection())
    assert list((tmp_path / "kept").glob("chroma-*"))
    for store in ("faiss", "numpy", "chroma-memory", "chroma", "numpy"):
        session.ingest(TEXTS, store=store)
        collection = session.collection()
        assert collection.store == store and shown(collection) == before
        assert bool(list((tmp_path / "kept").glob("chroma-*"))) == (store == "chroma")
    session.close_collection()
    assert session.open_collection(tmp_path / "kept").store == "numpy"
    session.close_collection()
    assert shown(session.open_collection(tmp_path / "kept", store="faiss")) == before


def test_a_folder_has_one_name_at_a_time(session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session.ingest(TEXTS, collection="books", path=tmp_path / "kept", store="numpy")
    with pytest.raises(CollectionError, match=r"is open here as 'books'.*%rag_forget --all -c books"):
        session.open_collection(tmp_path / "kept", collection="other")
    assert session.collection("books").facts().documents == 12
    assert session.open_collection(tmp_path / "kept", collection="books").facts().documents == 12
    session.close_collection("books")
    monkeypatch.setenv("KAGGLE_MAGICS_INPUT", str(tmp_path))
    session.open_collection(tmp_path / "kept", collection="books", store="numpy")
    assert session.ingest(TEXTS, collection="books", path=tmp_path / "kept").count("unchanged") == 12


def test_another_embedder_for_an_open_collection_is_not_ignored(
    make: Make, session: Session, new_embedder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.ingest(TEXTS, store="numpy")
    monkeypatch.setattr("kaggle_magics.rag.embedding.choice.find_embedder", lambda *_, **__: new_embedder("other"))
    with pytest.raises(CollectionError, match="embedded with hash, not with other"):
        session.ingest({"x": "y"}, embedder="other")


def test_an_index_that_cannot_follow_is_a_warning_and_not_a_lost_report(session: Session) -> None:
    pytest.importorskip("langchain_core")
    from langchain_core.embeddings import DeterministicFakeEmbedding
    from langchain_core.vectorstores import InMemoryVectorStore

    store = InMemoryVectorStore(DeterministicFakeEmbedding(size=64))
    session.ingest({"a": "Tides."}, store=store)
    session.search("tides")
    inner = store.add_texts

    def fail(*_: Any, **__: Any) -> Any:
        raise ConnectionError("gone")

    store.add_texts = fail  # type: ignore[method-assign]
    report = session.ingest({"b": "Whales."})
    assert report.documents == 2 and "(The vector store InMemoryVectorStore could not be used" in report.warnings[-1]
    with pytest.raises(CollectionError, match="gone"):
        session.search("whales")
    store.add_texts = inner  # type: ignore[method-assign]
    assert session.search("whales", mode="dense")[0].passage.source == "b"


@pytest.mark.parametrize("name", [None, "", " ", 5])
def test_a_collection_has_a_name_of_text(session: Session, name: Any, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="name must be text"):
        session.ingest(TEXTS, collection=name)
    with pytest.raises(CollectionError, match="no collection named"):
        session.collection(name)
    with pytest.raises(OptionError, match="path must be a folder"):
        session.ingest(TEXTS, path=5)  # type: ignore[arg-type]
    assert not session.collections
