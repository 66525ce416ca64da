"""What stands in `manifest.json` of an exported collection, and how it is read with suspicion."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kaggle_magics.errors import CollectionError
from kaggle_magics.rag.storing import schema

FORMAT = "kaggle_magics collection"
VERSION = 1
MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Manifest:
    """Of one export."""

    name: str
    """What the collection was called."""
    schema: int
    documents: int
    passages: int
    embedder: str | None
    embedder_identity: str | None
    dimension: int | None
    size: int
    """Of the records, unpacked, in bytes."""
    blake2b: str
    """Of the records, 32 bytes in hexadecimal."""
    made: str
    """When, in UTC (ISO 8601)."""
    by: str
    """Version of this package."""

    def to_json(self) -> str:
        return json.dumps({"format": FORMAT, "version": VERSION, **asdict(self)}, indent=1, ensure_ascii=False)

    @classmethod
    def read(cls, data: bytes, file: Path) -> Manifest:
        """Raises `CollectionError` for what is no manifest, and for one of a newer release."""
        try:
            given: Any = json.loads(data)
            if given["format"] != FORMAT:
                raise ValueError("another format")
            newer = int(given["version"]) > VERSION or int(given["schema"]) > schema.VERSION
            found = cls(**{name: given[name] for name in cls.__dataclass_fields__})
            if not all(isinstance(getattr(found, name), int) for name in ("schema", "documents", "passages", "size")):
                raise ValueError("no numbers")
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise no_export(file) from error
        if newer:
            raise CollectionError(
                f"{file} was exported by a newer release (schema {found.schema}, this one knows {schema.VERSION}).",
                "Run: %pip install --upgrade kaggle-magics",
            )
        return found


def no_export(file: Path) -> CollectionError:
    return CollectionError(f"{file} is no exported collection.", "Make one with: %rag_export FILE")


def hash_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=32)).hexdigest()
