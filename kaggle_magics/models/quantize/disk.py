"""Writing large files: is there room, whole or not at all, one at a time."""

from __future__ import annotations

import errno
import glob
import hashlib
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from kaggle_magics.environment import cache_dir
from kaggle_magics.errors import KaggleMagicsError, OptionError
from kaggle_magics.file_lock import lock
from kaggle_magics.models.quantize.child import Stopped

_SPARE = 64 * 2**20
"""Bytes that are left free for others."""
_POLL = 0.1


class NoSpace(KaggleMagicsError):
    """A disk has not enough room."""


def must_have_room(folder: Path, needed: int) -> None:
    """Raise `NoSpace` when `needed` bytes more do not go into `folder` (which may not exist yet)."""
    there = next(each for each in (folder, *folder.parents) if each.exists())
    free = shutil.disk_usage(there).free
    if free < needed + _SPARE:
        raise NoSpace(
            f"This needs {needed / 1e9:.2f} GB on the disk of {folder}; {free / 1e9:.2f} GB are free.",
            "Free some, or name another folder with --path.",
        )


def out_of_space(folder: Path | None) -> NoSpace:
    """The error for a disk that became full on the way."""
    where = f"The disk of {folder}" if folder else "The disk"
    return NoSpace(f"{where} became full; nothing was kept.", "Free some, or name another folder with --path.")


def is_no_space(error: OSError) -> bool:
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def work_folder(target: Path) -> Iterator[Path]:
    """A new folder beside `target` for what is made on the way; it goes with all that is in it, whatever happens.

    Raises `OptionError` when nothing can be written there.
    """
    folder = target.parent / f".{target.name}.{os.getpid()}-{threading.get_ident()}.part"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target)
        folder.mkdir()
    except OSError as error:
        raise cannot_write(target.parent, error) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def cannot_write(folder: Path, error: OSError) -> KaggleMagicsError:
    """The error for a folder that cannot be written to."""
    if is_no_space(error):
        return out_of_space(folder)
    return OptionError(f"{folder} cannot be written to: {error.strerror or error}.", "Name another with --path.")


def put(file: Path, target: Path) -> None:
    """Give a finished file its name: on the disk first, then in one step."""
    with file.open("rb+") as handle:
        os.fsync(handle.fileno())
    os.replace(file, target)
    if os.name == "posix":
        directory = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


@contextmanager
def one_at_a_time(
    target: Path, *, on_wait: Callable[[], None] | None = None, stop: threading.Event | None = None
) -> Iterator[None]:
    """Only one process, and one thread of it, works on `target`; others wait. The lock lies in the cache."""
    folder = cache_dir() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha256(os.fsencode(os.path.realpath(target))).hexdigest()[:32]
    with open(folder / name, "a+", encoding="utf-8") as file:
        told = False
        while not _locked(file):
            if stop is not None and stop.is_set():
                raise Stopped("It was stopped; nothing of it is left.")
            if not told and on_wait is not None:
                on_wait()
            told = True
            time.sleep(_POLL)
        yield


def _locked(file: IO[str]) -> bool:
    """Take the lock if nobody has it."""
    try:
        lock(file)
    except OSError:
        return False
    return True


def _sweep(target: Path) -> None:
    """Take away what a process left beside `target` that was killed in the middle. The caller holds its lock."""
    for left in target.parent.glob(f".{glob.escape(target.name)}.*.part"):
        shutil.rmtree(left, ignore_errors=True)
