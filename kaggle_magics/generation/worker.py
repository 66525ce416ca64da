"""One request on its way: a worker thread produces, whoever asked consumes.

The engine runs in a thread of its own so that the notebook's stop button, which raises `KeyboardInterrupt` in the
main thread, always finds that thread waiting in Python and never inside a library. Stopping is a flag that the
engine reads at every token; the worker is joined at the end, so no thread outlives its answer.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator

from kaggle_magics.errors import DoesNotFit, EngineError, KaggleMagicsError
from kaggle_magics.models.engines.protocol import Engine
from kaggle_magics.models.request import Request, StopReason, Usage

# How long one wait for the next piece lasts: a wait without an end cannot be interrupted on every platform.
_WAIT_SECONDS = 0.1
# How long an engine may take to notice that it should stop before we go on without it.
_JOIN_SECONDS = 5.0


class Generation:
    """One running request: iterate for the text as it comes, or `run` it to the end. Either, and once.

    The worker alone writes `text`, `stop_reason` and `usage`; the queue only tells the consumer that there is more to
    show. So an interrupt may strike the consumer at any point and nothing that was said is lost.
    """

    def __init__(self, engine: Engine, request: Request) -> None:
        self._engine = engine
        self._request = request
        self._stop = threading.Event()
        self._shown: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._texts: list[str] = []
        self._thoughts: list[str] = []
        self._error: BaseException | None = None
        self._worker = threading.Thread(target=self._produce, name="kaggle_magics-generation", daemon=True)
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

    def stop(self) -> None:
        """Ask the engine to end within a token, from any thread; the stop reason is then "interrupted"."""
        self._stop.set()

    def run(self, on_text: Callable[[str], None] | None = None) -> None:
        """Generate to the end; `on_text` gets each new piece of text in the calling thread.

        The first `KeyboardInterrupt` stops the engine and keeps the text; a second one, should the engine not react,
        is raised. Errors of the engine are raised as `KaggleMagicsError`s; the text before them stays in `text`.
        """
        try:
            try:
                self._worker.start()
                for text in self._arriving():
                    if on_text:
                        on_text(text)
            except KeyboardInterrupt:
                self._stop.set()
                for _ in self._arriving():
                    pass
        finally:
            self._end()
        self._check()

    def __iter__(self) -> Iterator[str]:
        try:
            self._worker.start()
            yield from self._arriving()
        finally:
            self._end()
        self._check()

    def _arriving(self) -> Iterator[str]:
        """Texts as the worker hands them over, until it has ended."""
        while True:
            try:
                text = self._shown.get(timeout=_WAIT_SECONDS)
            except queue.Empty:
                # The end mark may have been lost to an interrupt: a dead worker says no more.
                if not self._worker.is_alive() and self._shown.empty():
                    return
                continue
            if text is None:
                return
            yield text

    def _end(self) -> None:
        self._stop.set()
        if self._worker.ident is not None:
            self._worker.join(timeout=_JOIN_SECONDS)

    def _check(self) -> None:
        if self._error is not None:
            raise _explained(self._error)
        if self.stop_reason is None or self.usage is None:
            raise EngineError("The engine ended its answer without saying why.")

    def _produce(self) -> None:
        try:
            for piece in self._engine.stream(self._request, self._stop):
                self.stop_reason, self.usage = piece.stop_reason, piece.usage
                if piece.reasoning:
                    self._thoughts.append(piece.reasoning)
                if piece.text:
                    self._texts.append(piece.text)
                    self._shown.put(piece.text)
        except BaseException as error:  # raised again in the thread that asked, whatever it is
            self._error = error
        finally:
            self._shown.put(None)


def _explained(error: BaseException) -> BaseException:
    """The same trouble as one of our errors; our own errors and interrupts pass unchanged."""
    if isinstance(error, KaggleMagicsError) or not isinstance(error, Exception):
        return error
    explained: KaggleMagicsError
    # torch.cuda.OutOfMemoryError is a RuntimeError by another name; torch is not imported to find out.
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        explained = DoesNotFit(
            "The answer needed more memory than there is.",
            "Try a shorter prompt, a smaller --context when loading, or %llm_unload another model.",
        )
    else:
        explained = EngineError(f"The engine failed: {type(error).__name__}: {error}")
    explained.__cause__ = error
    return explained
