"""The open collections by name."""

from __future__ import annotations

import tempfile
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kaggle_magics.errors import CollectionError, OptionError, did_you_mean

if TYPE_CHECKING:
    from kaggle_magics.rag.collection import Collection


class Shelf:
    """Open collections by name. `session.Session` has one and hands its calls on."""

    def __init__(self) -> None:
        self.collections: dict[str, Collection] = {}

    def get(self, name: str = "default") -> Collection:
        """The open collection of that name; `CollectionError` where there is none."""
        if name not in self.collections:
            raise CollectionError(
                f"There is no collection named {name!r}.",
                did_you_mean(str(name), self.collections)
                or "Make it with: %rag_ingest PATH" + f" -c {name}" * (name != "default"),
            )
        return self.collections[name]

    def open(
        self,
        path: str | PathLike[str] | None,
        *,
        name: str = "default",
        embedder: Any = None,
        store: Any = None,
        contents: Path | None = None,
        wait: float = 0.0,
        read_only: bool = False,
    ) -> Collection:
        """Open (or begin) a collection in the folder `path`, or a temporary one; it replaces one of the same name.

        `contents` is a file of records that a new folder begins with. A folder that another process uses is waited for
        up to `wait` seconds, or with `read_only` copied as it is. Raises `CollectionError` when the folder is in use,
        here under another name or by another process.
        """
        if not isinstance(name, str) or not name.strip():
            raise OptionError(f"A collection's name must be text, not {name!r:.40}.")
        if path is not None and not isinstance(path, str | PathLike):
            raise OptionError(f"path must be a folder, not {path!r:.40}.")
        # Only here: it brings SQLite and more, which %load_ext must not wait for.
        from kaggle_magics.rag.collection import Collection

        folder = Path(path).expanduser().resolve() if path is not None else None
        taken = folder is not None and not read_only
        held = next((each for each in self.collections.values() if taken and each.source == folder), None)
        if held is not None and held.name != name:
            raise CollectionError(
                f"The collection in {folder} is open here as {held.name!r}.",
                f"Use it under that name, or close it first: %rag_forget --all -c {held.name}",
            )
        if held is not None:
            # A folder is open only once; what is in it stays.
            self.collections.pop(name).close()
        opened = Collection(
            folder,
            name=name,
            embedder=embedder,
            store=store,
            contents=contents,
            wait=wait,
            read_only=read_only,
        )
        if name in self.collections:
            self.collections.pop(name).close()
        self.collections[name] = opened
        return opened

    def bring_in(
        self,
        file: str | PathLike[str],
        path: str | PathLike[str] | None,
        *,
        name: str = "default",
        embedder: Any = None,
        store: Any = None,
    ) -> Collection:
        """An exported collection, in the folder `path` or in a temporary one. `OptionError` when `name` is taken."""
        from kaggle_magics.rag.moving.importing import unpack

        if name in self.collections:
            raise OptionError(
                f"A collection {name!r} is open.",
                f"Give another --collection name, or close it first: %rag_forget --all -c {name}",
            )
        with tempfile.TemporaryDirectory(prefix="kaggle_magics-import-") as folder:
            contents = unpack(Path(file), Path(folder))
            return self.open(path, name=name, embedder=embedder, store=store, contents=contents)

    def get_or_open(
        self,
        path: str | PathLike[str] | None,
        *,
        name: str = "default",
        embedder: Any = None,
        store: Any = None,
        reembed: bool = False,
        wait: float = 0.0,
    ) -> Collection:
        """The open collection of that name, else a new one. `OptionError` when it is open in another folder.

        `embedder` goes for an open one too, which is refused where another made its vectors, unless `reembed` gives
        those up.
        """
        found = self.collections.get(name)
        if found is None:
            # Replacing needs an open collection: opening with another embedder is refused.
            found = self.open(path, name=name, embedder=None if reembed else embedder, store=store, wait=wait)
            embedder = embedder if reembed else None
        if path is not None and found.source != Path(path).expanduser().resolve():
            raise OptionError(
                f"Collection {name!r} lies in {found.source}, not in {path}.", "Give another --collection name for it."
            )
        if embedder is not None or reembed:
            found.use_embedder(embedder, reembed=reembed)
        if store is not None:
            found.use_store(store)
        return found

    def close(self, name: str | None = None) -> None:
        """Close one collection, or all; temporary ones are deleted."""
        for each in [self.get(name).name] if name else list(self.collections):
            self.collections.pop(each).close()
