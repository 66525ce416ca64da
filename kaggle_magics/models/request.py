"""What an engine is asked, and what it yields: plain frozen data, the same for every engine."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from kaggle_magics.errors import OptionError, did_you_mean
from kaggle_magics.models.constraint import Constraint

Role = Literal["system", "user", "assistant"]
StopReason = Literal["end", "length", "stop_sequence", "interrupted", "error"]
Filled = tuple[tuple[str, str], ...]
"""Fields of a text that were filled in, each with what it was given."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image that goes with a turn, equal by its content."""

    data: bytes = field(repr=False)
    """The file: PNG, JPEG or WebP. Empty where only a run card tells of it."""
    media_type: str
    """Such as "image/png"."""
    name: str = ""
    width: int = 0
    """Pixels."""
    height: int = 0

    @property
    def digest(self) -> str:
        """What tells it from other images, in a short text."""
        return hashlib.blake2b(self.data, digest_size=16).hexdigest()

    def __str__(self) -> str:
        return f"{self.name} ({self.media_type}, {self.width} x {self.height} pixels, {len(self.data):,} bytes)"


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str
    images: tuple[Image, ...] = ()
    """What the model sees before it reads the text; for models that take images only (`EngineFacts.takes_images`)."""


class DrawnSeed(int):
    """A seed that nobody gave: the next time it will be another one, so a replay does not look for it."""

    @classmethod
    def draw(cls) -> DrawnSeed:
        return cls(secrets.randbelow(2**32))


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen and when to stop. Names are the field's own.

    `temperature` 0 is greedy. `top_k` 0, `top_p` 1, `min_p` 0 and `repeat_penalty` 1 switch each filter off.
    `seed` None draws a fresh one, which the run card records. Raises `OptionError` on a value out of range.
    """

    max_tokens: int = 512
    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repeat_penalty: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Sampling:
        """From options by name; None leaves the default, and `stop` may be one text.

        Raises `OptionError` for a name there is none of, saying what was probably meant, and for a wrong type.
        """
        for name in options:
            if name not in cls.__dataclass_fields__:
                raise OptionError(f"There is no option named {name!r}.", did_you_mean(name, cls.__dataclass_fields__))
        given = {name: value for name, value in options.items() if value is not None}
        if "stop" in given:
            given["stop"] = (given["stop"],) if isinstance(given["stop"], str) else tuple(given["stop"])
        try:
            return cls(**given)
        except TypeError as error:
            raise OptionError(f"A sampling option has a value of the wrong type: {error}.") from error

    def __post_init__(self) -> None:
        checks = [
            ("max_tokens", self.max_tokens >= 1, "at least 1"),
            ("temperature", 0.0 <= self.temperature <= 100.0, "between 0 and 100"),
            ("top_k", self.top_k >= 0, "0 (off) or more"),
            ("top_p", 0.0 < self.top_p <= 1.0, "above 0 and at most 1"),
            ("min_p", 0.0 <= self.min_p < 1.0, "between 0 and 1"),
            ("repeat_penalty", self.repeat_penalty > 0.0, "above 0"),
            ("seed", self.seed is None or 0 <= self.seed < 2**32, "between 0 and 4294967295"),
            ("stop", all(self.stop), "text that is not empty"),
        ]
        for name, good, wanted in checks:
            if not good:
                raise OptionError(f"{name} must be {wanted}, not {getattr(self, name)!r}.")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an answer has come: what a model has to know to go on exactly there."""

    tokens: tuple[int, ...] = ()
    """What it has generated, without an end token."""
    draws: int = 0
    """Random numbers that were drawn for them."""


@dataclass(frozen=True, slots=True)
class Request:
    """One question put to an engine.

    `template` says how messages become the text the model reads: "auto" is the model's own chat template (the plain
    text where it has none), "none" is the messages' text as it is, any other word a named template.
    """

    messages: tuple[Message, ...]
    sampling: Sampling = field(default_factory=Sampling)
    template: str = "auto"
    constraint: Constraint | None = field(default=None, compare=False)
    """What the answer must obey, token by token; local engines only."""
    logprobs: int | None = None
    """How many of the likeliest tokens are told at each step, with their probabilities, beside the chosen one (which
    alone is told for 0). None tells nothing. An endpoint tells them where its server does."""
    filled: Filled = field(default=(), compare=False)
    """What of the notebook was filled into the messages: for the run card alone."""
    cache: bool | None = field(default=None, compare=False)
    """Whether an answer that was kept from an earlier time will do; None: as the session does it. For no engine."""
    begun: Progress | None = None
    """The answer's beginning, from the same model: its text is said again, and then goes on from there as if there had
    been no stop. `max_tokens` is for what is new. Local engines only."""

    @classmethod
    def ask(
        cls,
        text: str,
        *,
        system: str | None = None,
        sampling: Sampling | None = None,
        template: str = "auto",
        constraint: Constraint | None = None,
        logprobs: int | None = None,
        filled: Filled = (),
        images: tuple[Image, ...] = (),
        cache: bool | None = None,
    ) -> Request:
        """A request of one user turn, after an optional system text."""
        turns = [Message("system", system)] if system else []
        turns.append(Message("user", text, images))
        return cls(tuple(turns), sampling or Sampling(), template, constraint, logprobs, filled, cache)


@dataclass(frozen=True, slots=True)
class Usage:
    """What an answer cost: token counts, and seconds from the start of the request."""

    prompt_tokens: int
    reused_tokens: int
    """How many of the prompt's tokens were already in the engine's memory (a shared prefix)."""
    generated_tokens: int
    seconds_to_first_token: float
    seconds: float
    estimated: bool = False
    """The token counts are estimates: a server that does not tell them was asked."""

    @property
    def tokens_per_second(self) -> float:
        """Generated tokens a second after the first one; 0 when there is nothing to divide."""
        span = self.seconds - self.seconds_to_first_token
        return (self.generated_tokens - 1) / span if self.generated_tokens > 1 and span > 0 else 0.0


@dataclass(frozen=True, slots=True)
class TokenProbability:
    """One generated token and how likely the model held it, before temperature, filters and constraints."""

    token: int
    text: str
    """The token by itself: part of a character shows as U+FFFD."""
    logprob: float
    """Natural logarithm of its probability."""
    top: tuple[tuple[int, str, float], ...] = ()
    """The likeliest tokens at this place, best first: id, text, logprob."""
    piece: str = ""
    """What it added to the answer: with the space that a token by itself may lose, and empty while a character is not
    whole. The token that ends a character has all of it."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What an engine yields: text as it comes. The last piece carries the stop reason and the usage."""

    text: str
    stop_reason: StopReason | None = None
    usage: Usage | None = None
    tokens: tuple[TokenProbability, ...] = ()
    """The tokens generated since the piece before, where the request asked for their probabilities. Text may come later
    than its tokens: a character can span several, and what may begin a stop string is held back."""
    reasoning: str = ""
    """What the model thought before it answered, where an engine tells the two apart."""
    progress: Progress | None = None
    """With the last piece: from where the answer could go on."""


def conversation_text(messages: Sequence[Message]) -> str:
    """The messages' text as it is, one blank line between turns (template "none")."""
    return "\n\n".join(message.content for message in messages)
