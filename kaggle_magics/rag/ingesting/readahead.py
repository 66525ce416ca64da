"""Reading in a thread of its own, some way ahead of the one that embeds and stores."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

from kaggle_magics.rag.ingesting.preparing import Stopped

T = TypeVar("T")
R = TypeVar("R")

AHEAD = 4_000_000
"""Characters that may wait to be embedded; one item may be larger."""


class Readahead(Generic[T, R]):
    """`work(item)` of each item in their order, computed by one thread while the caller uses what came before.

    What waits is bounded by `weigh`, so memory is. An exception of `work` is raised where its result was due. Leaving
    the context ends the thread: at the next item, or where `work` asks `stopped`.
    """

    def __init__(
        self, items: Iterable[T], work: Callable[[T], R], weigh: Callable[[R], int], *, limit: int = AHEAD
    ) -> None:
        self._items, self._work, self._weigh, self._limit = items, work, weigh, limit
        self._waiting: deque[tuple[R, int]] = deque()
        self._held = 0
        self._error: BaseException | None = None
        self._ended = False
        self._stop = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="kaggle_magics reading", daemon=True)

    def stopped(self) -> bool:
        return self._stop

    def __enter__(self) -> Readahead[T, R]:
        self._thread.start()
        return self

    def __exit__(self, *rest: object) -> None:
        with self._changed:
            self._stop = True
            self._changed.notify_all()
        # A reader in the middle of a long page is not waited for: it has nothing but its own memory.
        self._thread.join(timeout=5)

    def __iter__(self) -> Iterator[R]:
        while True:
            with self._changed:
                while not self._waiting and not self._ended:
                    self._changed.wait()
                if not self._waiting:
                    break
                result, size = self._waiting.popleft()
                self._held -= size
                self._changed.notify_all()
            yield result
        if self._error is not None:
            raise self._error

    @property
    def idle(self) -> bool:
        """Whether nothing waits and more may come: the caller would have to wait for it."""
        with self._changed:
            return not self._waiting and not self._ended

    def _run(self) -> None:
        try:
            for item in self._items:
                result = self._work(item)
                size = self._weigh(result)
                with self._changed:
                    while self._held and self._held + size > self._limit and not self._stop:
                        self._changed.wait()
                    if self._stop:
                        return
                    self._waiting.append((result, size))
                    self._held += size
                    self._changed.notify_all()
                del result
        except Stopped:
            pass
        except BaseException as error:  # raised in the caller's thread, where its result was due
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()
