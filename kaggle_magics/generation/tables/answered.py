"""What a session has answered of its tables, so that a table that was stopped goes on with the rest."""

from __future__ import annotations

import hashlib
from collections import OrderedDict

from kaggle_magics.generation.answer import Answer

MOST = 100_000
"""Answers that are kept beyond those of the latest table."""


class Answered:
    """Answers by the content of what was asked. The oldest go first when there are too many."""

    def __init__(self, most: int = MOST) -> None:
        self._answers: OrderedDict[bytes, Answer] = OrderedDict()
        self._most = most

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, key: bytes) -> Answer | None:
        """The answer to what has this key."""
        found = self._answers.get(key)
        if found is not None:
            self._answers.move_to_end(key)
        return found

    def keep(self, key: bytes, answer: Answer) -> None:
        """Remember an answer; a later one replaces it."""
        self._answers[key] = answer
        self._answers.move_to_end(key)

    def shrink(self, rows: int) -> None:
        """Forget the oldest, but nothing of a table of that many rows that was just asked."""
        while len(self._answers) > max(self._most, rows):
            self._answers.popitem(last=False)

    def clear(self) -> None:
        """Forget all."""
        self._answers.clear()


def key_of(*content: object) -> bytes:
    """A key for content whose `repr` says all of it."""
    return hashlib.blake2b("\x00".join(map(repr, content)).encode("utf-8", "surrogatepass"), digest_size=16).digest()
