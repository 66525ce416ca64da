"""What an ingest does to what is there: edits, moves, touches, prunes; reading ahead; progress; two processes."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.display.ingest import ingest_line, ingest_view
from kaggle_magics.errors import CollectionError
from kaggle_magics.rag.collection import Collection
from kaggle_magics.rag.ingesting.preparing import Preparing
from kaggle_magics.rag.ingesting.progress import IngestProgress, Meter
from kaggle_magics.rag.ingesting.pruning import vanished
from kaggle_magics.rag.ingesting.readahead import Readahead
from kaggle_magics.rag.ingesting.report import IngestReport, IngestRow
from kaggle_magics.rag.sources.files import file_signature

Make = Callable[..., Collection]


def paragraphs(count: int, seed: int = 1) -> list[str]:
    choose = random.Random(seed)
    return [" ".join(f"word{choose.randint(0, 5000)}" for _ in range(choose.randint(20, 90))) for _ in range(count)]


def passages(collection: Collection) -> dict[str, tuple[int, int, str, bytes]]:
    query = 'SELECT id, start, "end", text, vector FROM passages'
    return {key: tuple(rest) for key, *rest in collection._records._connection.execute(query)}


def forget_cache() -> None:
    shutil.rmtree(os.environ["KAGGLE_MAGICS_CACHE"])


# Edits


@pytest.mark.parametrize("sizes", [{}, {"chunk_size": 1000, "chunk_overlap": 20}])
def test_one_paragraph_changed_in_a_large_file_embeds_at_most_three_passages(
    make: Make, tmp_path: Path, embedder: Any, sizes: dict[str, int]
) -> None:
    path, parts = tmp_path / "large.txt", paragraphs(2600)
    path.write_text("\n\n".join(parts), encoding="utf-8")
    assert path.stat().st_size > 1_000_000
    collection = make()
    collection.ingest(path, **sizes)
    before, count = passages(collection), len(embedder.texts)
    rows = dict(collection._records._connection.execute("SELECT id, number FROM passages"))
    parts[1300] = "Another paragraph stands here now."
    path.write_text("\n\n".join(parts), encoding="utf-8")
    forget_cache()  # the records know the vectors, too
    report = collection.ingest(path, **sizes)
    after = passages(collection)
    assert len(embedder.texts) - count == report.embedded <= 3
    assert (report.rows[0].embedded, report.rows[0].status) == (report.embedded, "updated")
    assert report.reused == len(after) - report.embedded
    kept = before.keys() & after.keys()
    assert len(after) - len(kept) <= 3 and all(before[key][2:] == after[key][2:] for key in kept)
    numbers = dict(collection._records._connection.execute("SELECT id, number FROM passages"))
    assert all(rows[key] == numbers[key] for key in kept), "rows that stay are the same rows"
    text = path.read_text(encoding="utf-8")
    assert all(text[start:end] == passage for start, end, passage, _ in after.values())
    assert any(before[key][0] != after[key][0] for key in kept), "those behind the change have moved"


def test_equal_passages_of_one_file_stay_apart_and_go_one_by_one(make: Make, embedder: Any) -> None:
    collection = make()
    thrice = "# A\n\nThe tide.\n\n# A\n\nThe tide.\n\n# A\n\nThe tide.\n"
    assert collection.ingest({"t.md": thrice}).passages == 3 and len(embedder.texts) == 1
    first = passages(collection)
    report = collection.ingest({"t.md": thrice[: thrice.rindex("# A")]})
    assert report.passages == 2 and report.embedded == 0 and passages(collection).keys() < first.keys()
    assert collection.ingest({"t.md": thrice}).passages == 3 and passages(collection).keys() == first.keys()
    assert {hit.passage.text for hit in collection.search("tide")} == {"The tide."}


def test_a_renamed_file_is_not_embedded_again(make: Make, tmp_path: Path, embedder: Any) -> None:
    collection = make()
    (tmp_path / "a.txt").write_text("The tide is high.", encoding="utf-8")
    collection.ingest(tmp_path / "a.txt")
    forget_cache()
    (tmp_path / "a.txt").rename(tmp_path / "b.txt")
    report = collection.ingest(tmp_path, prune=True)
    assert [(row.source[-5:], row.status, row.embedded) for row in report.rows] == [
        ("b.txt", "added", 0),
        ("a.txt", "removed", 0),
    ]
    assert len(embedder.texts) == 1 and report.documents == 1 and report.reused == 1


def test_random_edits_end_where_a_fresh_collection_does(make: Make, tmp_path: Path) -> None:
    choose, path = random.Random(7), tmp_path / "edited.md"
    parts = [f"## Head {number % 5}\n\n{text}" for number, text in enumerate(paragraphs(30))]
    edited = make(store="numpy")
    for _ in range(12):
        action, at = choose.choice(["add", "drop", "move", "repeat"]), choose.randrange(len(parts))
        if action == "add":
            parts.insert(at, paragraphs(1, choose.randint(0, 10**6))[0])
        elif action == "drop" and len(parts) > 5:
            del parts[at]
        elif action == "move":
            parts.insert(choose.randrange(len(parts)), parts.pop(at))
        else:
            parts.insert(at, parts[at])
        path.write_text("\n\n".join(parts), encoding="utf-8")
        edited.ingest(path)
        edited.search("word1", mode="dense")
        assert edited._index.ids() == passages(edited).keys()
    fresh = make()
    fresh.ingest(path)
    assert passages(edited) == passages(fresh)
    words = {hit.passage.id for hit in fresh.search("word1 word2 word30", mode="lexical", passages=200)}
    assert {hit.passage.id for hit in edited.search("word1 word2 word30", mode="lexical", passages=200)} == words


# Unchanged


def test_an_unchanged_file_is_not_read_and_a_changed_one_is_however_it_is_hidden(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kaggle_magics.rag.sources.files._RACY", 0.02)
    path = tmp_path / "a.txt"
    path.write_text("The tide is high.", encoding="utf-8")
    times = path.stat()
    time.sleep(0.05)
    collection = make()
    collection.ingest(path)
    read: list[str] = []
    inner = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda self: read.append(self.name) or inner(self))
    assert collection.ingest(path).count("unchanged") == 1 and read == []
    # Same size, same modification time: the change time tells.
    path.write_text("The tide is deep.", encoding="utf-8")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert collection.ingest(path).count("updated") == 1
    assert collection.search("deep", mode="lexical")
    # Only touched: read once, and not again.
    time.sleep(0.05)
    collection.ingest(path)
    read.clear()
    os.utime(path)
    time.sleep(0.05)
    assert collection.ingest(path).count("unchanged") == 1 and collection.ingest(path).count("unchanged") == 1
    assert len(read) <= 1


def test_a_file_of_a_moment_ago_has_no_signature(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("Text.", encoding="utf-8")
    assert file_signature(path) == ""
    with pytest.raises(FileNotFoundError):
        file_signature(tmp_path / "none")


# Pruning


def test_prune_removes_what_is_gone_below_the_paths_and_nothing_else(make: Make, tmp_path: Path) -> None:
    for name in ("docs/a.txt", "docs/deep/b.txt", "docs-2/c.txt", "other/d.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"Text of {name}.", encoding="utf-8")
    collection = make()
    collection.ingest([tmp_path, {"note": "A text."}])
    for name in ("docs/deep/b.txt", "docs-2/c.txt", "other/d.txt"):
        (tmp_path / name).unlink()
    assert collection.ingest(tmp_path / "docs").documents == 5, "nothing goes unless asked"
    report = collection.ingest(tmp_path / "docs", prune=True)
    assert [(Path(row.source).name, row.status, row.passages) for row in report.rows] == [
        ("a.txt", "unchanged", 1),
        ("b.txt", "removed", 1),
    ]
    assert report.documents == 4 and not collection.search("deep", mode="lexical")
    with pytest.raises(Exception, match="no file or folder"):
        collection.ingest(tmp_path / "nowhere", prune=True)
    report = collection.ingest([tmp_path / "docs/a.txt", tmp_path / "other/d.txt"], prune=True)
    assert [row.status for row in report.rows] == ["unchanged", "skipped", "removed"] and report.documents == 3
    report = collection.ingest({"other note": "B."}, prune=True)
    assert report.documents == 4, "a text covers no other"


def test_prune_follows_an_archive_and_keeps_it_while_it_cannot_be_read(make: Make, tmp_path: Path) -> None:
    def pack(*names: str) -> None:
        with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
            for name in names:
                archive.writestr(name, f"Text of {name}.")

    collection = make()
    pack("a.txt", "b.txt")
    assert collection.ingest(tmp_path).documents == 2
    whole = (tmp_path / "z.zip").read_bytes()
    (tmp_path / "z.zip").write_bytes(b"PK no archive")
    report = collection.ingest(tmp_path, prune=True)
    assert report.documents == 2 and [row.status for row in report.rows] == ["skipped"]
    (tmp_path / "z.zip").write_bytes(whole)
    pack("b.txt")
    report = collection.ingest(tmp_path, prune=True)
    assert [row.status for row in report.rows] == ["unchanged", "removed"] and report.documents == 1


def test_what_is_covered(tmp_path: Path) -> None:
    base = tmp_path.as_posix()
    stored = [f"{base}/a.md", f"{base}/x/b.md", f"{base}/x/.h/c.md", f"{base}/z.zip!in.txt", "text:n", f"{base}/ab.md"]

    def gone(*paths: str, unread: tuple[str, ...] = ()) -> list[str]:
        return [uri.removeprefix(base) for uri in vanished([f"{base}{path}" for path in paths], stored, set(), unread)]

    assert gone("/a.md") == ["/a.md"] and gone("/*.md") == ["/a.md", "/ab.md"]
    assert gone("/**/*.md") == ["/a.md", "/x/b.md", "/ab.md"] and gone("/x") == ["/x/b.md", "/x/.h/c.md"]
    assert gone("/z.zip") == ["/z.zip!in.txt"] and gone("/z.zip", unread=(f"{base}/z.zip",)) == []
    assert gone("") == [uri.removeprefix(base) for uri in stored if uri != "text:n"]
    (tmp_path / "a.md").touch()
    assert gone("/a.md") == [], "a file that is there stays, whatever was found"


# Reading ahead


def test_reading_runs_ahead_within_its_bound_and_in_order() -> None:
    started: list[int] = []
    with Readahead(range(20), lambda item: started.append(item) or item, lambda item: 10, limit=30) as ahead:
        results = iter(ahead)
        assert next(results) == 0
        for _ in range(200):
            if len(started) >= 4:
                break
            time.sleep(0.01)
        time.sleep(0.05)
        assert len(started) <= 6, "what waits is bounded"
        assert list(results) == list(range(1, 20))


def test_an_error_while_reading_is_raised_where_its_result_was_due() -> None:
    def work(item: int) -> int:
        if item == 3:
            raise OSError("no more")
        return item

    seen = []
    with pytest.raises(OSError, match="no more"), Readahead(range(9), work, lambda item: 1) as ahead:
        for item in ahead:
            seen.append(item)
    assert seen == [0, 1, 2] and not any(thread.name.startswith("kaggle_magics r") for thread in threading.enumerate())


def test_leaving_early_ends_the_thread() -> None:
    def endless() -> Iterator[int]:
        number = 0
        while True:
            yield (number := number + 1)

    with Readahead(endless(), lambda item: item, lambda item: 1, limit=5) as ahead:
        assert next(iter(ahead)) == 1
    assert not any(thread.name.startswith("kaggle_magics r") for thread in threading.enumerate())


def test_sqlite_is_used_by_the_calling_thread_only(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: set[int] = set()
    inner = Preparing.__call__

    def noted(self: Any, *given: Any, **named: Any) -> Any:
        threads.add(threading.get_ident())
        return inner(self, *given, **named)

    monkeypatch.setattr(Preparing, "__call__", noted)
    collection = make()
    connection = collection._records._connection
    used: set[int] = set()
    connection.set_trace_callback(lambda statement: used.add(threading.get_ident()))
    collection.ingest({f"{number}": f"Text {number}." for number in range(50)})
    assert used == {threading.get_ident()} and threads.isdisjoint(used)


# Progress and report


def test_time_left_is_estimated_from_what_took_time() -> None:
    told: list[IngestProgress] = []
    meter = Meter({0: 100.0, 1: 300.0, 2: 600.0}, told.append)
    meter._begin -= 10
    meter.finish(0, worked=False)
    meter.show("a")
    assert told[-1].seconds_left is None and told[-1].fraction == pytest.approx(0.1)
    meter.show("b", group=300.0, embedded=5, to_embed=10)
    assert told[-1].seconds_left == pytest.approx(50, rel=0.05) and told[-1].passages == 5
    meter.finish(1, worked=True)
    meter.finish(2, worked=True)
    meter.show("c")
    assert told[-1].seconds_left == 0 and (told[-1].done, told[-1].total, told[-1].fraction) == (3, 3, 1.0)


def test_progress_goes_on_within_one_large_file(make: Make, embedder: Any) -> None:
    seen: list[IngestProgress] = []
    make().ingest({"large": "\n\n".join(paragraphs(1500))}, on_progress=seen.append)
    fractions = [step.fraction for step in seen]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    assert any(0 < fraction < 1 for fraction in fractions), "a bar that is not stuck at 0 %"
    middle = next(step for step in seen if 0 < step.fraction < 1)
    assert f"{middle.fraction:.0%} of 1 document" in ingest_line(middle)


def test_the_line_of_progress() -> None:
    line = ingest_line(IngestProgress(3, 12, "r.pdf", 0, 0, 420, 12.0, 80.0, 0.3))
    assert line == "3 of 12 documents · 420 passages · 35 passages/s · about 1 min 20 s left · r.pdf"
    assert ingest_line(IngestProgress(0, 2, "a")) == "0 of 2 documents · a"


def test_the_report_puts_what_was_skipped_first_and_folds() -> None:
    rows = [IngestRow(f"good-{number}", "added", "", 2, 100, 3, 1, 2, 1) for number in range(40)]
    rows.insert(30, IngestRow("bad <b>.pdf", "skipped", "it is encrypted"))
    report = IngestReport(tuple(rows), "default", 40, 120, 80, "minilm", 3.2, (), 40, left=2)
    view = ingest_view(report)
    for text in (view.text, view.markdown, view.html):
        assert "it is encrypted" in text and text.index("encrypted") < text.index("good-0")
        assert "SKIPPED" in text and "Interrupted: 2 documents are left" in text
        assert "80 pages" in text and "4,000 characters" in text and "80 embedded, 40 reused" in text
    assert "<details" in view.html and "good-39" in view.html and "good-39" not in view.text
    assert "<b>.pdf" not in view.html and "21 more documents" in view.text
    total = report.totals
    assert (total.pages, total.characters, total.passages, total.recognised) == (80, 4000, 120, 40)
    pytest.importorskip("pandas", reason="pandas is not installed")
    frame = report.to_pandas()
    assert {"recognised", "embedded", "reused", "seconds"} <= set(frame) and len(frame) == 41


# Two processes

HOLDER = """
import sys, time
sys.path.insert(0, sys.argv[2])
from conftest import HashEmbedder
from kaggle_magics.rag.collection import Collection
collection = Collection(sys.argv[1], name="k", embedder=HashEmbedder(), store="numpy")
collection.ingest({"a": "The tide is high."})
print("open", flush=True)
for line in sys.stdin:
    if line.strip() == "more":
        for number in range(30):
            collection.ingest({f"{number}": f"Boat {number}. " * 200})
        print("stored", flush=True)
    else:
        collection.close()
        print("closed", flush=True)
"""


@pytest.fixture
def holder(tmp_path: Path, root: Path) -> Iterator[Any]:
    """Another process that has the collection in `tmp_path / "kept"` open."""
    environment = {**os.environ, "PYTHONPATH": str(root), "JPY_SESSION_NAME": "/home/x/other.ipynb"}
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "kept"), str(root / "tests/rag")]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "open\n"
        yield process
        process.kill()


def test_a_second_process_is_told_who_waits_or_reads_a_copy(make: Make, tmp_path: Path, holder: Any) -> None:
    kept = tmp_path / "kept"
    with pytest.raises(
        CollectionError, match=rf"in use by process {holder.pid} \(other\.ipynb\).*--wait SECONDS.*--read-only"
    ):
        make(kept)
    begin = time.monotonic()
    with pytest.raises(CollectionError, match="in use by"):
        make(kept, wait=0.3)
    assert 0.3 <= time.monotonic() - begin < 5
    holder.stdin.write("more\n")
    holder.stdin.flush()
    counts = set()
    for _ in range(4):  # while the other one writes
        copy = make(kept, read_only=True)
        assert copy._records._connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert copy.search("tide")[0].passage.source == "a" and copy.temporary
        facts = copy.facts()
        assert facts.passages == sum(source.passages for source in facts.sources)
        counts.add(facts.documents)
        copy.ingest({"mine": "Only in the copy."})
    assert holder.stdout.readline() == "stored\n" and all(1 <= count <= 31 for count in counts)
    threading.Timer(0.3, lambda: (holder.stdin.write("close\n"), holder.stdin.flush())).start()
    waited = make(kept, wait=30)
    assert waited.facts().documents == 31 and not waited.search("copy", mode="lexical")


def test_reading_a_copy_of_nothing_is_named(make: Make, tmp_path: Path) -> None:
    with pytest.raises(CollectionError, match="holds no collection"):
        make(tmp_path / "none", read_only=True)
    assert not (tmp_path / "none").exists()
