"""Long work in a process of its own: its progress is read, an interrupt really ends it, and its memory is all freed.

llama.cpp's quantiser cannot be stopped from outside, and its assertions end the process they happen in; a notebook's
kernel must survive both.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from kaggle_magics.errors import KaggleMagicsError

OnLine = Callable[[str], None]

_ROOT = Path(__file__).resolve().parents[3]
_SECRET = ("TOKEN", "SECRET", "PASSWORD", "API_KEY", "CREDENTIAL")
_POLL = 0.1
_TAIL = 80
"""Lines of a child's output that are kept to explain why it failed."""


class Stopped(KaggleMagicsError):
    """Work was ended because it was told to stop; nothing of it is left."""


class ChildFailed(Exception):
    """A child ended with an error; `lines` are the last ones it wrote."""

    def __init__(self, code: int, lines: Sequence[str]) -> None:
        super().__init__(f"exit code {code}")
        self.code = code
        self.lines = tuple(lines)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def python_child(module: str, arguments: Sequence[str]) -> list[str]:
    """The command that runs `main()` of a module of this package. The working directory is not on its path."""
    start = (
        "import sys; root = sys.argv.pop(1); root in sys.path or sys.path.insert(0, root); "
        f"from {module} import main; main()"
    )
    return [sys.executable, "-P", "-c", start, str(_ROOT), *arguments]


def run_child(
    command: Sequence[str],
    *,
    on_line: OnLine | None = None,
    stop: threading.Event | None = None,
    seconds: float | None = None,
) -> None:
    """Run a command to its end, giving each line it writes (also those ended by a carriage return).

    Raises `ChildFailed`, `Stopped` when `stop` is set, TimeoutError after `seconds`. Whatever ends this call ends the
    child and all its children.
    """
    child = subprocess.Popen(
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        env=_environment(),
    )
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(child, lines), daemon=True).start()
    tail: deque[str] = deque(maxlen=_TAIL)
    end = None if seconds is None else time.monotonic() + seconds
    try:
        while True:
            if stop is not None and stop.is_set():
                raise Stopped("It was stopped; nothing of it is left.")
            if end is not None and time.monotonic() > end:
                raise TimeoutError(f"no end after {seconds:.0f} seconds")
            try:
                line = lines.get(timeout=_POLL)
            except queue.Empty:
                continue
            if line is None:
                break
            if not line.startswith("@"):
                tail.append(line)
            if on_line is not None:
                on_line(line)
        code = child.wait()
    except BaseException:
        _kill(child)
        raise
    if code != 0:
        raise ChildFailed(code, tail)


def _read(child: subprocess.Popen[bytes], lines: queue.SimpleQueue[str | None]) -> None:
    assert child.stdout is not None
    waiting = b""
    with child.stdout as pipe:
        while block := os.read(pipe.fileno(), 65536):
            *whole, waiting = (waiting + block).replace(b"\r", b"\n").split(b"\n")
            for line in whole:
                if text := line.decode("utf-8", "replace").rstrip():
                    lines.put(text)
    if waiting.strip():
        lines.put(waiting.decode("utf-8", "replace").rstrip())
    lines.put(None)


def _kill(child: subprocess.Popen[bytes]) -> None:
    try:
        if hasattr(os, "killpg"):
            os.killpg(child.pid, signal.SIGKILL)
        else:
            child.kill()
    except (ProcessLookupError, PermissionError):
        pass
    child.wait()


def _environment() -> dict[str, str]:
    """Ours, without secrets, and with libraries told that they have no network."""
    kept = {name: value for name, value in os.environ.items() if not any(word in name.upper() for word in _SECRET)}
    kept |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "PYTHONIOENCODING": "utf-8", "PYTHONUNBUFFERED": "1"}
    kept |= {"TOKENIZERS_PARALLELISM": "false", "TRANSFORMERS_VERBOSITY": "error", "CUDA_VISIBLE_DEVICES": ""}
    return kept


def die_with_parent() -> None:
    """In a child: end when the process that started it does (Linux, prctl(2), PR_SET_PDEATHSIG)."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def report(done: float, total: float) -> None:
    """In a child: how far it has come."""
    print(f"@progress {done:.0f} {total:.0f}", flush=True)


def progress_of(line: str) -> float | None:
    """The share that a `report` line tells; None for any other line."""
    words = line.split()
    if len(words) != 3 or words[0] != "@progress":
        return None
    total = float(words[2])
    return min(1.0, float(words[1]) / total) if total > 0 else 0.0
