"""From tokens to text that can be shown: no half characters, right spaces, no part of a stop string."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Sequence
from typing import Protocol

REPLACEMENT = "\ufffd"


class TokenDecoder(Protocol):
    """Turns the tokens of one answer into text as they come."""

    def feed(self, token: int) -> str:
        """The text that this token completes; may be empty."""
        ...

    def flush(self) -> str:
        """What is left at the end; bytes that never became a character show as U+FFFD."""
        ...


class ByteDecoder:
    """For tokenizers that give each token's bytes."""

    def __init__(self, token_bytes: Callable[[int], bytes]) -> None:
        self._token_bytes = token_bytes
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, token: int) -> str:
        return self._utf8.decode(self._token_bytes(token))

    def flush(self) -> str:
        return self._utf8.decode(b"", final=True)


class WindowDecoder:
    """For tokenizers that decode lists of tokens.

    Decoding a token by itself loses the space a SentencePiece token begins with and breaks characters that span tokens.
    So each step decodes a short window twice, with and without the tokens that are new, and the difference is the text
    (the method of text-generation-inference and vLLM, "prefix offset" and "read offset"). The window begins inside
    the prompt, so that the first word keeps its space.
    """

    CONTEXT = 6
    """Tokens of the prompt in the first window."""
    PATIENCE = 8
    """Unfinished tokens after which bytes are taken to be broken for good: a character has at most 4."""

    def __init__(self, decode: Callable[[Sequence[int]], str], prompt: Sequence[int]) -> None:
        self._decode = decode
        self._tokens = list(prompt[-self.CONTEXT :])
        self._begin, self._read = 0, len(self._tokens)

    def feed(self, token: int) -> str:
        self._tokens.append(token)
        return self._new(final=False)

    def flush(self) -> str:
        return self._new(final=True)

    def _new(self, *, final: bool) -> str:
        known = self._decode(self._tokens[self._begin : self._read])
        text = self._decode(self._tokens[self._begin :])
        unfinished = text.endswith(REPLACEMENT) and len(self._tokens) - self._read < self.PATIENCE
        if len(text) <= len(known) or (unfinished and not final):
            return ""
        self._begin, self._read = self._read, len(self._tokens)
        return text[len(known) :]


class StopStrings:
    """Finds the first stop string in text that comes in pieces, and keeps back what may be the beginning of one."""

    def __init__(self, stop: Sequence[str]) -> None:
        self._stop = tuple(stop)
        self._held = ""
        self.found = False

    def feed(self, text: str) -> str:
        """The text that can be shown now. Once `found` is set, nothing more will come."""
        if not self._stop or self.found:
            return "" if self.found else text
        held = self._held + text
        places = [place for stop in self._stop if (place := held.find(stop)) >= 0]
        if places:
            self.found, self._held = True, ""
            return held[: min(places)]
        keep = max(overlap(held, stop) for stop in self._stop)
        self._held = held[len(held) - keep :]
        return held[: len(held) - keep]

    def flush(self) -> str:
        """What was kept back and turned out to be no stop string."""
        held, self._held = self._held, ""
        return held


def overlap(text: str, stop: str) -> int:
    """Characters at the end of `text` that begin `stop`."""
    for length in range(min(len(text), len(stop) - 1), 0, -1):
        if text.endswith(stop[:length]):
            return length
    return 0
