"""JSON and JSON Lines: each value on its own line behind its path, one block a record."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from kaggle_magics.errors import DocumentError
from kaggle_magics.rag.passages import Block, Place
from kaggle_magics.rag.readers.decoding import decode
from kaggle_magics.rag.readers.reading import Reading


def read(data: bytes, reading: Reading) -> Iterator[Block]:
    """Yield a block for each element of a top-level list (`place.row` counts from 1), or for each key of an object.

    Raises `DocumentError` with line and column when the text is not JSON.
    """
    value = _parsed(decode(data))
    if isinstance(value, list):
        for number, element in enumerate(value, start=1):
            yield Block("\n".join(_lines(element)), "list", place=Place(row=number))
    elif isinstance(value, dict):
        for key, element in value.items():
            yield Block("\n".join(_lines(element, str(key))), "list")
    else:
        yield Block(str(value))


def read_lines(data: bytes, reading: Reading) -> Iterator[Block]:
    """Yield a block for each line; `place.row` is the line's number. One bad line refuses the file and is named."""
    for number, line in enumerate(decode(data).split("\n"), start=1):
        if line.strip():
            yield Block("\n".join(_lines(_parsed(line, number))), "list", place=Place(row=number))


def _parsed(text: str, line: int | None = None) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        where = f" in line {line}" if line else ""
        raise DocumentError(f"the file is not JSON{where} ({error})") from error
    except RecursionError as error:
        raise DocumentError("the JSON is nested too deeply") from error


def _lines(value: Any, path: str = "") -> Iterator[str]:
    """`path: value` for each leaf, in order."""
    if isinstance(value, dict):
        for key, element in value.items():
            yield from _lines(element, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and any(isinstance(element, dict | list) for element in value):
        for number, element in enumerate(value):
            yield from _lines(element, f"{path}[{number}]")
    elif value not in (None, "", [], {}):
        words = ", ".join(map(_word, value)) if isinstance(value, list) else _word(value)
        yield f"{path}: {words}" if path else words


def _word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
