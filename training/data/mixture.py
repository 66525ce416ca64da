"""The mixture of skills over the run, and the test sets of the evaluation."""

from __future__ import annotations

import random
from collections.abc import Callable

from .arithmetic import arithmetic
from .chat import chat
from .code import code
from .copying import copying
from .drills import drills
from .formats import formats
from .formulas import formulas
from .grounded import grounded
from .knowledge import knowledge
from .names import Names
from .reading import reading
from .sample import Sample

WEIGHTS = {
    "reading": 0.19,
    "arithmetic": 0.10,
    "drills": 0.06,
    "formulas": 0.10,
    "knowledge": 0.18,
    "code": 0.15,
    "formats": 0.15,
    "chat": 0.01,
    "copying": 0.07,
}
"""Share of the samples (not of the tokens) by skill."""


def training_sample(rng: random.Random, level: float, weights: dict[str, float] = WEIGHTS) -> Sample:
    """One training sample; `level` is the progress of the curriculum, 0 to 1."""
    n = Names(rng)
    skill = rng.choices(list(weights), list(weights.values()))[0]
    if skill == "reading":
        return reading(n, level)
    if skill == "arithmetic":
        return arithmetic(n, level)
    makers: dict[str, Callable[[Names], Sample]] = {
        "formulas": formulas,
        "knowledge": knowledge,
        "code": code,
        "formats": formats,
        "chat": chat,
        "copying": copying,
        "drills": drills,
    }
    return makers[skill](n)


def test_samples(skill: str, count: int, seed: int) -> list[Sample]:
    """`count` held-out samples of one line of the table."""
    rng = random.Random(f"{skill} {seed}")
    n = Names(rng, test=True)
    samples: list[Sample] = []
    while len(samples) < count:
        if skill in ("grounded", "refusal"):
            sample = grounded(n, 1.0, turns=1)
            if sample.skill != skill:
                continue
        else:
            makers: dict[str, Callable[[Names], Sample]] = {
                "formulas": formulas,
                "knowledge": knowledge,
                "code": code,
                "formats": formats,
                "arithmetic": arithmetic,
            }
            sample = makers[skill](n)
        samples.append(sample)
    return samples
