"""What a person names to be read: files, folders, patterns, texts, documents; each becomes one source or more."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from kaggle_magics.errors import OptionError
from kaggle_magics.rag.sources.files import missing_hint, path_sources
from kaggle_magics.rag.sources.frames import RowTexts, is_table, row_texts, unnamed_table
from kaggle_magics.rag.sources.members import Opened
from kaggle_magics.rag.sources.objects import document_sources, is_text, object_sources, unnamed_text
from kaggle_magics.rag.sources.source import Source
from kaggle_magics.rag.sources.web import is_address, web_source

__all__ = ["RowTexts", "Source", "find_sources", "missing_hint", "row_texts"]


def find_sources(paths: Any) -> Iterator[Source]:
    """Every source that `paths` means, each uri once, files of a folder in the order of their names.

    `paths`: a path or pattern, an `https://` address, a text of several lines, a dict of name -> text (or bytes,
    texts, a table, documents), a document (an object with `page_content` and `metadata`), a DataFrame, `RowTexts`, or
    a list of any of those, in which a string is a text when it reads like one (`is_text`). A path that does not exist
    is a source whose `load` raises `FileNotFoundError`.
    Raises `OptionError` for anything else and for nothing at all.
    """
    seen: set[str] = set()
    for each in _expand(paths, Opened()):
        source = _storable(each)
        if source.uri not in seen:
            seen.add(source.uri)
            yield source


def _storable(source: Source) -> Source:
    """A file's name is bytes, and those that are no UTF-8 come as surrogates, which neither a database nor a notebook
    takes: they are written out."""
    uri, label = (text.encode("utf-8", "backslashreplace").decode() for text in (source.uri, source.label))
    return source if (uri, label) == (source.uri, source.label) else replace(source, uri=uri, label=label)


def _expand(paths: Any, opened: Opened) -> Iterator[Source]:
    if isinstance(paths, str | os.PathLike):
        text = os.fspath(paths)
        if isinstance(text, str) and "\n" in text.strip():
            yield unnamed_text(text)
            return
        if not isinstance(text, str) or not text.strip():
            raise OptionError("There is no path to read.", "Name a file, a folder or a pattern such as docs/*.md.")
        if is_address(text):
            yield web_source(text)
        else:
            yield from path_sources(text, opened)
    elif isinstance(paths, Mapping):
        for name, content in paths.items():
            if isinstance(content, os.PathLike):
                yield from _expand(content, opened)
            else:
                yield from object_sources(str(name), content)
    elif isinstance(paths, RowTexts):
        yield from paths.sources()
    elif is_table(paths):
        yield unnamed_table(paths)
    elif hasattr(paths, "page_content"):
        yield from document_sources([paths])
    elif isinstance(paths, Iterable) and not isinstance(paths, bytes):
        items = list(paths)
        if not items:
            raise OptionError("There is nothing to read: the list is empty.")
        documents = [item for item in items if hasattr(item, "page_content")]
        yield from document_sources(documents)
        for item in items:
            if isinstance(item, str) and is_text(item):
                yield unnamed_text(item)
            elif not hasattr(item, "page_content"):
                yield from _expand(item, opened)
    else:
        raise OptionError(
            f"A {type(paths).__name__} cannot be read.",
            "Give a path, a list of paths or texts, a dict of name -> text, a DataFrame, or documents.",
        )
