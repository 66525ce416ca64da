"""What came back: the text, why it ended, what it cost, and how to get it again."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from kaggle_magics.models.request import Message, Sampling, StopReason, TokenProbability, Usage


@dataclass(frozen=True, slots=True)
class InThread:
    """An answer's place in a conversation."""

    name: str
    turn: int
    """Counted from 1."""
    left_out: int = 0
    """Earliest turns that were not sent: they would not have fitted into the model's context."""
    replaced: bool = False
    """Whether it took the place of an earlier answer, its question being asked again."""
    cut: int = 0
    """Turns after the replaced one, which are no part of the conversation any more."""


@dataclass(frozen=True, slots=True)
class RunCard:
    """All that is needed to get the same answer again."""

    model: str
    """Name in the session."""
    source: str
    """Where its weights lie."""
    engine: str
    library: str
    device: str
    dtype: str
    messages: tuple[Message, ...]
    template: str
    sampling: Sampling
    """As used: the seed is always filled in."""
    version: str
    """Of kaggle_magics."""
    created: str
    """UTC, ISO 8601."""
    chat_template: bool = True
    """Whether the model has a template of its own, which "auto" means."""
    adapter: str | None = None
    """Where the LoRA adapter lies that it ran with."""
    quant: str | None = None
    """How the weights were quantised while they were loaded."""
    thread: InThread | None = None
    """The conversation it belongs to."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A finished answer. `stop_reason` "interrupted" or "length" means that `text` is only its beginning."""

    text: str
    stop_reason: StopReason
    usage: Usage
    card: RunCard
    reasoning: str = field(default="", repr=False)
    """What the model thought before, where the engine tells it apart from the answer."""
    value: Any = field(default=None, repr=False)
    """The parsed object when a schema was asked for."""
    tokens: tuple[TokenProbability, ...] = field(default=(), repr=False)
    """The answer's tokens with their probabilities, where the request asked for them (`logprobs`)."""

    def fields(self) -> dict[str, Any]:
        """Its own fields by name: what an answer of a richer kind is made from."""
        return {part.name: getattr(self, part.name) for part in fields(Answer)}

    def __str__(self) -> str:
        return self.text
