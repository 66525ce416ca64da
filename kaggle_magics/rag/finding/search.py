"""Finding passages: by meaning, by words, or both with their scores fused; then what makes of a ranking a result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from kaggle_magics.errors import CollectionError, OptionError
from kaggle_magics.rag.embedding.protocol import Embedder, Vectors
from kaggle_magics.rag.finding.bm25 import Scores, lexical_scores
from kaggle_magics.rag.finding.diversity import diversified
from kaggle_magics.rag.finding.duplicates import told, without_duplicates
from kaggle_magics.rag.finding.fusion import EVEN, min_max, reciprocal_ranks
from kaggle_magics.rag.finding.neighbours import joined, stretches
from kaggle_magics.rag.finding.options import SearchOptions
from kaggle_magics.rag.finding.rerank import CANDIDATES, Reranker
from kaggle_magics.rag.finding.terms import Marks, question_terms
from kaggle_magics.rag.passages import Hit, Passage
from kaggle_magics.rag.storing.identity import embedded_text
from kaggle_magics.rag.storing.layout import Layout
from kaggle_magics.rag.storing.records import Records
from kaggle_magics.rag.storing.where import Where
from kaggle_magics.rag.vectors.index import VectorIndex
from kaggle_magics.rag.vectors.keeping import compared, nearest

POOL = 100
"""Candidates each leg brings at least."""


@dataclass(slots=True)
class Found:
    """What the legs say: raw scores by passage, and what they were made of."""

    dense: dict[str, float] = field(default_factory=dict)
    lexical: dict[str, float] = field(default_factory=dict)
    terms: frozenset[str] = frozenset()


def search(
    question: str,
    *,
    records: Records,
    index: VectorIndex | None,
    embedder: Embedder | None,
    options: SearchOptions,
    where: Where | None = None,
    weight: float = EVEN,
    reranker: Reranker | None = None,
) -> list[Hit]:
    """The best passages, best first; equal scores in the order of source and place. `where` is `options.where`, made.

    Without an embedder "hybrid" is lexical and "dense" raises `CollectionError`. `weight` is the dense leg's share
    where the options name none. Raises `OptionError` on an empty question.
    """
    if not isinstance(question, str) or not question.strip():
        raise OptionError("The question is empty.", "Write it in the cell below the magic.")
    semantic = index is not None and embedder is not None
    if options.mode == "dense" and not semantic:
        raise CollectionError(
            "The collection has no vectors to search.", 'Use mode "lexical", or attach an embedding model.'
        )
    pool = max(POOL, 4 * options.passages)
    found = _legs(question, records, index, embedder, options, where, pool)
    scores = _named(found, options, weight, fused=semantic and options.mode == "hybrid")
    ranked = _ranked(scores, records.layout(), pool)
    if reranker is not None and ranked:
        ranked = _reranked(question, ranked, scores, records, reranker, max(CANDIDATES, options.passages))
    return _hits(records, ranked, scores, found.terms, options)


def _legs(
    question: str,
    records: Records,
    index: VectorIndex | None,
    embedder: Embedder | None,
    options: SearchOptions,
    where: Where | None,
    pool: int,
) -> Found:
    """The best of each leg, and what the other one says of these."""
    layout = records.layout()
    found = Found()
    terms = question_terms(question, records.lexical)
    found.terms = frozenset(terms)
    all_lexical: Scores | None = None
    if options.mode != "dense" and terms:
        all_lexical = lexical_scores(records.lexical, layout, terms)
        if where is not None:
            all_lexical = np.where(layout.within(where), all_lexical, 0)
        found.lexical = {layout.ids[at]: float(all_lexical[at]) for at in best_of(all_lexical, pool)}
    if options.mode != "lexical" and index is not None and embedder is not None:
        direction = embedder.embed_query(question)
        found.dense = dict(nearest(index, records, direction, pool, where))
        found.dense.update(compared(records, direction, found.lexical.keys() - found.dense.keys()))
        if all_lexical is not None:
            unseen = found.dense.keys() - found.lexical.keys()
            found.lexical.update((key, float(all_lexical[layout.position_of_id[key]])) for key in unseen)
    return found


def best_of(scores: Scores, most: int) -> list[int]:
    """Positions of the `most` largest scores above 0, largest first, equal ones in their order."""
    positive = np.flatnonzero(scores > 0)
    if len(positive) > most:
        least = np.partition(scores[positive], len(positive) - most)[len(positive) - most]
        positive = positive[scores[positive] >= least]
    return [int(at) for at in positive[np.argsort(-scores[positive], kind="stable")][:most]]


def _named(found: Found, options: SearchOptions, weight: float, *, fused: bool) -> dict[str, dict[str, float]]:
    """Scores by passage; the last name of each is the one that ranks."""
    scores: dict[str, dict[str, float]] = {key: {} for key in (*found.dense, *found.lexical)}
    for name, leg in (("lexical", found.lexical), ("dense", found.dense)):
        for key, value in leg.items():
            scores[key][name] = value
    if fused:
        if options.fusion == "rrf":
            one = reciprocal_ranks(found.dense, {key: value for key, value in found.lexical.items() if value > 0})
        else:
            one = min_max(found.dense, found.lexical, weight if options.weight is None else options.weight)
        for key, value in one.items():
            scores[key]["fused"] = value
    return scores


def _value(scores: Mapping[str, float]) -> float:
    # Six digits, so that the last bits of a matrix product do not decide an order.
    *_, last = scores.values()
    return round(last, 6)


def _ranked(scores: Mapping[str, Mapping[str, float]], layout: Layout, most: int) -> list[str]:
    """The best `most`; a layout is in the order of sources and places, which decides between equal scores."""
    order = sorted((-_value(named), layout.position_of_id[key]) for key, named in scores.items())
    return [layout.ids[at] for _, at in order[:most]]


def _reranked(
    question: str,
    ranked: Sequence[str],
    scores: Mapping[str, dict[str, float]],
    records: Records,
    reranker: Reranker,
    most: int,
) -> list[str]:
    """The first `most` in the order of the cross-encoder; it reads what the embedder read."""
    some = ranked[:most]
    passages = records.passages(some)
    texts = [embedded_text(passages[key].text, passages[key].context) for key in some]
    for key, score in zip(some, reranker.scores(question, texts), strict=True):
        scores[key]["rerank"] = score
    return sorted(some, key=lambda key: -_value(scores[key]))


def _read(records: Records, shown: Iterable[str], repeated: Mapping[str, Sequence[str]]) -> dict[str, Passage]:
    """What is shown, and what says the same."""
    return records.passages([each for key in shown for each in (key, *repeated[key])])


def _hits(
    records: Records,
    ranked: Sequence[str],
    scores: Mapping[str, Mapping[str, float]],
    terms: frozenset[str],
    options: SearchOptions,
) -> list[Hit]:
    repeated = without_duplicates(ranked, records.layout())
    order = list(repeated)
    if options.diversity > 0:
        vectors: dict[str, Vectors] = {}
        for ids, matrix in records.vector_batches(order):
            vectors.update(zip(ids, matrix, strict=True))
        order = diversified(order, {key: _value(scores[key]) for key in order}, vectors, options.diversity)
    shown: list[Passage]
    if options.neighbours:
        runs = stretches(records, order, options.neighbours, options.passages)
        passages = _read(records, (run.best for run in runs), repeated)
        shown = [joined(records, run, passages[run.best]) for run in runs]
    else:
        passages = _read(records, order[: options.passages], repeated)
        shown = [passages[key] for key in order[: options.passages]]
    documents = records.documents_of({passage.document_id for passage in shown})
    return [
        Hit(
            passage,
            rank,
            dict(scores[passage.id]),
            Marks(passage.text, terms, records.lexical.stemmer),
            tuple(dict.fromkeys(told(passages[key]) for key in repeated[passage.id])),
            *documents.get(passage.document_id, (0, None)),
        )
        for rank, passage in enumerate(shown, start=1)
    ]
