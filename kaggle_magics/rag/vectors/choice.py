"""Which vector index: by name, by the address of a server, or a LangChain vector store of the notebook."""

from __future__ import annotations

import importlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kaggle_magics.errors import OptionError, did_you_mean
from kaggle_magics.extras import installed
from kaggle_magics.rag.storing.records import Records
from kaggle_magics.rag.vectors.index import IndexSetting, VectorIndex

INDEXES = {
    "numpy": "kaggle_magics.rag.vectors.numpy_index:NumpyIndex",
    "chroma": "kaggle_magics.rag.vectors.chroma_index:ChromaIndex",
    "chroma-memory": "kaggle_magics.rag.vectors.chroma_memory:ChromaMemoryIndex",
    "chroma-server": "kaggle_magics.rag.vectors.chroma_server:ChromaServerIndex",
    "faiss": "kaggle_magics.rag.vectors.faiss_index:FaissIndex",
    "langchain": "kaggle_magics.rag.vectors.langchain_index:LangChainIndex",
}
"""Kind -> "module:class"; the class is called with an `IndexSetting`."""
NAMES = ("numpy", "chroma", "chroma-memory", "faiss")
"""Those that a name alone says."""


@dataclass(frozen=True, slots=True)
class Store:
    """A chosen vector index. `name` is what a person sees; `target` is an address or an object."""

    kind: str
    name: str
    target: Any = None

    @property
    def lasts(self) -> bool:
        """Whether a collection that is opened again can have it without being told."""
        return self.kind in NAMES


def choose_store(store: Any = None, before: str | None = None) -> Store:
    """A name, a server's address, a LangChain `VectorStore`; None is what it was `before` where that is installed,
    else Chroma where it is installed, else numpy.

    Raises `OptionError` for anything else.
    """
    if isinstance(store, Store):
        return store
    if store is None and before in NAMES and installed(_LIBRARIES.get(before, "numpy")):
        return Store(before, before)
    if store is None:
        name = "chroma" if installed("chromadb") else "numpy"
        return Store(name, name)
    if isinstance(store, str):
        if store in NAMES:
            return Store(store, store)
        if store.startswith(("http://", "https://")):
            return Store("chroma-server", _address(store), store)
        raise OptionError(
            f"There is no vector store {store!r}.",
            did_you_mean(store, NAMES)
            or f"Known: {', '.join(NAMES)}, the address of a Chroma server, or a LangChain vector store.",
        )
    # By what it can do: importing langchain-core for isinstance would take seconds where it was not imported yet.
    if isinstance(store, type) or not all(callable(getattr(store, name, None)) for name in _NEEDED):
        raise OptionError(
            "store must be a name, the address of a Chroma server or a LangChain vector store, "
            f"not {store.__name__ if isinstance(store, type) else f'a {type(store).__name__}'}.",
            f"Known: {', '.join(NAMES)}.",
        )
    return Store("langchain", f"langchain:{type(store).__name__}", store)


_LIBRARIES = {"chroma": "chromadb", "chroma-memory": "chromadb", "faiss": "faiss"}
_FILES = {"chroma": ("chroma-*", "index-unfinished"), "faiss": ("vectors.faiss*",), "langchain": ("langchain-*",)}
_NEEDED = ("add_texts", "similarity_search", "delete")


def discard_others(folder: Path, store: Store) -> None:
    """Remove the files of indexes of other kinds from a collection's folder."""
    for kind, patterns in _FILES.items():
        for path in (path for pattern in patterns if kind != store.kind for path in folder.glob(pattern)):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def open_index(store: Store | str, folder: Path, records: Records, *, temporary: bool = False) -> VectorIndex:
    """The index of a collection. Raises `MissingExtra` when its library is not installed, `CollectionError` when a
    server does not answer."""
    chosen = choose_store(store)
    module, name = INDEXES[chosen.kind].split(":")
    made = getattr(importlib.import_module(module), name)
    index: VectorIndex = made(IndexSetting(folder, records, temporary, chosen.target))
    return index


def _address(url: str) -> str:
    """A server's address without user and password."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = -1
    if not parts.hostname or port == -1:
        raise OptionError(f"{url!r} is no address of a server.", "Type one such as http://localhost:8000.")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}:{port or (443 if parts.scheme == 'https' else 8000)}{parts.path.rstrip('/')}"
