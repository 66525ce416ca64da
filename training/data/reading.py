"""Many questions on one reading of numbered passages, for training only: as in the test, and exercises beside them.

The exercises (which passage names a thing, how a sentence goes on, how a passage begins) train the parts that an answer
with a citation is made of: matching a name, counting passages, saying again.
"""

from __future__ import annotations

import re

from kaggle_magics import wording

from .grounded import World
from .names import Names
from .sample import Sample
from .tables import Table

LOCATE = (
    "Which passage is about {s}?",
    "Which passage names {s}?",
    "Where do the passages speak of {s}?",
    "In which passage is {s}?",
    "Give the number of the passage on {s}.",
    "Find {s}.",
)
SENTENCE = re.compile(r"(?<!Dr)\. (?=[A-Z])|\n")
Turn = tuple[str, str, bool]
"""Question, answer, and whether the passages hold the answer."""


def places(world: World | Table) -> dict[str, int]:
    """The subjects that stand in one passage only, with its number from 0."""
    told = [(key, number) for number, key, _ in world.rows] if isinstance(world, Table) else []
    if isinstance(world, World):
        told = [(about, number) for number, about, _, _ in world.facts if about]
    texts = [f"{context}\n{text}".lower() for text, context in world.passages]
    found = {}
    for about, number in told:
        bare = about.removeprefix("the ").lower()
        if bare in texts[number] and sum(bare in text for text in texts) == 1:
            found[about] = number
    return found


def locate(n: Names, world: World | Table, known: dict[str, int]) -> Turn | None:
    """Which passage names a subject; sometimes one that none names."""
    r = n.rng
    if not known:
        return None
    about, number = r.choice(list(known.items()))
    return r.choice(LOCATE).format(s=about), wording.citation(number + 1), True


def recite(n: Names, world: World | Table) -> Turn | None:
    """How a passage begins, or how a sentence goes on."""
    r = n.rng
    number = r.randrange(len(world.passages))
    sentences = [s.rstrip(".") for s in SENTENCE.split(world.passages[number][0])]
    if r.random() < 0.4:
        question = r.choice(("How does passage {i} begin?", "What is the first sentence of passage {i}?", "Read {i}."))
        return question.format(i=number + 1), f"{sentences[0]} {wording.citation(number + 1)}", True
    words = r.choice(sentences).split()
    if len(words) < 4:
        return None
    cut = r.randint(2, min(5, len(words) - 1))
    start = " ".join(words[:cut])
    if sum(start in text for text, _ in world.passages) != 1 or world.passages[number][0].count(start) != 1:
        return None
    question = r.choice(("How does this go on: {s}", "Go on: {s}", "Complete: {s}")).format(s=start)
    return question, f"{' '.join(words[cut:])} {wording.citation(number + 1)}", True


def reading(n: Names, level: float = 1.0) -> Sample:
    """Passages with up to ten questions, each asked alone below them; `level` 0 gives one or two, 1 up to five."""
    r = n.rng
    most = 1 if level < 0.05 else 2 if level < 0.3 else 3 if level < 0.6 else 5
    size = r.randint(1, most if r.random() < 0.8 else 5)
    long = level > 0.5 and r.random() < (0.25 if size <= 3 else 0.08)
    world = Table(n, size, styles=2) if r.random() < 0.15 else World(n, size, long)
    told = len(world.rows) * 2 if isinstance(world, Table) else len(world.facts)
    known = places(world)
    turns: dict[str, str] = {}
    refused = 0
    for _ in range(min(10, 3 + told)):
        draw = r.random()
        turn: Turn | None
        if draw < 0.12 and size > 1:
            turn = locate(n, world, known)
        elif draw < 0.18:
            turn = recite(n, world)
        elif draw < 0.38:
            turn = (world.unanswerable(), wording.REFUSAL, False)
        else:
            drawn = world.question()
            turn = (drawn[0], f"{drawn[1]} {wording.citation(drawn[2] + 1)}", True) if drawn else None
        if turn and turn[0] not in turns:
            turns[turn[0]] = turn[1]
            refused += not turn[2]
    if not turns:
        turns[world.unanswerable()] = wording.REFUSAL
    messages = [{"role": "system", "content": wording.GROUNDED_SYSTEM}]
    for question, answer in turns.items():
        messages.append({"role": "user", "content": wording.grounded_question(world.passages, question)})
        messages.append({"role": "assistant", "content": answer})
    prefix = messages[1]["content"].removesuffix(f"Question: {next(iter(turns)).strip()}")
    return Sample("grounded", messages, {"kind": "exact"}, prefix)
