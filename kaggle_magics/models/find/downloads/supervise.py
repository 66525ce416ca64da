"""Running the downloading process: progress out of it, time limits and the stop button over it."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn, TextIO

from kaggle_magics.errors import ModelNotFound

LIMIT = 4 * 3600.0
"""Seconds that one download may take in all."""
STALL = 60.0
"""Seconds without a byte after which a download is given up."""
ANSWER = 30.0
"""Seconds within which the server must say what files there are; starting the process is part of it."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a download is, in bytes. `total` is 0 where the server does not tell."""

    name: str
    done: int
    total: int
    bytes_per_second: float = 0.0

    def __str__(self) -> str:
        if not self.done and not self.total:
            return f"Fetching {self.name}"
        of = f"{self.done / 1e9:.2f} of {self.total / 1e9:.2f} GB" if self.total else f"{self.done / 1e9:.2f} GB"
        speed = f", {self.bytes_per_second / 1e6:.1f} MB/s" if self.bytes_per_second else ""
        left = (self.total - self.done) / self.bytes_per_second if speed and self.total else 0.0
        about = "" if left < 5 else f", {left:.0f} s left" if left < 100 else f", {left / 60:.0f} min left"
        return f"Downloading {self.name}: {of}{speed}{about}"


OnProgress = Callable[[Progress], None]


class Failure(Exception):
    """What the process could not do: its kind, the server's status, and the client's own words."""

    def __init__(self, kind: str, status: int | None, text: str) -> None:
        super().__init__(text)
        self.kind, self.status, self.text = kind, status, text


class Client:
    """The process, from its start to its end; a context manager, so that nothing of it stays behind."""

    def __init__(self, job: dict[str, Any], *, name: str, limit: float, stall: float) -> None:
        self._name, self._stall, self._limit = name, stall, limit
        self._end = time.monotonic() + limit
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        program = f"import json, sys; sys.path[:] = json.loads(sys.argv[1]); from {_CLIENT} import main; main()"
        self._process = subprocess.Popen(
            [sys.executable, "-c", program, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            encoding="utf-8",
            env={**os.environ, **_QUIET},
            # The stop button interrupts the notebook's whole process group; this process is ended by its parent.
            start_new_session=True,
        )
        self._heard: queue.SimpleQueue[str] = queue.SimpleQueue()
        assert self._process.stdout is not None
        threading.Thread(target=_read, args=(self._process.stdout, self._heard), daemon=True).start()
        self.tell(job)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            with contextlib.suppress(OSError):
                if stream is not None:
                    stream.close()

    def tell(self, message: dict[str, Any]) -> None:
        """Say something to the process. Where it ended already, its last words are what `hear` raises."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()

    def hear(self, key: str, within: float) -> Any:
        """The message with `key`, the first thing that is heard. Raises `Failure`, `ModelNotFound` when it is late."""
        for message in self._messages(within):
            if key in message:
                return message[key]
        self._died()

    def follow(self, total: int, on_progress: OnProgress | None) -> str:
        """Tell progress until the files are there; the path they lie at. Raises as `hear`."""
        done = 0
        first: tuple[int, float] | None = None
        if on_progress:
            on_progress(Progress(self._name, 0, total))
        for message in self._messages(self._stall):
            if "path" in message:
                return str(message["path"])
            if message.get("done", 0) > done:
                done, self._patience = message["done"], time.monotonic() + self._stall
                # What was here already counts as done and is no speed.
                first = first or (done, time.monotonic())
                speed = (done - first[0]) / max(time.monotonic() - first[1], 0.2)
                if on_progress:
                    on_progress(Progress(self._name, min(done, total) if total else done, total, speed))
        self._died()

    def _messages(self, within: float) -> Iterator[dict[str, Any]]:
        """What is heard, until the patience ends; who gets on in the meantime may prolong it."""
        self._patience = time.monotonic() + within
        while True:
            late = min(self._end, self._patience)
            try:
                line = self._heard.get(timeout=max(0.0, late - time.monotonic()))
            except queue.Empty:
                self._too_slow(within)
            if not line:
                return
            message = json.loads(line)
            if "error" in message:
                raise Failure(message["error"], message["status"], message["text"])
            yield message

    def _too_slow(self, within: float) -> NoReturn:
        again = "What has come is kept: run it again to go on."
        if time.monotonic() >= self._end:
            raise ModelNotFound(f"Downloading {self._name} took more than {self._limit:.0f} s and was given up.", again)
        raise ModelNotFound(f"Downloading {self._name} was given up: nothing came for {within:.0f} s.", again)

    def _died(self) -> NoReturn:
        self._errors.seek(0)
        last = [line.strip() for line in self._errors.read()[-4000:].splitlines() if line.strip()]
        raise Failure("other", None, last[-1] if last else "the downloading process ended")


_CLIENT = "kaggle_magics.models.find.downloads.client"
_QUIET = {
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    # Xet's own transfer can neither be watched nor be taken up again; the hub serves the same files over HTTP.
    "HF_HUB_DISABLE_XET": "1",
    "KAGGLEHUB_VERBOSITY": "error",
    "TQDM_DISABLE": "1",
}


def _read(stream: TextIO, heard: queue.SimpleQueue[str]) -> None:
    with contextlib.suppress(OSError, ValueError):
        for line in stream:
            heard.put(line)
    heard.put("")
