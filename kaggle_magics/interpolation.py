"""`{name}` in a person's text becomes the value of `name`; every other brace stays as it is.

A field is a name with attributes and items behind it: `{city}`, `{row.city}`, `{rows[0]}`, `{row["city"]}`. It is
replaced only where it resolves. `{{name}}` writes `{name}`. JSON, LaTeX (`\\mathbf{x}`, `x_{i}`), f-strings, dict
comprehensions and format specifications are not fields. Nothing is evaluated: a field is looked up step by step.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_STEP = r"""\.[^\W\d]\w*|\[-?\d+\]|\["[^"\[\]{}]*"\]|\['[^'\[\]{}]*'\]"""
_PATH = rf"[^\W\d]\w*(?:{_STEP})*"
_FIELD = re.compile(rf"\{{\{{(?P<escaped>{_PATH})\}}\}}|\{{(?P<path>{_PATH})\}}")
_STEPS = re.compile(_STEP)
_F_STRING = re.compile(
    r"""(?<!\w)[rR]?[fF][rR]?(?:\"{3}.*?\"{3}|'{3}.*?'{3}|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')""",
    re.S,
)
# A brace argument of TeX: after a command and its other arguments, or after ^ or _.
_TEX = re.compile(r"(?:\\[A-Za-z]+\*?(?:\{[^{}]*\}|\[[^\[\]]*\])*|[\^_])$")
_TEX_WINDOW = 200


@dataclass(frozen=True, slots=True)
class Interpolated:
    """The text after interpolation, the fields that were filled, and those that look meant but resolve to nothing."""

    text: str
    used: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    filled: tuple[tuple[str, str], ...] = field(default=(), compare=False)
    """The fields in `used`, each with the text it was given."""
    spans: tuple[tuple[int, int, str], ...] = field(default=(), compare=False)
    """Where in `text` the values stand: (start, end, field), in order."""


@dataclass(frozen=True, slots=True)
class Template:
    """A text whose fields were found once, to be filled many times."""

    parts: tuple[tuple[str, str], ...]
    """(text before a field, the field's path), in order."""
    rest: str
    """The text after the last field."""

    @classmethod
    def of(cls, text: str) -> Template:
        """Find the fields of a text; `{{name}}` is text that says `{name}`."""
        literal = [match.span() for match in _F_STRING.finditer(text)]
        parts: list[tuple[str, str]] = []
        before, end = "", 0
        for match in _FIELD.finditer(text):
            start = match.start()
            before += text[end:start]
            end = match.end()
            if match["escaped"]:
                before += f"{{{match['escaped']}}}"
            elif any(begin <= start < stop for begin, stop in literal) or _TEX.search(
                text, max(0, start - _TEX_WINDOW), start
            ):
                before += match[0]
            else:
                parts.append((before, match["path"]))
                before = ""
        return cls(tuple(parts), before + text[end:])

    @property
    def fields(self) -> tuple[str, ...]:
        """The paths of its fields, each once: `city`, `row["name"]`."""
        return tuple(dict.fromkeys(path for _, path in self.parts))

    def fill(self, namespace: Mapping[str, Any]) -> Interpolated:
        """Fill the fields; one that does not resolve stays as it was written."""
        filled: list[str] = []
        used: dict[str, str] = {}
        missing: dict[str, None] = {}
        spans: list[tuple[int, int, str]] = []
        end = 0
        for before, path in self.parts:
            filled.append(before)
            end += len(before)
            try:
                value = str(resolve(path, namespace))
            except Exception:  # a property of the person's object may raise anything; the field stays as it is
                missing[path] = None
                filled.append(f"{{{path}}}")
                end += len(filled[-1])
                continue
            used[path] = value
            filled.append(value)
            spans.append((end, end + len(value), path))
            end += len(value)
        text = "".join((*filled, self.rest))
        return Interpolated(text, tuple(used), tuple(missing), tuple(used.items()), tuple(spans))


def interpolate(text: str, namespace: Mapping[str, Any]) -> Interpolated:
    """Fill the fields of `text` from `namespace`, in one pass: values that hold braces are not looked at again."""
    return Template.of(text).fill(namespace)


def is_path(text: str) -> bool:
    """Whether a text reads like a field without its braces: `row["city"]`."""
    return re.fullmatch(_PATH, text) is not None


def name_of(path: str) -> str:
    """The name that a field begins with."""
    name = re.match(r"\w+", path)
    assert name is not None, path
    return name[0]


def resolve(path: str, namespace: Mapping[str, Any]) -> Any:
    """What a field stands for, looked up step by step. Raises whatever the lookup raises."""
    name = name_of(path)
    value = namespace[name]
    for step in _steps(path[len(name) :]):
        value = getattr(value, step[1:]) if step.startswith(".") else _item(value, _key(step[1:-1]))
    return value


def _item(value: Any, key: int | str) -> Any:
    # Looking must not change anything: a defaultdict makes the key it is asked for.
    if isinstance(value, Mapping) and key not in value:
        raise KeyError(key)
    return value[key]


def _steps(path: str) -> Iterator[str]:
    return (match[0] for match in _STEPS.finditer(path))


def _key(inside: str) -> int | str:
    return inside[1:-1] if inside[0] in "\"'" else int(inside)
