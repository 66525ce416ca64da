"""The life of a collection: ingest again, change, kill, reopen, two at once, read-only, damaged."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kaggle_magics.errors import CollectionError, DocumentError, OptionError
from kaggle_magics.rag.collection import Collection
from kaggle_magics.rag.ingesting.progress import IngestProgress

Make = Callable[..., Collection]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    docs = tmp_path / "docs"
    (docs / "deep").mkdir(parents=True)
    (docs / "a.md").write_text("# Tides\n\nThe tide is high at noon.\n\nIt turns at six.\n")
    (docs / "deep/b.txt").write_text("Boats leave the pier.\n\nThey come back at night.\n")
    return docs


def statuses(report) -> dict[str, str]:
    return {row.source.rsplit("/", 1)[-1]: row.status for row in report.rows}


def check_offsets(collection: Collection, question: str = "tide boats") -> None:
    for hit in collection.search(question, passages=50):
        text = collection.document_text(hit.passage.document_id)
        assert text[hit.passage.start : hit.passage.end] == hit.passage.text


@pytest.mark.parametrize("store", ["numpy", "chroma"])
def test_the_same_cell_twice_embeds_nothing_and_changes_no_count(
    make: Make, folder: Path, embedder, store: str
) -> None:
    if store == "chroma":
        pytest.importorskip("chromadb")
    collection = make(store=store)
    first = collection.ingest(folder)
    assert statuses(first) == {"a.md": "added", "b.txt": "added"} and (
        first.documents,
        first.passages,
        first.embedded,
    ) == (2, 2, 2)
    hits = collection.search("tide")
    texts = list(embedder.texts)
    second = collection.ingest([folder, str(folder / "*.md"), folder / "a.md"])
    assert statuses(second) == {"a.md": "unchanged", "b.txt": "unchanged"} and second.embedded == 0
    assert (second.documents, second.passages) == (2, 2) and embedder.texts == texts
    assert collection.search("tide") == hits
    check_offsets(collection)


@pytest.mark.parametrize("store", ["numpy", "chroma"])
def test_a_changed_file_replaces_its_old_passages_and_embeds_only_what_is_new(
    make: Make, folder: Path, embedder, store: str
) -> None:
    if store == "chroma":
        pytest.importorskip("chromadb")
    collection = make(store=store)
    (folder / "a.md").write_text("# One\n\nFirst part.\n\n# Two\n\nSecond part.\n")
    collection.ingest(folder)
    collection.search("part")
    (folder / "a.md").write_text("# One\n\nFirst part.\n\n# Two\n\nOther words.\n")
    report = collection.ingest(folder)
    assert statuses(report) == {"a.md": "updated", "b.txt": "unchanged"} and report.embedded == 1
    assert embedder.texts[-1] == "Two\nOther words."
    found = {hit.passage.text for hit in collection.search("part words boats", passages=20)}
    assert "Other words." in found and "Second part." not in found


def test_other_sizes_split_again(make: Make, folder: Path) -> None:
    collection = make()
    collection.ingest(folder)
    report = collection.ingest(folder, chunk_size=20, chunk_overlap=0)
    assert statuses(report) == {"a.md": "updated", "b.txt": "updated"} and report.passages > 4
    assert statuses(collection.ingest(folder, chunk_size=20, chunk_overlap=0)) == {
        "a.md": "unchanged",
        "b.txt": "unchanged",
    }
    check_offsets(collection)


def test_every_file_gets_a_row_and_bad_ones_say_why(make: Make, folder: Path) -> None:
    (folder / "empty.md").write_text("")
    (folder / "data.bin").write_bytes(bytes(range(256)))
    (folder / "fake.txt").write_bytes(bytes(range(256)) * 4)
    (folder / "bad.json").write_text("{")
    (folder / ".hidden.md").write_text("never")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__/x.pyc").write_bytes(b"\0")
    report = make().ingest(folder)
    reasons = {row.source.rsplit("/", 1)[-1]: row.reason for row in report.rows if row.status == "skipped"}
    assert set(reasons) == {"empty.md", "data.bin", "fake.txt", "bad.json"}
    assert "empty" in reasons["empty.md"] and "no reader for .bin" in reasons["data.bin"]
    assert "binary" in reasons["fake.txt"] and "JSON" in reasons["bad.json"]
    assert report.count("added") == 2
    pytest.importorskip("pandas", reason="pandas is not installed")
    frame = report.to_pandas()
    assert list(frame["status"]).count("skipped") == 4 and {
        "source",
        "reason",
        "pages",
        "characters",
        "passages",
    } <= set(frame)


def test_a_file_that_vanished_keeps_what_was_read(make: Make, folder: Path) -> None:
    collection = make()
    collection.ingest([folder / "a.md", folder / "deep"])
    (folder / "a.md").unlink()
    report = collection.ingest([folder / "a.md", folder / "deep"])
    row = report.rows[0]
    assert row.status == "skipped" and "does not exist" in row.reason and "stays" in row.reason
    assert report.documents == 2


def test_nothing_but_missing_paths_is_an_error_with_the_nearest_name(make: Make, folder: Path) -> None:
    collection = make()
    with pytest.raises(DocumentError, match=r"no file or folder .*aa\.md.*Did you mean a\.md"):
        collection.ingest(folder / "aa.md")
    with pytest.raises(DocumentError, match="no folder"):
        collection.ingest(str(folder / "nowhere/*.md"))
    assert collection.ingest([folder / "aa.md", folder / "a.md"]).count("skipped") == 1


@pytest.mark.parametrize("paths", ["", "  ", [], 3, None, b"x", {"a": 3}])
def test_wrong_kinds_of_paths_are_refused(make: Make, paths: object) -> None:
    with pytest.raises(OptionError):
        make().ingest(paths)


def test_an_empty_folder_is_refused(make: Make, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    with pytest.raises(OptionError, match="no files"):
        make().ingest(tmp_path / "none")


def test_equal_names_in_two_folders_and_equal_texts_stay_apart(make: Make, folder: Path, embedder) -> None:
    shutil.copy(folder / "a.md", folder / "deep/a.md")
    collection = make()
    report = collection.ingest(folder)
    assert report.documents == 3 and report.embedded == 2
    assert len({source.source for source in collection.facts().sources}) == 3
    assert collection.forget(str(folder / "deep/a.md")) == 1
    assert collection.facts().documents == 2 and collection.search("tide high noon")[0].passage.source.endswith(
        "docs/a.md"
    )


def test_a_label_is_relative_and_the_identity_is_not(make: Make, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    collection = make()
    monkeypatch.chdir(folder)
    assert collection.ingest("a.md").rows[0].source == "a.md"
    monkeypatch.chdir(folder / "deep")
    assert statuses(collection.ingest("../a.md")) == {"a.md": "unchanged"}
    (folder / "deep/a.md").write_text("Another text.")
    report = collection.ingest("a.md")
    assert report.rows[0].source == (folder / "deep/a.md").as_posix() and report.documents == 2


def test_texts_and_documents_from_the_notebook(make: Make) -> None:
    class Document:
        def __init__(self, text: str, **metadata: object) -> None:
            self.page_content, self.metadata = text, metadata

    collection = make()
    report = collection.ingest(
        [
            {"note": "The fish soup is on Thursday.", "x.md": "# Head\n\nBody."},
            Document("Page one.", source="r.pdf", page=0),
            Document("Page two.", source="r.pdf", page=1),
            Document("Nameless."),
        ]
    )
    assert report.count("added") == 4
    hit = collection.search("Page two", passages=1)[0]
    assert (hit.passage.source, hit.passage.page) == ("r.pdf", 2)
    assert collection.search("body", passages=1)[0].passage.context == "Head"
    assert collection.ingest({"note": "The fish soup is on Friday."}).count("updated") == 1


def test_unicode_everywhere(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "Küsten 海 🐟.md"
    path.write_text("# Überschrift 🐟\n\nDas Meer ist tief. 海は深い。 👩‍👩‍👧 e\u0301nde\n")
    collection = make()
    collection.ingest(path)
    hit = collection.search("Meer")[0]
    assert hit.passage.context == "Überschrift 🐟" and hit.passage.source.endswith("Küsten 海 🐟.md")
    check_offsets(collection, "Meer")


def test_offsets_are_exact_for_random_texts(make: Make) -> None:
    choose = random.Random(4)
    parts = [
        "tide ",
        "Boats are here. ",
        "\n",
        "\n\n",
        "# H\n",
        "- x\n",
        "🐟",
        "é",
        "| a | b |\n|---|---|\n| 1 | 2 |\n",
        "```\nc\n```\n",
        "\r\n",
        "\u2028",
    ]
    texts = {
        f"{number}.md": "".join(choose.choice(parts) for _ in range(choose.randint(3, 400))) + "tide"
        for number in range(25)
    }
    for sizes in ({}, {"chunk_size": 50, "chunk_overlap": 10}):
        collection = make()
        collection.ingest(texts, **sizes)
        check_offsets(collection)


@pytest.mark.slow
def test_five_megabytes_of_text(make: Make) -> None:
    paragraph = "The sea level rose by {} millimetres in this year. Measurements were taken at the pier.\n\n"
    text = "".join(paragraph.format(number) for number in range(56_000))
    collection = make()
    begin = time.perf_counter()
    report = collection.ingest({"big": text})
    assert report.rows[0].characters == len(text.rstrip()) + 2 and report.passages > 5000
    assert "31337 millimetres" in collection.search("31337", mode="lexical")[0].passage.text
    assert collection.ingest({"big": text}).embedded == 0
    assert time.perf_counter() - begin < 60


def test_progress_is_told(make: Make, folder: Path) -> None:
    seen: list[IngestProgress] = []
    make().ingest(folder, on_progress=seen.append)
    assert seen[0].done == 0 and seen[0].total == 2 and seen[0].source.endswith("a.md")
    assert seen[-1].done == 2 and any(step.to_embed == 2 for step in seen)


def test_facts_and_forget(make: Make, folder: Path) -> None:
    collection = make(name="sea")
    collection.ingest(folder)
    facts = collection.facts()
    assert (facts.name, facts.documents, facts.passages, facts.embedder, facts.dimension) == ("sea", 2, 2, "hash", 64)
    assert facts.temporary and facts.bytes > 0 and facts.path.is_dir() and len(facts.sources) == 2
    with pytest.raises(CollectionError, match=r"Did you mean"):
        collection.forget(facts.sources[0].source + "x")
    assert collection.forget("b.txt") == 1 and collection.facts().passages == 1
    assert collection.search("boats pier", mode="lexical") == []


def test_an_empty_and_a_closed_collection_say_so(make: Make) -> None:
    collection = make(name="sea")
    with pytest.raises(CollectionError, match=r"'sea' is empty.*%rag_ingest"):
        collection.search("tide")
    path = collection.path
    collection.close()
    collection.close()
    assert not path.exists()
    with pytest.raises(CollectionError, match="closed"):
        collection.facts()


# Folders that stay


@pytest.mark.parametrize("store", ["numpy", "chroma"])
def test_a_collection_is_opened_again(make: Make, folder: Path, tmp_path: Path, embedder, store: str) -> None:
    if store == "chroma":
        pytest.importorskip("chromadb")
    first = make(tmp_path / "kept", store=store)
    first.ingest(folder)
    hits = first.search("tide")
    first.close()
    count = len(embedder.texts)
    again = make(tmp_path / "kept", store=store)
    assert again.search("tide") == hits and len(embedder.texts) == count
    assert statuses(again.ingest(folder)) == {"a.md": "unchanged", "b.txt": "unchanged"}


def test_two_collections_at_once_know_nothing_of_each_other(make: Make, tmp_path: Path) -> None:
    pytest.importorskip("chromadb")
    one, two = make(tmp_path / "one", store="chroma"), make(tmp_path / "two", store="chroma")
    one.ingest({"a": "The tide is high."})
    two.ingest({"a": "The boat is low."})
    assert one.search("tide boat")[0].passage.text == "The tide is high."
    assert two.search("tide boat")[0].passage.text == "The boat is low."
    one.close()
    assert len(two.search("boat")) == 1


def test_one_folder_is_used_by_one_at_a_time(make: Make, tmp_path: Path) -> None:
    first = make(tmp_path / "kept")
    with pytest.raises(CollectionError, match="in use by this process"):
        make(tmp_path / "kept")
    first.close()
    make(tmp_path / "kept").ingest({"a": "Text."})


def test_another_embedder_is_refused_with_the_remedy(make: Make, tmp_path: Path, new_embedder) -> None:
    first = make(tmp_path / "kept")
    first.ingest({"a": "Text."})
    first.close()
    with pytest.raises(CollectionError, match=r"embedded with hash, not with other.*another collection"):
        make(tmp_path / "kept", embedder=new_embedder("other"))
    again = make(tmp_path / "kept", embedder=None)
    assert again.embedder is None and "embedded with hash, which is not at hand" in again.facts().warnings[0]
    assert again.search("text")[0].scores.keys() == {"lexical"}


def test_passages_without_vectors_get_them_when_an_embedder_comes(
    make: Make, tmp_path: Path, embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("kaggle_magics.rag.embedding.choice.find_embedder", lambda reference: None)
        first = make(tmp_path / "kept", embedder=None)
        first.ingest({"a.md": "# Head\n\nText."})
        first.close()
    again = make(tmp_path / "kept")
    assert again.ingest({"b": "More."}).embedded == 2 and "Head\nText." in embedder.texts
    assert {hit.passage.source for hit in again.search("text", mode="dense")} == {"a.md", "b"}


def test_damaged_or_foreign_records_are_named(make: Make, tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad/records.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(CollectionError, match="cannot be opened"):
        make(tmp_path / "bad")
    make(tmp_path / "new").close()
    connection = sqlite3.connect(tmp_path / "new/records.sqlite")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(CollectionError, match="newer release"):
        make(tmp_path / "new")
    (tmp_path / "file").write_text("x")
    with pytest.raises(CollectionError, match="not a folder"):
        make(tmp_path / "file")


def test_a_full_disk_loses_nothing(make: Make, tmp_path: Path) -> None:
    collection = make(tmp_path / "kept")
    collection.ingest({"a": "The tide is high."})
    pages = collection._records._connection.execute("PRAGMA page_count").fetchone()[0]
    collection._records._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(CollectionError, match="full"):
        collection.ingest({"b": "word " * 100_000})
    assert [hit.passage.source for hit in collection.search("tide")] == ["a"]
    collection._records._connection.execute("PRAGMA max_page_count = 100000")
    assert collection.ingest({"b": "word " * 1000}).count("added") == 1


def test_an_interrupt_keeps_what_is_finished(make: Make, embedder, monkeypatch: pytest.MonkeyPatch) -> None:
    collection = make()
    collection.ingest({"a": "The tide is high."})
    embed = embedder.embed_documents
    calls = iter([embed])

    def embed_then_stop(texts):
        return next(calls, stop)(texts)

    def stop(texts):
        raise KeyboardInterrupt

    monkeypatch.setattr(embedder, "embed_documents", embed_then_stop)
    many = {f"{number}.md": f"# H\n\nText {number}." for number in range(300)}
    stopped = collection.ingest(many)
    kept = collection.facts().documents
    assert 1 < kept < 301 and stopped.left == 301 - kept and len(stopped.rows) == kept - 1
    monkeypatch.undo()
    report = collection.ingest(many)
    assert report.documents == 301 and report.count("unchanged") == kept - 1
    assert len(collection.search("text", passages=400, mode="dense")) == 301


KILLED = """
import sys, os, signal
sys.path.insert(0, sys.argv[3])
from conftest import HashEmbedder
from kaggle_magics.rag.collection import Collection
collection = Collection(sys.argv[1], name="k", embedder=HashEmbedder(), store="numpy")
stop = int(sys.argv[2])
def told(progress):
    if progress.done >= stop:
        os.kill(os.getpid(), signal.SIGKILL)
collection.ingest({f"{n}.md": f"# H\\n\\nText {n}. " + "word " * 2000 for n in range(40)}, on_progress=told)
"""


@pytest.mark.slow
@pytest.mark.parametrize("stop", [1, 17, 33])
def test_killed_in_the_middle_it_goes_on_where_it_was(make: Make, tmp_path: Path, root: Path, stop: int) -> None:
    environment = {**os.environ, "PYTHONPATH": str(root)}
    command = [sys.executable, "-c", KILLED, str(tmp_path / "kept"), str(stop), str(root / "tests/rag")]
    done = subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    collection = make(tmp_path / "kept")
    kept = collection.facts().documents
    assert stop <= kept <= 40
    report = collection.ingest({f"{n}.md": f"# H\n\nText {n}. " + "word " * 2000 for n in range(40)})
    assert report.count("unchanged") == kept and report.documents == 40
    ids = collection._records.passage_ids()
    # Its texts repeat, and a search shows each once: what the index holds is asked of itself.
    assert len(ids) == report.passages and collection._opened_index().ids() == ids
    check_offsets(collection, "text")


READ_ONLY = """
import os, sys
sys.path.insert(0, sys.argv[2])
from conftest import HashEmbedder
from kaggle_magics.rag.collection import Collection
warm = Collection(None, name="w", embedder=HashEmbedder(), store="numpy")  # import all while everything can be read
warm.ingest({"a": "Text."})
warm.search("text")
warm.close()
os.setuid(65534)
collection = Collection(sys.argv[1], name="k", embedder=HashEmbedder(), store="numpy")
print(collection.search("tide")[0].passage.text, collection.facts().temporary, *collection.facts().warnings)
collection.ingest({"b": "More."})
print(collection.facts().documents)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become another user")
def test_a_read_only_folder_is_copied(make: Make, root: Path) -> None:
    base = Path(tempfile.gettempdir()) / f"km-read-only-{os.getpid()}"  # tmp_path is closed to other users
    try:
        collection = make(base / "kept")
        collection.ingest({"a": "The tide is high."})
        collection.close()
        (base / "cache").mkdir()
        (base / "cache").chmod(0o777)
        environment = {**os.environ, "PYTHONPATH": str(root), "KAGGLE_MAGICS_CACHE": str(base / "cache")}
        command = [sys.executable, "-c", READ_ONLY, str(base / "kept"), str(root / "tests/rag")]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        assert (
            done.stdout.startswith("The tide is high. True")
            and "read-only" in done.stdout
            and done.stdout.endswith("2\n")
        )
        again = make(base / "kept")
        assert again.facts().documents == 1
    finally:
        shutil.rmtree(base, ignore_errors=True)


def test_a_folder_that_cannot_be_made_is_named(make: Make) -> None:
    with pytest.raises(CollectionError, match="cannot be written to"):
        make(Path("/proc/nothing/here"))
