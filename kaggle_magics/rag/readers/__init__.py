"""One file a format. To add one: write `read(data, reading) -> Iterator[Block]` and add its suffixes here."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator
from pathlib import PurePath

from kaggle_magics.errors import DocumentError
from kaggle_magics.rag.passages import Block
from kaggle_magics.rag.readers.reading import Reading

Reader = Callable[[bytes, Reading], Iterator[Block]]
"""Takes a file's bytes and yields its blocks in order. Raises `DocumentError` with the reason when it cannot."""

_HERE = "kaggle_magics.rag.readers"

_CODE = re.findall(
    r"\S+",
    ".py .pyi .r .jl .c .h .cc .cpp .hpp .cs .java .kt .scala .go .rs .swift .js .jsx .ts .tsx .rb .php .pl .lua "
    ".sh .bash .sql .css .toml .yaml .yml .ini .cfg .conf .mk .cmake .m .hs .ml .clj .ex .erl .dart .proto ",
)

READERS: dict[str, str] = {
    **dict.fromkeys(("", ".txt", ".text", ".log", ".rst", ".rest", ".tex", ".srt", ".vtt"), f"{_HERE}.text:read"),
    **dict.fromkeys((".md", ".markdown", ".mdown", ".mkd", ".qmd", ".rmd"), f"{_HERE}.markdown:read"),
    **dict.fromkeys((".html", ".htm", ".xhtml"), f"{_HERE}.html:read"),
    ".pdf": f"{_HERE}.pdf:read",
    **dict.fromkeys((".docx", ".docm", ".dotx", ".dotm"), f"{_HERE}.docx:read"),
    **dict.fromkeys((".pptx", ".pptm", ".ppsx", ".ppsm", ".potx", ".potm"), f"{_HERE}.pptx:read"),
    **dict.fromkeys((".xlsx", ".xlsm", ".xltx", ".xltm"), f"{_HERE}.xlsx:read"),
    ".xls": f"{_HERE}.xls:read",
    ".csv": f"{_HERE}.delimited:read",
    ".tsv": f"{_HERE}.delimited:read",
    ".json": f"{_HERE}.json:read",
    **dict.fromkeys((".jsonl", ".ndjson"), f"{_HERE}.json:read_lines"),
    ".ipynb": f"{_HERE}.notebook:read",
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".gif"), f"{_HERE}.image:read"),
    **dict.fromkeys(_CODE, f"{_HERE}.code:read"),
}
"""Suffix in lower case -> "module:function"; "" is a file without a suffix (README, LICENSE)."""


def find_reader(name: str) -> Reader:
    """The reader for a file of this name. Raises `DocumentError` for a type that has none."""
    suffix = PurePath(name).suffix.lower()
    target = READERS.get(suffix)
    if target is None:
        raise DocumentError(f"there is no reader for {suffix} files")
    module, function = target.split(":")
    reader: Reader = getattr(importlib.import_module(module), function)
    return reader
