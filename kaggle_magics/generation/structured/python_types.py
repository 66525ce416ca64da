"""A Python type as a JSON schema, and JSON data read back as a value of that type.

Plain types need no library. A pydantic model, or anything that holds one, brings its own schema and reads its own data;
pydantic is then there, and is never imported otherwise.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import datetime
import enum
import json
import sys
import types
import typing
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

from kaggle_magics.errors import OptionError

Read = Callable[[Any], Any]
"""JSON data to a value; raises `ValueError` or `TypeError` for data of another form."""


@dataclass(frozen=True, slots=True)
class Form:
    """What a type is in JSON, and how its data becomes a value."""

    schema: Mapping[str, Any]
    read: Read


def form_of(kind: Any) -> Form:
    """The form of a type. Raises `OptionError` for what is no type, or one that JSON has no form for."""
    forms = _Forms()
    form = forms.of(kind)
    return Form({**form.schema, "$defs": forms.definitions} if forms.definitions else form.schema, form.read)


def is_pydantic(kind: Any) -> bool:
    """Whether pydantic knows how to read it: a model, one of its dataclasses, a `TypeAdapter`."""
    return any(hasattr(kind, name) for name in ("__pydantic_validator__", "__pydantic_core_schema__")) or (
        type(kind).__module__.partition(".")[0] == "pydantic" and hasattr(kind, "validate_json")
    )


_PLAIN: dict[Any, tuple[str, type]] = {
    int: ("integer", int),
    float: ("number", float),
    str: ("string", str),
    bool: ("boolean", bool),
}
_TEXTS: dict[Any, tuple[str, Callable[[str], Any]]] = {
    datetime.datetime: ("date-time", datetime.datetime.fromisoformat),
    datetime.date: ("date", datetime.date.fromisoformat),
    datetime.time: ("time", datetime.time.fromisoformat),
    uuid.UUID: ("uuid", uuid.UUID),
}
_LISTS: dict[Any, Callable[[list[Any]], Any]] = {
    list: list,
    set: set,
    frozenset: frozenset,
    collections.abc.Sequence: list,
    collections.abc.Iterable: list,
    collections.abc.Collection: list,
    collections.abc.MutableSequence: list,
    collections.abc.Set: set,
    collections.abc.MutableSet: set,
}
_MAPPINGS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)


class _Forms:
    """The forms of one type and all it is made of; those that refer to themselves become definitions."""

    def __init__(self) -> None:
        self.definitions: dict[str, Mapping[str, Any]] = {}
        self._open: dict[Any, str] = {}
        """Classes that are being looked at, and the names they would have as definitions."""
        self._recursive: set[Any] = set()
        self._readers: dict[Any, Read] = {}

    def of(self, kind: Any) -> Form:
        if is_pydantic(kind) or _has_pydantic_metadata(kind):
            return self._pydantic(kind)
        if kind is None or kind is type(None):
            return Form({"type": "null"}, _exactly(type(None)))
        if kind is Any or kind is object:
            return Form({}, lambda data: data)
        if type(kind).__hash__ is None:  # a list, a dict: no type, and in no table
            raise _unknown(kind)
        if kind in _PLAIN:
            name, wanted = _PLAIN[kind]
            return Form({"type": name}, _whole if kind is int else _number if kind is float else _exactly(wanted))
        if kind in _TEXTS:
            name, read = _TEXTS[kind]
            return Form({"type": "string", "format": name}, _after(_exactly(str), read))
        if isinstance(kind, typing.NewType):
            return self.of(kind.__supertype__)
        if type(kind).__name__ == "TypeAliasType":  # `type Name = ...` of Python 3.12
            return self.of(kind.__value__)
        if isinstance(kind, type) and not get_args(kind) and (made := self._class(kind)):
            return made
        return self._generic(kind, get_origin(kind) or kind, get_args(kind))

    def _generic(self, kind: Any, origin: Any, given: tuple[Any, ...]) -> Form:
        if origin is typing.Annotated:
            form = self.of(given[0])
            said = " ".join(extra for extra in given[1:] if isinstance(extra, str))
            return Form({**form.schema, "description": said}, form.read) if said else form
        if origin is Literal:
            return _one_of([(value, value) for value in given], kind)
        if origin in (Union, types.UnionType):
            return self._union(given)
        if origin is tuple:
            return self._tuple(given)
        if origin in _LISTS:
            make, item = _LISTS[origin], self.of(given[0] if given else Any)
            schema = {"type": "array", "items": item.schema} if given else {"type": "array"}
            return Form(schema, lambda data: make([item.read(each) for each in _list(data)]))
        if origin in _MAPPINGS:
            key, value = given or (str, Any)
            if key is not str:
                raise OptionError(f"The keys of {_name(kind)} are no text, as JSON's are.", "Use dict[str, ...].")
            form = self.of(value)
            return Form(
                {"type": "object", "additionalProperties": form.schema or True},
                lambda data: {name: form.read(each) for name, each in _dict(data).items()},
            )
        raise _unknown(kind)

    def _class(self, kind: type) -> Form | None:
        """The form of a class with fields of its own, or of an enumeration; None for other classes."""
        if issubclass(kind, enum.Enum):
            return _one_of([(member.value, member) for member in kind], kind)
        if not (dataclasses.is_dataclass(kind) or typing.is_typeddict(kind) or hasattr(kind, "_field_defaults")):
            return None
        if kind in self._open:
            self._recursive.add(kind)
            return Form({"$ref": f"#/$defs/{self._open[kind]}"}, lambda data: self._readers[kind](data))
        self._open[kind] = self._free_name(kind)
        try:
            form = self._fields(kind)
        finally:
            name = self._open.pop(kind)
        if kind not in self._recursive:
            return form
        self._readers[kind] = form.read
        self.definitions[name] = form.schema
        return Form({"$ref": f"#/$defs/{name}"}, form.read)

    def _fields(self, kind: type) -> Form:
        try:
            hints = typing.get_type_hints(kind, include_extras=True)
        except (NameError, TypeError) as error:
            raise OptionError(f"The fields of {kind.__name__} cannot be understood: {error}.") from None
        if dataclasses.is_dataclass(kind):
            missing = dataclasses.MISSING
            fields = [field for field in dataclasses.fields(kind) if field.init]
            needed = {field.name for field in fields if field.default is missing and field.default_factory is missing}
            hints = {field.name: hints[field.name] for field in fields}
        elif typing.is_typeddict(kind):
            # Where annotations are texts, Python itself has not seen the marks.
            marked = {name: _mark(hint) for name, hint in hints.items()}
            always = kind.__required_keys__  # type: ignore[attr-defined]
            needed = {name for name, mark in marked.items() if mark == "Required" or (not mark and name in always)}
        else:
            needed = set(hints) - set(kind._field_defaults)  # type: ignore[attr-defined]
        forms = {name: self.of(_bare(hint)) for name, hint in hints.items()}
        schema = {
            "type": "object",
            "properties": {name: form.schema for name, form in forms.items()},
            "required": [name for name in forms if name in needed],
            "additionalProperties": False,
        }

        def read(data: Any) -> Any:
            given = _dict(data)
            if lacking := needed - given.keys():
                raise ValueError(f"{kind.__name__} lacks {', '.join(sorted(lacking))}")
            if unknown := given.keys() - forms.keys():
                raise ValueError(f"{kind.__name__} has no {', '.join(sorted(unknown))}")
            return kind(**{name: forms[name].read(value) for name, value in given.items()})

        return Form(schema, read)

    def _free_name(self, kind: type) -> str:
        taken = {*self.definitions, *self._open.values()}
        name, number = kind.__name__, 2
        while name in taken:
            name, number = f"{kind.__name__}_{number}", number + 1
        return name

    def _union(self, kinds: tuple[Any, ...]) -> Form:
        forms = [self.of(kind) for kind in kinds]

        def read(data: Any) -> Any:
            problems = []
            for form in forms:
                try:
                    return form.read(data)
                except (ValueError, TypeError) as error:
                    problems.append(str(error))
            raise ValueError("; ".join(dict.fromkeys(problems)))

        return Form({"anyOf": [form.schema for form in forms]}, read)

    def _tuple(self, kinds: tuple[Any, ...]) -> Form:
        if not kinds or kinds[-1] is Ellipsis:
            item = self.of(kinds[0] if kinds else Any)
            return Form(
                {"type": "array", "items": item.schema}, lambda data: tuple(item.read(each) for each in _list(data))
            )
        forms = [] if kinds == ((),) else [self.of(kind) for kind in kinds]
        count = len(forms)
        schema: dict[str, Any] = {"type": "array", "items": False, "minItems": count, "maxItems": count}
        if forms:
            schema["prefixItems"] = [form.schema for form in forms]

        def read(data: Any) -> Any:
            if len(_list(data)) != count:
                raise ValueError(f"{count} items were asked for, not {len(data)}")
            return tuple(form.read(each) for form, each in zip(forms, data, strict=True))

        return Form(schema, read)

    def _pydantic(self, kind: Any) -> Form:
        pydantic: Any = sys.modules["pydantic"]
        adapter = kind if hasattr(kind, "validate_json") else pydantic.TypeAdapter(kind)
        try:
            schema = dict(adapter.json_schema())
        except pydantic.errors.PydanticUserError as error:
            raise OptionError(f"pydantic has no JSON schema for {_name(kind)}: {_first(error)}.") from None
        for name, definition in schema.pop("$defs", {}).items():
            if self.definitions.setdefault(name, definition) != definition:
                raise OptionError(f"Two different types are named {name}.", "Give one of them another name.")

        def read(data: Any) -> Any:
            try:
                # As JSON: a strict model takes dates and the like only from there.
                return adapter.validate_json(json.dumps(data))
            except pydantic.ValidationError as error:
                raise ValueError(_told(error)) from None

        return Form(schema, read)


def _unknown(kind: Any) -> OptionError:
    return OptionError(
        f"There is no schema for {_name(kind)}.",
        "A pydantic model, a JSON schema, or a type like int, list[str], Literal, a dataclass, a TypedDict or an Enum "
        "can be given.",
    )


def _has_pydantic_metadata(kind: Any) -> bool:
    """Whether it is `Annotated[int, Field(ge=0)]` and the like."""
    if get_origin(kind) is not typing.Annotated or "pydantic" not in sys.modules:
        return False
    return any(
        type(extra).__module__.partition(".")[0] in ("pydantic", "annotated_types") for extra in kind.__metadata__
    )


def _one_of(pairs: list[tuple[Any, Any]], kind: Any) -> Form:
    """One of some JSON values, each of which stands for a value."""
    if not pairs:
        raise OptionError(f"{_name(kind)} has no values.")
    for data, _ in pairs:
        if not (data is None or type(data) in (str, int, bool, float)):
            raise OptionError(f"{data!r}, a value of {_name(kind)}, has no form in JSON.", "Use texts or numbers.")

    def read(data: Any) -> Any:
        for known, value in pairs:
            # True equals 1 in Python, not in JSON.
            if known == data and isinstance(known, bool) == isinstance(data, bool):
                return value
        raise ValueError(f"{data!r} is none of {', '.join(repr(known) for known, _ in pairs)}")

    return Form({"enum": [data for data, _ in pairs]}, read)


def _exactly(wanted: type) -> Read:
    def read(data: Any) -> Any:
        if type(data) is not wanted:
            raise TypeError(f"{data!r} is no {wanted.__name__}")
        return data

    return read


def _whole(data: Any) -> int:
    # JSON has one kind of number: 3.0 is an integer to a schema.
    if type(data) is int or (type(data) is float and data.is_integer()):
        return int(data)
    raise TypeError(f"{data!r} is no whole number")


def _number(data: Any) -> float:
    if type(data) in (int, float):
        return float(data)
    raise TypeError(f"{data!r} is no number")


def _after(first: Read, then: Read) -> Read:
    return lambda data: then(first(data))


def _list(data: Any) -> list[Any]:
    if not isinstance(data, list):
        raise TypeError(f"{data!r} is no list")
    return data


def _dict(data: Any) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise TypeError(f"{data!r} is no object")
    return data


_MARKS = ("Required", "NotRequired", "ReadOnly")


def _bare(hint: Any) -> Any:
    """The type inside `Required`, `NotRequired` and `ReadOnly`."""
    while getattr(get_origin(hint), "_name", None) in _MARKS:
        hint = get_args(hint)[0]
    return hint


def _mark(hint: Any) -> str:
    """What a field of a TypedDict is marked with: "Required", "NotRequired" or nothing."""
    while (mark := getattr(get_origin(hint), "_name", None)) in _MARKS:
        if mark != "ReadOnly":
            return str(mark)
        hint = get_args(hint)[0]
    return ""


def _name(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) and not get_args(kind) else repr(kind)[:100]


def _first(error: BaseException) -> str:
    return str(error).strip().splitlines()[0].rstrip(".:")


def _told(error: Any) -> str:
    """What pydantic found: the first few problems, each with its place."""
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    said = [f"{'.'.join(str(part) for part in one['loc']) or 'the value'}: {one['msg']}" for one in problems[:3]]
    more = f" (and {len(problems) - 3} more)" if len(problems) > 3 else ""
    return "; ".join(said) + more
