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
from kaggle_magics.models.request import Piece, Request, StopReason, Usage

# How long one wait for the next piece lasts: a wait without an end cannot be interrupted on every platform.
_WAIT_SECONDS = 0.1
# How long an engine may take to notice that it should stop before we go on without it.
_JOIN_SECONDS = 5.0


class Generation:
    """One running request: iterate for the text as it comes, or `run` it to the end. Either, and once."""

    def __init__(self, engine: Engine, request: Request) -> None:
        self._engine = engine
        self._request = request
        self._stop = threading.Event()
        self._pieces: queue.SimpleQueue[Piece | BaseException | None] = queue.SimpleQueue()
        self._texts: list[str] = []
        self.stop_reason: StopReason | None = None
        """Why it ended; None while it runs."""
        self.usage: Usage | None = None

    @property
    def text(self) -> str:
        """All text that has come so far."""
        return "".join(self._texts)

    def stop(self) -> None:
        """Ask the engine to end within a token, from any thread; the stop reason is then "interrupted"."""
        self._stop.set()

    def run(self, on_text: Callable[[str], None] | None = None) -> None:
        """Generate to the end; `on_text` gets each new piece of text in the calling thread.

        The first `KeyboardInterrupt` stops the engine and keeps the text; a second one, should the engine not react,
        is raised. Errors of the engine are raised as `KaggleMagicsError`s; the text before them stays in `text`.
        """
        texts = iter(self)
        try:
            for text in texts:
                if on_text:
                    on_text(text)
        except KeyboardInterrupt:
            if self._stop.is_set():
                raise
            # It fell into `on_text`: the engine is stopped here, and what it had already said is still collected.
            self._stop.set()
            for _ in texts:
                pass

    def __iter__(self) -> Iterator[str]:
        worker = threading.Thread(target=self._produce, name="kaggle_magics-generation", daemon=True)
        worker.start()
        try:
            while (item := self._next()) is not None:
                if isinstance(item, BaseException):
                    raise _explained(item)
                self.stop_reason, self.usage = item.stop_reason, item.usage
                if item.text:
                    self._texts.append(item.text)
                    yield item.text
            if self.stop_reason is None or self.usage is None:
                raise EngineError("The engine ended its answer without saying why.")
        finally:
            self._stop.set()
            worker.join(timeout=_JOIN_SECONDS)

    def _next(self) -> Piece | BaseException | None:
        """The next item of the worker; an interrupt while waiting sets the stop flag and waits on."""
        while True:
            try:
                return self._pieces.get(timeout=_WAIT_SECONDS)
            except queue.Empty:
                continue
            except KeyboardInterrupt:
                if self._stop.is_set():
                    raise
                self._stop.set()

    def _produce(self) -> None:
        try:
            for piece in self._engine.stream(self._request, self._stop):
                self._pieces.put(piece)
        except BaseException as error:  # handed to the thread that asked, whatever it is
            self._pieces.put(error)
        else:
            self._pieces.put(None)


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
