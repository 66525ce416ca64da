"""What the default splitter finds, against LangChain's recursive one at 1000/20 searched by vectors, on marked spans.

    python benchmarks/chunking.py [--data FOLDER] [--context 4000] [--embedder all-MiniLM-L6-v2]

The folder has the form of Chroma's chunking-evaluation: `corpora/*.md` and `questions.csv` with the spans that answer
each question. All corpora are ingested into one collection; every question is searched in it by `Collection.search`.
Passages are taken whole, best first, as long as they fit into the context; the first that does not fit ends it.

- whole: the share of questions of which every reference lies wholly in what was taken (white space between two
  passages that touch counts as taken, white space around a reference need not be);
- recall, precision, IoU: characters of references and of what was taken, as in chunking-evaluation.

Targets: whole at least 0.05 above the baseline's; twice its IoU in the smallest context whose recall is the baseline's.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from timing import machine

from kaggle_magics.rag.collection import Collection
from kaggle_magics.rag.evaluation.metrics import Span, common, length, paired, union

SIZE, OVERLAP = 1000, 20
DEEPEST = 100
"""Passages asked for: more than any context here holds."""
STEP = 100
"""Characters between two contexts that are tried for equal recall."""


@dataclass(frozen=True)
class Question:
    """A question, the corpus it is about, and where its answer stands there."""

    text: str
    corpus: str
    references: tuple[Span, ...]


@dataclass(frozen=True)
class Measured:
    """One question in one context."""

    whole: bool
    recall: float
    precision: float
    iou: float


@dataclass(frozen=True, eq=False)
class Way:
    """How it is split and searched, and what came back: for each question the passages' places, best first."""

    name: str
    passages: int
    found: Sequence[Sequence[tuple[str, int, int]]]


def read_questions(folder: Path) -> tuple[dict[str, str], list[Question]]:
    """Texts by corpus and the questions; asserts that each reference stands where its offsets say."""
    texts = {path.stem: path.read_text(encoding="utf-8") for path in sorted((folder / "corpora").glob("*.md"))}
    questions = []
    with (folder / "questions.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            references = json.loads(row["references"])
            for one in references:
                assert texts[row["corpus_id"]][one["start_index"] : one["end_index"]] == one["content"]
            spans = tuple((one["start_index"], one["end_index"]) for one in references)
            questions.append(Question(row["question"], row["corpus_id"], spans))
    return texts, questions


def search_all(folder: Path, questions: Sequence[Question], embedder: str, **sizes: int) -> dict[str, Way]:
    """Ingest the corpora and ask everything, by vectors and hybrid."""
    collection = Collection(None, name="chunking", embedder=embedder, store="numpy")
    try:
        report = collection.ingest(folder / "corpora", **sizes)
        assert report.count("added") == len(report.rows), report.rows
        if sizes:
            check_langchain(collection, folder)
        kind = f"recursive {SIZE}/{OVERLAP}" if sizes else "default"
        ways = {}
        for mode in ("dense", "hybrid"):
            found = []
            for question in questions:
                hits = collection.search(question.text, mode=mode, passages=DEEPEST)
                found.append([(Path(hit.passage.source).stem, hit.passage.start, hit.passage.end) for hit in hits])
            ways[mode] = Way(f"{kind}, {mode}", report.passages, found)
        return ways
    finally:
        collection.close()


def check_langchain(collection: Collection, folder: Path) -> None:
    """The baseline's passages are LangChain's, as many of them."""
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    splitter = RecursiveCharacterTextSplitter(chunk_size=SIZE, chunk_overlap=OVERLAP)
    theirs = sum(len(splitter.split_text(path.read_text("utf-8"))) for path in (folder / "corpora").glob("*.md"))
    assert collection.facts().passages == theirs


def measure(question: Question, found: Sequence[tuple[str, int, int]], text: str, context: int) -> Measured:
    """What the passages that fit into `context` characters hold of the references."""
    used, mine = 0, []
    for corpus, start, end in found:
        if used + end - start > context:
            break
        used += end - start
        if corpus == question.corpus:
            mine.append((start, end))
    wanted, hit = length(question.references), common(question.references, mine)
    whole = all(inside(text, reference, mine) for reference in question.references)
    return Measured(whole, hit / wanted, hit / used if used else 0.0, hit / (used + wanted - hit))


def inside(text: str, reference: Span, taken: Sequence[Span]) -> bool:
    """Whether no character of the reference but white space is missing from `taken`."""
    at, end = reference
    for first, last in union(taken):
        if first > at and text[at : min(first, end)].strip():
            return False
        at = max(at, last)
    return not text[at:end].strip()


def mean(rows: Sequence[Measured], name: str) -> float:
    return fmean(float(getattr(row, name)) for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    beside = Path(__file__).resolve().parent.parent.parent / "shared"
    shared = Path(os.environ.get("KAGGLE_MAGICS_SHARED", beside))
    parser.add_argument("--data", type=Path, default=shared / "data/questions/chunking-tune", help="corpora, questions")
    parser.add_argument("--context", type=int, default=4000, help="characters of passages (default: 4000)")
    parser.add_argument("--embedder", default="all-MiniLM-L6-v2")
    options = parser.parse_args()

    began = time.perf_counter()
    texts, questions = read_questions(options.data)
    recursive = search_all(options.data, questions, options.embedder, chunk_size=SIZE, chunk_overlap=OVERLAP)
    ours = search_all(options.data, questions, options.embedder)
    baseline = recursive["dense"]

    def measured(way: Way, context: int) -> list[Measured]:
        pairs = zip(questions, way.found, strict=True)
        return [measure(question, found, texts[question.corpus], context) for question, found in pairs]

    print(f"\n### Chunking: {len(questions)} questions, {', '.join(texts)}, {options.context:,} characters\n")
    print(f"{machine()}; {options.embedder}\n")
    print("| way | passages | whole | recall | precision | IoU |\n|---|---:|---:|---:|---:|---:|")
    rows = {
        way: measured(way, options.context) for way in (baseline, recursive["hybrid"], ours["dense"], ours["hybrid"])
    }
    for way, row in rows.items():
        shares = [mean(row, name) for name in ("whole", "recall", "precision", "iou")]
        print(f"| {way.name} | {way.passages} | {' | '.join(f'{share:.3f}' for share in shares)} |")
    base = rows[baseline]
    for way in (ours["dense"], ours["hybrid"]):
        gain = paired([row.whole for row in base], [row.whole for row in rows[way]])
        assert gain is not None
        print(
            f"\n{way.name}: whole {gain.mean:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}], "
            f"target +0.05 {'met' if gain.mean >= 0.05 else '**missed**'}; {parts(questions, base, rows[way])}."
        )
        print(
            equal_recall(
                base, [(context, measured(way, context)) for context in range(STEP, options.context + 1, STEP)]
            )
        )
    print(f"\n{time.perf_counter() - began:.0f} s in all; vectors come from the embedding cache where it has them.")


def parts(questions: Sequence[Question], base: Sequence[Measured], rows: Sequence[Measured]) -> str:
    """The gain in each corpus and in either half of the questions, so that none of them makes it alone."""
    groups: dict[str, list[int]] = {}
    for number, question in enumerate(questions):
        groups.setdefault(question.corpus, []).append(number)
        groups.setdefault("even questions" if number % 2 == 0 else "odd questions", []).append(number)
    gains = []
    for name in sorted(groups):
        before = fmean(base[number].whole for number in groups[name])
        after = fmean(rows[number].whole for number in groups[name])
        gains.append(f"{name} {before:.3f} -> {after:.3f}")
    return ", ".join(gains)


def equal_recall(base: Sequence[Measured], contexts: Sequence[tuple[int, Sequence[Measured]]]) -> str:
    """IoU in the smallest context that brings the baseline's recall, against the baseline's."""
    wanted, before = mean(base, "recall"), mean(base, "iou")
    for context, rows in contexts:
        if mean(rows, "recall") >= wanted:
            after = mean(rows, "iou")
            verdict = "met" if after >= 2 * before else "**missed**"
            return (
                f"Its recall is the baseline's ({wanted:.3f}) or better from {context:,} characters on: there "
                f"{mean(rows, 'recall'):.3f} with IoU {after:.3f}, {after / before:.2f}x, target 2x {verdict}."
            )
    return f"Its recall does not reach the baseline's ({wanted:.3f})."


if __name__ == "__main__":
    main()
