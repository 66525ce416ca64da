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
    postings = index.postings(terms, layout) if size else {}
    if without is not None:
        postings = {term: _except(without, *pair) for term, pair in postings.items()}
    held = np.zeros(size, np.bool_)
    for positions, _ in postings.values():
        held[positions] = True
    # Only where a word stands is there a score, so windows elsewhere are not added up.
    at = np.flatnonzero(held)
    if not len(at):
        return np.zeros(size, np.float32)
    first, past = _window(at, layout)
    own_norm, window_norm = _norms(layout)
    around_norm = window_norm[at]
    own, around = np.zeros(size, np.float32), np.zeros(len(at), np.float32)
    stands, before = np.zeros(size, np.int64), np.zeros(size + 1, np.int64)
    for term, weight in terms.items():
        positions, counts = postings.get(term, _NOWHERE)
        if not len(positions):
            continue
        units = 1 + int(np.count_nonzero(np.diff(layout.unit[positions])))
        idf = weight * np.log(1 + (layout.units - units + 0.5) / (units + 0.5))
        frequency = counts.astype(np.float32)
        own[positions] += idf * frequency * (K1 + 1) / (frequency + own_norm[positions])
        stands[positions] = counts
        np.cumsum(stands, out=before[1:])
        stands[positions] = 0
        spread = (before[past] - before[first]).astype(np.float32)
        around += idf * spread * (K1 + 1) / (spread + around_norm)
    scores = np.zeros(size, np.float32)
    scores[at] = OWN * own[at] + (1 - OWN) * around
    return scores


_NOWHERE: tuple[Integers, Integers] = (np.zeros(0, np.int64), np.zeros(0, np.int64))
_known_norms: WeakKeyDictionary[Layout, tuple[Scores, Scores]] = WeakKeyDictionary()


def _except(position: int, positions: Integers, counts: Integers) -> tuple[Integers, Integers]:
    kept = positions != position
    return positions[kept], counts[kept]


def _norms(layout: Layout) -> tuple[Scores, Scores]:
    """Of the passages' own lengths and of their windows': the same for every question, so worked out once."""
    if layout not in _known_norms:
        first, past = _window(np.arange(len(layout)), layout)
        before = np.concatenate(([0.0], np.cumsum(layout.length, dtype=np.float64)))
        window = (before[past] - before[first]).astype(np.float32)
        _known_norms[layout] = _norm(layout.length), _norm(window)
    return _known_norms[layout]


def _window(at: Integers, layout: Layout) -> tuple[Integers, Integers]:
    """Where the windows of passages begin, and where they have ended; windows end with their document."""
    return at - np.minimum(layout.before[at], REACH), at + np.minimum(layout.after[at], REACH) + 1


def _norm(lengths: Scores) -> Scores:
    norm: Scores = K1 * (1 - B + B * lengths / max(float(lengths.mean()), 1e-9))
    return norm
