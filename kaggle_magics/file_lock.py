"""A lock on an open file, between processes; the system lets it go when the file is closed, however that happens."""

from __future__ import annotations

from typing import IO


def lock(file: IO[str]) -> None:
    """Take the lock at once. Raises `OSError` when another process, or another open file of this one, holds it."""
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
