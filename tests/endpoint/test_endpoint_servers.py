"""The endpoint engine against real servers on this machine: llama.cpp's (of llama-cpp-python) and `transformers serve`.

Both run the bundled model, which must answer as it does without a server.
"""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import kaggle_magics
from kaggle_magics.errors import KaggleMagicsError, OptionError, StructureError
from kaggle_magics.models.engines.endpoint import EndpointEngine, Limits, connect, parse
from kaggle_magics.models.request import Message, Request, Sampling
from kaggle_magics.session import Session

pytestmark = pytest.mark.slow

POCKET = Path(kaggle_magics.__file__).parent / "models" / "pocket"
QUESTIONS = ("What is the capital of Peru?", "Hello!", "What is 2 + 3?")
NEEDS = {
    "llama.cpp": ("llama_cpp", "uvicorn", "fastapi", "sse_starlette", "starlette_context", "pydantic_settings", "yaml"),
    "transformers": ("transformers", "torch", "uvicorn", "fastapi", "openai", "rich", "accelerate"),
}
ARGUMENTS = {
    "llama.cpp": ["-m", "llama_cpp.server", "--model", str(POCKET / "pocket-Q8_0.gguf"), "--n_ctx", "1024"],
    "transformers": ["-m", "transformers.cli.transformers", "serve", str(POCKET), "--device", "cpu"],
}


@pytest.fixture(scope="module", params=list(NEEDS))
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A server that has started: which one, and its reference."""
    kind: str = request.param
    missing = [name for name in NEEDS[kind] if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"the server needs {', '.join(missing)}")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    log = tmp_path_factory.mktemp("server") / "log"
    with log.open("wb") as output:
        child = subprocess.Popen(
            [sys.executable, *ARGUMENTS[kind], "--host", "127.0.0.1", "--port", str(port)],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            deadline = time.monotonic() + 240
            while not answers(port):
                assert child.poll() is None and time.monotonic() < deadline, log.read_text(errors="replace")[-2000:]
                time.sleep(0.1)
            yield kind, f"openai:http://127.0.0.1:{port}#pocket"
        finally:
            child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait(10)


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models", timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False


@pytest.fixture
def engine(running: tuple[str, str]) -> EndpointEngine:
    reference = parse(running[1])
    assert reference is not None
    return connect(reference, limits=Limits(retries=1, backoff=0.1))


@pytest.fixture
def local(running: tuple[str, str]) -> Iterator[Session]:
    """The same weights, run by this package's own engine."""
    session = Session()
    session.load(POCKET / "pocket-Q8_0.gguf" if running[0] == "llama.cpp" else POCKET)
    yield session
    session.close()


def ask(engine: EndpointEngine, text: str, *, template: str = "auto", **sampling: Any) -> tuple[str, Any]:
    request = Request.ask(text, template=template, sampling=Sampling(**{"max_tokens": 16, **sampling}))
    pieces = list(engine.stream(request, threading.Event()))
    return "".join(piece.text for piece in pieces), pieces[-1]


def test_it_answers_as_without_a_server(engine: EndpointEngine, local: Session) -> None:
    assert "pocket" in (engine.reference.model or "") and engine.reference.url.endswith("/v1")
    for question in QUESTIONS:
        text, last = ask(engine, question)
        here = local.prompt(question, max_tokens=16)
        assert text.strip() == here.text.strip() and last.stop_reason == here.stop_reason
        if not last.usage.estimated:
            assert last.usage.prompt_tokens == here.usage.prompt_tokens
    text, _ = ask(engine, "The capital of Peru is", template="none", max_tokens=4)
    assert text.strip() == local.prompt("The capital of Peru is", template="none", max_tokens=4).text.strip()


def test_limits_and_stop_strings(engine: EndpointEngine) -> None:
    whole, _ = ask(engine, QUESTIONS[0])
    text, last = ask(engine, QUESTIONS[0], max_tokens=3)
    assert last.stop_reason == "length" and whole.startswith(text) and text != whole
    text, last = ask(engine, QUESTIONS[0], stop=("Lima",))
    assert text == whole.partition("Lima")[0] and last.stop_reason in ("stop_sequence", "end")


def test_sampling_and_unicode(engine: EndpointEngine) -> None:
    text, _ = ask(engine, "Grüße aus 東京 🗼", temperature=0.9, top_p=0.9, seed=3)
    assert isinstance(text, str)
    try:
        ask(engine, "Hello!", temperature=0.9, top_k=5, min_p=0.1, repeat_penalty=1.2)
    except OptionError as error:
        assert "does not take" in str(error) and "--top-k" in str(error)


def test_stopping_frees_the_server(engine: EndpointEngine) -> None:
    stop, pieces = threading.Event(), []
    request = Request.ask("Write a very long story.", sampling=Sampling(max_tokens=900, temperature=1.5, seed=1))
    for piece in engine.stream(request, stop):
        pieces.append(piece)
        stop.set()
    assert pieces[-1].stop_reason == "interrupted" and len(pieces) == 2
    assert ask(engine, QUESTIONS[0])[0] == ask(engine, QUESTIONS[0])[0]


def test_a_table(engine: EndpointEngine) -> None:
    requests = [Request.ask(text, sampling=Sampling(max_tokens=12)) for text in QUESTIONS * 3]
    texts = [""] * len(requests)
    for index, piece in engine.stream_many(requests, threading.Event()):
        texts[index] += piece.text
        assert piece.stop_reason != "error", piece.text
    assert texts == [ask(engine, text, max_tokens=12)[0] for text in QUESTIONS * 3]


def test_a_conversation(engine: EndpointEngine) -> None:
    turns = (
        Message("system", "Be terse."),
        Message("user", "Hi"),
        Message("assistant", "Hello."),
        Message("user", "Bye"),
    )
    pieces = list(engine.stream(Request(turns, Sampling(max_tokens=8)), threading.Event()))
    assert pieces[-1].stop_reason in ("end", "length")


def test_tokens_are_counted_or_estimated_near_enough(
    running: tuple[str, str], engine: EndpointEngine, local: Session
) -> None:
    text = "What is the capital of Peru? The library opens at nine (and closes at 18:30)."
    told, real = engine.count_tokens(text), local.model().count_tokens(text)
    if running[0] == "llama.cpp":
        # Its way to count adds the BOS token.
        assert engine._counter.exact and real <= told <= real + 1
    else:
        assert not engine._counter.exact and 0.4 * real <= told <= 1.5 * real


def test_too_long_a_prompt_is_one_line(running: tuple[str, str], engine: EndpointEngine) -> None:
    if running[0] != "llama.cpp":
        pytest.skip("transformers runs beyond the length a model was made for")
    with pytest.raises(KaggleMagicsError) as caught:
        ask(engine, "word " * 3000)
    assert "\n" not in str(caught.value)


def test_a_structure_is_kept_or_an_error(running: tuple[str, str]) -> None:
    """llama.cpp's server holds the answer to the schema; transformers' may say anything, and that is told."""
    session = Session()
    try:
        session.load(running[1], name="served")
        for options, question in (({"choices": "Lima,Paris"}, QUESTIONS[0]), ({"schema": int}, "How many?")):
            try:
                answer = session.prompt(question, max_tokens=30, **options)
            except StructureError as error:
                assert running[0] != "llama.cpp" and session.last is error.answer
            else:
                assert answer.value in ("Lima", "Paris") or type(answer.value) is int
    finally:
        session.close()
