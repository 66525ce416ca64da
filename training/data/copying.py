"""Saying a text again and looking a name up in a short list: the exercise behind all answers from passages."""

from __future__ import annotations

from .names import Names
from .sample import Sample, talk

PARTS = "area count text list sum word number total mean value step name to is of circle string even max split".split()  # noqa: SIM905
"""Parts of names as they stand in code."""


def piece(n: Names) -> str:
    """A name, a number, a code or a few invented words."""
    r = n.rng
    kind = r.randrange(8)
    if kind == 0:
        return n.person()
    if kind == 1:
        return str(n.number(10, 99999))
    if kind == 2:
        return n.email() if r.random() < 0.3 else n.word().lower()
    if kind == 3:
        return n.room()
    if kind == 4:
        return "_".join(r.choice((*PARTS, n.word().lower())) for _ in range(r.randint(2, 4)))
    return " ".join(n.word() for _ in range(r.choice((1, 1, 2, 3))))


def copying(n: Names) -> Sample:
    """Repeat one or more pieces, or say what stands beside a name."""
    r = n.rng
    if r.random() < 0.55:
        text = ", ".join(piece(n) for _ in range(r.choice((1, 1, 2, 3, 4))))
        question = r.choice(
            (
                "Repeat: {t}",
                "Say {t}",
                "Repeat this: {t}",
                "Write {t}",
                "Copy: {t}",
                "Say this again: {t}",
                "{t} Repeat it.",
            )
        )
        return talk("formats", question.format(t=text), text, kind="exact")
    keys = list(dict.fromkeys(n.word() for _ in range(r.randint(2, 6))))
    values = [piece(n) for _ in keys]
    at = r.randrange(len(keys))
    mark = r.choice((": ", " is ", " = ", " has "))
    pairs = r.choice((", ", "; ", "\n", ". ")).join(
        f"{key}{mark}{value}" for key, value in zip(keys, values, strict=True)
    )
    question = r.choice(("{p}\n{k}?", "{p}. What is {k}?", "{p}\nWhat stands beside {k}?")).format(p=pairs, k=keys[at])
    return talk("formats", question, values[at], kind="exact")
