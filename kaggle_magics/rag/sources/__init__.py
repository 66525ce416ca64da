"""What a person names to be read: files, folders, patterns, texts, documents; each becomes one source or more."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kaggle_magics.errors import OptionError
from kaggle_magics.rag.sources.files import missing_hint, path_sources
from kaggle_magics.rag.sources.members import Opened
from kaggle_magics.rag.sources.objects import document_sources, text_source
from kaggle_magics.rag.sources.source import Source

__all__ = ["Source", "find_sources", "missing_hint"]


def find_sources(paths: Any) -> Iterator[Source]:
    """Every source that `paths` means, each uri once, files of a folder in the order of their names.

    `paths`: a path or pattern, a dict of name -> text, a document (an object with `page_content` and `metadata`), or a
    list of any of those. A path that does not exist is a source whose `load` raises `FileNotFoundError`.
    Raises `OptionError` for anything else and for nothing at all.
    """
    seen: set[str] = set()
    for source in _expand(paths, Opened()):
        if source.uri not in seen:
            seen.add(source.uri)
            yield source


def _expand(paths: Any, opened: Opened) -> Iterator[Source]:
    if isinstance(paths, str | os.PathLike):
        text = os.fspath(paths)
        if not isinstance(text, str) or not text.strip():
            raise OptionError("There is no path to read.", "Name a file, a folder or a pattern such as docs/*.md.")
        yield from path_sources(text, opened)
    elif isinstance(paths, Mapping):
        for name, content in paths.items():
            yield text_source(str(name), content)
    elif hasattr(paths, "page_content"):
        yield from document_sources([paths])
    elif isinstance(paths, Iterable) and not isinstance(paths, bytes):
        items = list(paths)
        if not items:
            raise OptionError("There is nothing to read: the list is empty.")
        documents = [item for item in items if hasattr(item, "page_content")]
        yield from document_sources(documents)
        for item in items:
            if not hasattr(item, "page_content"):
                yield from _expand(item, opened)
    else:
        raise OptionError(
            f"A {type(paths).__name__} cannot be read.",
            "Give a path, a list of paths, a dict of name -> text, or documents.",
        )
