"""A conversation: questions with their answers, and how much of it fits into a model's context."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from kaggle_magics.errors import OptionError, did_you_mean
from kaggle_magics.generation.answer import Answer
from kaggle_magics.models.engines.protocol import EngineFacts
from kaggle_magics.models.request import Message, Request


@dataclass(frozen=True, slots=True)
class TurnKey:
    """Where a turn was asked: a cell, and which run of that cell.

    A later run of the cell asks its turns again. Within one run a cell may ask several, which all stay; a key without
    a run is always the same turn.
    """

    cell: str
    run: str = ""

    def asks_again(self, earlier: TurnKey | None) -> bool:
        """Whether a turn with this key takes the place of an earlier one."""
        return earlier is not None and self.cell == earlier.cell and (not self.run or self.run != earlier.run)


@dataclass(frozen=True, slots=True)
class Turn:
    """One question with its answer: it is sent as a whole or not at all."""

    answer: Answer
    key: TurnKey | None = None
    entry: int | None = None
    """Its entry in the history, where it has one."""

    @property
    def question(self) -> Message:
        """The person's turn, as it was sent; without images that are no more at hand after a restart."""
        asked = self.answer.card.messages[-1]
        return replace(asked, images=tuple(image for image in asked.images if image.data))

    @property
    def messages(self) -> tuple[Message, Message]:
        """Both sides of it. Only the answer's text: what a model thought before is not said to it again."""
        return self.question, Message("assistant", self.answer.text)

    @property
    def stopped(self) -> bool:
        """Whether the answer was stopped or cut off before its end."""
        return self.answer.stop_reason in ("interrupted", "length")


def says_nothing(answer: Answer) -> bool:
    """Whether an answer was stopped before its first word: it is no turn of a conversation."""
    return not answer.text and answer.stop_reason == "interrupted"


class Thread:
    """A conversation by its name. Models can change from turn to turn."""

    def __init__(self, name: str, turns: Sequence[Turn] = ()) -> None:
        self.name = name
        self.turns = list(turns)
        self.restored = len(self.turns)
        """How many of the turns come from before the kernel was started, until one is asked."""
        self.lock = threading.Lock()
        """Held while a turn is asked: the next one needs its answer."""

    @property
    def system(self) -> str | None:
        """The system text of the latest turn, which the next one has too where it brings none."""
        said = self.turns[-1].answer.card.messages if self.turns else ()
        return next((message.content for message in said if message.role == "system"), None)

    @property
    def messages(self) -> tuple[Message, ...]:
        """All that was said, the system text first."""
        system = [Message("system", self.system)] if self.system else []
        return (*system, *(message for turn in self.turns for message in turn.messages))

    def before(self, key: TurnKey | None) -> list[Turn]:
        """The turns that come before one with this key: those up to the one it asks again, else all."""
        for place, turn in enumerate(self.turns):
            if key is not None and key.asks_again(turn.key):
                return self.turns[:place]
        return list(self.turns)

    def __len__(self) -> int:
        return len(self.turns)

    def __repr__(self) -> str:
        return f"Thread({self.name!r}, {len(self.turns)} turns)"


class Threads(Mapping[str, Thread]):
    """The session's conversations by name, in the order they were begun."""

    def __init__(self, on_drop: Callable[[str], None] | None = None) -> None:
        self._threads: dict[str, Thread] = {}
        self._on_drop = on_drop

    def __getitem__(self, name: str) -> Thread:
        if name not in self._threads:
            raise OptionError(f"There is no thread named {name!r}.", self._hint(name))
        return self._threads[name]

    def __contains__(self, name: object) -> bool:
        return name in self._threads

    def __iter__(self) -> Iterator[str]:
        return iter(self._threads)

    def __len__(self) -> int:
        return len(self._threads)

    def put(self, thread: Thread) -> None:
        """Add a conversation, or replace the one of its name."""
        self._threads[thread.name] = thread

    def drop(self, name: str) -> Thread:
        """Take a conversation away; what was asked in it stays in the history. `OptionError` where there is none."""
        thread = self[name]
        del self._threads[name]
        if self._on_drop:
            self._on_drop(name)
        return thread

    def _hint(self, name: str) -> str:
        if not self._threads:
            return 'Begin one: %%prompt --thread NAME, or session.prompt(text, thread="NAME").'
        return did_you_mean(name, self) or f"There are: {', '.join(self)}."


@dataclass(frozen=True, slots=True)
class Fitted:
    """A request with as much of its conversation as fits."""

    request: Request
    left_out: int
    """Turns at the beginning of the conversation that do not fit."""


class Counts(Protocol):
    """What `fit` asks of an engine, or of a loaded model."""

    @property
    def facts(self) -> EngineFacts: ...

    def render(self, request: Request) -> str: ...

    def count_tokens(self, text: str) -> int: ...


def fit(request: Request, turns: Sequence[Turn], engine: Counts) -> Fitted:
    """Put earlier turns between the system text and the question of `request`, the oldest ones left out as need be.

    The tokens are those of the whole rendered prompt. Room is left for an answer of `max_tokens`, though for no more
    than half of the context: a limit that is set high and seldom reached should not cost the history.
    """
    context = engine.facts.context_length
    room = context - min(request.sampling.max_tokens, context // 2)
    *first, question = request.messages

    def with_turns(start: int) -> Request:
        said = [message for turn in turns[start:] for message in turn.messages]
        return replace(request, messages=(*first, *said, question))

    # The fewest turns left out, by halving: rendering and counting a long conversation is not free.
    low, high = 0, len(turns)
    while low < high:
        middle = (low + high) // 2 if low else 0
        if count_prompt(engine, with_turns(middle)) <= room:
            high = middle
        else:
            low = middle + 1
    return Fitted(with_turns(low), low)


def count_prompt(engine: Counts, request: Request) -> int:
    """Tokens of the whole prompt, its template's own included; an estimate where a server renders it."""
    return engine.count_tokens(engine.render(request))
