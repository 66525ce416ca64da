"""Whether what was found can hold an answer: told by figures, before any model is asked.

Each figure is raw and named (`Features`); a logistic combination of them is the score. They are relative: to the other
passages that were found for the same question (the collection's own background), and to what the embedder gives for
texts that have nothing to do with one another, so that neither the subject of a collection nor the scale of an
embedder's cosines decides. `weights` says on what the combination was fitted and how well it holds.
"""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from kaggle_magics.rag.answering import weights
from kaggle_magics.rag.answering.nearness import Nearness
from kaggle_magics.rag.answering.words import content_terms, content_tokens, names, numbers, terms
from kaggle_magics.rag.embedding.protocol import Embedder, Vectors
from kaggle_magics.rag.passages import Hit
from kaggle_magics.rag.sentences import unit_spans

POOL = 24
"""Passages that are looked at: the nearest, and with them the background they stand out from."""
COMPARED = 12
"""Of these, so many token by token."""
ANSWERING = 5
"""Of these, so many whose sentences may be the answer."""
NEXT = 5
"""So many passages behind the best one are what it is compared with."""
_NEGATION = re.compile(r"\b(?:not|never|no|cannot|without|none|nor|neither|except|least|unlike)\b|n['\u2019]t\b", re.I)


@dataclass(frozen=True, slots=True)
class Evidence:
    """How good what was found is for a question."""

    score: float
    """Estimated probability that the passages hold the answer, where such questions and ones whose passage is missing
    are equally many, as they were where it was fitted; elsewhere a figure to compare with, not a probability."""
    threshold: float
    """Below it the answer is refused; chosen, see `weights`."""
    kind: str
    """Which of `weights.FITTED` was used: "tokens", "sentences" or "words"."""
    features: Mapping[str, float] = field(default_factory=dict)
    """What the score was made of, raw."""
    best: tuple[int, int, int] | None = None
    """The best sentence: the hit's number in the pool counted from 1, and where in its text it stands."""

    @property
    def enough(self) -> bool:
        return self.score >= self.threshold


def weigh(question: str, pool: Sequence[Hit], embedder: Embedder | None) -> Evidence:
    """The evidence in the passages nearest to a question, best first; at most `POOL` of them are looked at."""
    pool = list(pool)[:POOL]
    kind = "words" if embedder is None else "sentences"
    if not pool:
        return Evidence(0.0, weights.FITTED[kind].threshold, kind)
    covering = coverage(question, pool)
    features, best = _by_words(question, pool, covering)
    if embedder is not None:
        nearness = Nearness(embedder)
        extra, best = _by_vectors(question, pool, covering, nearness)
        features.update(extra)
        compared = _by_tokens(question, pool[:COMPARED], nearness)
        if compared is not None:
            kind = "tokens"
            features.update(compared)
    fitted = weights.FITTED[kind]
    logit = fitted.bias + sum(weight * features[name] for name, weight in fitted.weights.items())
    return Evidence(1 / (1 + math.exp(-max(-30.0, min(30.0, logit)))), fitted.threshold, kind, features, best)


def coverage(question: str, pool: Sequence[Hit]) -> Coverage:
    """How much of a question's content words stand in a text, weighted by how few passages of the pool hold them."""
    wanted = content_terms(question)
    there = [set(terms(f"{hit.passage.context} {hit.passage.text}")) for hit in pool]
    count = {word: sum(word in words for words in there) for word in wanted}
    return Coverage({word: math.log(1 + (len(pool) - n + 0.5) / (n + 0.5)) for word, n in count.items()})


@dataclass(frozen=True, slots=True)
class Coverage:
    """A question's content words with their weights."""

    idf: Mapping[str, float]

    def of(self, words: set[str]) -> float:
        """The share of the weights whose words stand in `words`."""
        whole = sum(self.idf.values())
        return sum(weight for word, weight in self.idf.items() if word in words) / whole if whole else 0.0


def _by_words(
    question: str, pool: Sequence[Hit], covering: Coverage
) -> tuple[dict[str, float], tuple[int, int, int] | None]:
    words_of = [terms(f"{hit.passage.context} {hit.passage.text}") for hit in pool]
    there = [set(each) for each in words_of]
    covered = [covering.of(words) for words in there]
    first = max(range(len(pool)), key=lambda at: covered[at])
    named = names(question)
    figures = numbers(question)
    told = f"{pool[first].passage.context} {pool[first].passage.text}"
    best, span, ratio = 0.0, None, 0.0
    wanted = set(covering.idf)
    for at, hit in enumerate(pool[:ANSWERING]):
        for start, end in unit_spans(hit.passage.text):
            words = set(terms(f"{hit.passage.context} {hit.passage.text[start:end]}"))
            share = covering.of(words)
            ratio = max(ratio, len(words & wanted) / max(1, len(wanted)))
            if span is None or share > best:
                best, span = share, (at + 1, start, end)
    sentence = pool[span[0] - 1].passage.text[span[1] : span[2]] if span else ""
    return {
        "passage coverage": covered[first],
        "passage coverage gap": _gap(covered, 0.29),
        "sentence coverage": best,
        "sentence words": ratio,
        "bm25": max(_bm25(list(covering.idf), words_of)),
        "names": _share(named, there[first]),
        "numbers": _share(figures, set(numbers(told))),
        "negation": float(bool(_NEGATION.search(question)) and not _NEGATION.search(sentence)),
    }, span


def _by_vectors(
    question: str, pool: Sequence[Hit], covering: Coverage, nearness: Nearness
) -> tuple[dict[str, float], tuple[int, int, int] | None]:
    texts = [hit.passage.text for hit in pool]
    told = [hit.scores.get("dense") for hit in pool]
    known = [score for score in told if score is not None]
    dense = nearness.scaled(np.array(known)) if len(known) == len(pool) else nearness.of(question, texts)
    covered = [covering.of(set(terms(f"{hit.passage.context} {hit.passage.text}"))) for hit in pool]
    places = [(at, *span) for at in range(min(ANSWERING, len(pool))) for span in unit_spans(texts[at])]
    near = nearness.of(question, [" ".join(texts[at][low:high].split()) for at, low, high in places])
    scores = [
        float(cosine) + 0.5 * covering.of(set(terms(f"{pool[at].passage.context} {texts[at][low:high]}")))
        for cosine, (at, low, high) in zip(near, places, strict=True)
    ]
    together = [float(cosine) + share for cosine, share in zip(dense, covered, strict=True)]
    spread = float(np.std(together)) or 1.0
    best = max(range(len(places)), key=lambda at: scores[at], default=None)
    return {
        "dense": float(max(dense)),
        "dense gap": _gap(dense, 0.15),
        "sentence": max(scores, default=0.0),
        "passage": max(together),
        "passage gap": _gap(together, 0.45),
        "passage z": (max(together) - float(np.mean(together))) / spread,
    }, (None if best is None else (places[best][0] + 1, *places[best][1:]))


def _by_tokens(question: str, pool: Sequence[Hit], nearness: Nearness) -> dict[str, float] | None:
    """Late interaction (Khattab & Zaharia 2020): the mean over the question's tokens of the nearest token's cosine."""
    asked = nearness.tokens([question])
    if asked is None:
        return None
    found = nearness.tokens([hit.passage.text for hit in pool])
    assert found is not None
    matched, windows = [], []
    for hit, (spans, vectors) in zip(pool, found, strict=True):
        if not len(spans) or not len(asked[0][0]):
            continue
        near = asked[0][1] @ vectors.T
        matched.append(near.max(axis=1))
        windows.append(float(np.mean(_best_window(hit.passage.text, spans, near))))
    if not matched:
        return {"tokens": 0.0, "window": 0.0, "window lead": 0.0, "words matched elsewhere": 0.0}
    each = np.array([[nearness.rescaled(cosine) for cosine in row.tolist()] for row in matched])
    means = each.mean(axis=1)
    window = [nearness.rescaled(mean) for mean in windows]
    lead = _gap(window, 0.24, behind=COMPARED - 1)
    return {
        "tokens": float(means.max()),
        "window": max(window),
        "window lead": lead / (1.05 - min(1.0, max(window) - lead)),
        "words matched elsewhere": _elsewhere(each[:, content_tokens(question, asked[0][0])], int(means.argmax())),
    }


def _best_window(text: str, spans: Sequence[tuple[int, int]], near: Vectors) -> Vectors:
    """Of the question's tokens the nearest cosines in the two neighbouring sentences that match it best."""
    starts, ends = np.array([low for low, _ in spans]), np.array([high for _, high in spans])
    inside = [(starts >= low) & (ends <= high) for low, high in unit_spans(text)]
    rows = [near[:, chosen].max(axis=1) for chosen in inside if chosen.any()]
    if len(rows) > 1:
        rows = [np.maximum(one, other) for one, other in itertools.pairwise(rows)]
    best: Vectors = max(rows, key=lambda row: float(row.mean()), default=near.max(axis=1))
    return best


def _elsewhere(each: Vectors, best: int) -> float:
    """How much nearer than the best passage the others come to single words of the question; `each`: passages x words.

    The passage with the answer is seldom beaten at any word; one that is merely on the subject often is.
    """
    if len(each) < 2:
        return 0.0
    others = np.delete(each, best, axis=0).max(axis=0)
    return float(np.maximum(others - each[best], 0.0).mean())


def _gap(scores: Sequence[float] | Vectors, typical: float, behind: int = NEXT) -> float:
    """How far the best of some scores stands out from the mean of the next ones.

    Where there are fewer of these, `typical` stands for what is missing: what it is where there is an answer. A small
    collection gives no background, and should not be refused for that.
    """
    ranked = sorted(map(float, scores), reverse=True)
    if not ranked:
        return 0.0
    gaps = [ranked[0] - score for score in ranked[1 : 1 + behind]]
    return sum([*gaps, *[typical] * (behind - len(gaps))]) / behind


def _bm25(wanted: Sequence[str], texts: Sequence[Sequence[str]]) -> list[float]:
    """BM25 (Robertson & Zaragoza 2009; k1 1.2, b 0.75) of each text, among `POOL`: what is missing holds no word."""
    mean = sum(map(len, texts)) / len(texts) or 1.0
    counts = [Counter(text) for text in texts]
    scores = [0.0] * len(texts)
    for word in wanted:
        holding = sum(word in count for count in counts)
        idf = math.log(1 + (POOL - holding + 0.5) / (holding + 0.5))
        for at, count in enumerate(counts):
            scores[at] += idf * 2.2 * count[word] / (count[word] + 1.2 * (0.25 + 0.75 * len(texts[at]) / mean))
    return scores


def _share(wanted: Sequence[str], there: set[str]) -> float:
    return sum(word in there for word in wanted) / len(wanted) if wanted else 1.0
