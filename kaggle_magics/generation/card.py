"""The run card: all that is needed to get the same answer again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from kaggle_magics.errors import OptionError
from kaggle_magics.models.request import Image, Message, Sampling

FORMAT = 1
"""Of a card as JSON. A new field needs no new format; a changed meaning does."""
LONGEST_VALUE = 1000
"""Characters that are kept of a value that was filled into a prompt: the messages hold all of it."""
MOST_VALUES = 100


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
    restored: int = 0
    """Earlier turns that come from before the kernel was started; told with the first answer after that."""


@dataclass(frozen=True, slots=True)
class RunCard:
    """All that is needed to get the same answer again. `to_dict` and `from_dict` take it to JSON and back."""

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
    """How the weights were quantised while they were loaded, or to what they were converted before."""
    content: str | None = None
    """Content hash of the model's files, the same wherever they lie (`models.content`). None where only a server, or
    the notebook that made the model, knows its weights."""
    adapter_content: str | None = None
    """Content hash of the adapter's files."""
    template_hash: str | None = None
    """Of the chat template's text; None where there is none, or only a server knows it."""
    context_length: int = 0
    """Tokens of prompt and answer together, as it was loaded."""
    python: str = ""
    filled: tuple[tuple[str, str], ...] = ()
    """Fields of the notebook that were filled in, each with the beginning of its text."""
    structure: str | None = None
    """What the answer had to obey, in a form that is the same for the same structure."""
    logprobs: int | None = None
    """How many of the likeliest tokens were told at each step."""
    resumed: int = 0
    """Tokens that the answer had when it was gone on with; `usage` is of what came after them."""
    thread: InThread | None = None
    """The conversation it belongs to."""

    def to_dict(self) -> dict[str, Any]:
        """The card in JSON's own types, its keys always in the same order; lone surrogates in texts become "?"."""
        card = {"format": FORMAT, **asdict(self), "filled": dict(self.filled)}
        made: dict[str, Any] = plain(card)
        return made

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> RunCard:
        """The card that `to_dict` wrote. Raises `OptionError` for what is none, and for one of a newer release."""
        if not isinstance(found, Mapping):
            raise OptionError(f"A {type(found).__name__} is no run card.")
        if (form := found.get("format")) != FORMAT:
            raise newer("run card", form)
        try:
            known = {name: value for name, value in found.items() if name in cls.__dataclass_fields__}
            known["messages"] = tuple(map(_message, known["messages"]))
            known["sampling"] = _made(Sampling, {**known["sampling"], "stop": tuple(known["sampling"]["stop"])})
            known["filled"] = tuple((str(name), str(text)) for name, text in dict(known.get("filled", {})).items())
            if known.get("thread") is not None:
                known["thread"] = _made(InThread, known["thread"])
            return cls(**known)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise OptionError(f"The run card is damaged: {type(error).__name__}: {error}.") from None


def newer(what: str, form: object) -> OptionError:
    """The error for something that was written in a format this release does not know."""
    if isinstance(form, int) and form > FORMAT:
        return OptionError(
            f"This {what} was written by a newer release (format {form}, this one knows {FORMAT}).",
            "Run: %pip install --upgrade kaggle-magics",
        )
    return OptionError(f"This is no {what}: it has no format that is known.")


def shortened(filled: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """The first values, and of each the beginning."""
    return tuple(
        (name, text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}… ({len(text):,} characters)")
        for name, text in filled[:MOST_VALUES]
    )


def plain(value: Any) -> Any:
    """The same in JSON's own types: texts that are valid Unicode, numbers that are finite (else None), the hash of
    bytes."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, Mapping):
        return {plain(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, bytes):
        return {"sha256": hashlib.sha256(value).hexdigest(), "bytes": len(value)}
    if isinstance(value, float):
        return value if value - value == 0.0 else None
    return value


def _message(found: Mapping[str, Any]) -> Message:
    """A turn; of its images only the hashes were written, so that they come back without data and cannot be sent."""
    images = tuple(_made(Image, {**image, "data": b""}) for image in found.get("images", ()))
    return _made(Message, {**found, "images": images})  # type: ignore[no-any-return]


def _made(kind: Any, found: Mapping[str, Any]) -> Any:
    """A dataclass from a mapping that may hold what a later release added."""
    names = {each.name for each in fields(kind)}
    return kind(**{name: value for name, value in found.items() if name in names})
