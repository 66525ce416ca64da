"""How many tokens a text has: told by the server where it can, else estimated, rather high than low.

llama-server and vLLM have `/tokenize`, llama-cpp-python's server `/extras/tokenize/count`; hosted services have none.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kaggle_magics.errors import EngineError
from kaggle_magics.models.engines.endpoint.http import Client
from kaggle_magics.models.request import Message

_SECONDS = 5.0
_PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+| +|\s|[^\sA-Za-z0-9]")
_SPACE_BEFORE_NUMBER = re.compile(r"(?<! ) (?=[0-9])")
PER_MESSAGE = 5
"""Tokens that a chat template writes around a turn: role marks and ends, 3 to 6 in the known families."""

_Ways = tuple[tuple[str, Callable[[str, str], Mapping[str, Any]], Callable[[Mapping[str, Any]], object]], ...]
_WAYS: _Ways = (
    # One body for both that have this path: llama-server reads `content`, vLLM `prompt`.
    (
        "/tokenize",
        lambda text, model: {"content": text, "prompt": text, "model": model, "add_special_tokens": False},
        lambda answer: answer.get("count", answer.get("tokens")),
    ),
    ("/extras/tokenize/count", lambda text, model: {"input": text, "model": model}, lambda answer: answer.get("count")),
)


class TokenCounter:
    """Counts with the server's tokenizer once one of its ways has worked, else by `estimate`."""

    def __init__(self, client: Client, base: str, model: str) -> None:
        self._client, self._base, self._model = client, base, model
        self._ways: _Ways = _WAYS
        self._known: dict[str, int] = {}

    @property
    def exact(self) -> bool:
        """Whether the server counts; known after the first count."""
        return len(self._ways) == 1

    def count(self, text: str) -> int:
        """Tokens of a plain text. No server error is passed on: it is then an estimate."""
        if text in self._known:
            return self._known[text]
        for way in self._ways:
            counted = self._ask(way, text)
            if counted is not None:
                self._ways = (way,)
                break
        else:
            if not self.exact:
                self._ways = ()
            counted = estimate(text)
        if len(self._known) > 256:
            self._known.clear()
        self._known[text] = counted
        return counted

    def _ask(self, way: Any, text: str) -> int | None:
        path, body, read = way
        try:
            head, data = self._client.fetch("POST", self._base + path, body(text, self._model), seconds=_SECONDS)
            answer = json.loads(data) if head.status == 200 else None
        except (EngineError, ValueError, RecursionError):
            return None
        found = read(answer) if isinstance(answer, dict) else None
        if isinstance(found, list):
            return len(found)
        return found if isinstance(found, int) and not isinstance(found, bool) and found >= 0 else None


def estimate(text: str) -> int:
    """Tokens of a text by its characters, for byte-pair vocabularies of 32,000 to 260,000 entries.

    A word in Latin letters costs a token for its first 6 letters and one for each 3.5 after them; a change of case
    begins another word; digits cost 0.75 each; single spaces belong to words, but not to numbers; every other sign is a
    token or more, by its script. Against cl100k_base and Llama 2's vocabulary this gives 0.75 to 1.8 times the tokens
    on English, code, JSON, tables, German, Spanish, Russian, Chinese, Japanese, Korean, Hindi and Arabic, mostly more
    than there are.
    """
    total = 0.0
    for part in _PART.findall(text):
        first = part[0]
        if first.isascii() and first.isalpha():
            total += 1 + max(0, math.ceil((len(part) - 6) / 3.5))
        elif first.isascii() and first.isdigit():
            total += math.ceil(0.75 * len(part))
        elif part == " ":
            total += 0
        elif first.isspace():
            total += 1
        else:
            total += _sign(ord(first))
    # A single space before a number is a token of its own.
    return math.ceil(total + len(_SPACE_BEFORE_NUMBER.findall(text)))


def _sign(code: int) -> float:
    if code < 0x80:
        return 1
    if code < 0x0600:
        return 1 if code < 0x0370 else 0.75  # accented Latin; Greek, Cyrillic, Armenian, Hebrew
    if code > 0xFFFF:
        return 3  # emoji, rare ideographs
    return 1.6 if 0xAC00 <= code < 0xD7B0 else 1.35  # Hangul syllables; other scripts, ideographs


def estimate_messages(messages: Sequence[Message]) -> int:
    """Tokens of a conversation with what a chat template writes around it, estimated."""
    return 3 + sum(PER_MESSAGE + estimate(message.content) for message in messages)
