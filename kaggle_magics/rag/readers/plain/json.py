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
    """Yield a block for each element of a top-level list (`place.row` counts from 1), or for each key of an object; of
    a key that holds a list of objects, a block for each of these.

    Raises `DocumentError` with line and column when the text is not JSON.
    """
    value = _parsed(decode(data))
    if isinstance(value, list):
        for number, element in enumerate(value, start=1):
            yield Block("\n".join(_lines(element)), "list", place=Place(row=number))
    elif isinstance(value, dict):
        for key, element in value.items():
            if isinstance(element, list) and len(element) > 1 and all(isinstance(one, dict) for one in element):
                for number, one in enumerate(element):
                    yield Block("\n".join(_lines(one, f"{key}[{number}]")), "list", place=Place(row=number + 1))
            else:
                yield Block("\n".join(_lines(element, str(key))), "list")
    else:
        yield Block(str(value))


def read_lines(data: bytes, reading: Reading) -> Iterator[Block]:
    """Yield a block for each line; `place.row` is the line's number. Lines that are not JSON are left out and named.

    Raises `DocumentError` when there are more of these than others: then it is no such file.
    """
    blocks: list[Block] = []
    wrong: list[int] = []
    first: DocumentError | None = None
    for number, line in enumerate(decode(data).split("\n"), start=1):
        if line.strip():
            try:
                blocks.append(Block("\n".join(_lines(_parsed(line, number))), "list", place=Place(row=number)))
            except DocumentError as error:
                wrong.append(number)
                first = first or error
    if first is not None and len(wrong) >= len(blocks):
        raise first
    if wrong:
        several = "lines" if len(wrong) > 1 else "line"
        reading.warnings.append(f"not JSON and left out: {several} {', '.join(map(str, wrong[:20]))}")
    yield from blocks


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
