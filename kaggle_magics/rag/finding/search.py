"""Finding passages: by vector, by words (BM25 of SQLite FTS5), or both with their scores fused.

Fusion is the mean of min-max normalised scores, not reciprocal ranks: on the published BEIR runs of Anserini (BM25 with
bge-base) the normalised mean is as good as or better than RRF on SciFact, NFCorpus and FiQA, and RRF falls below the
better leg where the two are unequal. RRF (Cormack et al. 2009, k = 60) is `fusion="rrf"`.
"""

from __future__ import annotations

from collections.abc import Mapping

from kaggle_magics.errors import CollectionError, OptionError
from kaggle_magics.rag.embedding.protocol import Embedder
from kaggle_magics.rag.finding.options import Fusion, Mode, SearchOptions
from kaggle_magics.rag.finding.words import lexical_query
from kaggle_magics.rag.passages import Hit
from kaggle_magics.rag.storing.records import Records
from kaggle_magics.rag.storing.where import Where
from kaggle_magics.rag.vectors.index import VectorIndex
from kaggle_magics.rag.vectors.keeping import compared, nearest

VECTOR_WEIGHT = 0.5
POOL = 50
"""Candidates each leg brings at least."""
RRF_K = 60


def search(
    question: str,
    *,
    records: Records,
    index: VectorIndex | None,
    embedder: Embedder | None,
    options: SearchOptions,
    where: Where | None = None,
) -> list[Hit]:
    """The best passages, best first; equal scores in the order of source and place. `where` is `options.where`, made.

    Without an embedder "hybrid" is lexical and "dense" raises `CollectionError`. Raises `OptionError` on an empty
    question.
    """
    if not isinstance(question, str) or not question.strip():
        raise OptionError("The question is empty.", "Write it in the cell below the magic.")
    mode, passages = options.mode, options.passages
    semantic = index is not None and embedder is not None
    if mode == "dense" and not semantic:
        raise CollectionError(
            "The collection has no vectors to search.", 'Use mode "lexical", or attach an embedding model.'
        )
    pool = max(POOL, 4 * passages)
    vector: dict[str, float] = {}
    lexical: dict[str, float] = {}
    query = lexical_query(question) if mode != "dense" else None
    if query:
        lexical = dict(records.lexical_search(query, pool, where))
    if semantic and mode != "lexical" and index is not None and embedder is not None:
        direction = embedder.embed_query(question)
        vector = dict(nearest(index, records, direction, pool, where))
        vector.update(compared(records, direction, lexical.keys() - vector.keys()))
    scores = _named_scores(vector, lexical, mode if semantic else "lexical", options.fusion)
    return _ranked(records, scores, passages)


def _named_scores(
    vector: Mapping[str, float], lexical: Mapping[str, float], mode: Mode, fusion: Fusion
) -> dict[str, dict[str, float]]:
    """Scores by passage; the last name of each is the one that ranks."""
    scores: dict[str, dict[str, float]] = {key: {} for key in (*vector, *lexical)}
    for name, found in (("lexical", lexical), ("dense", vector)):
        for key, value in found.items():
            scores[key][name] = value
    if mode == "hybrid":
        for key, value in (_rrf(vector, lexical) if fusion == "rrf" else _min_max(vector, lexical)).items():
            scores[key]["fused"] = value
    return scores


def _min_max(vector: Mapping[str, float], lexical: Mapping[str, float]) -> dict[str, float]:
    """`w * v + (1 - w) * l`, each scaled so that the pool's best is 1; l is 0 where no word of the question stands."""
    low, high = min(vector.values(), default=0.0), max(vector.values(), default=0.0)
    most = max(lexical.values(), default=0.0)
    fused = {}
    for key in {**vector, **lexical}:
        near = (vector[key] - low) / (high - low) if key in vector and high > low else float(key in vector)
        words = lexical.get(key, 0.0) / most if most > 0 else 0.0
        fused[key] = VECTOR_WEIGHT * near + (1 - VECTOR_WEIGHT) * words
    return fused


def _rrf(*legs: Mapping[str, float]) -> dict[str, float]:
    fused: dict[str, float] = {}
    for leg in legs:
        for rank, key in enumerate(sorted(leg, key=lambda key: (-leg[key], key)), start=1):
            fused[key] = fused.get(key, 0.0) + 1.0 / (RRF_K + rank)
    return fused


def _ranked(records: Records, scores: Mapping[str, Mapping[str, float]], passages: int) -> list[Hit]:
    # Scores are compared to six digits, so that the last bits of a matrix product do not decide an order.
    def ranking(key: str) -> float:
        return -round(list(scores[key].values())[-1], 6)

    best = sorted(scores, key=ranking)
    if len(best) > passages:
        last = ranking(best[passages - 1])
        best = [key for key in best if ranking(key) <= last]
    found = records.passages(best)
    order = sorted(found, key=lambda key: (ranking(key), found[key].source, found[key].start))
    return [Hit(found[key], rank, dict(scores[key])) for rank, key in enumerate(order[:passages], start=1)]
