"""How well documents are found: nDCG@10, recall@10 and MRR@10 by document, a document counting as its best passage.

    python benchmarks/retrieval.py --data FOLDER [--sets scifact-train squad-v2-small] [--keep FOLDER]

The folder holds sets in BEIR's form (`corpus.jsonl`, `queries.jsonl`, `qrels/*.tsv`) or in SQuAD's (`small.json`: each
paragraph is a document, each answerable question asks for its own). Documents are ingested and searched through
`Collection.ingest` and `Collection.search` with the best embedder at hand; `--keep` keeps the collections for another
run. Baselines in the same run: dense alone (`mode="dense"`); FTS5's own bm25() over whole documents (porter); these two
joined half and half by min-max, and by reciprocal ranks. nDCG is BEIR's: gains are the judgements, discounts log2.

What was tuned was tuned on the half of the questions whose id hashes to an even number; both halves are printed.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import hashlib
import json
import math
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from timing import machine

from kaggle_magics.rag.collection import Collection
from kaggle_magics.rag.finding.fusion import min_max, reciprocal_ranks
from kaggle_magics.rag.finding.words import content_words

TOP = 10
DEEPEST = 60
"""Passages asked for, to have ten documents of them."""
LEAST = {("scifact-train", "hybrid"): 0.75, ("scifact-train", "lexical"): 0.71}


@dataclass(frozen=True)
class Questions:
    """Documents by name, questions by id, and the judgements of each question: document -> gain."""

    documents: dict[str, str]
    questions: dict[str, str]
    judged: dict[str, dict[str, int]]


def read(folder: Path) -> Questions:
    return _beir(folder) if (folder / "corpus.jsonl").exists() else _squad(folder)


def _beir(folder: Path) -> Questions:
    documents = {}
    for line in (folder / "corpus.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        documents[row["_id"]] = f"{row['title']}\n\n{row['text']}"
    judged: dict[str, dict[str, int]] = {}
    for path in sorted((folder / "qrels").glob("*.tsv")):
        with path.open(encoding="utf-8") as file:
            for row in csv.DictReader(file, delimiter="\t"):
                if int(row["score"]) > 0:
                    judged.setdefault(row["query-id"], {})[row["corpus-id"]] = int(row["score"])
    rows = map(json.loads, (folder / "queries.jsonl").read_text(encoding="utf-8").splitlines())
    return Questions(documents, {row["_id"]: row["text"] for row in rows if row["_id"] in judged}, judged)


def _squad(folder: Path) -> Questions:
    found = Questions({}, {}, {})
    for article in json.loads((folder / "small.json").read_text(encoding="utf-8"))["data"]:
        for number, paragraph in enumerate(article["paragraphs"]):
            name = f"{article['title']}-{number}"
            found.documents[name] = paragraph["context"]
            for asked in paragraph["qas"]:
                if not asked["is_impossible"]:
                    found.questions[asked["id"]] = asked["question"]
                    found.judged[asked["id"]] = {name: 1}
    return found


class WholeDocuments:
    """FTS5 as it is: one row a document, any word of the question, its own bm25()."""

    def __init__(self, documents: dict[str, str]) -> None:
        self._connection = sqlite3.connect(":memory:")
        self._connection.execute(
            "CREATE VIRTUAL TABLE d USING fts5 (name UNINDEXED, text, tokenize = 'porter unicode61')"
        )
        self._connection.executemany("INSERT INTO d VALUES (?, ?)", documents.items())

    def search(self, question: str) -> dict[str, float]:
        query = " OR ".join(f'"{word}"' for word in dict.fromkeys(content_words(question)))
        statement = "SELECT name, -bm25(d) FROM d WHERE d MATCH ? ORDER BY bm25(d) LIMIT 100"
        return dict(self._connection.execute(statement, (query,)))


def by_document(collection: Collection, question: str, mode: str) -> dict[str, float]:
    """The best score of each document, in the order of the hits."""
    best: dict[str, float] = {}
    for hit in collection.search(question, mode=mode, passages=DEEPEST):
        for source in (hit.passage.source, *hit.also):
            best.setdefault(source, list(hit.scores.values())[-1])
    return best


def measures(ranking: Sequence[str], judged: dict[str, int]) -> tuple[float, float, float]:
    """nDCG, recall and reciprocal rank of the first `TOP`."""
    gains = [judged.get(name, 0) for name in ranking[:TOP]]
    ideal = sorted(judged.values(), reverse=True)[:TOP]

    def cumulated(values: Sequence[int]) -> float:
        return sum(value / math.log2(rank + 1) for rank, value in enumerate(values, start=1))

    first = next((1 / rank for rank, gain in enumerate(gains, start=1) if gain), 0.0)
    return cumulated(gains) / cumulated(ideal), sum(gain > 0 for gain in gains) / len(judged), first


def is_tuning(question: str) -> bool:
    return int(hashlib.md5(question.encode()).hexdigest(), 16) % 2 == 0


def measure(name: str, data: Questions, folder: Path) -> None:
    with contextlib.closing(Collection(folder, name=name, store="numpy")) as collection:
        started = time.perf_counter()
        report = collection.ingest(data.documents)
        print(
            f"\n## {name}: {len(data.documents)} documents, {report.passages} passages, "
            f"{len(data.questions)} questions; "
            f"{report.embedder}; ingested in {time.perf_counter() - started:.0f} s; weight {collection.weight}"
        )
        plain = WholeDocuments(data.documents)
        found: dict[str, list[tuple[float, float, float]]] = {}
        for key, question in data.questions.items():
            words, near = plain.search(question), by_document(collection, question, "dense")
            ways: dict[str, dict[str, float]] = {
                "dense alone": near,
                "FTS5 alone, whole documents": words,
                "half and half, min-max": min_max(near, words, 0.5),
                "reciprocal ranks": reciprocal_ranks(near, words),
                "lexical": by_document(collection, question, "lexical"),
                "hybrid": by_document(collection, question, "hybrid"),
            }
            for way, scores in ways.items():
                ranking = sorted(scores, key=lambda one: -scores[one])
                found.setdefault(way, []).append(measures(ranking, data.judged[key]))
    _show(name, [is_tuning(key) for key in data.questions], found)


def _show(name: str, tuning: Sequence[bool], found: dict[str, list[tuple[float, float, float]]]) -> None:
    print("\n| way | nDCG@10 | tuned half | other half | recall@10 | MRR@10 | target |")
    print("|---|---:|---:|---:|---:|---:|---:|")

    def mean(rows: Sequence[tuple[float, float, float]], at: int, keep: Callable[[bool], bool] = lambda _: True) -> str:
        return f"{fmean([row[at] for row, tuned in zip(rows, tuning, strict=True) if keep(tuned)] or [0.0]):.4f}"

    for way, rows in found.items():
        target = LEAST.get((name, way), "")
        halves = f"{mean(rows, 0, lambda tuned: tuned)} | {mean(rows, 0, lambda tuned: not tuned)}"
        print(f"| {way} | {mean(rows, 0)} | {halves} | {mean(rows, 1)} | {mean(rows, 2)} | {target} |")


def main() -> None:
    parser = argparse.ArgumentParser()
    beside = Path(__file__).resolve().parent.parent.parent / "shared"
    shared = Path(os.environ.get("KAGGLE_MAGICS_SHARED", beside))
    parser.add_argument("--data", type=Path, default=shared / "data/questions", help="the folder that holds the sets")
    parser.add_argument("--sets", nargs="+", default=["scifact-train", "squad-v2-small"])
    parser.add_argument("--keep", type=Path, help="a folder where the collections stay")
    options = parser.parse_args()
    print(machine())
    for name in options.sets:
        with tempfile.TemporaryDirectory() as temporary:
            measure(name, read(options.data / name), (options.keep or Path(temporary)) / name)


if __name__ == "__main__":
    main()
