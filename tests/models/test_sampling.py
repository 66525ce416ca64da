"""The sampler does what transformers' own processors do, and nothing random without its seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kaggle_magics.errors import EngineError
from kaggle_magics.models.engines.sampling import Sampler, distribution, likeliest, log_probabilities, penalise
from kaggle_magics.models.request import Sampling

LOGITS = np.random.default_rng(3).normal(0, 3, 500).astype(np.float32)


def test_temperature_zero_takes_the_highest() -> None:
    assert Sampler(Sampling(top_k=3, top_p=0.1), ()).choose(LOGITS) == int(np.argmax(LOGITS))


def test_the_same_seed_gives_the_same_tokens() -> None:
    def draw(seed: int) -> list[int]:
        sampler = Sampler(Sampling(temperature=1.0, seed=seed), ())
        return [sampler.choose(LOGITS) for _ in range(20)]

    assert draw(5) == draw(5)
    assert draw(5) != draw(6)


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": 0.7},
        {"temperature": 1.5, "top_k": 7},
        {"temperature": 1.0, "top_p": 0.8},
        {"temperature": 0.9, "min_p": 0.05},
        {"temperature": 1.3, "top_k": 50, "top_p": 0.9, "min_p": 0.02},
        {"temperature": 1.0, "top_k": 1},
        {"temperature": 1.0, "top_p": 0.01},
        {"temperature": 1.0, "top_k": 5000},
    ],
)
def test_probabilities_are_those_of_transformers(options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    process = pytest.importorskip("transformers.generation.logits_process")
    scores = torch.tensor(LOGITS)[None]
    ids = torch.tensor([[0]])
    scores = process.TemperatureLogitsWarper(float(options["temperature"]))(ids, scores)
    if "top_k" in options:
        scores = process.TopKLogitsWarper(options["top_k"])(ids, scores)
    if "top_p" in options:
        scores = process.TopPLogitsWarper(options["top_p"])(ids, scores)
    if "min_p" in options:
        scores = process.MinPLogitsWarper(options["min_p"])(ids, scores)
    wanted = torch.softmax(scores, -1)[0].numpy()
    tokens, probabilities = distribution(LOGITS, Sampling(**options))
    ours = np.zeros(len(LOGITS))
    ours[tokens] = probabilities
    np.testing.assert_allclose(ours, wanted, atol=1e-6)


def test_the_repeat_penalty_is_that_of_transformers() -> None:
    torch = pytest.importorskip("torch")
    process = pytest.importorskip("transformers.generation.logits_process")
    seen = [3, 9, 9, 400]
    wanted = process.RepetitionPenaltyLogitsProcessor(1.7)(torch.tensor([seen]), torch.tensor(LOGITS)[None])[0].numpy()
    np.testing.assert_allclose(penalise(LOGITS, set(seen), 1.7), wanted, rtol=1e-6)


def test_the_penalty_counts_prompt_and_answer() -> None:
    logits = np.array([1.0, 0.9, 0.8], np.float32)
    sampler = Sampler(Sampling(repeat_penalty=2.0), [0])
    assert [sampler.choose(logits) for _ in range(3)] == [1, 2, 0]


def test_draws_follow_the_probabilities() -> None:
    logits = np.log(np.array([0.5, 0.3, 0.2], np.float32))
    sampler = Sampler(Sampling(temperature=1.0, seed=1), ())
    counts = Counter(sampler.choose(logits) for _ in range(4000))
    assert abs(counts[0] / 4000 - 0.5) < 0.03 and abs(counts[2] / 4000 - 0.2) < 0.03


def test_a_tiny_temperature_does_not_overflow() -> None:
    sampler = Sampler(Sampling(temperature=1e-30, seed=0), ())
    assert sampler.choose(LOGITS * 100) == int(np.argmax(LOGITS))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_output_that_is_no_number_is_an_error(bad: float) -> None:
    with pytest.raises(EngineError, match="not a number"):
        Sampler(Sampling(temperature=1.0), ()).choose(np.full(8, bad, np.float32))


class Allowing:
    """Allows a fixed set of tokens; counts what it is asked."""

    def __init__(self, tokens: Iterable[int], size: int) -> None:
        self.tokens, self.size = set(tokens), size
        self.asked = self.masks = 0
        self.advanced: list[int] = []

    def allows(self, token: int) -> bool:
        self.asked += 1
        return token in self.tokens

    def mask(self) -> NDArray[np.bool_]:
        self.masks += 1
        return np.isin(np.arange(self.size), list(self.tokens))

    def advance(self, token: int) -> None:
        self.advanced.append(token)


BY_RANK = np.argsort(-LOGITS, kind="stable")


@pytest.mark.parametrize(("rank", "asked", "masks"), [(0, 1, 0), (1, 2, 0), (63, 64, 0), (64, 64, 1), (499, 64, 1)])
def test_greedy_under_a_constraint_is_the_best_allowed_token(rank: int, asked: int, masks: int) -> None:
    matcher = Allowing(BY_RANK[rank:], len(LOGITS))
    assert Sampler(Sampling(), (), matcher).choose(LOGITS) == BY_RANK[rank] == matcher.advanced[0]
    assert (matcher.asked, matcher.masks) == (asked, masks)


@pytest.mark.parametrize("options", [{}, {"top_k": 20}, {"top_p": 0.9}])
def test_draws_under_a_constraint_follow_the_probabilities_of_what_is_allowed(options: dict[str, Any]) -> None:
    logits = np.log(np.array([0.4, 0.3, 0.2, 0.1], np.float32))
    matcher = Allowing([1, 2], 4)
    sampler = Sampler(Sampling(temperature=1.0, seed=5, **options), (), matcher)
    counts = Counter(sampler.choose(logits) for _ in range(4000))
    assert set(counts) == {1, 2} and abs(counts[1] / 4000 - 0.6) < 0.03
    assert matcher.masks == 0


def test_filters_that_leave_nothing_allowed_make_way_for_the_mask() -> None:
    matcher = Allowing([int(BY_RANK[10])], len(LOGITS))
    assert Sampler(Sampling(temperature=1.0, top_k=3, seed=1), (), matcher).choose(LOGITS) == BY_RANK[10]
    assert (matcher.asked, matcher.masks) == (3, 1)


def test_a_constraint_that_allows_nothing_is_an_error() -> None:
    with pytest.raises(EngineError, match="allows no token"):
        Sampler(Sampling(), (), Allowing([], len(LOGITS))).choose(LOGITS)


def test_a_vocabulary_smaller_than_the_logits_allows_no_padding() -> None:
    matcher = Allowing([3], 100)
    logits = np.arange(128, dtype=np.float32)
    assert Sampler(Sampling(), (), matcher).choose(logits) == 3


def test_log_probabilities_are_those_of_the_softmax() -> None:
    torch = pytest.importorskip("torch")
    wanted = torch.log_softmax(torch.tensor(LOGITS, dtype=torch.float64), -1).numpy()
    tokens = likeliest(LOGITS, 5)
    assert tokens == [int(token) for token in BY_RANK[:5]]
    np.testing.assert_allclose(log_probabilities(LOGITS, tokens), wanted[tokens], atol=1e-9)
    assert likeliest(LOGITS, 0) == []
    huge = np.array([1e30, 0.0], np.float32)
    assert log_probabilities(huge, [0])[0] == 0.0
