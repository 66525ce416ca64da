"""Pages and files of the web as sources: fetched when they are read, within limits of time and size."""

from __future__ import annotations

import http.client
import socket
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import PurePosixPath
from typing import Any

from kaggle_magics.errors import DocumentError
from kaggle_magics.rag.passages import Block
from kaggle_magics.rag.readers import READERS, choose_reader, suffix_of
from kaggle_magics.rag.readers.reading import Reading
from kaggle_magics.rag.sources.source import Source

CONNECT_SECONDS, SECONDS = 8.0, 60.0
"""Until the server answers, and for all of it."""
MOST_BYTES = 200 << 20
MOST_REDIRECTS = 5

_SUFFIXES = {
    "text/html": ".html",
    "application/xhtml+xml": ".html",
    "application/pdf": ".pdf",
    "text/plain": ".txt",
    "text/markdown": ".md",
    "text/csv": ".csv",
    "text/tab-separated-values": ".tsv",
    "application/json": ".json",
    "application/x-ndjson": ".jsonl",
    "application/xml": ".xml",
    "text/xml": ".xml",
    "application/rss+xml": ".xml",
    "application/atom+xml": ".xml",
    "application/epub+zip": ".epub",
    "application/rtf": ".rtf",
    "application/zip": ".zip",
    "message/rfc822": ".eml",
    "application/msword": ".doc",
    "application/vnd.ms-excel": ".xls",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": ".pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/tiff": ".tif",
    "audio/mpeg": ".mp3",
    "video/mp4": ".mp4",
    "text/vtt": ".vtt",
}
"""Content type -> the suffix whose reader reads it."""


@dataclass(slots=True)
class _Answer:
    data: bytes = b""
    kind: str = ""
    date: str = ""
    problem: str = ""
    began: threading.Event = field(default_factory=threading.Event)


def is_address(text: str) -> bool:
    """Whether `text` names something by scheme, as `https://...` does; a Windows path (`C:\\...`) does not."""
    scheme, mark, _ = text.strip().partition("://")
    return bool(mark) and len(scheme) > 1 and scheme.replace("+", "").replace("-", "").isalnum()


def web_source(address: str) -> Source:
    """The source behind an address. Its `load` fetches; raises `DocumentError` with the reason, within ten seconds when
    there is no network.
    """
    address = address.strip()
    parts = urllib.parse.urlsplit(address)
    shown = urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))
    name = PurePosixPath(urllib.parse.unquote(parts.path)).name or "index.html"
    last = _Answer()

    def load() -> bytes:
        nonlocal last
        if parts.scheme.lower() not in ("http", "https"):
            raise DocumentError(f"only http and https addresses are read, not {parts.scheme}")
        if "@" in parts.netloc:
            raise DocumentError("an address with a password in it is not read; download the file yourself")
        last = _fetched(_quoted(shown))
        return last.data

    def read(data: bytes, reading: Reading) -> Iterable[Block]:
        reading.metadata["url"] = shown
        if last.date:
            reading.metadata["date"] = last.date
        # What the server says it is, unless it says nothing of use: then the address's own suffix.
        suffix = _SUFFIXES.get(last.kind, "")
        if suffix == ".txt" and suffix_of(name) in READERS:
            suffix = ""
        fitting = f"page{suffix}" if suffix else name if suffix_of(name) in READERS else "page.txt"
        reading.name = fitting
        return choose_reader(fitting, data, reading)(data, reading)

    return Source(shown, shown, load, read, name)


def _fetched(address: str) -> _Answer:
    """Fetch in a thread of its own: looking up a name can hang for longer than any timeout of a socket."""
    answer = _Answer()
    thread = threading.Thread(target=_fetch, args=(address, answer, time.monotonic() + SECONDS), daemon=True)
    thread.start()
    host = urllib.parse.urlsplit(address).hostname
    if not answer.began.wait(CONNECT_SECONDS):
        raise DocumentError(f"{host} did not answer within {CONNECT_SECONDS:.0f} seconds{_OFFLINE}")
    thread.join(SECONDS + 5)
    if thread.is_alive():
        raise DocumentError(f"{host} took longer than {SECONDS:.0f} seconds")
    if answer.problem:
        raise DocumentError(answer.problem)
    return answer


_OFFLINE = ". On Kaggle internet is a setting of the notebook; without it, attach the file as a dataset"


class _Redirects(urllib.request.HTTPRedirectHandler):
    max_redirections = MOST_REDIRECTS
    max_repeats = MOST_REDIRECTS

    def redirect_request(self, request: Any, file: Any, code: int, message: str, headers: Any, url: str) -> Any:
        if urllib.parse.urlsplit(url).scheme.lower() not in ("http", "https"):
            raise urllib.error.HTTPError(url, code, "it leads to an address that is not of the web", headers, file)
        return super().redirect_request(request, file, code, message, headers, url)


def _fetch(address: str, answer: _Answer, deadline: float) -> None:
    opener = urllib.request.OpenerDirector()
    # No handlers for files, data and ftp.
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        _Redirects(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    # Many sites refuse a program that does not say what it is.
    headers = {"User-Agent": "Mozilla/5.0 (compatible; kaggle-magics)", "Accept": "*/*"}
    host = urllib.parse.urlsplit(address).hostname
    try:
        with opener.open(urllib.request.Request(address, headers=headers), timeout=CONNECT_SECONDS) as response:
            answer.began.set()
            answer.kind = response.headers.get_content_type() if response.headers.get("Content-Type") else ""
            answer.date = _date(response.headers.get("Last-Modified") or "")
            parts, size = [], 0
            while part := response.read(1 << 16):
                size += len(part)
                if size > MOST_BYTES:
                    answer.problem = f"it is larger than {MOST_BYTES >> 20} MiB"
                    return
                if time.monotonic() > deadline:
                    answer.problem = f"{host} took longer than {SECONDS:.0f} seconds"
                    return
                parts.append(part)
            answer.data = b"".join(parts)
    except urllib.error.HTTPError as error:
        answer.problem = f"{host} answered {error.code} ({error.reason})".replace("\n", " ")
    except (urllib.error.URLError, OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        offline = _OFFLINE if isinstance(reason, socket.gaierror | TimeoutError) else ""
        answer.problem = f"{host} cannot be reached ({reason}){offline}"
    finally:
        answer.began.set()


def _quoted(address: str) -> str:
    """The address as a request bears it: letters beyond ASCII and spaces escaped."""
    parts = urllib.parse.urlsplit(address)
    try:
        host = parts.netloc.encode("idna").decode("ascii") if not parts.netloc.isascii() else parts.netloc
    except UnicodeError:
        host = parts.netloc
    path = urllib.parse.quote(parts.path, safe="/%:@!$&'()*+,;=~-._")
    query = urllib.parse.quote(parts.query, safe="/%:@!$&'()*+,;=~-._?")
    return urllib.parse.urlunsplit((parts.scheme, host, path or "/", query, ""))


def _date(text: str) -> str:
    try:
        return parsedate_to_datetime(text).isoformat() if text else ""
    except (ValueError, TypeError):
        return ""
