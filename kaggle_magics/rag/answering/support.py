"""Which sentences of an answer stand on the passages, and on which sentence of them.

A sentence is compared with the sentences of the passages it cites (of all that were given, where it cites none). Its
support is the share of its content words that stand in such a sentence or the one after it; where an embedder is at
hand, the mean of that and the cosine of both, which lets a paraphrase pass. It is without support below `LEAST`, or
where it states a number that the cited passages do not hold. The limits are chosen by hand, not calibrated: no set of
answers with judged sentences stands behind them.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kaggle_magics import wording
from kaggle_magics.rag.answering.words import content_terms, numbers, terms
from kaggle_magics.rag.embedding.cache import EmbeddingCache
from kaggle_magics.rag.embedding.protocol import Embedder
from kaggle_magics.rag.passages import Passage
from kaggle_magics.rag.sentences import unit_spans

LEAST = 0.5
LEAST_LEXICAL = 0.5
SURE = 0.8
"""From this share of common words on no embedder is asked."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence of an answer: `answer.text[start:end]`, its citation marks included."""

    start: int
    end: int
    supported: bool
    support: float
    """Between 0 and 1."""
    overlap: float
    """Share of its content words that stand in the best sentence."""
    cosine: float | None = None
    """Of the embeddings of both, where an embedder was asked."""
    number: int | None = None
    """The passage with the sentence it stands on, counted from 1."""
    span: tuple[int, int] | None = None
    """That sentence in the passage's text."""


def claims(text: str, passages: Mapping[int, Passage], embedder: Embedder | None = None) -> tuple[Claim, ...]:
    """The sentences of an answer that say something, each with its support; `passages` by the number that cites them.

    What the model writes after its refusal, code fences and lines without a word are no claims.
    """
    found: list[Claim] = []
    for start, end in _sentences(text):
        said = wording.CITATION.sub(" ", text[start:end])
        words = content_terms(said)
        cited = [number for number in map(int, wording.CITATION.findall(text[start:end])) if number in passages]
        if not any(map(str.isalnum, said)) or not words:
            continue
        if wording.is_refusal(said):
            continue
        among = {number: passages[number] for number in cited} or dict(passages)
        found.append(_claim(start, end, said, words, among, embedder))
    return tuple(found)


def _claim(
    start: int, end: int, said: str, words: Sequence[str], among: Mapping[int, Passage], embedder: Embedder | None
) -> Claim:
    rated: list[tuple[float, int, tuple[int, int]]] = []
    for number, passage in among.items():
        spans = list(unit_spans(passage.text))
        for at, span in enumerate(spans):
            after = spans[at + 1][1] if at + 1 < len(spans) else span[1]
            there = set(terms(f"{passage.context} {passage.text[span[0] : span[1]]}"))
            near = there | set(terms(passage.text[span[1] : after]))
            own = sum(word in there for word in words) / len(words)
            rated.append((max(own, 0.9 * sum(word in near for word in words) / len(words)), number, span))
    if not rated:
        return Claim(start, end, False, 0.0, 0.0)
    rated.sort(key=lambda one: (-round(one[0], 6), one[1], one[2]))
    overlap, number, best = rated[0]
    told = {figure for passage in among.values() for figure in numbers(f"{passage.context} {passage.text}")}
    figures = [figure for figure in numbers(said) if figure not in told]
    cosine, support = None, overlap
    if embedder is not None and overlap < SURE and not figures:
        pool = rated[:8]
        texts = [" ".join(among[number].text[low:high].split()) for _, number, (low, high) in pool]
        with contextlib.closing(EmbeddingCache()) as cache:
            vectors, _ = cache.embed(embedder, [" ".join(said.split()), *texts])
        cosines = [float(vectors[0] @ vector) for vector in vectors[1:]]
        at = max(range(len(pool)), key=lambda place: cosines[place] + pool[place][0])
        overlap, number, best = pool[at]
        cosine = cosines[at]
        support = (overlap + max(0.0, cosine)) / 2
    least = LEAST if cosine is not None else LEAST_LEXICAL
    supported = support >= least and not figures
    return Claim(start, end, supported, support, overlap, cosine, number if support > 0 else None, best)


def _sentences(text: str) -> list[tuple[int, int]]:
    """Sentences of an answer outside of code fences; a citation mark after the full stop belongs to what it follows."""
    fenced = [match.span() for match in re.finditer(r"```.*?(?:```|\Z)", text, re.S)]
    found: list[tuple[int, int]] = []
    for start, end in unit_spans(text):
        if any(low < end and start < high for low, high in fenced):
            continue
        marks = re.match(r"(?:\[\d{1,3}\][\s.,;]*)+", text[start:end])
        if marks and found and text[found[-1][1] : start].isspace() and "\n" not in text[found[-1][1] : start]:
            found[-1] = (found[-1][0], start + len(marks.group().rstrip()))
            start += marks.end()
            if start >= end:
                continue
        found.append((start, end))
    return found
