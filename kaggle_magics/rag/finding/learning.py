"""The weight of the dense scores, learnt by a collection from itself.

Nobody has judged its passages, but documents say what they are about: a document's first sentence (mostly its title),
or the heading that a passage stands under, is a question that the document's other passages answer. The passage that
the question was taken from is left out of both rankings, its words too. Of all weights the one is taken that ranks the
other passages best, as nDCG@10, less `PRIOR` times its squared distance from `fusion.EVEN`: questions that both legs
answer alike leave it there.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

import numpy as np

from kaggle_magics.rag.embedding.protocol import Embedder, Vectors
from kaggle_magics.rag.evaluation.metrics import ndcg
from kaggle_magics.rag.finding.bm25 import lexical_scores
from kaggle_magics.rag.finding.fusion import EVEN, min_max
from kaggle_magics.rag.finding.terms import question_terms
from kaggle_magics.rag.sentences import sentence_spans
from kaggle_magics.rag.storing.layout import Layout
from kaggle_magics.rag.storing.records import Records

QUESTIONS = 64
FEWEST = 8
"""With fewer questions nothing is learnt."""
PRIOR = 2.0
"""Questions made of documents are nearer to them in meaning than a person's: on SciFact 64 of them ask for 0.75 where
the judged ones are best served by 0.55. So only a clear difference moves the weight."""
POOL = 100
PASSAGES = 4_000
"""Whole documents up to about as many passages take part."""
REACH = 5
"""Neighbours of the passage that a question was taken from, which are what is to be found."""
_WEIGHTS = np.linspace(0, 1, 21)
_SHORTEST, _LONGEST = 20, 300
"""Characters of a sentence that makes a question."""


@dataclass(frozen=True, slots=True)
class Learnt:
    """A weight, and what it was learnt from."""

    weight: float
    questions: int
    seconds: float
    curve: tuple[float, ...] = ()
    """nDCG@10 at each weight from 0 to 1 in steps of 0.05."""


def learn_weight(records: Records, embedder: Embedder, *, seconds: float) -> Learnt:
    """The weight for min-max fusion; stops asking after `seconds`. The same collection gives the same questions."""
    begin = time.perf_counter()
    layout = records.layout()
    positions, matrix = _sample(records, layout)
    questions = _questions(records, layout, positions) if len(positions) else []
    curves: list[list[float]] = []
    for question, at in questions:
        if time.perf_counter() - begin > seconds:
            break
        curve = _curve(question, at, records, layout, positions, matrix, embedder)
        if curve is not None:
            curves.append(curve)
    spent = time.perf_counter() - begin
    if len(curves) < FEWEST:
        return Learnt(EVEN, len(curves), spent)
    mean = np.mean(curves, axis=0)
    best = int(np.argmax(np.round(mean - PRIOR * (_WEIGHTS - EVEN) ** 2, 6)))
    return Learnt(round(float(_WEIGHTS[best]), 2), len(curves), spent, tuple(map(float, mean)))


def _sample(records: Records, layout: Layout) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], Vectors]:
    """Positions of the passages that take part, and their vectors: all of whole documents, drawn at random."""
    documents = list(range(len(layout.sources)))
    chosen = np.ones(len(layout), np.bool_)
    if len(layout) > PASSAGES:
        random.Random(len(layout)).shuffle(documents)
        sizes = np.bincount(layout.document)[documents]
        kept = np.array(documents)[np.cumsum(sizes) <= PASSAGES]
        chosen = np.isin(layout.document, kept)
    wanted = np.flatnonzero(chosen)
    place_of = {layout.ids[at]: place for place, at in enumerate(wanted)}
    embedded = np.zeros(len(wanted), np.bool_)
    matrix: Vectors = np.zeros((len(wanted), 1), np.float32)
    for ids, vectors in records.vector_batches(list(place_of)):
        if matrix.shape[1] != vectors.shape[1]:
            matrix = np.zeros((len(wanted), vectors.shape[1]), np.float32)
        places = [place_of[key] for key in ids]
        matrix[places], embedded[places] = vectors, True
    if not embedded.all():  # some were stored without an embedder
        return wanted[embedded], matrix[embedded]
    return wanted, matrix


def _questions(
    records: Records, layout: Layout, positions: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> list[tuple[str, int]]:
    """`(question, position of the passage it was taken from)`, of passages with neighbours, spread over documents."""
    documents = layout.document[positions]
    several = [
        int(at)
        for at, before, after in zip(
            positions, np.r_[-1, documents[:-1]] == documents, np.r_[documents[1:], -1] == documents, strict=True
        )
        if before or after
    ]
    beginnings = [at for at in several if at == 0 or layout.document[at - 1] != layout.document[at]]
    draw = random.Random(len(several))
    draw.shuffle(beginnings)
    chosen = beginnings[:QUESTIONS]
    if len(chosen) < QUESTIONS:
        others = sorted(set(several) - set(chosen))
        chosen += draw.sample(others, min(len(others), QUESTIONS - len(chosen)))
    passages = records.passages([layout.ids[at] for at in chosen])
    found = []
    for at in chosen:
        text = passages[layout.ids[at]].text
        spans = [text[start:end] for start, end in sentence_spans(text, 0, len(text))]
        fitting = [one for one in spans if _SHORTEST <= len(one) <= _LONGEST]
        if fitting:
            found.append((fitting[0], at))
    return found


def _curve(
    question: str,
    at: int,
    records: Records,
    layout: Layout,
    positions: np.ndarray[tuple[int], np.dtype[np.int64]],
    matrix: Vectors,
    embedder: Embedder,
) -> list[float] | None:
    """nDCG@10 at each weight; None where neither leg has any of the neighbours among its best."""
    lexical = lexical_scores(records.lexical, layout, question_terms(question, records.lexical), without=at)[positions]
    dense = matrix @ embedder.embed_query(question)
    own = int(np.searchsorted(positions, at))
    lexical[own], dense[own] = 0.0, -np.inf
    pool = min(POOL, len(positions) - 1)
    candidates = {int(at) for leg in (dense, lexical) for at in np.argsort(-leg, kind="stable")[:pool]}
    candidates.discard(own)
    documents = layout.document[positions]
    relevant = {
        one for one in candidates if documents[one] == documents[own] and abs(int(positions[one]) - at) <= REACH
    }
    if not relevant:
        return None
    near = {str(one): float(dense[one]) for one in candidates}
    words = {str(one): float(lexical[one]) for one in candidates}
    curve = []
    for weight in _WEIGHTS:
        fused = min_max(near, words, float(weight))
        ranking = sorted(fused, key=lambda key: (-round(fused[key], 6), int(key)))[:10]
        curve.append(ndcg([int(key) in relevant for key in ranking], len(relevant), 10))
    return curve
