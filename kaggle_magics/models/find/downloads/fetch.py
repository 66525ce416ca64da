"""From a remote reference to the files on this machine: what is here is taken, the rest is downloaded."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

from kaggle_magics import environment
from kaggle_magics.credentials import secret
from kaggle_magics.errors import CheckpointError, ModelNotFound
from kaggle_magics.extras import require
from kaggle_magics.models.checkpoint import Checkpoint, gguf_name
from kaggle_magics.models.find import caches, catalog
from kaggle_magics.models.find.catalog import Location
from kaggle_magics.models.find.downloads import supervise, trouble
from kaggle_magics.models.find.downloads.choose import RemoteFile, check_room, needed
from kaggle_magics.models.find.downloads.remote import Remote
from kaggle_magics.models.find.downloads.supervise import Client, Failure, OnProgress, Progress
from kaggle_magics.models.find.walk import find_models

RESUMABLE_FROM = 8 * 2**20
"""Bytes; smaller files are fetched anew when they were interrupted."""
SECRET = 20.0
"""Seconds that Kaggle's secrets may take to answer."""
ATTACH = 300.0
"""Seconds that Kaggle may take to mount a model."""


def at_hand(remote: Remote) -> Checkpoint | None:
    """The model, if its files are on this machine already: attached, or whole in a cache; nothing is asked for."""
    for location in _places(remote):
        try:
            return location.read()
        except CheckpointError:  # cut off half-way: it is downloaded again
            continue
    return None


def fetch(remote: Remote, *, on_progress: OnProgress | None = None) -> Checkpoint:
    """The model, downloaded if it is not at hand.

    Raises `ModelNotFound` with the reason when it cannot be had (no internet, gated, no such name, too slow),
    `CheckpointError` for files of the wrong kind, `OptionError` when the disk is too small. The stop button's
    `KeyboardInterrupt` ends it; what has come is kept and used by the next attempt.
    """
    if (found := at_hand(remote)) is not None:
        return found
    if on_progress:
        on_progress(Progress(remote.name, 0, 0))
    if remote.source == "hub":
        _from_hub(remote, on_progress)
        places = _places(remote)
    else:
        path = _from_kaggle(remote, on_progress)
        places = _places(remote) or [
            Location(each, each.stem, remote.name, "kaggle", remote.name) for each in find_models(path, depth=4)
        ]
    if (found := at_hand(remote)) is not None:
        return found
    for location in places:
        return location.read()
    raise CheckpointError(f"{remote.name} was downloaded, and holds no model that can be loaded.", f"See {remote.page}")


def _places(remote: Remote) -> list[Location]:
    if remote.source == "kaggle":
        return [each for each in catalog.newest(catalog.locations()) if _is_of(each, remote)] or [
            each for each in catalog.locations() if _is_of(each, remote)
        ]
    snapshot = caches.snapshot(caches.repository_folder(remote.name), remote.revision)
    places = []
    for path in find_models(snapshot, depth=3) if snapshot else ():
        file = path.relative_to(snapshot).as_posix() if snapshot else ""
        is_gguf = path.suffix.lower() == ".gguf"
        name = gguf_name(path) if is_gguf else remote.name.rpartition("/")[2]
        places.append((file, Location(path, name, f"{remote.name}/{file}", "huggingface", remote.name)))
    if remote.files:
        named = [RemoteFile(file, 0) for file, location in places if location.path.is_file()]
        try:
            wanted = {file.name for file in needed(remote, named)}
        except (ModelNotFound, CheckpointError):
            wanted = set()
        return [location for file, location in places if file in wanted or _holds(location.path, remote.files)]
    folders = [location for _, location in places if location.path.is_dir()]
    files = [location for _, location in places if location.path.is_file()]
    return folders or (files if len(files) == 1 else [])


def _is_of(location: Location, remote: Remote) -> bool:
    """Whether a place is of a Kaggle handle; where models are mounted the old way its owner is not told."""
    handle, name = (location.handle or "").casefold(), remote.name.casefold()
    names = (name, name.partition("/")[2])
    if location.version is None or not (handle in names or handle.rpartition("/")[0] in names):
        return False
    return not remote.files or location.path.name == remote.files or _holds(location.path, remote.files)


def _holds(folder: Path, file: str) -> bool:
    return folder.is_dir() and (folder / file).is_file()


def _from_hub(remote: Remote, on_progress: OnProgress | None) -> None:
    require("huggingface_hub", "Downloading a model")
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        if os.environ.get(name, "0").upper() in ("1", "TRUE", "YES", "ON"):
            raise ModelNotFound(
                f"{remote.name} is not on this machine, and {name} forbids to download it.", f"Run: %env {name}=0"
            )
    token = next(filter(None, (os.environ.get(name, "").strip() for name in _TOKENS)), None)
    try:
        try:
            _attempt(remote, token, on_progress)
        except Failure as failure:
            if token is not None or (failure.kind not in _REFUSED and failure.status not in (401, 403, 429)):
                raise
            # Only now: the secrets' server can take long to answer, and most models are open to everybody.
            if (token := _secret()) is None:
                raise
            _attempt(remote, token, on_progress)
    except Failure as failure:
        raise trouble.explain(remote, failure, has_token=token is not None) from None


_TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
_REFUSED = ("gated", "missing")


def _secret() -> str | None:
    """The token among Kaggle's secrets, if it is told within a while."""
    found: list[str | None] = []
    asking = threading.Thread(target=lambda: found.append(secret(*_TOKENS)), daemon=True)
    asking.start()
    asking.join(SECRET)
    return found[0] if found else None


def _attempt(remote: Remote, token: str | None, on_progress: OnProgress | None) -> None:
    folder = caches.repository_folder(remote.name)
    job = {
        "source": "hub",
        "name": remote.name,
        "revision": remote.revision,
        "token": token,
        "folder": str(folder),
        "resumable_from": RESUMABLE_FROM,
    }
    with Client(job, name=remote.name, limit=supervise.LIMIT, stall=supervise.STALL) as client:
        files = [RemoteFile(name, size) for name, size in client.hear("files", supervise.ANSWER)]
        wanted = needed(remote, files)
        total = sum(file.bytes for file in wanted)
        check_room(remote, total - _bytes_in(folder / "blobs"), _free(folder), folder.parent)
        client.tell({"files": [file.name for file in wanted]})
        client.follow(total, on_progress)


def _from_kaggle(remote: Remote, on_progress: OnProgress | None) -> Path:
    require("kagglehub", "Downloading a model from Kaggle")
    folder = caches.kagglehub_cache().joinpath(*remote.name.split("/")[:3])
    job = {"source": "kaggle", "name": remote.name, "file": remote.files, "folder": str(folder)}
    # Where Kaggle mounts the model no bytes are seen to come.
    stall = ATTACH if environment.on_kaggle() else supervise.STALL
    try:
        with Client(job, name=remote.name, limit=supervise.LIMIT, stall=stall) as client:
            client.hear("files", supervise.ANSWER)
            client.tell({})
            return Path(client.follow(0, on_progress))
    except Failure as failure:
        raise trouble.explain(remote, failure, has_token=True) from None


def _free(folder: Path) -> int:
    """Bytes free where a folder is, or would be made."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def _bytes_in(folder: Path) -> int:
    try:
        return sum(file.stat().st_size for file in folder.iterdir())
    except OSError:
        return 0
