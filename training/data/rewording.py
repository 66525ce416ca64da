"""Small changes to a training question that keep its sense, so that its key words count and not its exact wording."""

# ruff: noqa: E501, SIM905

from __future__ import annotations

import random

BEFORE = (
    "Hello! |Hi, |Please: |Quick question: |I have a question. |A question: |Tell me: |Hey, |For my homework: |One more thing: |"
    "Could you help me? |I wonder: |My next question: |Now answer this: |Next: |Question: "
).split("|")
AFTER = (
    " Thanks.| Thank you!| Please.| I need it now.| Be brief.| Keep it short.| Please help.| That would be nice.".split(
        "|"
    )
)
SMALL = set(
    "a an the of is that please me with in for what which to do i can you could would like know tell give write show python code need "
    "are does it by and as function one called using".split()
)


def reworded(rng: random.Random, question: str) -> str:
    """Sometimes with words of courtesy around it, without some of its small words, or in lower case at its start."""
    if rng.random() < 0.4:
        share = rng.choice((0.15, 0.3, 0.6))
        words = [w for w in question.split(" ") if w.strip("?.,").lower() not in SMALL or rng.random() > share]
        question = " ".join(words) or question
    draw = rng.random()
    if draw < 0.2:
        question = rng.choice(BEFORE) + question
    elif draw < 0.35:
        question += rng.choice(AFTER)
    if rng.random() < 0.1:
        question = question[:1].lower() + question[1:]
    return question.rstrip("?.") if rng.random() < 0.1 else question
