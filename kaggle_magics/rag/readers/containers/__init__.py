"""Files that hold other files: each of these is a source of its own. One line a format in `CONTAINERS`."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kaggle_magics.rag.readers.sniffing import suffix_of

MOST_DEPTH = 4
"""How many containers may lie in each other."""


@dataclass(frozen=True, slots=True)
class Member:
    """A file in a container. `name` is its path there, with `/`."""

    name: str
    load: Callable[[], bytes]
    """Raises `DocumentError`."""
    size: int = 0
    """Its declared bytes, as far as they are known."""
    problem: str = ""
    """Why it is not read; then `load` is never called."""


Members = Callable[[bytes, str], Iterator[Member]]
"""Takes a container's bytes and file name, yields what is in it. Raises `DocumentError`: damaged, locked, a bomb."""

_HERE = "kaggle_magics.rag.readers"

CONTAINERS: dict[str, str] = {
    ".zip": f"{_HERE}.containers.archives:zip_members",
    **dict.fromkeys((".tar", ".tgz", ".tbz2", ".txz"), f"{_HERE}.containers.archives:tar_members"),
    **dict.fromkeys((".gz", ".bz2", ".xz"), f"{_HERE}.containers.archives:compressed_member"),
    ".eml": f"{_HERE}.containers.mail:members",
    ".msg": f"{_HERE}.containers.outlook:members",
    ".mbox": f"{_HERE}.containers.mail:mailbox_members",
}
"""Suffix -> "module:members". One that has a reader too (an e-mail) is a source beside its members."""


def find_members(name: str) -> Members | None:
    """What lists the members of a file of this name; None for a file that is no container."""
    target = CONTAINERS.get(suffix_of(name))
    if target is None:
        return None
    module, function = target.split(":")
    members: Members = getattr(importlib.import_module(module), function)
    return members
