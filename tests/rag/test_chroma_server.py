"""A real Chroma server as the vector index, and servers that are none."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.errors import CollectionError
from kaggle_magics.rag.collection import Collection

pytest.importorskip("chromadb", reason="the extra `rag` is not installed")

Make = Callable[..., Collection]
RUN = "from chromadb.cli.cli import app; app()"
TEXTS = {f"{number}.md": f"# Part {number}\n\nText number {number} about tides.\n" for number in range(12)}


def free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-c", RUN, "run", "--path", str(tmp_path_factory.mktemp("chroma")), "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ})
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with socket.socket() as asking:
                if asking.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if process.poll() is not None:
                pytest.skip("chroma run does not start here")
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def collections_of(server: str) -> list[str]:
    import chromadb

    return [
        each.name
        for each in chromadb.HttpClient(host="127.0.0.1", port=int(server.rpartition(":")[2])).list_collections()
    ]


def shown(collection: Collection) -> list[tuple[str, dict[str, float]]]:
    hits = collection.search("number 7")
    return [(hit.passage.id, {name: round(value, 4) for name, value in hit.scores.items()}) for hit in hits]


@pytest.mark.slow
def test_a_server_finds_what_the_exact_index_finds_and_keeps_it(make: Make, tmp_path: Path, server: str) -> None:
    exact, there = make(), make(tmp_path / "kept", store=server)
    exact.ingest(TEXTS)
    there.ingest(TEXTS)
    assert shown(there) == shown(exact) and there.store == server
    (name,) = collections_of(server)
    there.close()
    assert collections_of(server) == [name]
    again = make(tmp_path / "kept", store=server)
    assert shown(again) == shown(exact) and collections_of(server) == [name]
    assert again.forget("7.md") == 1 and again._index.ids() == again._records.passage_ids()
    other = make(tmp_path / "other", store=server)
    other.ingest({"a": "Whales."})
    assert [hit.passage.source for hit in other.search("tides", mode="dense")] == ["a"]
    assert len(collections_of(server)) == 2


@pytest.mark.slow
def test_what_is_missing_or_of_another_embedder_on_the_server_is_filled_again(
    make: Make, tmp_path: Path, server: str, new_embedder: Any
) -> None:
    import chromadb

    there = make(tmp_path / "kept", store=server)
    there.ingest(TEXTS)
    expected, called = shown(there), there._index._called
    there.close()
    client = chromadb.HttpClient(host="127.0.0.1", port=int(server.rpartition(":")[2]))
    for change in (
        lambda: client.get_collection(called).delete(ids=client.get_collection(called).get()["ids"][:5]),
        lambda: client.delete_collection(called),
        lambda: client.get_collection(called).modify(metadata={"identity": "other@1"}),
    ):
        change()
        again = make(tmp_path / "kept", store=server)
        assert shown(again) == expected and again._index.ids() == again._records.passage_ids()
        again.close()


@pytest.mark.slow
def test_a_temporary_collection_leaves_nothing_on_the_server(make: Make, server: str) -> None:
    before = collections_of(server)
    there = make(store=server)
    there.ingest(TEXTS)
    there.search("tides")
    assert len(collections_of(server)) == len(before) + 1
    there.close()
    assert collections_of(server) == before


def test_a_server_that_is_not_there_is_told_within_seconds_and_nothing_is_lost(make: Make) -> None:
    url = f"http://user:secret@127.0.0.1:{free_port()}"
    collection = make(store=url)
    begin = time.monotonic()
    report = collection.ingest({"a": "Tides."})
    assert report.documents == 1
    with pytest.raises(CollectionError, match=r"The Chroma server at http://127.* does not answer") as caught:
        collection.search("tides")
    assert time.monotonic() - begin < 10 and "secret" not in str(caught.value) + str(report.warnings)
    assert collection.search("tides", mode="lexical")[0].passage.source == "a"


def test_a_server_of_another_kind_is_told(make: Make) -> None:
    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(404)
            self.end_headers()
            self.wfile.write(b"<html>Not here</html>")

        def log_message(self, *_: Any) -> None: ...

    httpd = HTTPServer(("127.0.0.1", 0), Other)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    try:
        collection = make(store=f"http://127.0.0.1:{httpd.server_port}")
        collection.ingest({"a": "Tides."})
        with pytest.raises(CollectionError, match="does not answer"):
            collection.search("tides")
    finally:
        httpd.shutdown()
        httpd.server_close()
