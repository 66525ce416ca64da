"""What a word on the line of %rag_ingest means: a path, or a variable of the notebook where no such path is."""

from __future__ import annotations

import glob
import os
import re
from types import ModuleType
from typing import Any

from kaggle_magics.interpolation import is_path, name_of, resolve
from kaggle_magics.magics.call import Call
from kaggle_magics.rag.sources.objects import is_text

_UNQUOTED = re.compile(r"\[([^\]\d'\"][^\]'\"]*)\]")
_FIELD = re.compile(r"\$(\w+)|\{([^{}]+)\}")


def named_things(call: Call, words: list[str]) -> list[Any]:
    """Paths as they are; a variable, bare or as `{name}` or `$name`, as what it holds, under its name."""
    written = {filled: word for word, filled in call.words}
    return [_thing(call, word, written.get(word, word)) for word in words]


def _thing(call: Call, word: str, written: str) -> Any:
    field = _FIELD.fullmatch(written)
    # The shell's splitting takes the quotes off: data['train'] is data[train] by now.
    name = (field[1] or field[2]) if field else _UNQUOTED.sub(r"['\1']", written)
    if not is_path(name) or name_of(name) not in call.names or (not field and os.path.exists(word)):
        return word
    try:
        value = resolve(name, call.names)
    except Exception:  # notes.md beside a variable "notes": a path
        return word
    if value is None or callable(value) or isinstance(value, ModuleType | bool | int | float):
        return word
    if isinstance(value, os.PathLike) or (isinstance(value, str) and _is_there(value)):
        return value
    if isinstance(value, list | tuple | set) and value and all(_is_there(item) for item in value):
        return list(value)
    return {name: value}


def _is_there(value: Any) -> bool:
    """Whether it names a file, a folder or a pattern; a short text that names nothing is taken for a wrong path."""
    if isinstance(value, os.PathLike):
        return True
    if not isinstance(value, str) or not value.strip():
        return False
    return not is_text(value) and (not value.strip().count(" ") or glob.has_magic(value) or os.path.exists(value))
