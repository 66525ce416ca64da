"""One file a kind of embedder. To add one: write `recognise(thing, name) -> Embedder | None` and add a line here.

A thing is what a reference led to: a folder or file (`Path`), an `openai:` address (`str`), or an object from the
notebook. `recognise` looks at names and small files only; weights are loaded when the first text comes.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import Any

from kaggle_magics.rag.embedding.protocol import Embedder

Recognise = Callable[[Any, str | None], Embedder | None]

_HERE = "kaggle_magics.rag.embedding.kinds"

KINDS: dict[str, str] = {
    "static": f"{_HERE}.static",
    "onnx": f"{_HERE}.onnx",
    "sentence-transformers": f"{_HERE}.sentence_transformer",
    "gguf": f"{_HERE}.gguf",
    "endpoint": f"{_HERE}.endpoint",
    "object": f"{_HERE}.given",
}
"""Kind -> the module whose `recognise` tells it, in the order in which they are asked."""


def recognise(thing: Any, name: str | None = None) -> Embedder | None:
    """The embedder that a folder, a file, an address or an object is; None when it is none.

    `name` is what to call it. Raises `CheckpointError` where its files tell that it is something else.
    """
    return next((found for kind in kinds() if (found := kind(thing, name)) is not None), None)


def kinds() -> Iterator[Recognise]:
    """The `recognise` of each kind."""
    for module in KINDS.values():
        yield importlib.import_module(module).recognise
