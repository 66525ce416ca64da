"""Answers as JSON, and back: every kind of them, with all they hold.

An answer's dataclasses are written by their names, so that a file outlives a module's move; nothing else is ever made
from a file but plain data. Of bytes, such as an image's, nothing is kept. What a later release has added gets its
default, what it has dropped is left out.
"""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

_HOMES = {
    "kaggle_magics.generation.answer": ("Answer",),
    "kaggle_magics.generation.card": ("RunCard", "InThread"),
    "kaggle_magics.models.request": ("Image", "Message", "Sampling", "Progress", "Usage", "TokenProbability"),
    "kaggle_magics.code.check": ("CodeAnswer", "Check"),
    "kaggle_magics.rag.answering.answer": ("GroundedAnswer", "Citation"),
    "kaggle_magics.rag.answering.evidence": ("Evidence",),
    "kaggle_magics.rag.answering.support": ("Claim",),
    "kaggle_magics.rag.passages": ("Hit", "Passage", "Place"),
}
"""Module -> the dataclasses in it that answers are made of. Rooms above are only named: they load with an answer of
theirs."""
_MODULES = {name: module for module, names in _HOMES.items() for name in names}


def dump(value: Any) -> str:
    """An answer as JSON. What in it is neither plain data nor a dataclass of `_HOMES` becomes None."""
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
    kind = type(value)
    if _MODULES.get(kind.__name__) == kind.__module__ and is_dataclass(kind):
        kept = {part.name: _plain(getattr(value, part.name)) for part in fields(value) if part.init}
        return {"is": kind.__name__, "with": kept}
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
    if isinstance(value, Sequence):  # one that works its items out when they are asked for
        return {"tuple": [_plain(item) for item in value]}
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
    made: Any = getattr(importlib.import_module(_MODULES[value["is"]]), value["is"])
    known = {part.name for part in fields(made) if part.init}
    return made(**{key: _made(item) for key, item in value["with"].items() if key in known})
