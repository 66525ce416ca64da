"""Plain Python values: texts, numbers, containers, and objects of any class."""

from __future__ import annotations

import dataclasses
import re
import traceback
from collections.abc import Iterator, Mapping
from typing import Any

from kaggle_magics.generation.attachments.description import (
    Lines,
    Words,
    beginning,
    bounded,
    class_key,
    counted,
    short,
    without_addresses,
)

_CONTAINERS = (Mapping, list, tuple, set, frozenset)
_DEEPEST = 4
_LEAF = 160
"""Characters of a value inside a container."""
_SECRET = re.compile(r"pass(word|wd|phrase)?$|secret|token$|api_?key|access_?key|private_?key|credential|^auth", re.I)
"""Keys whose values are nobody's business but the person's."""


def describe_text(text: str, room: int) -> Words:
    """The text itself."""
    shown, left_out = beginning(text, room)
    return Words(f"a text of {counted(len(text), 'character')}", shown, left_out)


def describe_bytes(data: bytes | bytearray, room: int) -> Words:
    """How many there are."""
    return Words(f"{counted(len(data), 'byte')} of binary data")


def describe_number(value: Any, room: int) -> Words:
    """The value."""
    return Words(f"{short(value, max(room, 20))} (a value of type {type(value).__name__})")


def describe_environment(environment: Mapping[str, str], room: int) -> Words:
    """Environment variables hold keys: only the names are told."""
    lines = Lines(room)
    names = sorted(map(str, environment))
    taken = lines.fill(names)
    left = f"{len(names) - taken} of {len(names)} names, " if taken < len(names) else ""
    return Words("the environment variables of the process", lines.text, f"{left}all values, which may be secret")


def describe_container(value: Any, room: int) -> Words:
    """What it holds, level by level, each value cut to a line."""
    size = len(value)
    one = "key" if isinstance(value, Mapping) else "item"
    name = type(value).__name__
    what = f"{'an' if name[:1] in 'AEIOUaeiou' else 'a'} {name} of {counted(size, one)}"
    lines = Lines(room)
    taken, shown = 0, -1
    for depth, line in _walk(value, 0, {id(value)}):
        if not lines.add(f"{'  ' * depth}- {line}"):
            break
        taken, shown = taken + (depth == 0), depth
    left_out = f"all {one}s after the first {taken}" if lines.full or taken < size else ""
    return Words(what, lines.text, left_out if shown >= 0 else f"the {one}s" if size else "")


def describe_exception(error: BaseException, room: int) -> Words:
    """Its traceback, the end of it where there is no room for all: there stands what went wrong."""
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__, limit=-12)).strip()
    what = f"an exception of type {type(error).__name__}"
    if len(text) <= room:
        return Words(what, text)
    return Words(what, text[len(text) - max(room, 0) :], "the beginning of the traceback")


def describe_object(value: Any, room: int) -> Words:
    """Its `repr`, or its public attributes where that tells nothing."""
    kind = type(value)
    what = f"an object of class {kind.__module__}.{kind.__qualname__}"
    if dataclasses.is_dataclass(value):
        attributes = {part.name: getattr(value, part.name, None) for part in dataclasses.fields(value)}
    elif getattr(kind, "__repr__", None) is object.__repr__:
        attributes = {name: item for name, item in getattr(value, "__dict__", {}).items() if name[:1] != "_"}
    else:
        try:
            text = without_addresses(repr(value))
        except Exception as error:  # a person's own __repr__ may raise anything
            return Words(f"{what}, which cannot be shown ({type(error).__name__})")
        shown, left_out = beginning(text, room)
        return Words(what, shown, left_out)
    found = describe_container(attributes, room)
    return Words(what, found.body, found.left_out)


def _walk(value: Any, depth: int, above: set[int]) -> Iterator[tuple[int, str]]:
    """(depth, line) for each item; `above` are the containers that it lies in."""
    pairs: Iterator[tuple[Any, Any]]
    pairs = iter(value.items()) if isinstance(value, Mapping) else ((None, item) for item in value)
    for key, item in pairs:
        label = "" if key is None else f"{short(key, 60)}: "
        if isinstance(key, str) and _SECRET.search(key):
            yield depth, f"{label}(not shown: it may be secret)"
        elif class_key(type(item)) == "os._Environ":
            yield depth, f"{label}the environment variables (not shown: they may be secret)"
        elif id(item) in above:
            yield depth, f"{label}(itself again)"
        elif isinstance(item, _CONTAINERS) and item and depth < _DEEPEST:
            flat = bounded(item, _LEAF) if not _holds_more(item) else ""
            if flat and len(flat) <= _LEAF and "..." not in flat:
                yield depth, f"{label}{flat}"
                continue
            yield depth, f"{label}{type(item).__name__} of {len(item):,}"
            yield from _walk(item, depth + 1, above | {id(item)})
        else:
            yield depth, f"{label}{_leaf(item)}"


def _holds_more(value: Any) -> bool:
    """Whether a container holds containers or may hold secrets, so that it is not written on one line."""
    if isinstance(value, Mapping):
        return any(isinstance(item, _CONTAINERS) for item in value.values()) or any(
            isinstance(key, str) and _SECRET.search(key) for key in value
        )
    return len(value) <= 20 and any(isinstance(item, _CONTAINERS) for item in value)


def _leaf(item: Any) -> str:
    shape = getattr(item, "shape", None)
    if isinstance(shape, tuple) and shape:
        return f"{type(item).__name__} of shape {shape}"
    return short(repr(item[: 2 * _LEAF]) if isinstance(item, str) else item, _LEAF)
