"""A program that ingests, is killed at one point after another, goes on, and compares with an ingest in one go.

    python killing.py STORE HOW FOLDER

HOW is "points:N" (N of all points before and after a writing; "points:all") or "times:N" (N moments by the clock,
anywhere in the time that an ingest in one go took).

Each run is a fork of this process, so that everything is imported once. Prints one JSON object.
"""

from __future__ import annotations

import functools
import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from conftest import HashEmbedder

from kaggle_magics.rag.collection import Collection
from kaggle_magics.rag.embedding.cache import EmbeddingCache
from kaggle_magics.rag.ingesting import run
from kaggle_magics.rag.storing import records
from kaggle_magics.rag.storing.transaction import Transaction

STORE, HOW, FOLDER = sys.argv[1], sys.argv[2], Path(sys.argv[3])
if STORE == "chroma":
    import chromadb  # noqa: F401
run.FIRST, run.MOST, run.SOON = 4, 8, 2  # many groups out of few texts


def write_documents(folder: Path, *, changed: bool) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for number in range(7):
        paragraphs = [f"# Part {part}\n\nFile {number}, tide {part} of {number + 3}.\n\n" for part in range(number + 3)]
        if changed and number % 2:
            paragraphs[1] = "# New\n\nThis was written later.\n\n"
            paragraphs.insert(0, "A first line that moves all others.\n\n")
        if not (changed and number == 4):
            (folder / f"{number}.md").write_text("".join(paragraphs), encoding="utf-8")
    if changed:
        (folder / "added.md").write_text("Wholly new. " * 30, encoding="utf-8")
        os.utime(folder / "0.md", (1, 1))  # only touched


def ingest(kept: Path) -> Any:
    collection = Collection(kept, name="k", embedder=HashEmbedder(), store=STORE)
    report = collection.ingest(FOLDER / "docs", prune=True)
    return collection, report


def state(collection: Collection) -> Any:
    """All that a person could notice, in an order that does not depend on how it came there."""
    collection.search("tide", mode="dense")
    assert collection._index is not None
    held = collection._index.ids()
    connection = collection._records._connection
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE sql LIKE '%USING fts5%'").fetchall():
        connection.execute(f"INSERT INTO {name} ({name}, rank) VALUES ('integrity-check', 1)")
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    documents = connection.execute(
        "SELECT id, uri, source, content_hash, splitter, characters, passages, metadata, text "
        "FROM documents ORDER BY uri"
    ).fetchall()
    passages = connection.execute(
        'SELECT p.id, document_id, start, "end", p.text, context, page, "row", hex(vector) '
        "FROM passages p JOIN documents d ON d.id = p.document_id ORDER BY d.uri, start, p.id"
    ).fetchall()
    assert held == {row[0] for row in passages}, "the vector index is not what the records are"
    for passage in passages:
        text = next(document[-1] for document in documents if document[0] == passage[1])
        assert text[passage[2] : passage[3]] == passage[4]
    words = sorted(hit.passage.id for hit in collection.search("tide", mode="lexical", passages=500))
    near = {key for key, _ in collection._index.search(HashEmbedder().embed_query("tide"), 500)}
    assert near == held, "the vector index does not find all that it holds"
    return json.loads(json.dumps([documents, passages, words]))


def forked(work: Callable[[], Any]) -> tuple[int, Any]:
    """Exit status and result of `work` in a fork."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reading)
            result = json.dumps(work()).encode()
            with os.fdopen(writing, "wb") as pipe:
                pipe.write(result)
            status = 0
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        data = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return status, json.loads(data) if data else None


class Points:
    """Counts calls of what writes, before and after each, and kills the process at the one that was chosen."""

    def __init__(self, at: int | None) -> None:
        self.at, self.count = at, 0

    def hook(self, owner: Any, name: str) -> None:
        inner = getattr(owner, name)

        @functools.wraps(inner)
        def hooked(*given: Any, **named: Any) -> Any:
            self.reached()
            result = inner(*given, **named)
            self.reached()
            return result

        setattr(owner, name, hooked)

    def reached(self) -> None:
        if self.count == self.at:
            os.kill(os.getpid(), signal.SIGKILL)
        self.count += 1

    def everywhere(self) -> None:
        from kaggle_magics.rag.vectors.chroma_index import ChromaIndex
        from kaggle_magics.rag.vectors.numpy_index import NumpyIndex

        for owner, names in (
            (records.Records, ("store", "remove", "touch", "set_meta")),
            (records, ("store", "remove")),
            (Transaction, ("__enter__", "__exit__")),
            (EmbeddingCache, ("_write",)),
            (ChromaIndex, ("add", "remove")),
            (NumpyIndex, ("add", "remove")),
        ):
            for name in names:
                self.hook(owner, name)


def changed_ingest(kept: Path, at: int | None) -> int:
    """The second ingest, with an open index, killed at a point; else how many points there are."""
    collection = Collection(kept, name="k", embedder=HashEmbedder(), store=STORE)
    collection.search("tide", mode="dense")
    points = Points(at)
    points.everywhere()
    collection.ingest(FOLDER / "docs", prune=True)
    collection.close()
    return points.count


def done(kept: Path) -> Any:
    collection, report = ingest(kept)
    found = state(collection)
    rows = sorted((Path(row.source).name, row.status) for row in report.rows)
    collection.close()
    return [found, rows]


def main() -> None:
    kind, _, number = HOW.partition(":")
    os.environ["KAGGLE_MAGICS_CACHE"] = str(FOLDER / "cache")
    first, one_go = FOLDER / "first", FOLDER / "one-go"
    write_documents(FOLDER / "docs", changed=False)
    assert forked(lambda: ingest(first)[0].close())[0] == 0
    write_documents(FOLDER / "docs", changed=True)
    shutil.copytree(first, one_go)
    begin = time.perf_counter()
    status, points = forked(lambda: changed_ingest(one_go, None))
    lasted = time.perf_counter() - begin
    assert status == 0
    status, expected = forked(lambda: done(one_go))
    assert status == 0 and {row[1] for row in expected[1]} == {"unchanged"}
    choose = random.Random(6)
    begin = time.perf_counter()
    killed = 0
    plan: list[Any]
    if kind == "points":
        plan = list(range(points)) if number == "all" else sorted(choose.sample(range(points), int(number)))
    else:
        plan = [choose.random() for _ in range(int(number))]
    for turn, at in enumerate(plan):
        kept = FOLDER / f"kept-{turn}"
        shutil.copytree(first, kept)
        shutil.rmtree(FOLDER / "cache", ignore_errors=True)
        if kind == "points":
            status, _ = forked(lambda kept=kept, at=at: changed_ingest(kept, at))
        else:
            status = killed_after(lasted * at, lambda kept=kept: changed_ingest(kept, None))
        killed += status == -signal.SIGKILL
        if turn % 2:  # the cache only saves work
            shutil.rmtree(FOLDER / "cache", ignore_errors=True)
        status, found = forked(lambda kept=kept: done(kept))
        assert status == 0, f"it cannot go on after a kill at {at}"
        assert found[0] == expected[0], f"after a kill at {at} it is not what it is in one go"
        shutil.rmtree(kept)
    print(json.dumps({"points": points, "tried": len(plan), "killed": killed, "seconds": time.perf_counter() - begin}))


def killed_after(seconds: float, work: Callable[[], Any]) -> int:
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    main()
