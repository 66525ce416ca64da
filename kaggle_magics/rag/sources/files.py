"""Paths, folders and patterns as sources."""

from __future__ import annotations

import glob
import os
import time
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from kaggle_magics.errors import did_you_mean
from kaggle_magics.rag.passages import Block
from kaggle_magics.rag.readers import READERS, choose_reader, refuse_unknown
from kaggle_magics.rag.readers.reading import Reading
from kaggle_magics.rag.readers.sniffing import sniff, suffix_of
from kaggle_magics.rag.sources.members import Opened, with_members
from kaggle_magics.rag.sources.source import Source

_RACY = 3.0
"""Seconds in which a file may change without another time stamp, on the coarsest file systems (FAT: 2)."""


def path_sources(text: str, opened: Opened) -> Iterator[Source]:
    """The files that a path or pattern means, and what lies in those that hold other files."""
    base = _base(text)
    for file in _files(text):
        yield from with_members(_file_source(file, base), opened)


def _files(text: str) -> Iterator[Path]:
    path = Path(text).expanduser()
    if path.is_dir():
        yield from _files_below(path)
    elif path.exists() or not glob.has_magic(text):
        yield path
    else:
        matches = sorted(glob.glob(str(path), recursive=True))
        if not matches:
            yield path
        for match in matches:
            yield from _files_below(Path(match)) if Path(match).is_dir() else [Path(match)]


def _files_below(folder: Path) -> Iterator[Path]:
    """Files of a folder and its folders in the order of their names; hidden ones, Python's caches and what a
    kept collection consists of are left out."""
    visited: set[tuple[int, int]] = set()
    for here, folders, files in os.walk(folder, followlinks=True):
        status = os.stat(here)
        if (status.st_dev, status.st_ino) in visited:  # a link that leads back up
            folders.clear()
            continue
        visited.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "__pycache__")
        if _RECORDS in files:
            folders[:] = [name for name in folders if not _is_kept(name)]
            files = [name for name in files if not _is_kept(name)]
        yield from (Path(here) / name for name in sorted(files) if not name.startswith("."))


_RECORDS = "records.sqlite"
_KEPT = ("records.sqlite*", "lock", "chroma-*", "index-unfinished", "vectors.faiss*", "langchain-*")


def _is_kept(name: str) -> bool:
    """Whether a file or folder beside a collection's records is the collection's own: it is no document."""
    return any(fnmatchcase(name, pattern) for pattern in _KEPT)


def _file_source(path: Path, base: Path) -> Source:
    absolute = Path(os.path.abspath(path))

    def load() -> bytes:
        if absolute.exists() and not absolute.is_file():
            raise OSError("it is not a regular file")
        if suffix_of(absolute.name) not in READERS:
            # Many megabytes of a model or a table need not be read to say that there is no reader for them.
            with absolute.open("rb") as file:
                refuse_unknown(absolute.name, file.read(4096))
        return absolute.read_bytes()

    def read(data: bytes, reading: Reading) -> Iterable[Block]:
        return choose_reader(absolute.name, data, reading)(data, reading)

    return Source(
        absolute.as_posix(),
        _label(absolute, base),
        load,
        read,
        _telling_name(absolute),
        signature=lambda: file_signature(absolute),
    )


def file_signature(path: Path) -> str:
    """Size, times and inode of a file, or "" when it changed a moment ago. Raises OSError.

    Equal signatures mean equal content: writing to a file sets its change time (ctime), which no program can set back,
    and another file under its name has another inode. Only a change within the clock's tick of a moment ago could go
    unseen, so a file that is younger than that has no signature (git calls such entries racy). Windows has no change
    time: there the content decides.
    """
    status = os.stat(path)
    if os.name == "nt" or time.time() - max(status.st_mtime, status.st_ctime) < _RACY:
        return ""
    return f"{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}:{status.st_ino}:{status.st_dev}"


def _telling_name(path: Path) -> str:
    """The file's name; with `.zip` at its end for a zip archive without a suffix."""
    if not path.suffix and path.is_file():
        try:
            with path.open("rb") as file:
                begin = file.read(4)
            if begin == b"PK\x03\x04" and sniff(path.read_bytes()) == (".zip", "a zip archive"):
                return f"{path.name}.zip"
        except OSError:  # reading it tells why
            pass
    return path.name


def _base(text: str) -> Path:
    """The folder that holds what was named: labels of files elsewhere than here begin below it."""
    path = Path(os.path.abspath(os.path.expanduser(text)))
    if not path.exists():
        path = next((above for above in (path, *path.parents) if not glob.has_magic(str(above))), path)
    return path.parent


def _label(absolute: Path, base: Path) -> str:
    """Below the working directory the path from there, else the path below what was named, with its own name first.

    An ingest takes the whole path where another source bears this label already.
    """
    # What does not exist is named as a whole.
    for folder in (Path.cwd(), base) if absolute.exists() else (Path.cwd(),):
        if absolute.is_relative_to(folder):
            return absolute.relative_to(folder).as_posix()
    return absolute.as_posix()


def missing_hint(uri: str) -> str | None:
    """What a path that does not exist may have meant."""
    path = Path(uri)
    try:
        near = [entry.name for entry in path.parent.iterdir() if not entry.name.startswith(".")]
    except OSError:
        return f"There is no folder {path.parent.as_posix()} either."
    return did_you_mean(path.name, near)
