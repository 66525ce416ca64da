"""Waiting in line: a model gives one answer at a time, and whoever waits is told for what."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from kaggle_magics.errors import EngineError

Tell = Callable[[str | None], None]
"""Told what is waited for, again and again, and None when the waiting is over."""

_SECONDS = 0.1
"""One wait: without an end it could not be interrupted on every platform."""
_AGAIN = 2.0
_SHOWN = 40
_tell: ContextVar[Tell | None] = ContextVar("_tell", default=None)
_held: dict[int, tuple[int, str]] = {}
"""Lock -> the thread that has it, and what for."""


@contextmanager
def telling(tell: Tell) -> Iterator[None]:
    """While this lasts, waiting in this thread is told there."""
    token = _tell.set(tell)
    try:
        yield
    finally:
        _tell.reset(token)


@contextmanager
def in_line(lock: threading.Lock, where: str, what: str) -> Iterator[None]:
    """Hold a lock, once it is free; `where` and `what` are for those who wait meanwhile: "pocket", the question.

    The stop button ends the waiting. Raises `EngineError` for a thread that would wait for itself.
    """
    if not lock.acquire(blocking=False):
        _wait(lock, where)
    try:
        _held[id(lock)] = (threading.get_ident(), what)
        yield
    finally:
        _held.pop(id(lock), None)
        lock.release()


def shortened(text: str) -> str:
    """A question's beginning, in quotes."""
    line = " ".join(text[: 4 * _SHOWN].split())
    return f'"{line[:_SHOWN].rstrip()}…"' if len(line) > _SHOWN else f'"{line}"'


def _wait(lock: threading.Lock, where: str) -> None:
    thread, what = _held.get(id(lock), (None, "an answer"))
    if thread == threading.get_ident():
        raise EngineError(f"{where} is asked while it gives {what} to the same code.", "Ask when that has ended.")
    tell = _tell.get()
    began = told = time.monotonic()
    # At once, a little later for outputs that just showed something else, and then now and then.
    due = 0.0
    while not lock.acquire(timeout=_SECONDS):
        now = time.monotonic()
        if tell and (now - told >= due or now - began < 4 * _SECONDS):
            what = _held.get(id(lock), (None, what))[1]
            tell(f"{where}: waiting for {what} to finish ({now - began:.0f} s)")
            told, due = now, _AGAIN
    if tell:
        tell(None)
