"""An engine that says what it is told to: for testing notebooks and this package without any model.

session.adopt(ScriptedEngine(["Paris", "Lima"]), name="scripted")
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from kaggle_magics.models.engines.in_turn import in_turn
from kaggle_magics.models.engines.protocol import EngineFacts, PromptToken
from kaggle_magics.models.request import Piece, Request, StopReason, Usage, conversation_text

_TOKEN = re.compile(r"\s*\S+|\s+$")


class ScriptedEngine:
    """Answers with the next text of a script, word by word; keeps the requests it was given.

    An item of the script is the answer itself, a function of the request that returns it, or an exception to raise.
    A script that is used up starts again. A token is a word with the space before it.
    """

    def __init__(
        self,
        script: Iterable[str | Callable[[Request], str] | Exception] = ("Yes.",),
        *,
        context_length: int = 4096,
        seconds_per_token: float = 0.0,
        takes_images: bool = False,
    ) -> None:
        self._script = list(script)
        self._seconds_per_token = seconds_per_token
        self.facts = EngineFacts("scripted", "kaggle_magics.testing", "cpu", "text", context_length, takes_images)
        self.requests: list[Request] = []
        self.closed = False

    def stream(self, request: Request, stop: threading.Event) -> Iterator[Piece]:
        started = time.perf_counter()
        self.requests.append(request)
        item = self._script[(len(self.requests) - 1) % len(self._script)]
        if isinstance(item, Exception):
            raise item
        text = item(request) if callable(item) else item
        cuts = [at for mark in request.sampling.stop if (at := text.find(mark)) >= 0]
        reason: StopReason = "stop_sequence" if cuts else "end"
        words = _TOKEN.findall(text[: min(cuts, default=len(text))])
        if len(words) > request.sampling.max_tokens:
            words, reason = words[: request.sampling.max_tokens], "length"
        first, count = 0.0, 0
        for word in words:
            # Waiting on the flag, not sleeping: a stop is seen at once however slow the script is.
            if stop.wait(self._seconds_per_token) if self._seconds_per_token else stop.is_set():
                reason = "interrupted"
                break
            count += 1
            first = first or time.perf_counter() - started
            yield Piece(word)
        usage = Usage(self.count_tokens(self.render(request)), 0, count, first, time.perf_counter() - started)
        yield Piece("", reason, usage)

    def stream_many(self, requests: Sequence[Request], stop: threading.Event) -> Iterator[tuple[int, Piece]]:
        """Answer many requests; see `Engine.stream_many`."""
        return in_turn(self.stream, requests, stop)

    def render(self, request: Request) -> str:
        return conversation_text(request.messages)

    def prompt_tokens(self, request: Request) -> tuple[str, list[PromptToken]]:
        """The words of a prompt, numbered in their order; see `TellsTokens`."""
        text = self.render(request)
        words = enumerate(_TOKEN.finditer(text))
        return text, [PromptToken(at, word[0], *word.span()) for at, word in words]

    def count_tokens(self, text: str) -> int:
        return len(_TOKEN.findall(text))

    def close(self) -> None:
        self.closed = True
