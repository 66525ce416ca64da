"""`python -m training.check_split`: proof by inspection that no held-out item is in training.

Draws many training and test samples, as the training and the evaluation do, and compares: no whole question of the
test is a question of training; no held-out name, operands, wording or function name occurs in training.
"""

from __future__ import annotations

import random
import re

from . import facts, functions
from .data.fact_types import HOBBIES, ROLES
from .data.mixture import test_samples, training_sample
from .data.names import FIRST, LAST
from .data.sample import Sample, held_out
from .tokenizer import CHAT_TEMPLATE

ORDINARY = {"Baker", "Castle", "Cooper", "Farmer", "Porter", "Forster", "Stone", "Wood", "White", "Brown", "Gray"}
"""Family names that are also ordinary words."""
TRAINING_SAMPLES, TEST_SAMPLES, SEEDS = 60000, 300, (11, 12, 13)


def questions(messages: list[dict[str, str]]) -> list[str]:
    """The user's turns."""
    return [message["content"] for message in messages if message["role"] == "user"]


def own_names(sample: Sample) -> set[str]:
    """Names that a sample's question gives to its function, other than those the functions have."""
    if sample.skill != "code":
        return set()
    return set(re.findall(r"def (\w+)", sample.answer)) - {function.name for function in functions.FUNCTIONS}


def main() -> None:
    """Print what was compared; leave with 1 where anything leaked."""
    rng = random.Random("split")
    seen: set[str] = set()
    words: set[str] = set()
    operands: set[str] = set()
    defined: set[str] = set()
    for _ in range(TRAINING_SAMPLES):
        sample = training_sample(rng, 1.0)
        seen.update(questions(sample.messages))
        operands.add(f"{sample.skill} {sample.check.get('operands', '')}")
        defined.update(own_names(sample))
        for text in questions(sample.messages):
            words.update(re.findall(r"[A-Z][a-z]{3,}", text))
    leaks: list[str] = []
    for kind, wordings in facts.HELD_OUT_WORDINGS.items():
        both = set(wordings) & set(facts.TRAIN_WORDINGS[kind])
        leaks += [f"wording in both: {wording}" for wording in both]
    for function in functions.FUNCTIONS:
        leaks += [f"task in both: {task}" for task in set(function.train_tasks) & set(function.held_out_tasks)]
    leaks += [f"function name in both: {name}" for name in set(functions.TRAIN_NAMES) & set(functions.HELD_OUT_NAMES)]
    names = {word for word in FIRST + LAST if held_out(word)}
    leaks += [f"held-out name in training: {word}" for word in sorted(names & words - ORDINARY)]
    compared = 0
    for skill in ("grounded", "refusal", "arithmetic", "formulas", "knowledge", "code", "formats"):
        again = shared = 0
        for seed in SEEDS:
            for sample in test_samples(skill, TEST_SAMPLES, seed):
                compared += 1
                again += sample.messages[-2]["content"] in seen
                leaks += [f"function name in both: {name}" for name in own_names(sample) & defined]
                shared += "operands" in sample.check and f"{skill} {sample.check['operands']}" in operands
        print(f"{skill:11s} {again} of {TEST_SAMPLES * len(SEEDS)} test questions are questions of training")
        if shared:
            leaks.append(f"{shared} operands of {skill}")
        if again:
            leaks.append(f"{again} questions of {skill}")
    print(
        f"{compared} test items against {len(seen)} training questions and {len(words)} capitalised words; "
        f"{len(HOBBIES)} hobbies and {len(ROLES)} roles are shared on purpose (ordinary words)"
    )
    for leak in leaks:
        print("LEAK", leak)
    raise SystemExit(1 if leaks else 0)


if __name__ == "__main__":
    assert CHAT_TEMPLATE  # the template is part of what training and evaluation share
    main()
