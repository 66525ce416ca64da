"""What came back: the text, why it ended, what it cost, and how to get it again."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

from kaggle_magics.generation.card import InThread as InThread
from kaggle_magics.generation.card import RunCard as RunCard
from kaggle_magics.models.request import Progress, StopReason, TokenProbability, Usage

Format = Literal["markdown", "text", "json", "html", "code"]
FORMATS: tuple[Format, ...] = get_args(Format)
"""How an answer can be shown: drawn as Markdown, as it is, as JSON, as the source of HTML, as the code in it."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A finished answer. `stop_reason` "interrupted" or "length" means that `text` is only its beginning."""

    text: str
    stop_reason: StopReason
    usage: Usage
    card: RunCard
    reasoning: str = field(default="", repr=False)
    """What the model thought before it answered; see `generation.reasoning`."""
    value: Any = field(default=None, repr=False)
    """The parsed object when a schema was asked for."""
    tokens: tuple[TokenProbability, ...] = field(default=(), repr=False)
    """The generated tokens with their probabilities, where the request asked for them (`logprobs`); those of the
    reasoning come first."""
    format: Format = field(default="markdown", repr=False, compare=False)
    """How it is shown. The text is the same."""
    progress: Progress | None = field(default=None, repr=False, compare=False)
    """From where it can go on; see `session.resume`."""
    error: str = field(default="", repr=False)
    """Why it failed, where `stop_reason` is "error"; `text` ends with it."""

    from_cache: bool = False
    """Whether it was kept from an earlier time (`card.created`), and the model was not asked: `usage` is of then."""

    def fields(self) -> dict[str, Any]:
        """Its own fields by name: what an answer of a richer kind is made from."""
        return {part.name: getattr(self, part.name) for part in fields(Answer)}

    def __str__(self) -> str:
        return self.text
