"""The history: each answer is noted once, and the last one comes back after a restart."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from kaggle_magics.errors import OptionError
from kaggle_magics.generation.answer import Answer, RunCard
from kaggle_magics.generation.history.history import History
from kaggle_magics.generation.history.rows import Asked, HistoryEntry
from kaggle_magics.generation.several import Answers
from kaggle_magics.generation.tables.table import AnswerTable
from kaggle_magics.session.models import ModelCalls

Kept = TypeVar("Kept", bound=Answer)

_REMEMBERED = 256
"""Answers whose entries are known, so that a richer kind of the same answer finds its own."""


class RecordingCalls(ModelCalls):
    """The part of a `Session` that remembers what was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.last: Answer | None = None
        """The last answer."""
        self.several: Answers | AnswerTable | None = None
        """What was asked many times last; `last` is its last answer until something else is asked."""
        self.recording = True
        """Whether answers are noted in the history."""
        self.notebook: str | None = None
        """The notebook's file, or its folder where the front end does not tell; None in a program of its own, whose
        threads live as long as it does."""
        self._history = History()
        self._noted: deque[tuple[RunCard, int, Asked]] = deque(maxlen=_REMEMBERED)

    def history(
        self, words: str = "", *, limit: int | None = 20, thread: str | None = None, model: str | None = None
    ) -> list[HistoryEntry]:
        """What was asked, in all notebooks, the latest first; only what holds all these words, if there are any.

        A word finds what begins with it. `thread` and `model` choose by name. Tables are listed as their first row,
        and searched row by row. `HistoryError` where the file cannot be read.
        """
        if limit is not None and limit < 1:
            raise OptionError(f"limit must be at least 1, not {limit}.")
        return self._history.search(words, limit=limit, thread=thread, model=model)

    def recall(self, entry: int) -> Answer:
        """The answer of an entry of the history, as it was given."""
        answer = self._history.answer(entry)
        if answer is None:
            raise OptionError(f"The history has no entry {entry}.", "See: %llm_history")
        return answer

    def forget(self, words: str = "", *, thread: str | None = None, model: str | None = None) -> int:
        """Delete what `history` would list, without a limit; how many entries there were."""
        return self._history.forget(words, thread=thread, model=model)

    def last_answer(self, number: int = 1) -> Answer:
        """The last answer in this notebook, or the one `number - 1` before it, also after the kernel was restarted."""
        if number < 1:
            raise OptionError(f"n must be at least 1, not {number}.", "1 is the last answer, 2 the one before.")
        if number == 1 and self.last is not None:
            return self.last
        answer = self._history.latest(self._place, number)
        if answer is None and number == 1:
            raise OptionError("There is no answer yet.", "Ask with %%prompt or %%ask first.")
        if answer is None:
            raise OptionError(f"There are no {number} answers of this notebook yet.", "See: %llm_history")
        return answer

    def at_home(self, notebook: str, warn: Callable[[str], None]) -> None:
        """Say which notebook this session is in, and how it is told there that the history cannot be kept."""
        self.notebook = self.notebook or notebook
        self._history.warn = warn

    @property
    def _place(self) -> str:
        return self.notebook or os.getcwd()

    def _record(self, answers: Sequence[Answer], asked: Asked, *, table: bool = False) -> None:
        """The one place where answers enter the history."""
        if not self.recording or not answers:
            return
        entries = self._history.add(answers, asked, self._place, table=table)
        if entries is not None:
            self._noted.extend((answer.card, entry, asked) for answer, entry in zip(answers, entries, strict=True))

    def _entry_of(self, answer: Answer) -> int | None:
        return next((entry for card, entry, _ in reversed(self._noted) if card is answer.card), None)

    def _keep(self, answer: Kept, asked: Asked | None = None) -> Kept:
        """Make an answer the last one; what it now is, and `asked` says of it, goes into its entry of the history."""
        self.last = answer
        known = next((noted for noted in reversed(self._noted) if noted[0] is answer.card), None)
        if known is None:
            self._record([answer], asked or Asked())
        elif self.recording and (asked or type(answer) is not Answer or answer.format != Answer.format):
            _, entry, before = known
            said = asked or before
            self._history.change(entry, answer, replace(before, kind=said.kind, question=said.question))
        return answer
