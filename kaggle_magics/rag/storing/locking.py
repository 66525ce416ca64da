"""One process at a time works on a collection's folder: Chroma's files do not survive two."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import IO

from kaggle_magics.errors import CollectionError
from kaggle_magics.file_lock import lock

FILE = "lock"
_PAUSE = 0.1
"""Seconds between two tries."""


class FolderLock:
    """An exclusive lock on `folder/lock`, which the system lets go when the process ends, however it ends.

    Somebody else's lock is waited for up to `wait` seconds. Raises `CollectionError` when it is still held then, and
    OSError when the folder cannot be written to.
    """

    def __init__(self, folder: Path, *, wait: float = 0.0) -> None:
        self._file: IO[str] | None = open(folder / FILE, "a+", encoding="utf-8")  # noqa: SIM115 - held until release
        until = time.monotonic() + wait
        try:
            while True:
                try:
                    lock(self._file)
                    break
                except OSError as error:
                    if time.monotonic() >= until:
                        raise CollectionError(
                            f"The collection in {folder} is in use by {self._holder(self._file)}.",
                            "Close it there first, wait for it with --wait SECONDS, or open a copy for reading: "
                            f"%rag_open {folder} --read-only",
                        ) from error
                time.sleep(min(_PAUSE, max(until - time.monotonic(), 0.0)))
        except BaseException:
            self._file.close()
            raise
        self._file.truncate(0)
        self._file.write(f"{os.getpid()} {_notebook()}".strip())
        self._file.flush()

    @staticmethod
    def _holder(file: IO[str]) -> str:
        """Who holds it, as it wrote itself down."""
        file.seek(0)
        number, _, notebook = file.read().strip().partition(" ")
        if number == str(os.getpid()):
            return "this process"
        return (f"process {number}" if number else "another process") + (f" ({notebook})" if notebook else "")

    def release(self) -> None:
        """Let go; twice is harmless."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _notebook() -> str:
    """The name of the notebook this process runs, where its server tells it."""
    return Path(os.environ.get("JPY_SESSION_NAME", "")).name.replace("\n", " ")
