"""Web addresses: fetched within limits, read by what the server says they are, refused in one line."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Iterator

import pytest

from kaggle_magics.errors import DocumentError
from kaggle_magics.rag.document import Document, assemble
from kaggle_magics.rag.readers.reading import Reading
from kaggle_magics.rag.sources import find_sources, web

PAGE = b"<html><h1>Opening hours</h1><p>Nine to six.</p><script>x()</script></html>"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/loop":
            self.answer(302, b"", Location="/loop")
        elif path == "/file":
            self.answer(302, b"", Location="file:///etc/passwd")
        elif path == "/moved":
            self.answer(301, b"", Location="/page")
        elif path == "/slow":
            time.sleep(3)
        elif path == "/page":
            self.answer(200, PAGE, **{"Content-Type": "text/html; charset=utf-8", "Last-Modified": DATE})
        elif path == "/table.csv":
            self.answer(200, b"a,b\n1,2\n", **{"Content-Type": "text/plain"})
        elif path == "/nothing-said.md":
            self.answer(200, b"# Title\n\nWords")
        elif path == "/large":
            self.answer(200, b"x" * 5000, **{"Content-Type": "text/plain"})
        else:
            self.answer(404, b"no")

    def answer(self, code: int, data: bytes, **headers: str) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


DATE = "Tue, 03 Mar 2026 10:15:00 GMT"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{made.server_port}"
    made.shutdown()


def read(address: str) -> Document:
    (source,) = find_sources(address)
    assert source.label == address
    reading = Reading(source.name, metadata=dict(source.metadata))
    return assemble(source.read(source.load(), reading), reading.metadata)


def test_a_page_is_read_as_what_the_server_says_it_is(server: str) -> None:
    document = read(f"{server}/page?x=1")
    assert document.text == "Opening hours\n\nNine to six."
    assert document.metadata == {"url": f"{server}/page?x=1", "date": "2026-03-03T10:15:00+00:00"}
    assert read(f"{server}/moved").text == document.text
    assert "1 | 2" in read(f"{server}/table.csv").text
    assert read(f"{server}/nothing-said.md").spans[0].kind == "heading"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/gone", r"127\.0\.0\.1 answered 404"),
        ("/loop", r"answered 302"),
        ("/file", r"answered 302 .*is not allowed"),
    ],
)
def test_what_the_server_refuses_is_said(server: str, path: str, reason: str) -> None:
    with pytest.raises(DocumentError, match=reason):
        read(server + path)


@pytest.mark.parametrize("address", ["file:///etc/passwd", "ftp://example.com/a.txt", "gopher://x/y"])
def test_only_the_web_is_read(address: str) -> None:
    with pytest.raises(DocumentError, match="only http and https addresses are read"):
        read(address)


def test_a_password_in_an_address_is_neither_shown_nor_sent() -> None:
    (source,) = find_sources("https://me:secret@example.com/a.txt")
    assert "secret" not in source.label + source.uri
    with pytest.raises(DocumentError, match="password"):
        source.load()


def test_limits_of_size_and_time(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "MOST_BYTES", 1000)
    with pytest.raises(DocumentError, match="it is larger than"):
        read(f"{server}/large")
    monkeypatch.setattr(web, "CONNECT_SECONDS", 0.3)
    begin = time.monotonic()
    with pytest.raises(DocumentError, match=r"did not answer within|cannot be reached"):
        read(f"{server}/slow")
    assert time.monotonic() - begin < 3


def test_without_a_network_the_reason_comes_soon() -> None:
    begin = time.monotonic()
    with pytest.raises(DocumentError, match=r"nowhere\.invalid (cannot be reached|did not answer)"):
        read("https://nowhere.invalid/a.html")
    assert time.monotonic() - begin < 10


def test_what_only_looks_like_an_address_is_a_path() -> None:
    assert not web.is_address("C:\\notes\\a.txt") and not web.is_address("notes/a.txt") and not web.is_address("://x")
