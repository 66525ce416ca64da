"""Which stored sources the named paths cover although they are no longer there."""

from __future__ import annotations

import fnmatch
import glob
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any


def vanished(paths: Any, stored: Iterable[str], found: Collection[str], unread: Collection[str]) -> list[str]:
    """Uris of stored sources that `paths` cover, that were not found now, and whose file does not exist.

    A folder covers all below it, a pattern what it matches and all below that, a file itself and what was read out of
    it (an archive's members). Names of texts and documents cover nothing. What was read out of a file that is there
    but could not be read now (`unread`) stays.
    """
    covers = [_Cover(path) for path in _named(paths)]
    return [
        uri
        for uri in stored
        if uri not in found
        and any(cover(uri) for cover in covers)
        and not os.path.lexists(uri)
        and not any(_within(uri, parent) for parent in unread)
    ]


def _named(paths: Any) -> Iterator[str]:
    if isinstance(paths, str | os.PathLike):
        yield str(os.fspath(paths))
    elif isinstance(paths, Iterable) and not isinstance(paths, bytes | Mapping) and not hasattr(paths, "page_content"):
        for path in paths:
            yield from _named(path)


class _Cover:
    """What a path or pattern covers."""

    def __init__(self, path: str) -> None:
        self.path = Path(os.path.abspath(Path(path).expanduser())).as_posix()
        self.pattern = glob.has_magic(path) and not os.path.exists(path)

    def __call__(self, uri: str) -> bool:
        if not self.pattern:
            return _within(uri, self.path)
        parts, wanted = uri.split("/"), self.path.split("/")
        return any(_match(parts[:length], wanted) for length in range(1, len(parts) + 1))


def _within(uri: str, path: str) -> bool:
    """Whether it is the path itself, or below it, or read out of it."""
    return uri == path or (uri.startswith(path) and (path.endswith("/") or uri[len(path)] in "/!#"))


def _match(parts: list[str], pattern: list[str]) -> bool:
    """As `glob` with `recursive=True`: `*` stays within a folder, `**` does not, and neither takes hidden ones."""
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(
            _match(parts[length:], pattern[1:])
            for length in range(len(parts) + 1)
            if not any(part.startswith(".") for part in parts[:length])
        )
    if not parts or (parts[0].startswith(".") and not pattern[0].startswith(".")):
        return False
    return fnmatch.fnmatchcase(parts[0], pattern[0]) and _match(parts[1:], pattern[1:])
