"""Texts, documents and tables of the notebook as sources."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from kaggle_magics.errors import DocumentError, OptionError
from kaggle_magics.rag.passages import Block, Place
from kaggle_magics.rag.readers import choose_reader, find_reader
from kaggle_magics.rag.readers.plain.text import paragraphs
from kaggle_magics.rag.readers.reading import Reading
from kaggle_magics.rag.sources.frames import is_table, table_source
from kaggle_magics.rag.sources.source import Source

_READ_BY_NAME = (
    ".md",
    ".markdown",
    ".html",
    ".htm",
    ".csv",
    ".tsv",
    ".json",
    ".jsonl",
    ".ipynb",
    ".xml",
    ".rst",
    ".py",
)
_LONGEST_PATH = 255
_LABEL = 40

Facts = dict[str, str | int | float]


def object_sources(name: str, value: Any) -> Iterator[Source]:
    """What a variable of the notebook holds, under its name: texts, documents, a table, bytes.

    Bytes are read as the file that the name says. Raises `OptionError` for what is none of these.
    """
    if isinstance(value, str):
        yield text_source(name, value)
    elif isinstance(value, bytes | bytearray):
        yield _bytes_source(name, bytes(value))
    elif hasattr(value, "page_content"):
        yield from document_sources([value])
    elif is_table(value):
        yield table_source(name, value)
    elif isinstance(value, Mapping) and value and all(isinstance(one, str) for one in value.values()):
        for key, text in value.items():
            yield text_source(str(key), text)
    elif isinstance(value, Iterable) and not isinstance(value, Mapping):
        items = list(value)
        if items and all(hasattr(item, "page_content") for item in items):
            yield from document_sources(items)
        elif items and all(isinstance(item, str) for item in items):
            for number, text in enumerate(items):
                yield text_source(f"{name}[{number}]", text)
        else:
            yield table_source(name, items)
    else:
        yield table_source(name, value)


def text_source(name: str, content: Any, uri: str = "") -> Source:
    if not isinstance(content, str):
        raise OptionError(f"The text named {name!r} is a {type(content).__name__}, not a string.")

    def read(data: bytes, reading: Reading) -> Iterator[Block]:
        if not content.strip():
            raise DocumentError("the text is empty")
        # A name such as notes.md says how the text is to be read; any other name means plain paragraphs.
        if name.lower().endswith(_READ_BY_NAME):
            yield from find_reader(name)(data, reading)
        else:
            yield from (Block(paragraph) for paragraph in paragraphs(content))

    return Source(f"text:{uri or name}", name, lambda: content.encode("utf-8", "replace"), read, name)


def is_text(item: str) -> bool:
    """Whether a string in a list is a text and no path: it has several lines, or is longer than a path may be, or has
    at least four words, does not end like a file's name, and no file is called that."""
    if "\n" in item or len(item) > _LONGEST_PATH:
        return True
    last = item.rstrip().rpartition(".")
    named = bool(last[1]) and 0 < len(last[2]) <= 5 and last[2].isalnum() and not last[2].isdigit()
    return len(item.split()) >= 4 and not named and not os.path.exists(item)


def unnamed_text(item: str) -> Source:
    """A text without a name: its first words are its label."""
    words = " ".join(item.split())
    label = words if len(words) <= _LABEL else words[:_LABEL].rsplit(" ", 1)[0] + "\u2026"
    return text_source(label, item, _digest(item))


def _bytes_source(name: str, content: bytes) -> Source:
    def read(data: bytes, reading: Reading) -> Iterable[Block]:
        return choose_reader(name, data, reading)(data, reading)

    return Source(f"bytes:{name}", name, lambda: content, read, name)


def document_sources(documents: Iterable[Any]) -> Iterator[Source]:
    """LangChain-like documents; those with the same `metadata["source"]` are one source, in their order.

    What they all say of themselves in their metadata is the source's, too, as far as it is text or numbers.
    """
    groups: dict[str, list[tuple[str, int | None]]] = {}
    facts: dict[str, Facts] = {}
    for document in documents:
        metadata = getattr(document, "metadata", None) or {}
        text = str(document.page_content)
        name = str(metadata.get("source") or getattr(document, "id", None) or f"document-{_digest(text)}")
        page = metadata.get("page")
        # LangChain's PDF loaders count pages from 0.
        number = page + 1 if isinstance(page, int) and not isinstance(page, bool) and page >= 0 else None
        groups.setdefault(name, []).append((text, number))
        mine = _facts(metadata)
        facts[name] = {key: value for key, value in facts.get(name, mine).items() if mine.get(key) == value}
    for name, parts in groups.items():
        yield Source(
            f"document:{name}",
            name,
            partial(_content_of, parts, facts[name]),
            partial(_parts, parts),
            metadata=facts[name],
        )


def _facts(metadata: Mapping[Any, Any]) -> Facts:
    return {
        str(key): value
        for key, value in metadata.items()
        if key not in ("source", "page") and isinstance(value, str | int | float) and not isinstance(value, bool)
    }


def _content_of(parts: list[tuple[str, int | None]], facts: Facts) -> bytes:
    return repr((parts, sorted(facts.items())) if facts else parts).encode("utf-8", "replace")


def _parts(parts: list[tuple[str, int | None]], data: bytes, reading: Reading) -> Iterator[Block]:
    for text, page in parts:
        for paragraph in paragraphs(text.rstrip("\n") + "\n\n"):
            yield Block(paragraph, place=Place(page=page))


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=4).hexdigest()
