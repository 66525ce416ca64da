"""A schema as it is typed on a line: a name of the notebook, or a type such as `list[str]`. Nothing is evaluated."""

from __future__ import annotations

import ast
import typing
from collections.abc import Mapping
from types import GenericAlias
from typing import Any

from kaggle_magics.errors import OptionError, did_you_mean

TYPES: dict[str, Any] = {kind.__name__: kind for kind in (int, float, str, bool, list, dict, tuple, set, frozenset)}
TYPES |= {name: getattr(typing, name) for name in ("Any", "Literal", "Optional", "Union", "List", "Dict", "Tuple")}


def typed_schema(text: str, names: Mapping[str, Any]) -> Any:
    """What `text` names: `Person`, `schemas["person"]`, `module.Person`, `list[Person]`, `Literal["a", "b"]`,
    `int | None`, or JSON text of a schema, which is given back as it is. Raises `OptionError`."""
    if text.lstrip().startswith("{"):
        return text
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _no_schema(text) from None
    return _value(node, names, text)


def typed_choices(text: str, names: Mapping[str, Any]) -> Any:
    """Texts with commas between them, or the list of the notebook that one word alone names."""
    word = text.strip()
    value = names.get(word) if word.isidentifier() else None
    return text if value is None or isinstance(value, str) else value


def _value(node: ast.expr, names: Mapping[str, Any], text: str) -> Any:
    match node:
        case ast.Name(id=name):
            if name in names:
                return names[name]
            if name in TYPES:
                return TYPES[name]
            known = [*TYPES, *(each for each, value in names.items() if isinstance(value, type | dict))]
            raise OptionError(
                f"There is no {name} in the notebook for --schema.",
                did_you_mean(name, known) or "Define it in a cell first.",
            )
        case ast.Constant(value=value) if value is None or type(value) in (str, int, bool):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(value))):
            return -value
        case ast.Attribute(value=inner, attr=name):
            return _looked_up(lambda: getattr(_value(inner, names, text), name), text)
        case ast.Subscript(value=inner, slice=item):
            holder, key = _value(inner, names, text), _value(item, names, text)
            if isinstance(holder, Mapping | list | tuple) and not isinstance(holder, type):
                return _looked_up(lambda: holder[key], text)
            if isinstance(holder, type) and holder.__module__ == "builtins":
                return GenericAlias(holder, key)
            return _looked_up(lambda: holder[key], text)
        case ast.Tuple(elts=parts):
            return tuple(_value(part, names, text) for part in parts)
        case ast.BinOp(op=ast.BitOr(), left=left, right=right):
            return typing.Union[_value(left, names, text), _value(right, names, text)]  # noqa: UP007
    raise _no_schema(text)


def _looked_up(find: Any, text: str) -> Any:
    try:
        return find()
    except OptionError:
        raise
    except Exception as error:  # a person's object may raise anything
        raise OptionError(f"--schema {text} cannot be found: {type(error).__name__}: {error}.") from None


def _no_schema(text: str) -> OptionError:
    return OptionError(
        f"--schema takes a name or a type, not {text!r}.",
        "Put a pydantic model, a dict or a type into a variable and name it, or type int, list[str] and the like.",
    )
