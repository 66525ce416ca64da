"""A server on this machine that speaks as much of the Hugging Face hub's API as downloading needs."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

SHA = "5" * 40
LARGE = 1000
"""Bytes from which a file lies on the other server, as large files do."""


@dataclass
class Repository:
    """One model on the hub."""

    files: dict[str, bytes]
    gated: bool = False
    revisions: tuple[str, ...] = ("main", SHA)


@dataclass
class Hub:
    """What the server holds, how it behaves, and what it was asked."""

    repositories: dict[str, Repository] = field(default_factory=dict)
    token: str = "hf_right"
    status: int = 0
    """Answer everything with this error."""
    silent: threading.Event | None = None
    """Answer nothing until it is set."""
    stop_after: int = 0
    """Send so many bytes of a large file, then nothing more until `silent` is set."""
    cut_after: list[int] = field(default_factory=list)
    """For each of the next requests for a large file: hang up after so many bytes."""
    ranges: bool = True
    damage: bool = False
    asked: list[str] = field(default_factory=list)
    asked_there: list[tuple[str, str | None, str | None]] = field(default_factory=list)
    """Of the other server: path, range and authorisation."""
    repository: type[Repository] = Repository
    endpoint: str = ""
    elsewhere: str = ""


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path).strip("/")
        self.hub.asked.append(f"{self.command} {path}")
        if self.hub.silent is not None and not self.hub.stop_after:
            self.hub.silent.wait(30)
        if self.hub.status:
            return self._send(self.hub.status, b"{}")
        if path.startswith("api/models/"):
            name, _, revision = path.removeprefix("api/models/").partition("/revision/")
            return self._facts(name, revision or "main")
        name, _, rest = path.partition("/resolve/")
        revision, _, file = rest.partition("/")
        self._file(name, revision, file)

    def _facts(self, name: str, revision: str) -> None:
        found = self.hub.repositories.get(name)
        if found is None:
            return self._send(401 if not self._given else 404, b"{}", {"X-Error-Code": "RepoNotFound"})
        if self._given and self._given != f"Bearer {self.hub.token}":
            return self._send(401, b'{"error": "Invalid credentials"}', {"X-Error-Message": "Invalid credentials"})
        if revision not in found.revisions:
            return self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
        siblings = [{"rfilename": file, "size": len(data)} for file, data in found.files.items()]
        facts = {"id": name, "modelId": name, "sha": SHA, "siblings": siblings, "tags": [], "downloads": 0}
        self._send(200, json.dumps(facts).encode())

    def _file(self, name: str, revision: str, file: str) -> None:
        found = self.hub.repositories[name]
        if found.gated and self._given != f"Bearer {self.hub.token}":
            return self._send(403 if self._given else 401, b"", {"X-Error-Code": "GatedRepo"})
        if file not in found.files:
            return self._send(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": SHA})
        data = found.files[file]
        etag = hashlib.sha256(data).hexdigest() if len(data) >= LARGE else hashlib.sha1(data).hexdigest()
        headers = {"X-Repo-Commit": SHA, "ETag": f'"{etag}"'}
        if len(data) < LARGE:
            return self._send(200, data, headers)
        headers |= {"X-Linked-Etag": f'"{etag}"', "X-Linked-Size": str(len(data))}
        self._send(302, b"", {**headers, "Location": f"{self.hub.elsewhere}/{name}/{file}"})

    @property
    def _given(self) -> str | None:
        return self.headers.get("Authorization")

    def _send(self, status: int, data: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


class _Elsewhere(_Handler):
    """The server that large files lie on."""

    def do_GET(self) -> None:
        name, _, file = unquote(self.path).strip("/").rpartition("/")
        asked = self.headers.get("Range")
        self.hub.asked_there.append((file, asked, self.headers.get("Authorization")))
        whole = self.hub.repositories[name].files[file]
        if self.hub.damage:
            whole = bytes(len(whole))
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.hub.ranges else 0
        data = whole[start:]
        self.send_response(206 if asked and self.hub.ranges else 200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        cut = self.hub.cut_after.pop(0) if self.hub.cut_after else None
        if self.hub.stop_after and self.hub.silent is not None:
            self.wfile.write(data[: self.hub.stop_after])
            self.wfile.flush()
            self.hub.silent.wait(30)
        elif cut is not None:
            self.wfile.write(data[:cut])
            self.close_connection = True
        else:
            self.wfile.write(data)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, caches: Any) -> Iterator[Hub]:
    """An empty hub that `HF_ENDPOINT` points to; large files lie on another port."""
    pytest.importorskip("huggingface_hub")
    from kaggle_magics.models.find.downloads import fetch

    made = Hub()
    servers = []
    for kind in (_Handler, _Elsewhere):
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (kind,), {"hub": made}))
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        servers.append(server)
    made.endpoint, made.elsewhere = (f"http://127.0.0.1:{server.server_address[1]}" for server in servers)
    monkeypatch.setenv("HF_ENDPOINT", made.endpoint)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(fetch, "RESUMABLE_FROM", LARGE)
    yield made
    if made.silent is not None:
        made.silent.set()
    for server in servers:
        server.shutdown()
        server.server_close()
