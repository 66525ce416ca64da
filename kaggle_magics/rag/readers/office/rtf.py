"""RTF with striprtf: paragraphs, lists and tables; headings by the names of their styles."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kaggle_magics.errors import DocumentError
from kaggle_magics.rag.passages import Block
from kaggle_magics.rag.readers.library import library
from kaggle_magics.rag.readers.reading import Reading
from kaggle_magics.rag.readers.tables import table_block

_STYLE = re.compile(r"\{(?:\\\*)?\\s(\d+)\b[^{};]*?\s(heading ([1-9])|title);", re.IGNORECASE)
_OUTLINE = re.compile(r"\\outlinelevel([0-8])\b")
_PICTURE = re.compile(r"[0-9a-fA-F\r\n]{2000,}")
_MARK = "@@heading{}@@"
_MARKED = re.compile(r"@@heading(\d)@@")
_ITEM = re.compile(r"\s*(?:[\u2022\u00b7\uf0b7\u25cf\uf0a7o-]\t|(\d{1,3}[.)]|[a-z][.)])\t)\s*")
_PROPERTY = {"title": r"\{\\title ([^{}]*)\}", "author": r"\{\\author ([^{}]*)\}", "subject": r"\{\\subject ([^{}]*)\}"}


def read(data: bytes, reading: Reading) -> Iterator[Block]:
    """Yield the text's blocks in order. Raises `DocumentError`. Needs striprtf."""
    striprtf = library("striprtf.striprtf", "Reading RTF files")
    if not data.lstrip().startswith(b"{\\rtf"):
        raise DocumentError("the file is not an RTF file: damaged, or another type under this name")
    source = _PICTURE.sub("", data.decode("latin-1")).replace("{\\pntext", "{\\listtext")
    for name, pattern in _PROPERTY.items():
        found = re.search(pattern, source)
        if found:
            words = striprtf.rtf_to_text(r"{\rtf1 " + found[1] + "}", errors="ignore").strip()
            if words:
                reading.metadata[name] = words
    try:
        text: str = striprtf.rtf_to_text(_with_headings(source), errors="replace")
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise DocumentError(f"the RTF is damaged ({error})") from error
    yield from _blocks(text.split("\n"))


def _with_headings(source: str) -> str:
    """Marks as text where a paragraph is given a heading's style or outline level, as the library drops both."""
    begin = source.find("{\\stylesheet")
    levels = {}
    titled = False
    for match in _STYLE.finditer(source, max(begin, 0)):
        levels[match[1]] = int(match[3] or 0)
        titled = titled or not match[3]
    end = _group_end(source, begin)
    body = source[end:]
    titled = titled and any(
        level == 0 and re.search(rf"\\s{number}(?=[\\ \r\n{{])", body) for number, level in levels.items()
    )

    def marked(match: re.Match[str]) -> str:
        level = levels.get(match[1])
        return match[0] if level is None else f"{match[0]} {_MARK.format(level + 1 if titled else max(level, 1))} "

    body = re.sub(r"\\s(\d+)(?=[\\ \r\n{])", marked, body)
    return source[:end] + _OUTLINE.sub(lambda match: f"{match[0]} {_MARK.format(int(match[1]) + 1 + titled)} ", body)


def _group_end(source: str, begin: int) -> int:
    """Where the group that begins at `begin` ends; 0 when there is none."""
    depth = 0
    for match in re.compile(r"\\[{}\\]|[{}]").finditer(source, max(begin, 0)):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if depth == 0 and begin >= 0:
            return match.end()
    return 0


def _blocks(lines: list[str]) -> Iterator[Block]:
    rows: list[list[str]] = []
    items: list[str] = []
    for line in [*lines, ""]:
        levels = _MARKED.findall(line)
        words = _MARKED.sub("", line).strip(" \r\xa0")
        # The library writes a bar after each cell, at the end of a row too.
        row = words.count("|") > 1 and words.endswith("|")
        item = _ITEM.match(_MARKED.sub("", line))
        if rows and not row:
            block = table_block(rows)
            if block is not None:
                yield block
            rows = []
        if items and not item:
            yield Block("\n".join(items), "list")
            items = []
        if row:
            rows.append([cell.strip() for cell in words.split("|")[:-1]])
        elif item and words:
            items.append(f"{item[1] or '-'} {_MARKED.sub('', line)[item.end() :].strip()}")
        elif words and levels:
            yield Block(words, "heading", min(int(levels[0]), 9))
        elif words:
            yield Block(words)
