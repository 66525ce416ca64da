"""Which of the models at hand a name means, and what to type so that it means only one."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence

from kaggle_magics.models.find.catalog import Location, newest, without_version


def matches(text: str, locations: Sequence[Location]) -> list[Location]:
    """The locations that a reference names, by the strictest way that names any; letter case does not matter."""
    text = text.casefold()
    ways: tuple[Callable[[Location], bool], ...] = (
        lambda location: location.key.casefold() == text,
        lambda location: (location.handle or "").casefold() == text,
        lambda location: without_version(location) == text,
        lambda location: location.name.casefold() == text,
        # A whole handle for a model that is mounted the old way, without its owner.
        lambda location: location.version is not None and _without_owner(text, location),
        # The end of a name goes before its middle: a folder before the files that lie in it.
        lambda location: f"/{without_version(location)}".endswith(f"/{text}"),
        lambda location: f"/{location.key.casefold()}".endswith(f"/{text}"),
        lambda location: f"/{text}/" in f"/{location.key.casefold()}/",
        lambda location: f"/{text}/" in f"/{without_version(location)}/",
        lambda location: mentions(text, location),
    )
    for way in ways:
        if found := [location for location in locations if way(location)]:
            return found
    return []


def mentions(text: str, location: Location) -> bool:
    """Whether a text stands anywhere in a location's names."""
    return text.casefold() in location.key.casefold() or text.casefold() in location.name.casefold()


def chosen(text: str, locations: Sequence[Location]) -> list[Location]:
    """What a reference means: one location, or the several it names, or none. The newest version goes first."""
    found: list[Location] = []
    for candidates in (locations, newest(locations)):
        found = newest(matches(text, candidates))
        if len(found) == 1:
            break
    return found


def to_type(location: Location, locations: Sequence[Location]) -> str:
    """The shortest text that names this location and no other; its path where nothing else does."""
    for text in (without_version(location), location.key, location.name):
        if [found.path for found in chosen(text, locations)] == [location.path]:
            return quoted(text if text != without_version(location) else cased(location))
    return quoted(str(location.path))


def _without_owner(text: str, location: Location) -> bool:
    return text.partition("/")[2] in (location.key.casefold(), without_version(location))


def cased(location: Location) -> str:
    """A location's key less its version, in the letter case of the files."""
    parts = location.key.split("/")
    if location.version is not None and location.handle is not None:
        del parts[location.handle.count("/")]
    return "/".join(parts)


def quoted(text: str) -> str:
    """A reference as it is typed on the line of a magic, which is split as a POSIX shell splits."""
    try:
        return text if shlex.split(text) == [text] else shlex.quote(text)
    except ValueError:
        return shlex.quote(text)
