"""Texts and documents of the notebook as sources."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from kaggle_magics.errors import DocumentError, OptionError
from kaggle_magics.rag.passages import Block, Place
from kaggle_magics.rag.readers import find_reader
from kaggle_magics.rag.readers.reading import Reading
from kaggle_magics.rag.readers.text import paragraphs
from kaggle_magics.rag.sources.source import Source


def text_source(name: str, content: Any) -> Source:
    if not isinstance(content, str):
        raise OptionError(f"The text named {name!r} is a {type(content).__name__}, not a string.")

    def read(data: bytes, reading: Reading) -> Iterator[Block]:
        if not content.strip():
            raise DocumentError("the text is empty")
        # A name such as notes.md says how the text is to be read; any other name means plain paragraphs.
        if name.lower().endswith((".md", ".markdown", ".html", ".csv", ".json", ".py")):
            yield from find_reader(name)(data, reading)
        else:
            yield from (Block(paragraph) for paragraph in paragraphs(content))

    return Source(f"text:{name}", name, lambda: content.encode("utf-8", "replace"), read, name)


def document_sources(documents: Iterable[Any]) -> Iterator[Source]:
    """LangChain-like documents; those with the same `metadata["source"]` are one source, in their order."""
    groups: dict[str, list[tuple[str, int | None]]] = {}
    for document in documents:
        metadata = getattr(document, "metadata", None) or {}
        text = str(document.page_content)
        name = metadata.get("source") or getattr(document, "id", None)
        page = metadata.get("page")
        # LangChain's PDF loaders count pages from 0.
        number = page + 1 if isinstance(page, int) and not isinstance(page, bool) and page >= 0 else None
        groups.setdefault(str(name or f"document-{_digest(text)}"), []).append((text, number))
    for name, parts in groups.items():
        yield Source(f"document:{name}", name, partial(_content_of, parts), partial(_parts, parts))


def _content_of(parts: list[tuple[str, int | None]]) -> bytes:
    return repr(parts).encode("utf-8", "replace")


def _parts(parts: list[tuple[str, int | None]], data: bytes, reading: Reading) -> Iterator[Block]:
    for text, page in parts:
        for paragraph in paragraphs(text.rstrip("\n") + "\n\n"):
            yield Block(paragraph, place=Place(page=page))


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=4).hexdigest()
