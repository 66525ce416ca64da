"""Two rankings into one.

The default is the weighted mean of min-max normalised scores, not reciprocal ranks: on the published BEIR runs of
Anserini (BM25 with bge-base) the normalised mean is as good as or better than RRF on SciFact, NFCorpus and FiQA, and
RRF falls below the better leg where the two are unequal. RRF is Cormack et al. (2009), k = 60.
"""

from __future__ import annotations

from collections.abc import Mapping

EVEN = 0.6
"""Weight of the dense scores where nothing was learnt: the best one of 0.3 to 0.7 on one half of SciFact's training
questions and of a SQuAD v2 slice with all-MiniLM-L6-v2, and on their other halves too. It is above one half because the
worst cosine of the candidates becomes 0 while their worst BM25 does not."""
RRF_K = 60


def min_max(dense: Mapping[str, float], lexical: Mapping[str, float], weight: float) -> dict[str, float]:
    """`weight * d + (1 - weight) * l` for each passage of either, each scaled so that the best is 1.

    The worst of the dense scores becomes 0, as cosines have no zero of their own; a lexical score of 0 stays 0: no word
    of the question stands there.
    """
    low, high = min(dense.values(), default=0.0), max(dense.values(), default=0.0)
    most = max(lexical.values(), default=0.0)
    fused = {}
    for key in {**dense, **lexical}:
        near = (dense[key] - low) / (high - low) if key in dense and high > low else float(key in dense)
        words = lexical.get(key, 0.0) / most if most > 0 else 0.0
        fused[key] = weight * near + (1 - weight) * words
    return fused


def reciprocal_ranks(*legs: Mapping[str, float]) -> dict[str, float]:
    """The sum of `1 / (RRF_K + rank)`; ranks count from 1."""
    fused: dict[str, float] = {}
    for leg in legs:
        for rank, key in enumerate(sorted(leg, key=lambda key: (-leg[key], key)), start=1):
            fused[key] = fused.get(key, 0.0) + 1.0 / (RRF_K + rank)
    return fused
