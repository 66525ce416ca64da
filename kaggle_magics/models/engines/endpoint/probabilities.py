"""How likely a server held each token, as its events tell it.

Chat completions have `logprobs.content`, a list of tokens with their bytes and `top_logprobs`; the older completions
have lists side by side (`tokens`, `token_logprobs`, `top_logprobs`). llama-server gives the first form for both, with
ids, which OpenAI leaves out.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping
from typing import Any

from kaggle_magics.models.request import TokenProbability

UNKNOWN = -1
"""Stands for a token's id where the server does not tell it."""


class Told:
    """The probabilities of one answer, event by event."""

    def __init__(self) -> None:
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")

    def read(self, logprobs: object) -> tuple[TokenProbability, ...]:
        """The tokens of one event's `logprobs`. What is not in one of the known forms is left out."""
        if not isinstance(logprobs, Mapping):
            return ()
        content = logprobs.get("content")
        entries = content if isinstance(content, list) else list(_side_by_side(logprobs))
        return tuple(self._token(*entry) for entry in map(_entry, entries) if entry is not None)

    def _token(self, token: int, text: str, logprob: float, data: bytes | None, top: Any) -> TokenProbability:
        alternatives = tuple(
            (each[0], each[1], each[2])
            for each in map(_entry, top if isinstance(top, list) else [])
            if each is not None
        )
        piece = text if data is None else self._utf8.decode(data)
        return TokenProbability(token, text, logprob, alternatives, piece)


def _entry(entry: object) -> tuple[int, str, float, bytes | None, Any] | None:
    """Id, text, logprob, bytes and alternatives."""
    if not isinstance(entry, Mapping):
        return None
    text, logprob, token = entry.get("token"), entry.get("logprob"), entry.get("id")
    if not isinstance(text, str) or not isinstance(logprob, int | float) or isinstance(logprob, bool):
        return None
    if logprob != logprob or logprob > 1e-3:
        return None
    known = token if isinstance(token, int) and not isinstance(token, bool) else UNKNOWN
    try:
        data = bytes(entry["bytes"]) if isinstance(entry.get("bytes"), list) else None
    except (TypeError, ValueError):
        data = None
    return known, text, float(min(logprob, 0.0)), data, entry.get("top_logprobs")


def _side_by_side(logprobs: Mapping[Any, Any]) -> Iterator[Mapping[str, Any]]:
    names = ("tokens", "token_logprobs", "top_logprobs")
    tokens, own, tops = (value if isinstance(value := logprobs.get(name), list) else [] for name in names)
    for at, (token, logprob) in enumerate(zip(tokens, own, strict=False)):
        top = tops[at] if at < len(tops) and isinstance(tops[at], Mapping) else {}
        best = sorted(
            ((text, value) for text, value in top.items() if isinstance(value, int | float)),
            key=lambda pair: -pair[1],
        )
        alternatives = [{"token": text, "logprob": value} for text, value in best]
        yield {"token": token, "logprob": logprob, "top_logprobs": alternatives}
