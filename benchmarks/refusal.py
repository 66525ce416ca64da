"""Whether what was found can hold the answer, told without any model: against the dense top score, in one run.

    python benchmarks/refusal.py
    python benchmarks/refusal.py --embedder all-MiniLM-L6-v2 --data small.json --questions 50

The data is a file in SQuAD v2's form; its paragraphs are one collection. "taken out" compares the answerable questions
with the same ones after their paragraph was taken out of what is found; "to deceive" with the set's unanswerable ones.
Each figure is an AUROC: 1 tells them apart, 0.5 is chance. "answer not elsewhere" leaves out the questions whose answer
stands, word for word, in another paragraph too, which may answer them still. "tuned on" in the notes says what the
weights have seen: figures on SQuAD's slice are in-sample, those on the handbook are not (the threshold has seen both).
"first sentence" is the share of the answerable questions whose answer stands inside the first marked sentence of the
extract, refusals not counted as such (and, in brackets, counted as wrong); "slices" the share of cited passages and
marked sentences that equal the stored text at their offsets. Targets: 0.93 taken out, 0.64 to deceive, 75 % first
sentence, 100 % slices.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from timing import machine

from kaggle_magics.rag.answering.answer import extractive
from kaggle_magics.rag.answering.evidence import POOL, Evidence, weigh
from kaggle_magics.rag.collection import Collection
from kaggle_magics.rag.passages import Hit

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("KAGGLE_MAGICS_SHARED", ROOT.parent / "shared"))
DATA = SHARED / "data/questions/squad-v2-small/small.json"
PASSAGES = 5


def auroc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """The share of pairs that are in the right order, ties half (Mann-Whitney U)."""
    pairs = len(positive) * len(negative)
    won = sum((one > other) + 0.5 * (one == other) for one in positive for other in negative)
    return won / pairs if pairs else float("nan")


def dense(pool: Sequence[Hit]) -> float:
    return max((hit.scores.get("dense", 0.0) for hit in pool), default=0.0)


class Tally:
    """Baseline and evidence of some questions, and how they are refused."""

    def __init__(self) -> None:
        self.dense: list[float] = []
        self.score: list[float] = []
        self.refused: list[bool] = []

    def add(self, pool: Sequence[Hit], evidence: Evidence) -> None:
        self.dense.append(dense(pool))
        self.score.append(evidence.score)
        self.refused.append(not evidence.enough)

    def at(self, places: Sequence[int]) -> Tally:
        chosen = Tally()
        for name in ("dense", "score", "refused"):
            setattr(chosen, name, [getattr(self, name)[place] for place in places])
        return chosen


def row(name: str, positive: Tally, negative: Tally) -> str:
    share = 100 * sum(negative.refused) / max(1, len(negative.refused))
    return (
        f"| {name} | {len(positive.score)} / {len(negative.score)} | {auroc(positive.dense, negative.dense):.3f} "
        f"| {auroc(positive.score, negative.score):.3f} | {share:.0f} % |"
    )


def squad(path: Path, embedder: str | None, most: int | None) -> None:
    articles = json.loads(path.read_text(encoding="utf-8"))["data"]
    texts, questions = {}, []
    for article in articles:
        for number, paragraph in enumerate(article["paragraphs"]):
            source = f"{article['title']}-{number}.txt"
            texts[source] = paragraph["context"]
            questions += [(source, question) for question in paragraph["qas"]]
    questions = questions[:most]
    collection = Collection(None, name="squad", embedder=embedder, store="numpy")
    collection.ingest(texts)
    model = collection.embedder
    there, gone, deceiving = Tally(), Tally(), Tally()
    elsewhere: list[bool] = []
    right, given, equal, slices = 0, 0, 0, 0
    seconds = 0.0
    for source, question in questions:
        text = question["question"]
        found = collection.search(text, passages=POOL + 3)
        pool = found[:POOL]
        begin = time.perf_counter()
        evidence = weigh(text, pool, model)
        seconds += time.perf_counter() - begin
        if question["is_impossible"]:
            deceiving.add(pool, evidence)
            continue
        there.add(pool, evidence)
        rest = [hit for hit in found if hit.passage.source != source][:POOL]
        gone.add(rest, weigh(text, rest, model))
        answers = [answer["text"].lower() for answer in question["answers"]]
        elsewhere.append(
            any(answer in texts[other].lower() for other in texts if other != source for answer in answers)
        )
        hits = collection.search(text, passages=PASSAGES)
        done = extractive(text, hits, embedder=model, evidence=replace(evidence, threshold=0.0), pool=pool)
        for citation in done.citations:
            passage = citation.passage
            stored = collection.document_text(passage.document_id)
            slices += 1 + len(citation.spans)
            equal += stored[passage.start : passage.end] == passage.text
            equal += sum(
                stored[passage.start + low : passage.start + high] == passage.text[low:high]
                for low, high in citation.spans
            )
        first = done.claims[0] if done.claims else None
        sentence = ""
        if first is not None and first.number is not None and first.span is not None:
            sentence = hits[first.number - 1].passage.text[slice(*first.span)].lower()
        holds = any(answer in sentence for answer in answers)
        right += holds
        given += holds and evidence.enough
    alone = [place for place, other in enumerate(elsewhere) if not other]
    answered = there.refused.count(False)
    print(f"{len(texts)} paragraphs, {len(questions)} questions, {model.name if model else 'no embedder'}\n")
    print("| against | questions | dense top score | evidence | refused |\n| --- | --- | ---: | ---: | ---: |")
    print(row("taken out", there, gone))
    print(row("taken out, answer not elsewhere", there.at(alone), gone.at(alone)))
    print(row("to deceive", there, deceiving))
    print(f"\nanswerable ones refused: {100 * sum(there.refused) / len(there.refused):.0f} %")
    print(
        f"answer in the first marked sentence: {100 * right / len(there.score):.1f} % "
        f"(where not refused {100 * given / max(1, answered):.1f} %)"
    )
    print(f"slices equal to the stored text: {equal} of {slices}")
    print(f"weighing one question: {1000 * seconds / len(questions):.0f} ms\n")
    collection.close()


def handbook(embedder: str | None) -> None:
    collection = Collection(None, name="handbook", embedder=embedder, store="numpy")
    collection.ingest(ROOT / "examples/handbook")
    lines = (ROOT / "examples/handbook_source/questions.jsonl").read_text(encoding="utf-8").splitlines()
    there, missing = Tally(), Tally()
    for question in map(json.loads, lines):
        pool = collection.search(question["question"], passages=POOL)
        tally = there if question["source"] else missing
        tally.add(pool, weigh(question["question"], pool, collection.embedder))
    print("The example handbook (the weights have not seen it)\n")
    print("| against | questions | dense top score | evidence | refused |\n| --- | --- | ---: | ---: | ---: |")
    print(row("not in the handbook", there, missing))
    print(f"\nanswerable ones refused: {sum(there.refused)} of {len(there.refused)}")
    collection.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="a file in the form of SQuAD v2")
    parser.add_argument("--embedder", help="as for %%rag_ingest; the best at hand by default")
    parser.add_argument("--questions", type=int, help="only the first so many")
    options: Any = parser.parse_args()
    print(machine(), "\n")
    squad(options.data, options.embedder, options.questions)
    handbook(options.embedder)


if __name__ == "__main__":
    main()
