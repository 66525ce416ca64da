"""Answers on disk: one small JSON file each, so that several kernels, a kill, or a damaged file can hurt only one.

A folder of them can be copied, attached to another notebook as a dataset, and read there as it is. What is written goes
into a file of another name first and is then renamed, which is atomic. Each file carries the hash of its content.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kaggle_magics.generation.cache.key import canonical

FORMAT = 1
MOST_BYTES = 512 * 2**20
"""Of the answers in a folder; the ones that were not used for longest go first."""
_TRIM_AFTER = 200
"""Answers that are written before the folder's size is looked at again."""
_ABANDONED = 3600
"""Seconds after which a file that was never renamed is taken for what a killed kernel left."""


class AnswerStore:
    """Named records in folders: read from all of them, written to the first that can be written.

    Nothing here raises for the sake of a disk: what cannot be read is not there, what cannot be written is not kept,
    which is said once (`UserWarning`).
    """

    def __init__(self, folders: Sequence[Path], *, most_bytes: int = MOST_BYTES) -> None:
        self.folders = tuple(folders)
        self._most_bytes = most_bytes
        self._written = 0
        self._warned = False

    def get(self, kind: str, key: str) -> dict[str, Any] | None:
        """The record, or None where there is none that can be read. Reading it counts as using it."""
        for folder in self.folders:
            file = folder / _name(kind, key)
            record = _read(file)
            if record is not None:
                with contextlib.suppress(OSError):
                    os.utime(file)
                return record
        return None

    def put(self, kind: str, key: str, record: Mapping[str, Any]) -> bool:
        """Keep a record in place of one of the same name; whether that was possible."""
        trouble: OSError | None = None
        text = _text(record)
        for folder in self.folders:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                _write(folder, _name(kind, key), text)
            except OSError as error:
                trouble = trouble or error
                continue
            if self._written % _TRIM_AFTER == 0:
                trim(folder, self._most_bytes)
            self._written += 1
            return True
        if not self._warned and trouble is not None:
            self._warned = True
            where = trouble.filename or self.folders[0]
            warnings.warn(f"Answers are not kept: {trouble.strerror or trouble} ({where}).", stacklevel=2)
        return False

    def all(self, kind: str) -> Iterator[dict[str, Any]]:
        """Every record of a kind, each once."""
        seen: set[str] = set()
        for folder in self.folders:
            for file in sorted(folder.glob(f"{kind}-*.json")):
                if file.name not in seen and (record := _read(file)) is not None:
                    seen.add(file.name)
                    yield record


def trim(folder: Path, most_bytes: int) -> None:
    """Delete the answers that were not used for longest until the rest takes less, and what killed kernels left."""
    found: list[tuple[float, int, str]] = []
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            with contextlib.suppress(OSError):
                stat = entry.stat()
                if entry.name.endswith(".tmp"):
                    if stat.st_mtime < time.time() - _ABANDONED:
                        os.unlink(entry.path)
                elif entry.name.startswith("answer-"):
                    found.append((stat.st_mtime, stat.st_size, entry.path))
    taken = sum(size for _, size, _ in found)
    for _, size, path in sorted(found):
        if taken <= most_bytes:
            return
        with contextlib.suppress(OSError):
            os.unlink(path)
        taken -= size


def _name(kind: str, key: str) -> str:
    return f"{kind}-{key}.json"


def _text(record: Mapping[str, Any]) -> str:
    body = canonical(record)
    return f'{{"format":{FORMAT},"sha256":"{_digest(body)}","record":{body}}}\n'


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()


def _write(folder: Path, name: str, text: str) -> None:
    temporary = folder / f".{name}.{os.getpid()}-{secrets.token_hex(4)}.tmp"
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, folder / name)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def _read(file: Path) -> dict[str, Any] | None:
    """A record. One that is damaged is set aside under another name; one of a newer release is left alone."""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError:
        return None
    except ValueError:
        _set_aside(file)
        return None
    try:
        found = json.loads(text)
        form, record = found["format"], found["record"]
        if isinstance(form, int) and form > FORMAT:
            return None
        if isinstance(record, dict) and found["sha256"] == _digest(canonical(record)):
            return record
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    _set_aside(file)
    return None


def _set_aside(file: Path) -> None:
    with contextlib.suppress(OSError):
        os.replace(file, file.with_suffix(".damaged"))
