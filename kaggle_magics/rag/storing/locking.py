"""One process at a time works on a collection's folder: Chroma's files do not survive two."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

from kaggle_magics.errors import CollectionError
from kaggle_magics.file_lock import lock

FILE = "lock"


class FolderLock:
    """An exclusive lock on `folder/lock`, which the system lets go when the process ends, however it ends.

    Raises `CollectionError` when somebody else holds it, and OSError when the folder cannot be written to.
    """

    def __init__(self, folder: Path) -> None:
        self._file: IO[str] | None = open(folder / FILE, "a+", encoding="utf-8")  # noqa: SIM115 - held until release
        try:
            lock(self._file)
        except OSError as error:
            self._file.seek(0)
            holder = self._file.read().strip()
            self._file.close()
            who = "this process" if holder == str(os.getpid()) else f"process {holder}" if holder else "another process"
            raise CollectionError(
                f"The collection in {folder} is in use by {who}.", "Close it there first, or copy the folder."
            ) from error
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def release(self) -> None:
        """Let go; twice is harmless."""
        if self._file is not None:
            self._file.close()
            self._file = None
