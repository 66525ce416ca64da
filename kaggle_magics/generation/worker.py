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
from dataclasses import replace
from typing import Generic, TypeVar

from kaggle_magics import memory
from kaggle_magics.errors import DoesNotFit, EngineError, KaggleMagicsError
from kaggle_magics.generation.reasoning import ReasoningSplitter, splitter_for
from kaggle_magics.models.engines.protocol import Engine
from kaggle_magics.models.request import Piece, Progress, Request, StopReason, TokenProbability, Usage

# How long one wait for the next piece lasts: a wait without an end cannot be interrupted on every platform.
_WAIT_SECONDS = 0.1
# How long an engine may take to notice that it should stop before we go on without it.
_JOIN_SECONDS = 5.0

Shown = TypeVar("Shown")
OnText = Callable[[str], None]


class Worker(ABC, Generic[Shown]):
    """What an engine produces, as it arrives. It is run to its end, or iterated over; either, and once.

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

    @property
    def stopped(self) -> bool:
        """Whether it was told to stop, though all may have been said by then."""
        return self._stopped

    def stop(self) -> None:
        """Ask the engine to end within a token, from any thread; the stop reason is then "interrupted"."""
        self._stopped = True
        self._stop.set()

    def _run(self, on_shown: Callable[[Shown], None] | None = None) -> None:
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

    def _iterate(self) -> Iterator[Shown]:
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

    def __init__(self, splitter: ReasoningSplitter | None = None) -> None:
        self._splitter = splitter
        self._texts: list[str] = []
        self._thoughts: list[str] = []
        self.tokens: list[TokenProbability] = []
        """The tokens with their probabilities, where the request asked for them."""
        self.stop_reason: StopReason | None = None
        """Why it ended; None while it runs."""
        self.usage: Usage | None = None
        self.progress: Progress | None = None
        """From where it could go on, once it has ended."""
        self.error = ""
        """Why it failed, where it did; the text ends with it."""

    @property
    def text(self) -> str:
        """All text that has come so far."""
        return "".join(self._texts)

    @property
    def reasoning(self) -> str:
        """What the model thought before it answered, told apart by the engine or by its marks."""
        return "".join(self._thoughts).strip()

    def add(self, piece: Piece) -> Piece:
        """Take the next piece; the same, with thoughts and answer told apart."""
        if piece.stop_reason == "error":
            self.error = piece.text
        piece = self._split(piece)
        self.stop_reason, self.usage, self.progress = piece.stop_reason, piece.usage, piece.progress
        self.tokens.extend(piece.tokens)
        if piece.reasoning:
            self._thoughts.append(piece.reasoning)
        if piece.text:
            self._texts.append(piece.text)
        return piece

    def _split(self, piece: Piece) -> Piece:
        if self._splitter is None:
            return piece
        # The text of an error is its reason. An engine that tells thoughts apart itself leaves none in the text.
        settled = piece.stop_reason == "error" or bool(piece.reasoning)
        text, thoughts = (piece.text, piece.reasoning) if settled else self._splitter.feed(piece.text)
        if settled or piece.stop_reason is not None:
            held, held_thoughts = self._splitter.flush()
            text, thoughts = (
                (held + text, held_thoughts + thoughts) if settled else (text + held, thoughts + held_thoughts)
            )
            self._splitter = None
        return replace(piece, text=text, reasoning=thoughts)


class Generation(Worker[Piece], Generated):
    """One running request: `run` it, or iterate over its text."""

    def __init__(self, engine: Engine, request: Request) -> None:
        Worker.__init__(self)
        Generated.__init__(self, splitter_for(engine, request))
        self._engine, self._request = engine, request

    def run(self, on_text: OnText | None = None, on_reasoning: OnText | None = None) -> None:
        """Generate to the end. `on_text` gets each new piece of the answer and `on_reasoning` of the thoughts before
        it, in the calling thread. For the stop button and errors see `Worker`."""

        def show(piece: Piece) -> None:
            if piece.reasoning and on_reasoning:
                on_reasoning(piece.reasoning)
            if piece.text and on_text:
                on_text(piece.text)

        self._run(show)

    def __iter__(self) -> Iterator[str]:
        return (piece.text for piece in self._iterate() if piece.text)

    def _produce(self) -> Iterator[Piece]:
        for piece in self._engine.stream(self._request, self._stop):
            shown = self.add(piece)
            if shown.text or shown.reasoning:
                yield shown

    def _check_whole(self) -> None:
        if self.stop_reason is None or self.usage is None:
            raise EngineError("The engine ended its answer without saying why.")


class TableGeneration(Worker[tuple[int, Piece]]):
    """A running table of requests; what it shows is (index of the request, piece)."""

    def __init__(self, engine: Engine, requests: Sequence[Request]) -> None:
        super().__init__()
        self._engine, self._requests = engine, list(requests)
        self.answers = [Generated(splitter_for(engine, request)) for request in requests]
        """What has come of each request, in their order."""

    def run(self, on_piece: Callable[[tuple[int, Piece]], None] | None = None) -> None:
        """Generate to the end; `on_piece` gets (index of the request, piece) in the calling thread."""
        self._run(on_piece)

    def _produce(self) -> Iterator[tuple[int, Piece]]:
        for index, piece in self._engine.stream_many(self._requests, self._stop):
            yield index, self.answers[index].add(piece)

    def _check(self) -> None:
        # What was answered before the engine failed is not lost: only the rest has failed.
        left = [answer for answer in self.answers if answer.stop_reason is None]
        if isinstance(self._error, Exception) and len(left) < len(self.answers):
            reason = str(_explained(self._error))
            for answer in left:
                answer.add(Piece(reason, "error", answer.usage or Usage(0, 0, 0, 0.0, 0.0)))
            self._error = None
        super()._check()

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
