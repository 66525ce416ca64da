"""The choice of the next token from its logits, in numpy, the same for every local engine.

Order, as in transformers (`GenerationMixin._get_logits_processor`): repeat penalty, temperature, top_k, top_p, min_p,
then a draw. Each filter sees what the one before left.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kaggle_magics.errors import EngineError
from kaggle_magics.models.request import Sampling

Logits = NDArray[np.float32]


class Sampler:
    """Draws the tokens of one answer. The same seed, settings and logits give the same tokens."""

    def __init__(self, sampling: Sampling, prompt: Iterable[int]) -> None:
        self._sampling = sampling
        self._seen = set(prompt) if sampling.repeat_penalty != 1.0 else set()
        self._random = np.random.default_rng(sampling.seed)

    def choose(self, logits: Logits) -> int:
        """The next token's id from logits of shape (vocabulary,). Raises `EngineError` when they are not numbers."""
        sampling = self._sampling
        if sampling.repeat_penalty != 1.0:
            logits = penalise(logits, self._seen, sampling.repeat_penalty)
        best = int(np.argmax(logits))
        if not np.isfinite(logits[best]):
            raise EngineError(
                "The model's output is not a number, which happens when a dtype's range is too small for it.",
                "Load it with dtype float32.",
            )
        token = best if sampling.temperature == 0.0 else self._draw(logits)
        if sampling.repeat_penalty != 1.0:
            self._seen.add(token)
        return token

    def _draw(self, logits: Logits) -> int:
        tokens, probabilities = distribution(logits, self._sampling)
        cumulative = np.cumsum(probabilities)
        place = int(np.searchsorted(cumulative, self._random.random() * cumulative[-1], side="right"))
        return int(tokens[min(place, len(tokens) - 1)])


def penalise(logits: Logits, seen: Iterable[int], penalty: float) -> Logits:
    """Divide the positive logits of seen tokens by `penalty` and multiply the negative ones (Keskar et al. 2019, CTRL).

    Seen is what is in the prompt or the answer so far, as in transformers.
    """
    tokens = np.fromiter(seen, dtype=np.int64)
    tokens = tokens[tokens < len(logits)]
    logits = logits.copy()
    values = logits[tokens]
    logits[tokens] = np.where(values > 0, values / penalty, values * penalty)
    return logits


def distribution(logits: Logits, sampling: Sampling) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Candidate tokens and their probabilities, after temperature, top_k, top_p and min_p.

    `sampling.temperature` must be above 0. Nothing sorts the whole vocabulary, which would take longer than all else.
    """
    tokens = np.arange(len(logits))
    if 0 < sampling.top_k < len(logits):
        tokens = _highest(logits, sampling.top_k)[: sampling.top_k]
    scaled = logits[tokens].astype(np.float64)
    # The highest logit is taken off before the division: a tiny temperature must not overflow.
    probabilities = np.exp((scaled - scaled.max()) / sampling.temperature)
    probabilities /= probabilities.sum()
    if sampling.top_p < 1.0:
        kept = _nucleus(probabilities, sampling.top_p)
        tokens, probabilities = tokens[kept], probabilities[kept]
    if sampling.min_p > 0.0:
        # At least min_p times the best token's probability (Nguyen et al. 2024).
        kept = np.flatnonzero(probabilities >= sampling.min_p * probabilities.max())
        tokens, probabilities = tokens[kept], probabilities[kept]
    return tokens, probabilities / probabilities.sum()


def _nucleus(probabilities: NDArray[np.float64], top_p: float) -> NDArray[np.int64]:
    """Places of the smallest set of tokens whose probabilities reach `top_p` (Holtzman et al. 2020)."""
    size = 256
    while True:
        order = _highest(probabilities, size)
        cumulative = np.cumsum(probabilities[order])
        if cumulative[-1] >= top_p or size >= len(probabilities):
            return order[: int(np.searchsorted(cumulative, top_p)) + 1]
        size *= 8


def _highest(values: NDArray[np.floating[Any]], count: int) -> NDArray[np.int64]:
    """Places of the `count` highest values and of all that equal the last of them; highest first."""
    if count >= len(values):
        return np.argsort(-values, kind="stable")
    threshold = np.partition(values, -count)[-count]
    candidates = np.flatnonzero(values >= threshold)
    return candidates[np.argsort(-values[candidates], kind="stable")]
