"""Functions, classes and modules: their source, from files and from cells."""

from __future__ import annotations

import ast
import inspect
import linecache
from typing import Any

from kaggle_magics.generation.attachments.description import Words, beginning, short


def describe_source(thing: Any, room: int) -> Words:
    """The source; where there is none (it is compiled), its signature and what its documentation says."""
    kind = "class" if inspect.isclass(thing) else "module" if inspect.ismodule(thing) else "function"
    name = str(getattr(thing, "__qualname__", None) or getattr(thing, "__name__", ""))
    what = f"the Python {kind} {name}"
    source = _source(thing)
    if source is not None:
        text, left_out = beginning(source, room)
        return Words(what, text, left_out)
    text, left_out = beginning("\n".join(filter(None, (_signature(thing, name), inspect.getdoc(thing) or ""))), room)
    return Words(f"{what}, whose source is not at hand", text, left_out)


def _source(thing: Any) -> str | None:
    try:
        return inspect.getsource(thing).rstrip()
    except (OSError, TypeError, IndentationError, SyntaxError):
        return _of_cell(thing) if inspect.isclass(thing) else None


def _of_cell(kind: type) -> str | None:
    """A class of a cell: its module has no file, but its methods know the cell."""
    for item in vars(kind).values():
        code = getattr(inspect.unwrap(item) if callable(item) else item, "__code__", None)
        lines = linecache.getlines(code.co_filename) if code is not None else []
        try:
            tree = ast.parse("".join(lines))
        except SyntaxError:
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and node.name == kind.__name__:
                first = min([node.lineno, *(mark.lineno for mark in node.decorator_list)])
                return "".join(lines[first - 1 : node.end_lineno]).rstrip()
    return None


def _signature(thing: Any, name: str) -> str:
    try:
        return f"{name}{inspect.signature(thing)}"
    except (ValueError, TypeError):
        return short(name)
