"""Notebooks (nbformat 3 and 4): Markdown and code cells with their numbers. Outputs are left out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from kaggle_magics.errors import DocumentError
from kaggle_magics.rag.passages import Block, Place
from kaggle_magics.rag.readers.decoding import decode
from kaggle_magics.rag.readers.plain.markdown import blocks_of
from kaggle_magics.rag.readers.reading import Reading


def read(data: bytes, reading: Reading) -> Iterator[Block]:
    """Yield each cell's blocks; `place.cell` counts all cells from 1. Raises `DocumentError` when it is no notebook."""
    try:
        notebook = json.loads(decode(data))
        cells = notebook["cells"] if "cells" in notebook else notebook["worksheets"][0]["cells"]
        parts = [(cell.get("cell_type", ""), _source(cell)) for cell in cells]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise DocumentError("the file is not a notebook (no cells found in it)") from error
    for number, (kind, source) in enumerate(parts, start=1):
        if not source.strip():
            continue
        place = Place(cell=number)
        if kind == "code":
            yield Block(source, "code", place=place)
        elif kind == "heading":
            yield Block(source, "heading", 1, place)
        else:
            # A last line without its line break would run into the next cell's first line.
            yield from blocks_of(source.rstrip("\n") + "\n\n", place)


def _source(cell: dict[str, Any]) -> str:
    source = cell.get("source", cell.get("input", ""))
    return source if isinstance(source, str) else "".join(source)
