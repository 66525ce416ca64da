"""What stands in for a model in a replay: its facts and its template, without its weights and its tokenizer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence

from kaggle_magics.errors import ReplayMiss
from kaggle_magics.models.engines.protocol import EngineFacts
from kaggle_magics.models.request import Piece, Request
from kaggle_magics.models.templates import render


class RecordedEngine:
    """An `Engine` that answers nothing itself: whoever runs requests finds their answers where they were recorded.

    Prompts are rendered as the model's own template does. Tokens are known of the texts that were counted before.
    """

    def __init__(
        self,
        name: str,
        facts: EngineFacts,
        template: str | None,
        special_tokens: Mapping[str, str],
        prefix: str,
        counted: Callable[[str], int | None],
    ) -> None:
        """`prefix` is what the tokenizer puts before a text that no template begins. `counted` gives the tokens of a
        text that was counted."""
        self.facts = facts
        self.template = template
        self._name = name
        self._special_tokens = special_tokens
        self._prefix = prefix
        self._counted = counted

    def stream(self, request: Request, stop: threading.Event) -> Iterator[Piece]:
        raise self._needs_weights("An answer that was not recorded")

    def stream_many(self, requests: Sequence[Request], stop: threading.Event) -> Iterator[tuple[int, Piece]]:
        raise self._needs_weights("An answer that was not recorded")

    def render(self, request: Request) -> str:
        rendered = render(request, self.template, self._special_tokens)
        if rendered.complete or rendered.text.startswith(self._prefix):
            return rendered.text
        return self._prefix + rendered.text

    def count_tokens(self, text: str) -> int:
        count = self._counted(text)
        if count is None:
            raise self._needs_weights("Counting the tokens of a text that was not counted when answers were recorded")
        return count

    def close(self) -> None:
        """There is nothing to free."""

    def _needs_weights(self, what: str) -> ReplayMiss:
        return ReplayMiss(
            f"{what} needs {self._name} itself, and this is a replay.",
            "Load it without KAGGLE_MAGICS_REPLAY to ask it.",
        )
