"""An exported collection's records out of its file, checked: nothing in it is believed before it was compared."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import sqlite3
import zipfile
import zlib
from pathlib import Path

from kaggle_magics.errors import CollectionError
from kaggle_magics.rag.moving.manifest import MANIFEST, Manifest, no_export
from kaggle_magics.rag.storing import schema
from kaggle_magics.rag.storing.records import FILE

_MOST_OF_MANIFEST = 1 << 20
_CHUNK = 1 << 20


def unpack(file: Path, folder: Path) -> Path:
    """The records of `file`, written into `folder`; their path.

    Raises `CollectionError` for what is no export, is damaged, is of a newer release, or holds anything else.
    """
    file = file.expanduser()
    try:
        with file.open("rb") as opened:
            begins = opened.read(16)
        target = folder / FILE
        if begins == b"SQLite format 3\0":
            _check_room(file.stat().st_size, folder)
            shutil.copyfile(file, target)
            _check_records(target, file, None)
        elif zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                _check_records(target, file, _unzip(archive, file, target))
        elif file.suffix == ".jsonl":
            raise CollectionError(
                f"{file} holds passages alone, not a collection.", "Export the collection anew: %rag_export FILE.zip"
            )
        else:
            raise no_export(file)
    except FileNotFoundError as error:
        raise CollectionError(f"There is no file {file}.", "Check the path.") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise CollectionError(f"{file} is damaged ({error}).", "Export the collection again.") from error
    except OSError as error:
        raise CollectionError(f"{file} cannot be read ({error.strerror or error}).", "Check the path.") from error
    return target


def _unzip(archive: zipfile.ZipFile, file: Path, target: Path) -> Manifest:
    names = archive.namelist()
    if strange := [name for name in names if name not in (MANIFEST, FILE)]:
        raise CollectionError(
            f"{file} holds {strange[0]!r}, which is no part of a collection.",
            "If it was packed by hand, unpack it and open the folder with: %rag_open DIR",
        )
    if sorted(names) != sorted((MANIFEST, FILE)) or archive.getinfo(MANIFEST).file_size > _MOST_OF_MANIFEST:
        raise no_export(file)
    with archive.open(MANIFEST) as source:
        manifest = Manifest.read(source.read(_MOST_OF_MANIFEST), file)
    _check_room(manifest.size, target.parent)
    digest, left = hashlib.blake2b(digest_size=32), manifest.size
    with archive.open(FILE) as source, target.open("wb") as copy:
        while chunk := source.read(min(_CHUNK, left + 1)):
            left -= len(chunk)
            if left < 0:  # a few kilobytes can unpack to terabytes
                break
            digest.update(chunk)
            copy.write(chunk)
    if left != 0 or digest.hexdigest() != manifest.blake2b:
        raise CollectionError(f"{file} is damaged: its records are not those it was made with.", "Export it again.")
    return manifest


def _check_room(size: int, folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if size > free:
        raise CollectionError(
            f"The collection takes {size / 1e6:,.0f} MB, and {folder} has {free / 1e6:,.0f} MB left.",
            "Name a folder on another disk with --path.",
        )


def _check_records(path: Path, file: Path, manifest: Manifest | None) -> None:
    """What the file defines runs when it is used: triggers and views have to be ours, and the counts as they were."""
    with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
        try:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version > schema.VERSION:
                raise CollectionError(
                    f"{file} was written by a newer release (schema {version}, this one knows {schema.VERSION}).",
                    "Run: %pip install --upgrade kaggle-magics",
                )
            found = {name for name, *_ in _running_parts(connection)}
            counts = connection.execute(
                "SELECT (SELECT count(*) FROM documents), (SELECT count(*) FROM passages)"
            ).fetchone()
            same = version != schema.VERSION or _running_parts(connection) == _our_parts()
        except sqlite3.Error as error:
            raise CollectionError(f"The records in {file} cannot be used ({error}).", "Export it again.") from error
    if not same or (version < schema.VERSION and not found <= {name for name, *_ in _our_parts()}):
        raise CollectionError(f"{file} defines what no collection has: it is not used.")
    if manifest is not None and counts != (manifest.documents, manifest.passages):
        raise CollectionError(f"{file} does not hold what its manifest says.", "Export it again.")


def _running_parts(connection: sqlite3.Connection) -> set[tuple[str, str]]:
    query = "SELECT name, sql FROM sqlite_master WHERE type IN ('trigger', 'view')"
    return set(connection.execute(query).fetchall())


def _our_parts() -> set[tuple[str, str]]:
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        schema.prepare(fresh)
        return _running_parts(fresh)
