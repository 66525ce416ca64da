"""What a person names to be read: files, folders, patterns, texts, documents; each becomes one source or more."""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from kaggle_magics.errors import DocumentError, OptionError, did_you_mean
from kaggle_magics.rag.passages import Block, Place
from kaggle_magics.rag.readers import find_reader
from kaggle_magics.rag.readers.reading import Reading
from kaggle_magics.rag.readers.text import paragraphs


@dataclass(frozen=True, slots=True)
class Source:
    """One thing to be read. `uri` is its identity (an absolute path, `text:NAME`), `label` the name shown and cited."""

    uri: str
    label: str
    load: Callable[[], bytes]
    """The content whose hash says whether it changed. Raises OSError."""
    read: Callable[[bytes, Reading], Iterable[Block]]
    """The blocks of that content. Raises `DocumentError`."""
    name: str = ""
    """The file's name, by which a reader is found."""
    metadata: Mapping[str, str | int | float] = field(default_factory=dict)
    """What is known of it before it is read."""


def find_sources(paths: Any) -> Iterator[Source]:
    """Every source that `paths` means, each uri once, files of a folder in the order of their names.

    `paths`: a path or pattern, a dict of name -> text, a document (an object with `page_content` and `metadata`), or a
    list of any of those. A path that does not exist is a source whose `load` raises `FileNotFoundError`.
    Raises `OptionError` for anything else and for nothing at all.
    """
    seen: set[str] = set()
    for source in _expand(paths):
        if source.uri not in seen:
            seen.add(source.uri)
            yield source


def _expand(paths: Any) -> Iterator[Source]:
    if isinstance(paths, str | os.PathLike):
        text = os.fspath(paths)
        if not isinstance(text, str) or not text.strip():
            raise OptionError("There is no path to read.", "Name a file, a folder or a pattern such as docs/*.md.")
        yield from _path_sources(text)
    elif isinstance(paths, Mapping):
        for name, content in paths.items():
            yield _text_source(str(name), content)
    elif hasattr(paths, "page_content"):
        yield from _document_sources([paths])
    elif isinstance(paths, Iterable) and not isinstance(paths, bytes):
        items = list(paths)
        if not items:
            raise OptionError("There is nothing to read: the list is empty.")
        documents = [item for item in items if hasattr(item, "page_content")]
        yield from _document_sources(documents)
        for item in items:
            if not hasattr(item, "page_content"):
                yield from _expand(item)
    else:
        raise OptionError(
            f"A {type(paths).__name__} cannot be read.",
            "Give a path, a list of paths, a dict of name -> text, or documents.",
        )


def _path_sources(text: str) -> Iterator[Source]:
    path = Path(text).expanduser()
    if path.is_dir():
        yield from map(_file_source, _files_below(path))
    elif path.exists() or not glob.has_magic(text):
        yield _file_source(path)
    else:
        matches = sorted(glob.glob(str(path), recursive=True))
        if not matches:
            yield _file_source(path)
        for match in matches:
            yield from map(_file_source, _files_below(Path(match)) if Path(match).is_dir() else [Path(match)])


def _files_below(folder: Path) -> Iterator[Path]:
    """Files of a folder and its folders in the order of their names; hidden ones and Python's caches are left out."""
    visited: set[tuple[int, int]] = set()
    for here, folders, files in os.walk(folder, followlinks=True):
        status = os.stat(here)
        if (status.st_dev, status.st_ino) in visited:  # a link that leads back up
            folders.clear()
            continue
        visited.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "__pycache__")
        yield from (Path(here) / name for name in sorted(files) if not name.startswith("."))


def _file_source(path: Path) -> Source:
    absolute = Path(os.path.abspath(path))

    def load() -> bytes:
        if absolute.exists() and not absolute.is_file():
            raise OSError("it is not a regular file")
        find_reader(absolute.name)
        return absolute.read_bytes()

    def read(data: bytes, reading: Reading) -> Iterable[Block]:
        return find_reader(absolute.name)(data, reading)

    return Source(absolute.as_posix(), _label(absolute), load, read, absolute.name)


def _label(absolute: Path) -> str:
    """Relative to the working directory where the file lies below it, else absolute: unique either way."""
    try:
        return absolute.relative_to(Path.cwd()).as_posix()
    except (ValueError, OSError):
        return absolute.as_posix()


def missing_hint(uri: str) -> str | None:
    """What a path that does not exist may have meant."""
    path = Path(uri)
    try:
        near = [entry.name for entry in path.parent.iterdir() if not entry.name.startswith(".")]
    except OSError:
        return f"There is no folder {path.parent.as_posix()} either."
    return did_you_mean(path.name, near)


def _text_source(name: str, content: Any) -> Source:
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


def _document_sources(documents: Iterable[Any]) -> Iterator[Source]:
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
