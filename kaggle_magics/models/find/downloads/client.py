"""The process that downloads: it can be ended at any moment, whatever a client library waits for.

It reads one line of JSON (the job, with the token) and later the names of the wanted files, and writes lines of JSON:
what files there are, how many bytes have come, where they lie, or what went wrong. When its input closes, because the
notebook's process ended, it ends too. huggingface_hub lists, authorises and keeps the cache; large files are fetched
here, because its newer versions begin an interrupted file anew (huggingface_hub#4196).
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import http.client
import importlib
import json
import os
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

CHUNK = 2**20
_FULL = (errno.ENOSPC, errno.EDQUOT)
TRIES = 5
"""In a row without a byte."""
PATIENCE = 20.0
"""Seconds that one answer of the server, or the next bytes of a file, may take."""

Say = Callable[..., None]


def main() -> None:
    # What libraries print must not get between our lines.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    lines = sys.stdin
    job = json.loads(lines.readline())
    lock = threading.Lock()

    def say(**message: Any) -> None:
        with lock:
            out.write(json.dumps(message) + "\n")
            out.flush()

    try:
        work = _hub if job["source"] == "hub" else _kaggle
        work(job, say, lambda: _heard(lines))
    except Exception as error:  # whatever a client raises is told to the parent, in one line
        say(error=_kind_of(error), status=_status_of(error), text=_one_line(error))


def _heard(lines: Any) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(lines.readline())
    # From here on nothing more is said to us: the end of the input is the end of the parent.
    threading.Thread(target=lambda: (lines.read(), os._exit(1)), daemon=True).start()
    return message


# -- Hugging Face ------------------------------------------------------------------------------------------------


def _hub(job: dict[str, Any], say: Say, hear: Callable[[], dict[str, Any]]) -> None:
    from huggingface_hub import HfApi, hf_hub_download

    name, token = job["name"], job["token"]
    info = HfApi(token=token).model_info(name, revision=job["revision"], files_metadata=True, timeout=PATIENCE)
    sizes = {file.rfilename: file.size or 0 for file in info.siblings or ()}
    say(files=list(sizes.items()), commit=info.sha)
    wanted = hear()["files"]
    folder = Path(job["folder"])
    done = _Done(say)
    for file in wanted:
        if sizes[file] >= job["resumable_from"]:
            _fetch(folder, name, file, info.sha, token, done)
        else:
            done.add(sizes[file])
        path = hf_hub_download(name, file, revision=info.sha, token=token, cache_dir=folder.parent)
    snapshot = Path(path).parents[wanted[-1].count("/")]
    # Last, so that a revision never names a snapshot that is not whole.
    ref = folder / "refs" / job["revision"]
    ref.parent.mkdir(parents=True, exist_ok=True)
    ref.write_text(str(info.sha), encoding="utf-8")
    say(path=str(snapshot))


class _Done:
    """Bytes that are here, told five times a second when there are more of them."""

    def __init__(self, say: Say) -> None:
        self._say, self._bytes = say, 0
        threading.Thread(target=self._tell, daemon=True).start()

    def add(self, count: int) -> None:
        self._bytes += count

    def _tell(self) -> None:
        told = 0
        while True:
            time.sleep(0.2)
            if self._bytes != told:
                told = self._bytes
                self._say(done=told)


def _fetch(folder: Path, name: str, file: str, commit: str | None, token: str | None, done: _Done) -> None:
    """Put one large file where the cache keeps its bytes, going on where an earlier attempt ended."""
    from huggingface_hub import get_hf_file_metadata, get_token, hf_hub_url

    url = hf_hub_url(name, file, revision=commit)
    facts: Any = get_hf_file_metadata(url, token=token, timeout=PATIENCE)
    blob = folder / "blobs" / facts.etag
    if blob.exists():
        done.add(facts.size)
        return
    blob.parent.mkdir(parents=True, exist_ok=True)
    with open(blob.with_name(f"{facts.etag}.partial"), "a+b") as part:
        _own(part)
        part.seek(0, os.SEEK_END)
        done.add(part.tell())
        tries = 0
        while part.tell() < facts.size:
            before = part.tell()
            # The token is for the hub only, not for the server that it sends us to.
            same = urlsplit(facts.location).netloc == urlsplit(url).netloc
            given = (token or get_token()) if same else None
            headers = {"Authorization": f"Bearer {given}"} if given else {}
            try:
                _read_on(part, facts.location, headers, facts.size, done)
            except urllib.error.HTTPError as error:
                if error.code not in (401, 403, 408, 429) and error.code < 500:
                    raise
                tries = _again(tries, error)
            except (OSError, http.client.HTTPException) as error:
                if isinstance(error, OSError) and error.errno in _FULL:
                    raise
                tries = 0 if part.tell() > before else tries
                tries = _again(tries, error)
            else:
                tries = 0 if part.tell() > before else _again(tries, ConnectionError("the server sent nothing"))
            if part.tell() < facts.size:
                # A signed address lives for an hour or so.
                facts = get_hf_file_metadata(url, token=token, timeout=PATIENCE)
        part.flush()
        if len(facts.etag) == 64 and _sha256(part) != facts.etag:
            os.unlink(part.name)
            raise ValueError(f"{file} came damaged")
    os.replace(part.name, blob)


def _again(tries: int, error: Exception) -> int:
    if tries + 1 >= TRIES:
        raise error
    time.sleep(0.2 * 2**tries)
    return tries + 1


def _read_on(part: BinaryIO, location: str, headers: dict[str, str], size: int, done: _Done) -> None:
    """Append what is missing of a file, as far as it comes."""
    have = part.tell()
    request = urllib.request.Request(location, headers={**headers, "Range": f"bytes={have}-"})
    with urllib.request.urlopen(request, timeout=PATIENCE) as response:
        if have and response.status != 206:
            _empty(part)
            done.add(-have)
        # What is there at once: else a slow server is silent for a whole chunk, and a killed process loses it.
        while chunk := response.read1(CHUNK):
            part.write(chunk)
            part.flush()
            done.add(len(chunk))
            if part.tell() > size:
                _empty(part)
                raise ValueError("the server sent more than the file has")


def _empty(part: BinaryIO) -> None:
    part.truncate(0)
    part.seek(0)


def _own(part: BinaryIO) -> None:
    """Only one process at a time may append to a file."""
    with contextlib.suppress(ImportError):
        import fcntl

        fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _sha256(part: BinaryIO) -> str:
    part.seek(0)
    digest = hashlib.sha256()
    while chunk := part.read(CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


# -- Kaggle ------------------------------------------------------------------------------------------------------


def _kaggle(job: dict[str, Any], say: Say, hear: Callable[[], dict[str, Any]]) -> None:
    """On Kaggle this attaches the model; elsewhere kagglehub fetches its files, and goes on with what is there."""
    say(files=[], commit="")
    hear()
    kagglehub: Any = importlib.import_module("kagglehub")
    folder, done = Path(job["folder"]), _Done(say)
    before = _bytes_below(folder)

    def watch() -> None:
        told = 0
        while True:
            time.sleep(0.5)
            now = _bytes_below(folder) - before
            done.add(now - told)
            told = now

    threading.Thread(target=watch, daemon=True).start()
    say(path=str(kagglehub.model_download(job["name"], path=job["file"] or None)))


def _bytes_below(folder: Path) -> int:
    total = 0
    for here, _, files in os.walk(folder):
        for file in files:
            with contextlib.suppress(OSError):
                total += os.stat(os.path.join(here, file)).st_size
    return total


# -- What went wrong ---------------------------------------------------------------------------------------------

_OFFLINE = {
    "ConnectError", "ConnectTimeout", "ConnectionError", "ConnectTimeoutError", "MaxRetryError", "TransportError",
    "NetworkError", "TimeoutException", "URLError", "gaierror", "OfflineModeIsEnabled", "TimeoutError", "Timeout",
}  # fmt: skip
"""Classes of several HTTP libraries, by name: they change with the versions of the clients."""


def _kind_of(error: BaseException) -> str:
    names = {base.__name__ for base in type(error).__mro__}
    causes = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None and cause not in causes:
        causes.append(cause)
    if any(isinstance(each, OSError) and each.errno in _FULL for each in causes):
        return "disk"
    if isinstance(error, BlockingIOError):
        return "busy"
    if "ImportError" in names:
        return "missing library"
    for name, kind in (
        ("GatedRepoError", "gated"),
        ("RevisionNotFoundError", "revision"),
        ("EntryNotFoundError", "file"),
    ):
        if name in names and _status_of(error) is not None:
            return kind
    if "RepositoryNotFoundError" in names:
        return "missing"
    if _status_of(error) is not None:
        return "status"
    if any({base.__name__ for base in type(each).__mro__} & _OFFLINE for each in causes):
        return "offline"
    return "other"


def _status_of(error: BaseException) -> int | None:
    code = getattr(getattr(error, "response", None), "status_code", None) or getattr(error, "code", None)
    code = code or getattr(error, "error_code", None)
    return code if isinstance(code, int) else None


def _one_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {' '.join(lines)[:300]}"
