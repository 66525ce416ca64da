"""Many requests one after the other: for engines that have no way to compute several at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence

from kaggle_magics.errors import KaggleMagicsError
from kaggle_magics.models.request import Piece, Request, Usage


def in_turn(
    stream: Callable[[Request, threading.Event], Iterator[Piece]], requests: Sequence[Request], stop: threading.Event
) -> Iterator[tuple[int, Piece]]:
    """`Engine.stream_many` by `Engine.stream`."""
    for index, request in enumerate(requests):
        if stop.is_set():
            return
        started = time.perf_counter()
        try:
            for piece in stream(request, stop):
                yield index, piece
        except KaggleMagicsError as error:
            seconds = time.perf_counter() - started
            yield index, Piece(str(error), "error", Usage(0, 0, 0, seconds, seconds))
