"""From the text of a chain to its steps.

A step starts at column 0 with `name: prompt`; its further lines are indented. Lines at column 0 that start with `#`
are comments; blank lines inside a step belong to it.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass

from kaggle_magics.errors import ChainError

_START = re.compile(r"^([A-Za-z_]\w*)[ \t]*:[ \t]*(.*)$")


@dataclass(frozen=True, slots=True)
class Step:
    """A named prompt; `{field}`s in it are filled when the step runs."""

    name: str
    prompt: str


def parse(text: str) -> tuple[Step, ...]:
    """The steps of a chain in the order they are written; `ChainError` says which line is wrong."""
    found: list[tuple[str, str, list[str]]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        start = _START.match(line)
        if start:
            found.append((start[1], start[2], []))
        elif line.startswith("#") or (not line.strip() and not found):
            continue
        elif line.strip() and not line[0].isspace():
            raise ChainError(
                f"Line {number} of the chain, {line.strip()[:60]!r}, is neither a step nor part of one.",
                "A step starts with `name: prompt`; its further lines are indented.",
            )
        elif not found:
            raise ChainError(f"Line {number} of the chain is indented before the first step.")
        else:
            found[-1][2].append(line)
    steps = tuple(Step(name, _prompt(first, rest)) for name, first, rest in found)
    if not steps:
        raise ChainError("The chain is empty.", "Write one step a line: `name: prompt`.")
    seen: set[str] = set()
    for step in steps:
        if step.name in seen:
            raise ChainError(f"Two steps are named {step.name!r}.", "Give each step a name of its own.")
        if not step.prompt:
            raise ChainError(f"Step {step.name!r} has no prompt.")
        seen.add(step.name)
    return steps


def _prompt(first: str, rest: list[str]) -> str:
    body = textwrap.dedent("\n".join(rest))
    return f"{first}\n{body}".strip() if rest else first.strip()
