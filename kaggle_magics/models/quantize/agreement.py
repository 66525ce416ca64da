"""Whether a result says what its source says: the same tokens of a text, and nearly the same answer at each."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kaggle_magics.errors import CheckpointError
from kaggle_magics.models.quantize.gguf_types import bound_of
from kaggle_magics.models.quantize.scoring import Logits, divergence, log_probabilities, scorer
from kaggle_magics.models.quantize.source_answers import MOST_TOKENS
from kaggle_magics.models.quantize.text import CHECK_TEXT

_SURE = 0.1
"""By so much probability the first token must lead for the source to count as sure of it."""
_FEW = 5
"""Fewer sure tokens than these say nothing."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """What the comparison of a result with its source gave."""

    against: str
    """Who answered for the source: "transformers" or "llama.cpp"."""
    tokens: int
    """Of the text that was compared."""
    kl: float
    """Divergence from the source, KL(source || result), mean over the tokens, in nats."""
    unrelated_kl: float
    """The same between the source's answers at different places: what a result that has nothing to do with it has."""
    same_greedy: float
    """Share of the tokens where both would go on with the same one."""
    same_sure: float
    """The same, of those that the source is sure of; 1.0 where these are too few to tell."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What the source answers to the text: tokens, and the logits after each, shape (n, vocabulary)."""

    against: str
    tokens: tuple[int, ...]
    logits: Logits


def answers_of_transformers(file: Path) -> Answers:
    """What `source_answers.write_answers` wrote."""
    with np.load(file, allow_pickle=False) as saved:
        return Answers("transformers", tuple(int(token) for token in saved["tokens"]), saved["logits"])


def answers_of_gguf(path: Path, stop: threading.Event | None = None) -> Answers:
    """What a GGUF file answers."""
    with scorer(path, 2 * MOST_TOKENS) as source:
        tokens = source.tokens(CHECK_TEXT)[:MOST_TOKENS]
        return Answers("llama.cpp", tuple(tokens), source.logits(tokens, stop))


def agreement(path: Path, to: str, source: Answers, stop: threading.Event | None = None) -> Agreement:
    """Compare a result of the type `to` with its source. Raises `CheckpointError` when it does not agree."""
    with scorer(path, 2 * MOST_TOKENS) as result:
        tokens = result.tokens(CHECK_TEXT)[: len(source.tokens)]
        if tuple(tokens) != source.tokens:
            raise _disagrees(f"it splits text into other tokens ({_first_difference(tokens, source.tokens)})")
        logits = result.logits(tokens, stop)
    # Vocabularies are padded on one side or the other.
    width = min(logits.shape[1], source.logits.shape[1])
    ours, theirs = log_probabilities(logits[:, :width]), log_probabilities(source.logits[:, :width])
    if not np.isfinite(ours).all():
        raise _disagrees("its answers are not numbers")
    found = _compare(ours, theirs, source.against)
    bound = bound_of(to)
    if found.kl > min(bound.kl, bound.unrelated * found.unrelated_kl):
        raise _disagrees(
            f"its answers are {found.kl:.2f} nats from the source's, where {to} may be "
            f"{min(bound.kl, bound.unrelated * found.unrelated_kl):.2f}"
        )
    if found.same_sure < bound.sure:
        raise _disagrees(f"{1 - found.same_sure:.0%} of what the source is sure of comes out differently")
    return found


def _compare(ours: Logits, theirs: Logits, against: str) -> Agreement:
    best, best_here = theirs.argmax(axis=1), ours.argmax(axis=1)
    same = best == best_here
    two = np.exp(np.partition(theirs, -2, axis=1)[:, -2:])
    sure = two[:, 1] - two[:, 0] > _SURE
    return Agreement(
        against=against,
        tokens=len(ours),
        kl=float(divergence(theirs, ours).mean()),
        unrelated_kl=float(divergence(theirs, np.roll(theirs, len(theirs) // 2, axis=0)).mean()),
        same_greedy=float(same.mean()),
        same_sure=float(same[sure].mean()) if sure.sum() >= _FEW else 1.0,
    )


def _first_difference(ours: list[int], theirs: tuple[int, ...]) -> str:
    for place, (one, other) in enumerate(zip(ours, theirs, strict=False)):
        if one != other:
            return f"token {place} is {one}, in the source {other}"
    return f"{len(ours)} tokens, in the source {len(theirs)}"


def _disagrees(why: str) -> CheckpointError:
    return CheckpointError(
        f"The result does not agree with its source and was not kept: {why}.",
        "Take a larger type, such as q8_0; --no-check keeps it all the same.",
    )
