"""Lexical scores: BM25 of a passage together with its surroundings.

BM25 is Robertson and Zaragoza's (2009), with the idf of Lucene, which is never negative. Three things differ from what
FTS5's bm25() gives, each measured on one half of SciFact's training questions and reported on the other (see
`benchmarks/retrieval.py`): a score is the weighted sum of the passage's own and of its window's, the passage with
`REACH` neighbours on either side, so that cutting a document does not cost the words that stand next to the cut; a
word's rarity is counted in groups of neighbours, since words repeat within a document; lengths are in characters.
"""

from __future__ import annotations

from collections.abc import Mapping
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from kaggle_magics.rag.storing.layout import Integers, Layout
from kaggle_magics.rag.storing.lexical import LexicalIndex

Scores = NDArray[np.float32]
"""One a passage, in the order of the layout."""
OWN = 0.2
"""Weight of a passage's own score; the rest is its window's."""
REACH = 3
K1, B = 1.2, 0.75


def lexical_scores(
    index: LexicalIndex, layout: Layout, terms: Mapping[str, float], *, without: int | None = None
) -> Scores:
    """Scores of all passages for weighted terms; 0 for a passage that holds none of them.

    `without` is the position of a passage whose words do not count.
    """
    size = len(layout)
    own, around = np.zeros(size, np.float32), np.zeros(size, np.float32)
    if not size:
        return own
    own_norm, window_norm = _norms(layout)
    for term, weight in terms.items():
        positions, counts = index.postings(term, layout)
        if without is not None:
            kept = positions != without
            positions, counts = positions[kept], counts[kept]
        if not len(positions):
            continue
        units = 1 + int(np.count_nonzero(np.diff(layout.unit[positions])))
        idf = weight * np.log(1 + (layout.units - units + 0.5) / (units + 0.5))
        frequency = counts.astype(np.float32)
        own[positions] += idf * frequency * (K1 + 1) / (frequency + own_norm[positions])
        spread = _over_windows(positions, frequency, layout)
        around += idf * spread * (K1 + 1) / (spread + window_norm)
    scores: Scores = np.where(own > 0, OWN * own + (1 - OWN) * around, 0).astype(np.float32)
    return scores


_known_norms: WeakKeyDictionary[Layout, tuple[Scores, Scores]] = WeakKeyDictionary()


def _norms(layout: Layout) -> tuple[Scores, Scores]:
    """Of the passages' own lengths and of their windows': the same for every question, so worked out once."""
    if layout not in _known_norms:
        window = _over_windows(np.arange(len(layout)), layout.length, layout)
        _known_norms[layout] = _norm(layout.length), _norm(window)
    return _known_norms[layout]


def _norm(lengths: Scores) -> Scores:
    norm: Scores = K1 * (1 - B + B * lengths / max(float(lengths.mean()), 1e-9))
    return norm


def _over_windows(positions: Integers, values: Scores, layout: Layout) -> Scores:
    """For every passage the sum of the values at the positions in its window; windows end with their document."""
    size = len(layout)
    total = np.zeros(size, np.float32)
    total[positions] = values
    for step in range(1, REACH + 1):
        for offset in (-step, step):
            to = positions + offset
            inside = (to >= 0) & (to < size)
            to, source = to[inside], positions[inside]
            same = layout.document[to] == layout.document[source]
            # A target is met once an offset: positions are distinct.
            total[to[same]] += values[inside][same]
    return total
