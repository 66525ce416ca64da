"""Under what an answer is kept: the part of its run card that decides what the model says.

Not in it: names, places, dates, and the release of this package. `FORMAT` is raised when our own decoding, or the
wording of a template, changes what a model says.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from typing import Any

from kaggle_magics.generation.card import RunCard, plain
from kaggle_magics.models.request import DrawnSeed, Request

FORMAT = 1
_OF_MODEL = (
    "content",
    "adapter_content",
    "quant",
    "engine",
    "library",
    "device",
    "dtype",
    "context_length",
)
_SAMPLING = {"max_tokens", "temperature", "top_k", "top_p", "min_p", "repeat_penalty", "stop"}
"""Always part of a key: a default may change."""
_ELSEWHERE = {"messages", "sampling", "template", "constraint", "logprobs", "filled", "cache"}
"""Fields of a request that `slot_of` takes one by one, or that decide nothing."""


@dataclass(frozen=True, slots=True)
class Slot:
    """Where an answer is kept."""

    parts: Mapping[str, Any]
    """What decides it, by name, in JSON's own types."""
    deterministic: bool
    """Whether asking again would give the same; else it is kept for a replay only."""

    @property
    def key(self) -> str:
        """The hash of the parts, in hexadecimal digits."""
        return hashlib.sha256(canonical(self.parts).encode()).hexdigest()[:40]

    def nth(self, number: int) -> Slot:
        """The slot of the `number`th answer to the same question, where each is another one. Counted from 0."""
        return replace(self, parts={**self.parts, "occurrence": number}) if not self.deterministic else self

    @property
    def question(self) -> Slot:
        """The slot without the number that `nth` gave it."""
        return replace(self, parts={name: part for name, part in self.parts.items() if name != "occurrence"})


def slot_of(card: RunCard, request: Request) -> Slot | None:
    """The slot of a request's answer, whose card `card` is (or will be).

    None where that cannot be told: of a model that may be changed at any time, of a structure without a stable form.
    """
    if card.content is None and card.engine != "endpoint":
        return None
    if card.adapter is not None and card.adapter_content is None:
        return None
    if request.constraint is not None and card.structure is None:
        return None
    random, drawn = card.sampling.temperature > 0, isinstance(card.sampling.seed, DrawnSeed)
    sampling = {name: getattr(card.sampling, name) for name in _SAMPLING} | _not_default(card.sampling)
    if not random:
        sampling.pop("seed", None)
    elif drawn:
        sampling["seed"] = "drawn"
    parts = {
        "format": FORMAT,
        **{name: getattr(card, name) for name in _OF_MODEL},
        "template": card.template_hash or card.template,
        "messages": [_not_default(message) for message in card.messages],
        "sampling": sampling,
        "structure": card.structure,
        "logprobs": card.logprobs,
        **{name: value for name, value in _not_default(request).items() if name not in _ELSEWHERE},
    }
    if card.content is None:
        parts["source"] = card.source
    try:
        parts = plain({name: value for name, value in parts.items() if value is not None})
        canonical(parts)
    except (TypeError, ValueError):
        return None
    return Slot(parts, deterministic=card.content is not None and not (random and drawn))


def canonical(parts: Mapping[str, Any]) -> str:
    """The one JSON text of these parts."""
    return json.dumps(parts, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _not_default(thing: Any) -> dict[str, Any]:
    """The fields of a dataclass that were set: one that a later release adds leaves older keys as they are."""
    set_ = {}
    for each in fields(thing):
        value = getattr(thing, each.name)
        default = each.default if each.default_factory is MISSING else each.default_factory()
        if default is MISSING or value != default:
            set_[each.name] = _plain_data(value)
    return set_


def _plain_data(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain_data(item) for item in value]
    return asdict(value) if hasattr(value, "__dataclass_fields__") else value
