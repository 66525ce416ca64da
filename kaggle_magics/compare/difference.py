"""Where one text differs from another, word by word."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher

MOST_WORDS = 3000
"""Longer texts are not compared word by word: the time grows with the product of their lengths."""

_PART = re.compile(r"\s+|\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a text. `new`: the other text does not have it here. `missing`: what the other has here instead."""

    text: str
    new: bool = False
    missing: str = ""


def difference(first: str, text: str) -> list[Part] | None:
    """The parts of `text`, joined again by `"".join(part.text for part in parts)`; None where it is too long.

    White space alone is no difference.
    """
    one, other = _PART.findall(first), _PART.findall(text)
    if len(one) > 2 * MOST_WORDS or len(other) > 2 * MOST_WORDS:
        return None
    matcher = SequenceMatcher(None, [_alike(part) for part in one], [_alike(part) for part in other], autojunk=False)
    parts: list[Part] = []
    for kind, begin, end, start, stop in matcher.get_opcodes():
        there, here = "".join(one[begin:end]), "".join(other[start:stop])
        parts.append(
            Part(
                here,
                new=kind in ("replace", "insert") and bool(here.strip()),
                missing=there.strip() if kind in ("replace", "delete") else "",
            )
        )
    return _joined(parts)


def _joined(parts: list[Part]) -> list[Part]:
    """Words that differ one after the other are one stretch: the white space between them is no agreement."""
    joined: list[Part] = []
    for part in parts:
        if len(joined) > 1 and part.new and joined[-2].new and joined[-1].text.isspace() and not joined[-1].new:
            between, before = joined.pop(), joined.pop()
            missing = " ".join(filter(None, (before.missing, part.missing)))
            part = Part(f"{before.text}{between.text}{part.text}", new=True, missing=missing)
        joined.append(part)
    return joined


def _alike(part: str) -> str:
    return " " if part.isspace() else part
