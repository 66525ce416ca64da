"""llama.cpp's C API through llama-cpp-python: quiet, checked, with its last log lines at hand.

The high-level `Llama` is left aside: it makes no use of half the cores, leaves flash attention off, redirects the
process's stdout to be quiet, and cannot be stopped within a prompt.
"""

from __future__ import annotations

import ctypes
from collections import deque
from typing import Any

from kaggle_magics.errors import MissingExtra
from kaggle_magics.extras import install_line, require

_log: deque[str] = deque(maxlen=50)
"""llama.cpp's last log lines; it reports why something failed only there."""
_callbacks: list[Any] = []
"""The log callback; llama.cpp keeps its address, so it must never be collected."""


def llama_library() -> Any:
    """The module `llama_cpp`, started and quiet. Raises `MissingExtra` when it is absent or too old."""
    library: Any = require("llama_cpp", "Running a GGUF file")
    if not hasattr(library, "llama_get_memory") or not hasattr(library, "LLAMA_FLASH_ATTN_TYPE_ENABLED"):
        raise MissingExtra(
            f"llama-cpp-python {library.__version__} is too old for this engine.",
            f"Run: {install_line('llama_cpp')} -U",
        )
    if not _callbacks:
        _callbacks.append(
            library.llama_log_callback(lambda level, text, data: _log.append(text.decode("utf-8", "replace")))
        )
        library.llama_log_set(_callbacks[0], ctypes.c_void_p(0))
        library.llama_backend_init()
    return library


def forget_log() -> None:
    """Start a new log, before a call whose log will be asked for."""
    _log.clear()


def log_text() -> str:
    """What llama.cpp has logged lately."""
    return "".join(_log)


def last_words() -> str | None:
    """The last line of llama.cpp's log that tells of an error."""
    for line in reversed(log_text().splitlines()):
        if "error" in line.lower() or "fail" in line.lower():
            return f"It says: {line.strip()[:200]}"
    return None
