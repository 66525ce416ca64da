"""Answers without a model: the sentences of the hits that are nearest to the question.

A sentence scores its cosine similarity to the question plus `OVERLAP_WEIGHT` times the share of the question's content
words that stand in it or in its passage's context. Measured with all-MiniLM-L6-v2, five hits a question, on 293
answerable questions of a SQuAD v2 slice (the same again with their paragraph taken out of the collection) and on the
example handbook's 28 answerable and 10 unanswerable questions: the best sentence holds the answer in 74 % (SQuAD) and
100 % (handbook). At `THRESHOLD` 90 % and 100 % of the answerable ones are answered, 49 % and 90 % of the others
refused; the SQuAD ones are hard because the rest of the collection is on the same two subjects (0.85 would refuse 75 %
of them but answer only 26 of the handbook's 28). Questions written to deceive are refused in 16 %: that takes a reader.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from kaggle_magics.rag.embedding.cache import EmbeddingCache
from kaggle_magics.rag.embedding.protocol import Embedder
from kaggle_magics.rag.finding.words import content_words
from kaggle_magics.rag.passages import Hit
from kaggle_magics.rag.sentences import unit_spans

OVERLAP_WEIGHT = 0.5
THRESHOLD = 0.75
"""Score below which nothing is near enough to be an answer."""
LEXICAL_THRESHOLD = 0.5
"""The same without an embedder, where the score is the share of the question's words alone: 71 % and 100 % of the same
questions are answered (68 % of the best sentences on SQuAD hold the answer), 67 % and 80 % of the others refused."""
NEAR_BEST = 0.9
"""A second sentence is given too when it reaches this share of the best one's score."""


@dataclass(frozen=True, slots=True)
class Extract:
    """A sentence, list item or table row of a hit; `number` counts the hits from 1."""

    number: int
    text: str
    """Verbatim but for line breaks, which are spaces."""
    score: float


def best_extracts(question: str, hits: Sequence[Hit], embedder: Embedder | None, *, most: int = 2) -> list[Extract]:
    """At most `most` extracts that are near enough to answer, best first; empty when none is."""
    candidates: list[tuple[int, str]] = []
    for number, hit in enumerate(hits, start=1):
        text = hit.passage.text
        candidates += ((number, re.sub(r"\s+", " ", text[start:end])) for start, end in unit_spans(text))
    if not candidates:
        return []
    wanted = set(map(_stem, content_words(question)))
    scores = [_overlap(wanted, text, hits[number - 1].passage.context) for number, text in candidates]
    threshold = LEXICAL_THRESHOLD
    if embedder is not None:
        with contextlib.closing(EmbeddingCache()) as cache:
            vectors, _ = cache.embed(embedder, [text for _, text in candidates])
        near = vectors @ embedder.embed_query(question)
        scores = [float(cosine) + OVERLAP_WEIGHT * share for cosine, share in zip(near, scores, strict=True)]
        threshold = THRESHOLD
    # Equal scores stay in the order of the hits.
    order = sorted(range(len(candidates)), key=lambda place: -round(scores[place], 6))
    chosen: dict[str, Extract] = {}
    for place in order:
        number, text = candidates[place]
        if scores[place] < max(threshold, NEAR_BEST * scores[order[0]]) or len(chosen) == most:
            break
        chosen.setdefault(text, Extract(number, text, scores[place]))
    return list(chosen.values())


def _overlap(wanted: set[str], text: str, context: str) -> float:
    words = set(map(_stem, content_words(f"{context} {text}")))
    return len(wanted & words) / len(wanted) if wanted else 0.0


def _stem(word: str) -> str:
    """A word without its commonest English endings; enough for "boats" to meet "boat"."""
    for ending in ("ing", "ies", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word
