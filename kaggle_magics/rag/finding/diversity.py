"""Maximal marginal relevance (Carbonell and Goldstein 1998): near to the question, far from what was chosen before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from kaggle_magics.rag.embedding.protocol import Vectors


def diversified(
    ranked: Sequence[str], scores: Mapping[str, float], vectors: Mapping[str, Vectors], diversity: float
) -> list[str]:
    """The same keys in another order: each the best of `(1 - diversity) * score - diversity * nearest chosen one`.

    Scores are scaled to 0..1 within `ranked`. A key without a vector resembles none.
    """
    if not ranked:
        return []
    low, high = min(scores[key] for key in ranked), max(scores[key] for key in ranked)
    relevance = np.array([(scores[key] - low) / (high - low) if high > low else 1.0 for key in ranked])
    size = next((len(vectors[key]) for key in ranked if key in vectors), 1)
    matrix = np.stack([vectors.get(key, np.zeros(size, np.float32)) for key in ranked])
    nearest = np.zeros(len(ranked))
    left, order = list(range(len(ranked))), list[str]()
    while left:
        # The first of equal ones: the order that was given decides.
        values = np.round((1 - diversity) * relevance[left] - diversity * nearest[left], 6)
        best = left.pop(int(np.argmax(values)))
        order.append(ranked[best])
        nearest = np.maximum(nearest, matrix @ matrix[best])
    return order
