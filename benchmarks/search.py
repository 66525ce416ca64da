"""How long a search takes without embedding the question: each vector index, at 10,000 and 100,000 passages.

    python benchmarks/search.py
    python benchmarks/search.py --passages 10000 --stores numpy faiss

Texts are made of words with Zipf's frequencies (exponent 1, 50,000 words, the most frequent ones being English function
words), 60 words a passage; vectors have 384 numbers and the decaying spectrum of sentence embeddings (64 directions of
falling weight, and noise). Questions are six words of a passage, two of another and two function words; their vectors
are drawn as the passages' are. The embedder costs nothing, so what is timed is `Collection.search` as a whole: both
legs, their fusion and the passages from SQLite. The stores take turns question by question; medians over all
questions. `index` is the vector index alone for 50 candidates, and `recall@10` how many of the ten nearest passages
by exact comparison it finds. `open` is opening the kept collection up to its first answer, `rebuild` the same after the
index's files were deleted. Targets: 5 ms at 10,000 passages, 40 ms at 100,000 (hybrid).
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from timing import machine

from kaggle_magics.rag.collection import Collection
from kaggle_magics.rag.embedding.protocol import Vectors, unit
from kaggle_magics.rag.finding.words import STOP_WORDS
from kaggle_magics.rag.vectors.keeping import compared

TARGETS_MS = {10_000: 5.0, 100_000: 40.0}
DIMENSION, DIRECTIONS = 384, 64
WORDS = sorted(STOP_WORDS) + [f"word{number}" for number in range(50_000 - len(STOP_WORDS))]
FREQUENCY = np.cumsum(1 / np.arange(1, len(WORDS) + 1))
FREQUENCY /= FREQUENCY[-1]


class FreeEmbedder:
    """A vector by the hash of its text, made in microseconds."""

    name, identity, dimension, max_tokens = "free", "free@1", DIMENSION, 10_000

    def __init__(self) -> None:
        choose = np.random.default_rng(0)
        weights = 1 / np.sqrt(np.arange(1, DIRECTIONS + 1))
        self._directions = (choose.normal(size=(DIRECTIONS, DIMENSION)) * weights[:, None]).astype(np.float32)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text) // 4 for text in texts]

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        seeds = [int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") for text in texts]
        drawn = np.stack([np.random.Generator(np.random.SFC64(seed)).normal(size=DIRECTIONS + 8) for seed in seeds])
        noise = np.tile(drawn[:, -8:], (1, DIMENSION // 8)) * 0.2
        return unit(drawn[:, :DIRECTIONS] @ self._directions + noise)

    def embed_query(self, text: str) -> Vectors:
        vector: Vectors = self.embed_documents([text])[0]
        return vector


def texts(count: int) -> list[str]:
    choose = np.random.default_rng(1)
    drawn = np.searchsorted(FREQUENCY, choose.random((count, 60)))
    return [" ".join(WORDS[at] for at in row).capitalize() + "." for row in drawn]


def questions(passages: list[str], count: int) -> list[str]:
    choose = np.random.default_rng(2)
    made = []
    for _ in range(count):
        one, other = (
            [word for word in passages[at].lower().rstrip(".").split() if word not in STOP_WORDS]
            for at in choose.integers(len(passages), size=2)
        )
        made.append("what is " + " ".join([*choose.choice(one, 6), *choose.choice(other, 2)]) + "?")
    return made


def fill(folder: Path, passages: list[str], embedder: FreeEmbedder) -> None:
    """One document of fifty passages each, a paragraph a passage."""
    collection = Collection(folder, name="bench", embedder=embedder, store="numpy")
    for start in range(0, len(passages), 5000):
        documents = {
            f"{at}.txt": "\n\n".join(passages[at : at + 50])
            for at in range(start, min(start + 5000, len(passages)), 50)
        }
        collection.ingest(documents, chunk_size=420, chunk_overlap=0)
    count = collection.facts().passages
    collection.close()
    print(f"{count} passages, {folder.joinpath('records.sqlite').stat().st_size / 1e6:.0f} MB of records")


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    begin = time.perf_counter()
    result = work()
    return time.perf_counter() - begin, result


def opened(folder: Path, store: str, embedder: FreeEmbedder, question: str) -> tuple[float, Collection]:
    def work() -> Collection:
        collection = Collection(folder, name="bench", embedder=embedder, store=store)
        collection.search(question)
        return collection

    return timed(work)


def measure(passages: int, stores: list[str], asked: int, work: Path) -> None:
    embedder = FreeEmbedder()
    corpus = texts(passages)
    ask = questions(corpus, asked)
    base = work / str(passages)
    seconds, _ = timed(lambda: fill(base, corpus, embedder))
    print(f"made in {seconds:.0f} s\n")
    collections: dict[str, Collection] = {}
    times: dict[str, dict[str, list[float]]] = {}
    opening: dict[str, tuple[float, float]] = {}
    for store in stores:
        folder = work / f"{passages}-{store}"
        shutil.copytree(base, folder)
        built, collection = opened(folder, store, embedder, ask[0])
        collection.close()
        again, collections[store] = opened(folder, store, embedder, ask[0])
        opening[store] = (again, built)
        times[store] = {"hybrid": [], "dense": [], "index": [], "recall": []}
    lexical: list[float] = []
    every = collections[stores[0]]._records.passage_ids()
    for number, question in enumerate(ask):
        vector = embedder.embed_query(question)
        exact = None
        if number < 50:
            exact = {key for key, _ in compared(collections[stores[0]]._records, vector, every)[:10]}
        for store, collection in collections.items():
            index = collection._opened_index()
            times[store]["hybrid"].append(timed(lambda: collection.search(question))[0])  # noqa: B023 - called at once
            times[store]["dense"].append(timed(lambda: collection.search(question, mode="dense"))[0])  # noqa: B023
            times[store]["index"].append(timed(lambda: index.search(vector, 50))[0])  # noqa: B023
            if exact is not None:
                found = {key for key, _ in index.search(vector, 10)}
                times[store]["recall"].append(len(found & exact) / 10)
        lexical.append(timed(lambda: collections[stores[0]].search(question, mode="lexical"))[0])  # noqa: B023
    target = TARGETS_MS.get(passages)
    print(f"{asked} questions, milliseconds, medians; by words alone {1000 * statistics.median(lexical):.1f}\n")
    print("| store | hybrid | dense | index | recall@10 | open s | rebuild s | hybrid, target |\n|---|" + "---:|" * 7)
    for store, taken in times.items():
        hybrid, dense, alone = (1000 * statistics.median(taken[name]) for name in ("hybrid", "dense", "index"))
        again, built = opening[store]
        verdict = "" if target is None else f"{target:g} ms: " + ("met" if hybrid <= target else "**missed**")
        milliseconds = f"{hybrid:.1f} | {dense:.1f} | {alone:.1f}"
        rest = f"{statistics.mean(taken['recall']):.3f} | {again:.2f} | {built:.2f} | {verdict}"
        print(f"| {store} | {milliseconds} | {rest} |")
    print()
    for collection in collections.values():
        collection.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--passages", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--stores", nargs="+", default=["numpy", "faiss", "chroma", "chroma-memory"])
    parser.add_argument("--questions", type=int, default=100)
    options = parser.parse_args()
    print(f"\n### Search\n\n{machine()}\n")
    with tempfile.TemporaryDirectory() as work:
        for count in options.passages:
            measure(count, options.stores, options.questions, Path(work))


if __name__ == "__main__":
    main()
