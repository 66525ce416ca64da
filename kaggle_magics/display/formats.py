"""A model's text as Markdown, as it is, as JSON, or as source: what `--format` chooses from.

Whatever it is, it is text of a model's: HTML is shown as source and never drawn.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import count
from typing import Any

from kaggle_magics.code.extract import extract_code
from kaggle_magics.display import escape, markdown
from kaggle_magics.display.bundle import View, join, note

_MOST_PARTS = 500
"""Objects and lists of a JSON text that fold; a text with more is shown as it is."""
_DEEPEST = 12
_OPEN_LINES = 40
"""Lines up to which a part of a JSON text is unfolded at first."""


def formatted(text: str, form: str) -> View:
    """`text` in one of `generation.answer.FORMATS`."""
    if not text.strip():
        return note("(The answer is empty.)")
    return _DRAWN[form](text)


def as_markdown(text: str) -> View:
    """Markdown, drawn."""
    return View(
        "body",
        f'<div class="km-scroll">{markdown.render(text)}</div>',
        escape.markdown(text.strip()),
        escape.plain(text.strip()),
    )


def as_text(text: str) -> View:
    """Every character as it is."""
    return source(text.strip("\n"))


def source(text: str, language: str = "") -> View:
    """A block of source."""
    plain = escape.plain(text)
    return View("source", f"<pre><code>{escape.code(plain)}</code></pre>", fenced(plain, language), plain)


def fenced(code: str, language: str = "") -> str:
    """A fence longer than any run of backticks in the code, so that the code cannot close it."""
    mark = "```"
    while mark in code:
        mark += "`"
    word = language.casefold() if language.isalnum() else ""
    return f"{mark}{word}\n{code}\n{mark}"


def as_html(text: str) -> View:
    """The source of HTML, without the fence around it."""
    return source(extract_code(text, "html"), "html")


def as_code(text: str) -> View:
    """The code in the text; all of it where none is fenced."""
    return source(extract_code(text, ""))


def as_json(text: str) -> View:
    """Printed in a fixed form, its parts folding; as it is where it is no JSON."""
    try:
        # Numbers stay as they were written: what is shown is what the model said.
        value = json.loads(extract_code(text, "json"), parse_int=_Number, parse_float=_Number, parse_constant=_refused)
        printed = _printed(value)
    except (ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        return join("json", [as_text(text), note(f"This is no JSON: {why}.", warn=True)])
    drawn = source(printed, "json")
    if not isinstance(value, dict | list) or _parts(value) > _MOST_PARTS or _depth(value) > _DEEPEST:
        return drawn
    return View("json", f'<div class="km-json">{_tree(value, "", "")}</div>', drawn.markdown, drawn.text)


@dataclass(frozen=True, slots=True)
class _Number:
    """A number as it was written, which may be longer than any number of Python's."""

    written: str


def _refused(word: str) -> Any:
    raise ValueError(f"{word} is no value of JSON")


def _printed(value: Any, indent: str = "") -> str:
    """As `json.dumps(value, indent=2, ensure_ascii=False)`, numbers as they were written."""
    inner = indent + "  "
    if isinstance(value, dict) and value:
        rows = [f"{inner}{_quoted(name)}: {_printed(each, inner)}" for name, each in value.items()]
        return "{\n" + ",\n".join(rows) + f"\n{indent}}}"
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(f"{inner}{_printed(each, inner)}" for each in value) + f"\n{indent}]"
    return value.written if isinstance(value, _Number) else _quoted(value)


def _quoted(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _tree(value: Any, label: str, after: str) -> str:
    """One value as HTML: what holds others is a part that folds."""
    if not isinstance(value, dict | list) or not value:
        return f"<div><code>{escape.code(label + _printed(value) + after)}</code></div>"
    if is_object := isinstance(value, dict):
        items = [(f"{_quoted(name)}: ", each) for name, each in value.items()]
    else:
        items = [("", each) for each in value]
    begin, end = ("{", "}") if is_object else ("[", "]")
    number = count(1)
    rows = "".join(_tree(each, name, "," if next(number) < len(items) else "") for name, each in items)
    told = f"{len(items)} {'field' if is_object else 'item'}{'s' * (len(items) != 1)}"
    is_open = " open" if _lines(value) <= _OPEN_LINES or not label else ""
    return (
        f"<details{is_open}><summary><code>{escape.code(label + begin)}</code> "
        f'<span class="km-host">{told}</span></summary><div class="km-in">{rows}</div>'
        f"<code>{escape.code(end + after)}</code></details>"
    )


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _parts(value: Any) -> int:
    return sum(1 + _parts(each) for each in _inside(value)) if _inside(value) else 0


def _depth(value: Any) -> int:
    return 1 + max(map(_depth, _inside(value)), default=0)


def _lines(value: Any) -> int:
    return 2 + sum(_lines(each) for each in _inside(value)) if _inside(value) else 1


_DRAWN = {"markdown": as_markdown, "text": as_text, "json": as_json, "html": as_html, "code": as_code}
