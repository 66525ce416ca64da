"""Cosines on one scale for every embedder: 0 for texts that have nothing to do with one another, 1 for the same."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np

from kaggle_magics.rag.embedding.cache import EmbeddingCache
from kaggle_magics.rag.embedding.protocol import Embedder, Vectors

_UNRELATED = (
    "The train to the coast leaves at seven in the morning.",
    "Add the flour slowly and stir until the dough is smooth.",
    "The committee rejected the proposal by nine votes to two.",
    "Photosynthesis turns light into chemical energy.",
    "She painted the door blue before her sister arrived.",
    "Interest rates rose by half a point in March.",
    "The goalkeeper saved two penalties in the final.",
    "Copper is a good conductor of heat and electricity.",
)
"""What an embedder gives for these, pair by pair, is its nothing: near 0 for some, above 0.7 for others."""
_KEPT = 128
"""Texts whose token vectors are kept."""
Tokens = tuple[Sequence[tuple[int, int]], Vectors]
"""The tokens of a text: (start, end) of each, and their unit vectors (n, d)."""


class Nearness:
    """How near texts are to a question, by one embedder."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._scale = _scale_of(embedder)
        self._directions: dict[str, Vectors] = {}

    def of(self, question: str, texts: Sequence[str]) -> Vectors:
        """Rescaled cosines of the question to each text."""
        if not texts:
            return np.zeros(0, np.float32)
        with contextlib.closing(EmbeddingCache()) as cache:
            vectors, _ = cache.embed(self._embedder, list(texts))
        if question not in self._directions:
            self._directions[question] = self._embedder.embed_query(question)
        return self.scaled(vectors @ self._directions[question])

    def scaled(self, cosines: Vectors) -> Vectors:
        """Cosines on the scale."""
        nothing = self._scale[0]
        scaled: Vectors = (np.asarray(cosines, np.float32) - nothing) / (1 - nothing)
        return scaled

    def tokens(self, texts: Sequence[str]) -> list[Tokens] | None:
        """The token vectors of each text; None where the embedder does not tell them."""
        return _token_vectors(self._embedder, texts)

    def rescaled(self, matched: float) -> float:
        """A mean of token cosines on the same scale."""
        nothing = self._scale[1]
        return (matched - nothing) / (1 - nothing)


_scales: dict[str, tuple[float, float]] = {}
_tokens: OrderedDict[tuple[str, str], Tokens] = OrderedDict()


def _scale_of(embedder: Embedder) -> tuple[float, float]:
    """The mean cosine of unrelated texts, and of their best matching tokens."""
    if embedder.identity not in _scales:
        with contextlib.closing(EmbeddingCache()) as cache:
            vectors, _ = cache.embed(embedder, list(_UNRELATED))
        apart = ~np.eye(len(_UNRELATED), dtype=bool)
        told = _token_vectors(embedder, _UNRELATED)
        matched = [
            float((one[1] @ other[1].T).max(axis=1).mean())
            for one in told or ()
            for other in told or ()
            if one is not other
        ]
        _scales[embedder.identity] = (
            min(0.95, max(0.0, float((vectors @ vectors.T)[apart].mean()))),
            min(0.95, max(0.0, float(np.mean(matched)))) if matched else 0.0,
        )
    return _scales[embedder.identity]


def _token_vectors(embedder: Any, texts: Sequence[str]) -> list[Tokens] | None:
    embed = getattr(embedder, "embed_tokens", None)
    if embed is None:
        return None
    missing = list(dict.fromkeys(text for text in texts if (embedder.identity, text) not in _tokens))
    if missing:
        made = embed(missing)
        if made is None:
            return None
        _tokens.update(((embedder.identity, text), each) for text, each in zip(missing, made, strict=True))
    found = []
    for text in texts:
        _tokens.move_to_end((embedder.identity, text))
        found.append(_tokens[embedder.identity, text])
    while len(_tokens) > _KEPT:
        _tokens.popitem(last=False)
    return found
