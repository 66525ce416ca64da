"""The one interface of everything that answers."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from kaggle_magics.models.request import Piece, Request


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """What an engine is, for people and for the run card."""

    engine: str
    """Registry name: "transformers", "llama.cpp"."""
    library: str
    """Library and version, such as "transformers 5.0.0"."""
    device: str
    dtype: str
    """Weights as they lie in memory: "float32", "bfloat16", "Q8_0"."""
    context_length: int
    """Tokens of prompt and answer together."""
    takes_images: bool = False
    """Whether it takes images beside text; a server's model is taken to, until the server refuses."""


class Engine(Protocol):
    """A loaded checkpoint that answers one request at a time.

    Engines are not thread-safe: the session sees to it that one request runs at a time. Errors while answering are
    raised from the iterator; what was yielded before stays valid.
    """

    @property
    def facts(self) -> EngineFacts: ...

    def stream(self, request: Request, stop: threading.Event) -> Iterator[Piece]:
        """Yield the answer as it comes; the last piece has `stop_reason` and `usage`.

        When `stop` is set the iterator ends within one token (also during the prompt) with "interrupted".
        Raises `OptionError` when the prompt does not leave room for an answer in the context.
        """
        ...

    def stream_many(self, requests: Sequence[Request], stop: threading.Event) -> Iterator[tuple[int, Piece]]:
        """Answer many requests in as few passes as the engine can: (index of the request, piece) as pieces come.

        Pieces of different requests may alternate; those of one request are as `stream` yields them, its last one
        with `stop_reason` and `usage`. A request that cannot be answered ends with "error", its text the reason, and
        the others go on. When `stop` is set, requests under way end with "interrupted" and the rest is not begun.
        """
        ...

    def render(self, request: Request) -> str:
        """The exact text the model reads for this request, special tokens included."""
        ...

    def count_tokens(self, text: str) -> int:
        """Tokens of a plain text, without special tokens around it."""
        ...

    def close(self) -> None:
        """Free the memory; the engine cannot be used afterwards. Closing twice is harmless."""
        ...


@dataclass(frozen=True, slots=True)
class PromptToken:
    """One token of a prompt, and the characters `[start, end)` of the rendered text that end with it."""

    id: int
    text: str
    """Those characters; a special token's name, also where the tokenizer adds it. Empty for a part of a character
    before its last."""
    start: int
    end: int
    special: bool = False


@runtime_checkable
class TellsTokens(Protocol):
    """An engine that can tell the tokens of a prompt before it reads them. Local engines can."""

    def prompt_tokens(self, request: Request) -> tuple[str, list[PromptToken]]:
        """The rendered text and exactly the tokens that `stream` would evaluate. Nothing is evaluated, and a prompt
        that is too long for the context has its tokens too."""
        ...
