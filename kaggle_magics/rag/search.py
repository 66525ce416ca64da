"""Finding passages: by vector, by words (BM25 of SQLite FTS5), or both with their scores fused.

Fusion is the mean of min-max normalised scores, not reciprocal ranks: on the published BEIR runs of Anserini (BM25 with
bge-base) the normalised mean is as good as or better than RRF on SciFact, NFCorpus and FiQA, and RRF falls below the
better leg where the two are unequal. RRF (Cormack et al. 2009, k = 60) is `fusion="rrf"`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Literal

import numpy as np

from kaggle_magics.errors import CollectionError, OptionError, did_you_mean
from kaggle_magics.rag.embeddings import Embedder
from kaggle_magics.rag.passages import Hit
from kaggle_magics.rag.records import Records, Where
from kaggle_magics.rag.vectors import VectorIndex

Mode = Literal["hybrid", "vector", "lexical"]
MODES = ("hybrid", "vector", "lexical")
Fusion = Literal["min-max", "rrf"]
VECTOR_WEIGHT = 0.5
POOL = 50
"""Candidates each leg brings at least."""
RRF_K = 60

_WORD = re.compile(r"\w+")
STOP_WORDS = frozenset(
    _WORD.findall(
        "a about an and any are as at be been but by can could did do does for from had has have how i if in into is "
        "it its me my of on or our shall should so than that the their them then there these they this those to was we "
        "were what when where which who whom whose why will with would you your"
    )
)


def content_words(text: str) -> list[str]:
    """The words of a text in lower case, without English function words (unless it has no others)."""
    words = [word.casefold() for word in _WORD.findall(text)]
    return [word for word in words if word not in STOP_WORDS] or words


def lexical_query(text: str) -> str | None:
    """An FTS5 query that matches any word of `text`; whatever the text holds, quotes and operators are only words."""
    words = dict.fromkeys(content_words(text))
    return " OR ".join(f'"{word}"' for word in list(words)[:64]) or None


def search(
    question: str,
    *,
    records: Records,
    index: VectorIndex | None,
    embedder: Embedder | None,
    passages: int = 5,
    mode: Mode = "hybrid",
    where: Where | None = None,
    fusion: Fusion = "min-max",
) -> list[Hit]:
    """The best `passages` passages, best first; equal scores in the order of source and place.

    Without an embedder "hybrid" is lexical and "vector" raises `CollectionError`. Raises `OptionError` on an empty
    question, an unknown mode, or fewer than one passage.
    """
    if not isinstance(question, str) or not question.strip():
        raise OptionError("The question is empty.", "Write it in the cell below the magic.")
    if mode not in MODES:
        raise OptionError(
            f"There is no search mode {mode!r}.", did_you_mean(str(mode), MODES) or f"Known: {', '.join(MODES)}."
        )
    if isinstance(passages, bool) or not isinstance(passages, int) or passages < 1:
        raise OptionError(f"passages must be a whole number of at least 1, not {passages!r}.")
    semantic = index is not None and embedder is not None
    if mode == "vector" and not semantic:
        raise CollectionError(
            "The collection has no vectors to search.", 'Use mode "lexical", or attach an embedding model.'
        )
    pool = max(POOL, 4 * passages)
    vector: dict[str, float] = {}
    lexical: dict[str, float] = {}
    query = lexical_query(question) if mode != "vector" else None
    if query:
        lexical = dict(records.lexical_search(query, pool, where))
    if semantic and mode != "lexical" and index is not None and embedder is not None:
        direction = embedder.embed_query(question)
        vector = dict(index.search(direction, pool, where))
        unseen = [key for key in lexical if key not in vector]
        vector.update((key, float(row @ direction)) for key, _, _, row in records.vector_rows(unseen))
    scores = _named_scores(vector, lexical, mode if semantic else "lexical", fusion)
    return _ranked(records, scores, passages)


def _named_scores(
    vector: Mapping[str, float], lexical: Mapping[str, float], mode: Mode, fusion: Fusion
) -> dict[str, dict[str, float]]:
    """Scores by passage; the last name of each is the one that ranks."""
    scores: dict[str, dict[str, float]] = {key: {} for key in (*vector, *lexical)}
    for name, found in (("lexical", lexical), ("vector", vector)):
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


def make_where(where: Where | Mapping[str, Any] | None, sources: Sequence[str]) -> Where | None:
    """A filter from `{"source": ..., "page": ...}`, each one value or a list; sources may be patterns or file names.

    Raises `OptionError` for another key, and `CollectionError` when no source fits.
    """
    if where is None or isinstance(where, Where):
        return where
    unknown = [key for key in where if key not in ("source", "page")]
    if unknown:
        raise OptionError(f"where knows no field {unknown[0]!r}.", "Known: source, page.")
    pages = where.get("page")
    try:
        numbers = None if pages is None else tuple(int(page) for page in _listed(pages))
    except (TypeError, ValueError) as error:
        raise OptionError(f"page must be a number or a list of numbers, not {pages!r}.") from error
    chosen = None if where.get("source") is None else match_sources(_listed(where["source"]), sources)
    return Where(chosen, numbers)


def match_sources(wanted: Sequence[Any], sources: Sequence[str]) -> tuple[str, ...]:
    """The sources that a list of names, file names or patterns means. Raises `CollectionError` when one means none."""
    chosen: dict[str, None] = {}
    for pattern in map(str, wanted):
        fitting = [source for source in sources if source == pattern] or [
            source for source in sources if fnmatchcase(source, pattern) or source.rsplit("/", 1)[-1] == pattern
        ]
        if not fitting:
            raise CollectionError(f"No source {pattern!r} is in the collection.", did_you_mean(pattern, sources))
        chosen.update(dict.fromkeys(fitting))
    return tuple(chosen)


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple | set | frozenset | np.ndarray) else [value]
