"""Many requests to one server, several under way together."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from kaggle_magics.errors import EngineError, KaggleMagicsError
from kaggle_magics.models.engines.endpoint.http import POLL_SECONDS
from kaggle_magics.models.request import Piece, Request, Usage

Stream = Callable[[Request, threading.Event], Iterator[Piece]]


class BrokenOff(EngineError):
    """The server ended an answer without saying why."""


def many(
    stream: Stream, requests: Sequence[Request], stop: threading.Event, *, at_once: int
) -> Iterator[tuple[int, Piece]]:
    """`Engine.stream_many` by `at_once` threads that call `stream`, which must allow that."""
    rows = _Rows(stream, requests, min(at_once, len(requests)))
    rows.start()
    try:
        while True:
            if stop.is_set():
                rows.halt.set()
            try:
                item = rows.came.get(timeout=POLL_SECONDS)
            except queue.Empty:
                continue
            if item is None:
                return
            yield item
    finally:
        rows.halt.set()


class _Rows:
    """The requests that wait, and the threads that take them."""

    def __init__(self, stream: Stream, requests: Sequence[Request], workers: int) -> None:
        self._stream, self._requests, self._workers = stream, requests, workers
        self._waiting = list(reversed(range(len(requests))))
        self._lock = threading.Lock()
        self.halt = threading.Event()
        self.came: queue.SimpleQueue[tuple[int, Piece] | None] = queue.SimpleQueue()

    def start(self) -> None:
        if not self._workers:
            self.came.put(None)
        for _ in range(self._workers):
            threading.Thread(target=self._work, name="kaggle_magics-endpoint-row", daemon=True).start()

    def _work(self) -> None:
        while (index := self._take()) is not None:
            pieces = self._answer(index)
            if pieces is None:
                return
            for piece in pieces:
                self.came.put((index, piece))

    def _take(self) -> int | None:
        with self._lock:
            if self._waiting and not self.halt.is_set():
                return self._waiting.pop()
            self._leave()
            return None

    def _leave(self) -> None:
        self._workers -= 1
        if not self._workers:
            self.came.put(None)

    def _answer(self, index: int) -> list[Piece] | None:
        """A row's pieces; None when it goes back because the server cannot take so many together."""
        started = time.perf_counter()
        pieces: list[Piece] = []
        try:
            for piece in self._stream(self._requests[index], self.halt):
                pieces.append(piece)
            return pieces
        except Exception as error:  # a row that fails must not take the others with it
            with self._lock:
                if isinstance(error, BrokenOff) and self._workers > 1 and not self.halt.is_set():
                    self._waiting.append(index)
                    self._leave()
                    return None
            seconds = time.perf_counter() - started
            said = str(error) if isinstance(error, KaggleMagicsError) else f"{type(error).__name__}: {error}"
            return [Piece(said, "error", Usage(0, 0, 0, seconds, seconds))]
