"""One request on its way, or a table of them: a worker thread produces, whoever asked consumes.

The engine runs in a thread of its own so that the notebook's stop button, which raises `KeyboardInterrupt` in the
main thread, always finds that thread waiting in Python and never inside a library. Stopping is a flag that the
engine reads at every token; the worker is joined at the end, so no thread outlives its answer.
"""

from __future__ import annotations

import queue
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

from kaggle_magics import memory
from kaggle_magics.errors import DoesNotFit, EngineError, KaggleMagicsError
from kaggle_magics.models.engines.protocol import Engine
from kaggle_magics.models.request import Piece, Request, StopReason, TokenProbability, Usage

# How long one wait for the next piece lasts: a wait without an end cannot be interrupted on every platform.
_WAIT_SECONDS = 0.1
# How long an engine may take to notice that it should stop before we go on without it.
_JOIN_SECONDS = 5.0

Shown = TypeVar("Shown")


class Worker(ABC, Generic[Shown]):
    """What an engine produces, as it arrives: iterate over it, or `run` it to the end. Either, and once.

    The worker thread alone writes results; the queue only tells the consumer that there is more to show. So an
    interrupt may strike the consumer at any point and nothing that was said is lost.
    """

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._shown: queue.SimpleQueue[Shown | None] = queue.SimpleQueue()
        self._stopped = False
        """Whether the engine was told to stop before its end."""
        self._error: BaseException | None = None
        self._worker = threading.Thread(target=self._work, name="kaggle_magics-generation", daemon=True)

    @abstractmethod
    def _produce(self) -> Iterator[Shown]:
        """What is to be shown, as it comes; runs in the worker thread and stores the results."""

    @abstractmethod
    def _check_whole(self) -> None:
        """Raise `EngineError` when the engine ended without saying all it must."""

    def stop(self) -> None:
        """Ask the engine to end within a token, from any thread; the stop reason is then "interrupted"."""
        self._stopped = True
        self._stop.set()

    def run(self, on_shown: Callable[[Shown], None] | None = None) -> None:
        """Generate to the end; `on_shown` gets each new piece in the calling thread.

        The first `KeyboardInterrupt` stops the engine and keeps the text; a second one, should the engine not react,
        is raised. Errors of the engine are raised as `KaggleMagicsError`s; what came before them is kept.
        """
        try:
            try:
                self._worker.start()
                for shown in self._arriving():
                    if on_shown:
                        on_shown(shown)
            except KeyboardInterrupt:
                self.stop()
                for _ in self._arriving():
                    pass
        finally:
            self._end()
        self._check()

    def __iter__(self) -> Iterator[Shown]:
        try:
            self._worker.start()
            yield from self._arriving()
        finally:
            self._end()
        self._check()

    def _arriving(self) -> Iterator[Shown]:
        """What the worker hands over, until it has ended."""
        while True:
            try:
                shown = self._shown.get(timeout=_WAIT_SECONDS)
            except queue.Empty:
                # The end mark may have been lost to an interrupt: a dead worker says no more.
                if not self._worker.is_alive() and self._shown.empty():
                    return
                continue
            if shown is None:
                return
            yield shown

    def _end(self) -> None:
        self._stop.set()
        if self._worker.ident is not None:
            self._worker.join(timeout=_JOIN_SECONDS)

    def _check(self) -> None:
        if self._error is not None:
            raise _explained(self._error)
        self._check_whole()

    def _work(self) -> None:
        try:
            for shown in self._produce():
                self._shown.put(shown)
        except BaseException as error:  # raised again in the thread that asked, whatever it is
            self._error = error
        finally:
            self._shown.put(None)


class Generated:
    """What has come of one answer so far."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._thoughts: list[str] = []
        self.tokens: list[TokenProbability] = []
        """The tokens with their probabilities, where the request asked for them."""
        self.stop_reason: StopReason | None = None
        """Why it ended; None while it runs."""
        self.usage: Usage | None = None

    @property
    def text(self) -> str:
        """All text that has come so far."""
        return "".join(self._texts)

    @property
    def reasoning(self) -> str:
        """What the model thought before it answered, where the engine tells the two apart."""
        return "".join(self._thoughts)

    def add(self, piece: Piece) -> None:
        """Take the next piece."""
        self.stop_reason, self.usage = piece.stop_reason, piece.usage
        self.tokens.extend(piece.tokens)
        if piece.reasoning:
            self._thoughts.append(piece.reasoning)
        if piece.text:
            self._texts.append(piece.text)


class Generation(Worker[str], Generated):
    """One running request; what it shows is its text."""

    def __init__(self, engine: Engine, request: Request) -> None:
        Worker.__init__(self)
        Generated.__init__(self)
        self._engine, self._request = engine, request

    def _produce(self) -> Iterator[str]:
        for piece in self._engine.stream(self._request, self._stop):
            self.add(piece)
            if piece.text:
                yield piece.text

    def _check_whole(self) -> None:
        if self.stop_reason is None or self.usage is None:
            raise EngineError("The engine ended its answer without saying why.")


class TableGeneration(Worker[tuple[int, Piece]]):
    """A running table of requests; what it shows is (index of the request, piece)."""

    def __init__(self, engine: Engine, requests: Sequence[Request]) -> None:
        super().__init__()
        self._engine, self._requests = engine, list(requests)
        self.answers = [Generated() for _ in requests]
        """What has come of each request, in their order."""

    def _produce(self) -> Iterator[tuple[int, Piece]]:
        for index, piece in self._engine.stream_many(self._requests, self._stop):
            self.answers[index].add(piece)
            yield index, piece

    def _check_whole(self) -> None:
        for answer in self.answers:
            if answer.stop_reason is None or answer.usage is None:
                if not self._stopped:
                    raise EngineError("The engine ended a table without saying why.")
                # Not begun when the stop came.
                answer.stop_reason, answer.usage = "interrupted", answer.usage or Usage(0, 0, 0, 0.0, 0.0)


def _explained(error: BaseException) -> BaseException:
    """The same trouble as one of our errors; our own errors and interrupts pass unchanged."""
    if isinstance(error, KaggleMagicsError) or not isinstance(error, Exception):
        return error
    explained: KaggleMagicsError
    if memory.is_out_of_memory(error):
        explained = DoesNotFit(
            "The answer needed more memory than there is.",
            "Try a shorter prompt, a smaller --context when loading, or %llm_unload another model.",
        )
    else:
        explained = EngineError(f"The engine failed: {type(error).__name__}: {error}")
    explained.__cause__ = error
    return explained
