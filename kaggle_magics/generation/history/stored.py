"""Answers as JSON, and back: every kind of them, with all they hold.

A dataclass of this package is written with the name of its class; nothing else is ever made from a file but plain data.
Of bytes, such as an image's, nothing is kept. What a later release has added gets its default, what it has dropped is
left out.
"""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

_PACKAGE = __name__.partition(".")[0]


def dump(value: Any) -> str:
    """A dataclass of this package as JSON. What is neither plain data nor such a dataclass becomes None."""
    return json.dumps(_plain(value), separators=(",", ":"))


def load(text: str) -> Any:
    """The value `dump` wrote. Raises `ValueError` for anything else."""
    try:
        return _made(json.loads(text))
    except (AttributeError, ImportError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"not written by this package: {error}") from error


def _plain(value: Any) -> Any:
    if value is None or type(value) in (bool, int, float, str):
        return value
    if is_dataclass(value) and not isinstance(value, type) and type(value).__module__.startswith(f"{_PACKAGE}."):
        kept = {part.name: _plain(getattr(value, part.name)) for part in fields(value) if part.init}
        return {"is": f"{type(value).__module__}:{type(value).__qualname__}", "with": kept}
    if isinstance(value, bytes):
        return {"bytes": len(value)}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [_plain(item) for item in value]}
    if isinstance(value, Mapping):
        return {"map": [[_plain(key), _plain(item)] for key, item in value.items()]}
    if isinstance(value, str | os.PathLike):
        return os.fspath(value)
    if isinstance(value, int | float):
        return float(value) if isinstance(value, float) else int(value)
    # A number of numpy's.
    return _plain(value.item()) if hasattr(value, "item") and getattr(value, "shape", None) == () else None


def _made(value: Any) -> Any:
    if isinstance(value, list):
        return [_made(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "tuple" in value:
        return tuple(_made(item) for item in value["tuple"])
    if "bytes" in value:
        return b""
    if "map" in value:
        return {_made(key): _made(item) for key, item in value["map"]}
    module, _, name = value["is"].partition(":")
    if not module.startswith(f"{_PACKAGE}."):
        raise ValueError(f"{module} is none of this package's modules")
    made = getattr(importlib.import_module(module), name)
    if not is_dataclass(made) or not isinstance(made, type):
        raise ValueError(f"{value['is']} is no dataclass")
    known = {part.name for part in fields(made) if part.init}
    return made(**{key: _made(item) for key, item in value["with"].items() if key in known})
