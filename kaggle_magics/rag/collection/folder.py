"""The folder of a collection: taken with its lock, temporary, or an input that nothing is written to."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
from dataclasses import dataclass
from pathlib import Path

from kaggle_magics import environment
from kaggle_magics.errors import CollectionError
from kaggle_magics.rag.storing.locking import FolderLock
from kaggle_magics.rag.storing.records import FILE

COPIED_UNTIL = 256 << 20
"""Bytes of records that are copied from a read-only folder; larger ones are read where they are. Attached data may lie
on a slow disk, where one pass over a file costs less than looking into it here and there."""


@dataclass(frozen=True, slots=True)
class Folder:
    """`path` is where things may be written; `records` is where the records are."""

    path: Path
    records: Path
    temporary: bool
    warning: str | None = None


def take_folder(
    path: str | os.PathLike[str] | None,
    closing: contextlib.ExitStack,
    contents: Path | None = None,
    *,
    wait: float = 0.0,
    read_only: bool = False,
) -> Folder:
    """Take a folder, or a new temporary one. `contents` is a file of records that is moved into it.

    A folder in use is waited for up to `wait` seconds; with `read_only` it is not taken, but copied as it is now.
    What is taken is let go by `closing`. Raises `CollectionError` when it cannot be had, or holds a collection already
    where it is to get `contents`.
    """
    if path is None:
        folder = _temporary(closing)
        if contents is not None:
            shutil.move(contents, folder / FILE)
        return Folder(folder, folder / FILE, True)
    folder = Path(path).expanduser().absolute()
    if contents is None and _is_input(folder) and (folder / FILE).is_file():
        return _read_only(folder, closing)
    if read_only:
        return _snapshot(folder, closing)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FolderLock(folder, wait=wait)
    except FileExistsError as error:
        raise CollectionError(f"{folder} is a file, not a folder.", "Name a folder with --path.") from error
    except OSError as error:
        if contents is not None or not (folder / FILE).is_file():
            holds = "" if contents is not None else " and holds no collection"
            raise CollectionError(
                f"The folder {folder} cannot be written to ({error.strerror}){holds}.", "Name another one with --path."
            ) from error
        return _read_only(folder, closing)
    closing.callback(lock.release)
    if contents is not None:
        if (folder / FILE).exists():
            raise CollectionError(f"{folder} holds a collection already.", "Name another folder with --path.")
        part = folder / f"{FILE}.part"
        shutil.move(contents, part)
        part.replace(folder / FILE)
    return Folder(folder, folder / FILE, False)


def copy_records(source: Path, folder: Path) -> None:
    """Copy records, with a journal beside them, which belongs to them."""
    for part in (source, source.with_name(f"{source.name}-journal")):
        if part.is_file():
            shutil.copyfile(part, folder / part.name)


def _is_input(folder: Path) -> bool:
    """Whether it lies among the attached inputs, which are never written to, also where root could."""
    return folder.resolve().is_relative_to(environment.input_root().resolve())


def _temporary(closing: contextlib.ExitStack) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="kaggle_magics-"))
    closing.callback(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _read_only(source: Path, closing: contextlib.ExitStack) -> Folder:
    """The records of a read-only folder: in place where they are large and whole, else copied to temporary space."""
    folder, records = _temporary(closing), source / FILE
    size = records.stat().st_size
    if size > min(COPIED_UNTIL, shutil.disk_usage(folder).free // 2) and not _has_journal(records):
        warning = (
            f"{source} is read-only and large ({size / 1e6:,.0f} MB): it is read where it is. Ingesting or forgetting "
            "copies it to temporary space first, and does not last."
        )
        return Folder(folder, records, True, warning)
    try:
        copy_records(records, folder)
    except OSError as error:
        raise CollectionError(
            f"The collection in {source} cannot be copied to temporary space ({error.strerror})."
        ) from error
    warning = f"{source} is read-only: a copy in temporary space is used, changes to it do not last."
    return Folder(folder, folder / FILE, True, warning)


def _snapshot(source: Path, closing: contextlib.ExitStack) -> Folder:
    """Records as they are now, in temporary space: whole, even while another process writes to the folder."""
    if not (source / FILE).is_file():
        raise CollectionError(f"{source} holds no collection.", "Name a folder that %rag_ingest --path has made.")
    folder = _temporary(closing)
    try:
        # SQLite copies between two transactions of the writer, which waits as long as that takes.
        with (
            contextlib.closing(sqlite3.connect(source / FILE, timeout=30)) as records,
            contextlib.closing(sqlite3.connect(folder / FILE)) as copy,
        ):
            records.backup(copy)
    except sqlite3.Error as error:
        raise CollectionError(
            f"The collection in {source} cannot be copied ({error}).", "Wait until it is free, with --wait SECONDS."
        ) from error
    warning = f"This is a copy of {source} as it was when it was opened: changes to it do not last."
    return Folder(folder, folder / FILE, True, warning)


def _has_journal(records: Path) -> bool:
    journal = records.with_name(f"{records.name}-journal")
    return journal.is_file() and journal.stat().st_size > 0
