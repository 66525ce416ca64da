"""Run cards: what is needed to get an answer again, as a table of facts."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from kaggle_magics.display.bundle import View, facts

if TYPE_CHECKING:
    from kaggle_magics.generation.card import RunCard

_LONGEST = 400
"""Characters of a text that are shown; the card holds all."""


def card_view(card: RunCard) -> View:
    """All facts of a card that are known, in words."""
    template = card.template
    if template == "auto":
        template = "the model's own" if card.chat_template else "none: the model has none of its own"
    rows = [
        ("model", card.model),
        ("from", card.source),
        ("content", card.content or "unknown: only a server, or this notebook, knows these weights"),
        ("adapter", card.adapter),
        ("adapter's content", card.adapter_content),
        ("quantised to", card.quant),
        ("engine", f"{card.engine} ({card.library})"),
        ("ran on", f"{card.device}, {card.dtype}"),
        ("context", f"{card.context_length} tokens" if card.context_length else None),
        ("template", f"{template} ({card.template_hash})" if card.template_hash else template),
        *((option.name, getattr(card.sampling, option.name)) for option in fields(card.sampling)),
        ("had to obey", card.structure),
        ("probabilities", None if card.logprobs is None else f"{card.logprobs} likeliest tokens"),
        *((f"{{{name}}}", _short(text)) for name, text in card.filled),
        *((message.role, _short(message.content)) for message in card.messages),
        ("kaggle_magics", card.version),
        ("Python", card.python),
        ("answered", card.created),
    ]
    shown = [(name, _said(value)) for name, value in rows if value is not None and value != ()]
    return facts("Run card", [(name, value) for name, value in shown if value])


def _said(value: object) -> str:
    return " ".join(map(repr, value)) if isinstance(value, tuple) else str(value)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text):,} characters in all)"
