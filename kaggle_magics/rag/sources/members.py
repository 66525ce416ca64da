"""What lies in containers (archives, e-mails, mailboxes) as sources of its own: `report.zip!2024/march.pdf`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from kaggle_magics.errors import DocumentError
from kaggle_magics.rag.passages import Block
from kaggle_magics.rag.readers import READERS, choose_reader, suffix_of
from kaggle_magics.rag.readers.containers import MOST_DEPTH, Member, find_members
from kaggle_magics.rag.readers.packed import MOST_BYTES, MOST_ENTRIES
from kaggle_magics.rag.readers.reading import Reading
from kaggle_magics.rag.sources.source import Source


@dataclass(slots=True)
class Opened:
    """The container opened last at each depth. Members are read in their order, so each container is opened twice:
    when its members are listed, and when the first is read; and few are in memory at a time."""

    _last: dict[int, tuple[str, dict[str, Member]]] = field(default_factory=dict)

    def members(self, container: Source, depth: int) -> dict[str, Member]:
        """By name. Raises `DocumentError`, and OSError as the container's `load` does."""
        uri, members = self._last.get(depth, ("", {}))
        if uri != container.uri:
            find = find_members(container.name)
            self._last.pop(depth, None)
            members = {member.name: member for member in find(container.load(), container.name)} if find else {}
            self._last[depth] = container.uri, members
        return members


@dataclass(slots=True)
class _Budget:
    """What one container may hold, together with all that lie in it."""

    entries: int = MOST_ENTRIES
    size: int = MOST_BYTES


def with_members(source: Source, opened: Opened) -> Iterator[Source]:
    """The source itself, unless it is nothing but a container; then what is in it, to a depth of `MOST_DEPTH`.

    A container that is damaged, empty or too large is one source, whose `load` raises the reason.
    """
    yield from _expand(source, opened, _Budget(), 0)


def _expand(source: Source, opened: Opened, budget: _Budget, depth: int) -> Iterator[Source]:
    find = find_members(source.name)
    readable = suffix_of(source.name) in READERS
    if find is None or readable:
        yield source
    if find is None:
        return
    if depth >= MOST_DEPTH:
        if not readable:
            yield _refused(source, f"it lies in more than {MOST_DEPTH} containers; unpack it yourself first")
        return
    try:
        members = list(opened.members(source, depth).values())
    except (DocumentError, OSError) as error:
        if not readable:  # else reading it tells the same
            yield _refused(source, error)
        return
    if not members and not readable:
        yield _refused(source, "it holds no files")
    budget.entries -= len(members)
    for member in members:
        budget.size -= member.size
        if budget.entries < 0 or budget.size < 0:
            reason = f"more than {MOST_ENTRIES:,} files or {MOST_BYTES >> 20:,} MiB with all that is packed in it"
            # A uri of its own: an e-mail is read all the same.
            rest = Source(f"{source.uri}!", f"{source.label}!", source.load, source.read)
            yield _refused(rest, f"{reason}; unpack it yourself first")
            return
        yield from _expand(_member_source(source, member, opened, depth), opened, budget, depth + 1)


def _member_source(container: Source, member: Member, opened: Opened, depth: int) -> Source:
    # Only what is needed later: the member itself would keep its archive in memory.
    name, problem = member.name, member.problem
    label = f"{container.label}!{name}"
    if problem:
        return _refused(Source(f"{container.uri}!{name}", label, container.load, container.read), problem)

    def load() -> bytes:
        found = opened.members(container, depth).get(name)
        if found is None:
            raise DocumentError(f"{container.label} changed while it was read; read it again")
        return found.load()

    def read(data: bytes, reading: Reading) -> Iterable[Block]:
        return choose_reader(name, data, reading)(data, reading)

    return Source(
        f"{container.uri}!{name}", label, load, read, PurePosixPath(name).name, container.metadata, container.signature
    )


def _refused(source: Source, reason: str | Exception) -> Source:
    """A source of which nothing but the reason is known."""

    def load() -> bytes:
        raise reason if isinstance(reason, Exception) else DocumentError(reason)

    return Source(source.uri, source.label, load, source.read)
