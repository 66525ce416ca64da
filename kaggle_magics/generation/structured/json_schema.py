"""JSON schemas: whether a mapping is one, without what only costs tokens, and as an object for servers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from kaggle_magics.errors import OptionError
from kaggle_magics.extras import require

# fmt: off
KEYWORDS = frozenset({
    "type", "enum", "const", "anyOf", "oneOf", "allOf", "not", "if", "$ref",
    "properties", "required", "additionalProperties", "patternProperties", "propertyNames", "minProperties",
    "maxProperties", "dependentRequired", "dependentSchemas", "unevaluatedProperties",
    "items", "prefixItems", "contains", "minItems", "maxItems", "uniqueItems", "unevaluatedItems",
    "pattern", "format", "minLength", "maxLength",
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
})
# fmt: on
"""A schema has at least one of these (draft 2020-12); JSON Schema itself would take any mapping for one."""
FIELD = "answer"
"""The field that holds a value which is no object, where a server takes only objects."""

_MAPS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
"""Keywords whose values are schemas by name."""
_OPEN_BESIDE = frozenset({"allOf", "anyOf", "oneOf", "$ref", "patternProperties", "unevaluatedProperties", "if"})
"""What may add properties to those of the schema it stands in."""
_DECIMAL = r"^(?!^[-+.]*$)[+-]?0*\d*\.?\d*$"
"""How pydantic writes a Decimal that is text; no look-ahead is needed to say the same."""
_DECIMAL_WITHOUT = r"^[+-]?(\d+\.?\d*|\.\d+)$"


def checked(schema: Mapping[str, Any]) -> Callable[[Any], None]:
    """What checks data against a schema, raising `ValueError`. Raises `OptionError` for what is no JSON schema."""
    try:
        json.dumps(schema, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise OptionError(
            f"This dict is no JSON schema: {_line(error)}.", "For Python types give a TypedDict or a dataclass."
        ) from None
    if not KEYWORDS & schema.keys():
        raise OptionError(
            "This dict is no JSON schema: it has none of type, properties, enum, anyOf and so on.",
            'An object with a name: {"type": "object", "properties": {"name": {"type": "string"}}}.',
        )
    for part in parts(schema):
        if isinstance(place := part.get("$ref"), str) and not place.startswith("#"):
            raise OptionError(f"The schema points to {place}, outside of itself.", "Put what is there into its $defs.")
    library: Any = require("jsonschema", "A JSON schema")
    kind = library.validators.validator_for(schema, default=library.Draft202012Validator)
    try:
        kind.check_schema(schema)
    except library.SchemaError as error:
        where = f" at {'.'.join(map(str, error.absolute_path))}" if error.absolute_path else ""
        raise OptionError(f"This is no JSON schema{where}: {_line(error.message)}.") from None
    validator = kind(schema, format_checker=kind.FORMAT_CHECKER)

    def check(data: Any) -> None:
        try:
            error = library.exceptions.best_match(validator.iter_errors(data))
        except RecursionError:
            raise ValueError("it is nested too deeply") from None
        if error is not None:
            where = ".".join(map(str, error.absolute_path))
            raise ValueError(f"{where}: {_line(error.message)}" if where else _line(error.message))

    return check


def tightened(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The same schema, closed: objects have the properties they name and no others, as llama.cpp reads schemas too.

    What fits it fits the original; a model cannot go on inventing properties.
    """

    def close(part: dict[str, Any]) -> dict[str, Any]:
        if part.get("pattern") == _DECIMAL:
            part["pattern"] = _DECIMAL_WITHOUT
        names = part.get("properties")
        is_open = not isinstance(names, Mapping) or "additionalProperties" in part or _OPEN_BESIDE & part.keys()
        if not is_open and set(part.get("required", ())) <= set(names or ()):
            part["additionalProperties"] = False
        return part

    # Parts of an allOf are one object together: none of them may be closed.
    closed: dict[str, Any] = _mapped(schema, close, skip=frozenset({"allOf"}))
    return closed


def told(schema: Mapping[str, Any]) -> str:
    """A schema as a prompt tells it: compact, and without titles, which repeat the names."""

    def shorten(part: dict[str, Any]) -> dict[str, Any]:
        if part.get("additionalProperties") is False:
            part.pop("additionalProperties")
        return {name: value for name, value in part.items() if not (name == "title" and isinstance(value, str))}

    return json.dumps(_mapped(schema, shorten), ensure_ascii=False, separators=(", ", ": "))


def as_object(schema: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """A schema of an object, and whether the value is in its only field `FIELD` because it may be no object itself."""
    resolved = schema
    if isinstance(place := schema.get("$ref"), str) and place.startswith("#/$defs/"):
        resolved = schema.get("$defs", {}).get(place.removeprefix("#/$defs/"), schema)
    if resolved.get("type") == "object":
        return dict(schema), False
    inner = dict(schema)
    wrapped: dict[str, Any] = {
        "type": "object",
        "properties": {FIELD: inner},
        "required": [FIELD],
        "additionalProperties": False,
    }
    # References count from the root.
    wrapped |= {name: inner.pop(name) for name in ("$defs", "definitions", "$schema") if name in inner}
    return wrapped, True


def is_strict(schema: Mapping[str, Any]) -> bool:
    """Whether OpenAI takes it with `strict`: every object is closed and needs all its properties."""
    for part in parts(schema):
        if part.get("type") == "object" or "properties" in part:
            names = part.get("properties", {})
            if part.get("additionalProperties") is not False or set(part.get("required", ())) != set(names):
                return False
    return True


def parts(schema: Any) -> Iterator[Mapping[str, Any]]:
    """A schema and all schemas in it."""
    if isinstance(schema, list):
        for part in schema:
            yield from parts(part)
    if not isinstance(schema, Mapping):
        return
    yield schema
    for name, value in schema.items():
        if name in _MAPS and isinstance(value, Mapping):
            for part in value.values():
                yield from parts(part)
        elif name not in ("enum", "const", "default", "examples", "example"):
            yield from parts(value)


def _mapped(
    schema: Any, change: Callable[[dict[str, Any]], dict[str, Any]], *, skip: frozenset[str] = frozenset()
) -> Any:
    """A copy in which every schema, the innermost first, went through `change`; what is under `skip` is as it was."""
    if isinstance(schema, list):
        return [_mapped(part, change, skip=skip) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    made: dict[str, Any] = {}
    for name, value in schema.items():
        if name in skip or name in ("enum", "const", "default", "examples", "example"):
            made[name] = value
        elif name in _MAPS and isinstance(value, Mapping):
            made[name] = {key: _mapped(part, change, skip=skip) for key, part in value.items()}
        else:
            made[name] = _mapped(value, change, skip=skip)
    return change(made)


def _line(error: object) -> str:
    line = " ".join(str(error).split()).rstrip(".")
    return line if len(line) <= 200 else line[:200] + "..."
