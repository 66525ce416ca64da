"""A collection into one file: a zip of a consistent snapshot of its records and a manifest.

The vector index is not in it: it is derived. Unpacked into a folder (as Kaggle does with a zip that becomes a data set)
the file is a collection that can be opened.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import kaggle_magics
from kaggle_magics.errors import CollectionError, OptionError
from kaggle_magics.generation.attachments.description import counted
from kaggle_magics.rag.moving.manifest import MANIFEST, Manifest, hash_of
from kaggle_magics.rag.storing import schema
from kaggle_magics.rag.storing.records import FILE, Records

_ENDINGS = (".zip", ".sqlite", ".jsonl")


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written, and where."""

    target: str
    """The file, or the name of the vector store."""
    documents: int
    passages: int
    bytes: int | None = None
    """Of the file."""

    def __str__(self) -> str:
        size = f" ({max(self.bytes / 1e6, 0.1):,.1f} MB)" if self.bytes is not None else ""
        passages, documents = counted(self.passages, "passage"), counted(self.documents, "document")
        return f"{passages} of {documents} {'is' if self.passages == 1 else 'are'} in {self.target}{size}."


def export_file(records: Records, target: Path, *, name: str, overwrite: bool = False) -> Exported:
    """Write `target` as a whole or not at all: a zip, or with `.sqlite` the records alone, or with `.jsonl` the
    passages and their vectors, a line each. Raises `OptionError` for another ending and when it is there already,
    `CollectionError` when it cannot be written."""
    target = target.expanduser()
    if target.is_dir():
        raise OptionError(f"{target} is a folder.", f"Name a file, such as {target / f'{name}.zip'}.")
    if target.suffix not in (*_ENDINGS, ""):
        raise OptionError(f"{target} has none of the endings {', '.join(_ENDINGS)}.", f"Type: {target}.zip")
    if target.exists() and not overwrite:
        raise OptionError(f"{target} is there already.", "Give another name, or --overwrite.")
    documents, passages = records.counts()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _whole(target) as part:
            if target.suffix == ".jsonl":
                _write_lines(records, part)
            elif target.suffix == ".sqlite":
                _snapshot(records, part)
            else:  # .zip
                _write_zip(records, part, name)
    except OSError as error:
        raise CollectionError(f"{target} cannot be written ({error.strerror}).", "Name another file.") from error
    return Exported(str(target), documents, passages, target.stat().st_size)


@contextlib.contextmanager
def _whole(target: Path) -> Iterator[Path]:
    """A file beside `target` that takes its place when all went well."""
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        part.unlink(missing_ok=True)
        yield part
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _snapshot(records: Records, path: Path) -> None:
    records.snapshot(path)
    copy = Records(path, temporary=True)
    # Another collection from now on, which has no index yet.
    copy.forget_meta(("collection_id", "store"))
    copy.close()


def _write_zip(records: Records, path: Path, name: str) -> None:
    with tempfile.TemporaryDirectory(prefix="kaggle_magics-export-", dir=path.parent) as folder:
        snapshot = Path(folder) / FILE
        _snapshot(records, snapshot)
        documents, passages = records.counts()
        dimension = records.get_meta("dimension")
        manifest = Manifest(
            name,
            schema.VERSION,
            documents,
            passages,
            records.get_meta("embedder"),
            records.get_meta("embedder_identity"),
            int(dimension) if dimension else None,
            snapshot.stat().st_size,
            hash_of(snapshot),
            datetime.now(UTC).isoformat(timespec="seconds"),
            kaggle_magics.__version__,
        )
        # Vectors do not shrink and texts shrink enough at the fastest level.
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.writestr(MANIFEST, manifest.to_json())
            archive.write(snapshot, FILE)


def _write_lines(records: Records, path: Path) -> None:
    with path.open("w", encoding="utf-8", errors="backslashreplace") as file:
        written: set[str] = set()
        for ids, vectors in records.vector_batches():
            passages = records.passages(ids)
            for key, vector in zip(ids, vectors, strict=True):
                row = asdict(passages[key]) | {"vector": [round(float(number), 6) for number in vector]}
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
            written.update(ids)
        for passage in records.all_passages():
            if passage.id not in written:
                file.write(json.dumps(asdict(passage) | {"vector": None}, ensure_ascii=False) + "\n")
