"""Answers without a model: the sentences of the hits that are nearest to the question.

A sentence scores its own nearness (the cosine plus half the weighted share of the question's words in it) and a part of
its passage's: what stands in the right passage is more likely right. Each word weighs by how few of the found passages
hold it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from kaggle_magics.rag.answering.evidence import coverage
from kaggle_magics.rag.answering.nearness import Nearness
from kaggle_magics.rag.answering.words import terms
from kaggle_magics.rag.embedding.protocol import Embedder
from kaggle_magics.rag.passages import Hit
from kaggle_magics.rag.sentences import unit_spans

OVERLAP_WEIGHT = 0.5
PASSAGE_WEIGHT = 0.5
NEAR_BEST = 0.9
"""A second sentence is given too when it reaches this share of the best one's score."""


@dataclass(frozen=True, slots=True)
class Extract:
    """A sentence, list item or table row of a hit; `number` counts the hits from 1."""

    number: int
    text: str
    """Verbatim but for line breaks, which are spaces."""
    score: float
    span: tuple[int, int]
    """Where it stands in the hit's text."""


def best_extracts(
    question: str, hits: Sequence[Hit], embedder: Embedder | None, *, pool: Sequence[Hit] = (), most: int = 2
) -> list[Extract]:
    """At most `most` extracts that answer best, best first; empty without hits, and where nothing has any nearness."""
    candidates = [(number, span) for number, hit in enumerate(hits, start=1) for span in unit_spans(hit.passage.text)]
    if not candidates:
        return []
    texts = [
        re.sub(r"\s+", " ", hits[number - 1].passage.text[start:end]).strip() for number, (start, end) in candidates
    ]
    covering = coverage(question, list(pool) or list(hits))
    shares = [
        covering.of(set(terms(f"{hits[number - 1].passage.context} {text}")))
        for (number, _), text in zip(candidates, texts, strict=True)
    ]
    whole = [covering.of(set(terms(f"{hit.passage.context} {hit.passage.text}"))) for hit in hits]
    scores = [share + PASSAGE_WEIGHT * whole[number - 1] for (number, _), share in zip(candidates, shares, strict=True)]
    if embedder is not None:
        nearness = Nearness(embedder)
        near = nearness.of(question, texts)
        about = nearness.of(question, [hit.passage.text for hit in hits])
        scores = [
            float(cosine) + OVERLAP_WEIGHT * score + PASSAGE_WEIGHT * float(about[number - 1])
            for cosine, score, (number, _) in zip(near, scores, candidates, strict=True)
        ]
    # Equal scores stay in the order of the hits.
    order = sorted(range(len(candidates)), key=lambda place: -round(scores[place], 6))
    chosen: dict[str, Extract] = {}
    for place in order:
        least = max(NEAR_BEST * scores[order[0]], 1e-9)
        if scores[place] < least or len(chosen) == most:
            break
        number, span = candidates[place]
        chosen.setdefault(texts[place], Extract(number, texts[place], scores[place], span))
    return list(chosen.values())
