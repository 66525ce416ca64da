"""The choice of the next token from its logits, in numpy, the same for every local engine.

Order, as in transformers (`GenerationMixin._get_logits_processor`): repeat penalty, temperature, top_k, top_p, min_p,
then a draw. Each filter sees what the one before left.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kaggle_magics.errors import EngineError
from kaggle_magics.models.constraint import Matcher
from kaggle_magics.models.request import Progress, Sampling

Logits = NDArray[np.float32]


CANDIDATES = 64
"""How many tokens are shown to a matcher one by one before it is asked for the mask of the whole vocabulary."""


class Sampler:
    """Draws the tokens of one answer. The same seed, settings and logits give the same tokens.

    With a matcher, tokens are those that the distribution renormalised over the allowed ones would give: candidates
    are drawn without replacement until one is allowed, which is the same (the first allowed arrival of independent
    exponential clocks). So a likely token costs one question, whatever the size of the vocabulary.
    """

    def __init__(self, sampling: Sampling, prompt: Iterable[int], matcher: Matcher | None = None) -> None:
        self._sampling = sampling
        self._seen = set(prompt) if sampling.repeat_penalty != 1.0 else set()
        self._random = np.random.default_rng(sampling.seed)
        self._matcher = matcher
        self.draws = 0
        """Random numbers drawn until now."""

    def go_on(self, begun: Progress) -> None:
        """Be where the sampler was that chose these tokens with the same seed."""
        if self._sampling.repeat_penalty != 1.0:
            self._seen.update(begun.tokens)
        if self._matcher is not None:
            for token in begun.tokens:
                self._matcher.advance(token)
        # A uniform double takes one step of PCG64, numpy's default.
        self._random.bit_generator.advance(begun.draws)  # type: ignore[attr-defined]
        self.draws = begun.draws

    @property
    def finished(self) -> bool:
        """Whether the matcher lets nothing follow what was chosen."""
        return self._matcher is not None and self._matcher.finished

    def choose(self, logits: Logits) -> int:
        """The next token's id from logits of shape (vocabulary,).

        Raises `EngineError` when they are not numbers, or when the matcher allows no token.
        """
        sampling = self._sampling
        if sampling.repeat_penalty != 1.0:
            logits = penalise(logits, self._seen, sampling.repeat_penalty)
        best = int(np.argmax(logits))
        if not np.isfinite(logits[best]):
            raise EngineError(
                "The model's output is not a number, which happens when a dtype's range is too small for it.",
                "Load it with dtype float32.",
            )
        token = self._allowed(logits, best) if self._matcher else next(self._candidates(logits, best))
        if sampling.repeat_penalty != 1.0:
            self._seen.add(token)
        return token

    def _allowed(self, logits: Logits, best: int) -> int:
        matcher = self._matcher
        assert matcher is not None
        for token in islice(self._candidates(logits, best), CANDIDATES):
            if matcher.allows(token):
                break
        else:
            mask = matcher.mask()[: len(logits)]
            if not mask.any():
                raise EngineError("The constraint on this answer allows no token here.")
            logits = logits.copy()
            logits[: len(mask)][~mask] = -np.inf
            logits[len(mask) :] = -np.inf
            token = next(self._candidates(logits, int(np.argmax(logits))))
        matcher.advance(token)
        return token

    def _candidates(self, logits: Logits, best: int) -> Iterator[int]:
        """Tokens in the order in which they would be taken, each once."""
        if self._sampling.temperature == 0.0:
            yield best
            yield from (int(token) for token in _highest(logits, CANDIDATES) if token != best)
            return
        tokens, probabilities = distribution(logits, self._sampling)
        while True:
            cumulative = np.cumsum(probabilities)
            if not cumulative[-1] > 0.0:
                return
            self.draws += 1
            place = int(np.searchsorted(cumulative, self._random.random() * cumulative[-1], side="right"))
            place = min(place, len(tokens) - 1)
            yield int(tokens[place])
            probabilities[place] = 0.0


def log_probabilities(logits: Logits, tokens: Sequence[int]) -> NDArray[np.float64]:
    """Natural logarithms of the probabilities of `tokens`, by the softmax of all logits."""
    highest = float(logits.max())
    total = highest + float(np.log(np.exp(logits.astype(np.float64) - highest).sum()))
    return logits[np.asarray(tokens, np.int64)].astype(np.float64) - total


def likeliest(logits: Logits, count: int) -> list[int]:
    """The `count` tokens with the highest logits, best first."""
    return [int(token) for token in _highest(logits, count)[:count]] if count else []


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
