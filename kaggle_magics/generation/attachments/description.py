"""What a describer gives: a thing in words, with no more characters than there is room for."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from kaggle_magics import wording


@dataclass(frozen=True, slots=True)
class Words:
    """A thing in words."""

    what: str
    """What it is, to stand behind "is": "a DataFrame of 3 rows and 2 columns"."""
    body: str = ""
    left_out: str = ""
    """What there was no room for: "8 of 20 columns"; "" where nothing is left out."""


@dataclass(frozen=True, slots=True)
class Description:
    """One attachment as the model reads it."""

    name: str
    words: Words
    tokens: int = 0

    @property
    def text(self) -> str:
        """Exactly what is sent."""
        return wording.attachment(self.name, self.words.what, self.words.body, self.words.left_out)


@dataclass(slots=True)
class Lines:
    """Lines up to a number of characters; the rest is counted, not kept."""

    room: int
    lines: list[str] = field(default_factory=list)
    full: bool = False

    def add(self, line: str) -> bool:
        """Add a line if it fits, and all before it have; whether it did."""
        if self.full or len(line) >= self.room:
            self.full = True
            return False
        self.room -= len(line) + 1
        self.lines.append(line)
        return True

    def fill(self, lines: Iterable[str]) -> int:
        """Add lines as far as they fit; how many did."""
        count = 0
        for line in lines:
            if not self.add(line):
                break
            count += 1
        return count

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def short(value: object, most: int = 80) -> str:
    """A value on one line of at most `most` characters."""
    text = value if isinstance(value, str) else bounded(value, most)
    text = " ".join(text[: 4 * most].split())
    return text if len(text) <= most else f"{text[: most - 1]}…"


def bounded(value: object, most: int) -> str:
    """`repr` of a value, of containers only their beginning; what raises is told instead."""
    limits = reprlib.Repr()
    limits.maxstring = limits.maxother = limits.maxlong = most
    limits.maxlevel = 3
    try:
        return without_addresses(limits.repr(value))
    except Exception as error:  # a person's own __repr__ may raise anything
        return f"<{type(value).__name__}, which cannot be shown: {type(error).__name__}>"


def without_addresses(text: str) -> str:
    """A `repr` without places in memory: they tell nothing, and no two runs would ask the same."""
    return re.sub(r" at 0x[0-9A-Fa-f]+", "", text)


def class_key(kind: type) -> str:
    """ "pandas.DataFrame", wherever in pandas the class is defined: that changes from version to version."""
    return f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}"


def counted(number: int, one: str, many: str = "") -> str:
    """ "1 row", "3 rows"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def beginning(text: str, room: int, unit: str = "characters") -> tuple[str, str]:
    """As much of a text as there is room for, in whole lines where that loses little; and what is left out."""
    if len(text) <= room:
        return text, ""
    cut = text[: max(room, 0)]
    line = cut.rfind("\n")
    if line > len(cut) // 2:
        cut = cut[:line]
    return cut, f"{len(text) - len(cut):,} of {len(text):,} {unit}"
