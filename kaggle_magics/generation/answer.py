"""What came back: the text, why it ended, what it cost, and how to get it again."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from kaggle_magics.generation.card import InThread as InThread
from kaggle_magics.generation.card import RunCard as RunCard
from kaggle_magics.models.request import StopReason, TokenProbability, Usage


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
