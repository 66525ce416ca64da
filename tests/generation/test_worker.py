"""The worker: streams, stops, reports, and leaves no thread behind."""

from __future__ import annotations

import _thread
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from kaggle_magics.errors import DoesNotFit, EngineError, OptionError
from kaggle_magics.generation.worker import Generation
from kaggle_magics.models.request import Piece, Request, Sampling
from kaggle_magics.testing import ScriptedEngine


@pytest.fixture(autouse=True)
def interrupts() -> Iterator[None]:
    """A process that a script started in the background ignores SIGINT; these tests need what a notebook has."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def workers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("kaggle_magics-")]


def test_text_comes_in_pieces_and_adds_up() -> None:
    pieces: list[str] = []
    generation = Generation(ScriptedEngine(["one two three"]), Request.ask("count"))
    generation.run(pieces.append)
    assert pieces == ["one", " two", " three"]
    assert generation.text == "one two three"
    assert generation.stop_reason == "end"
    assert generation.usage is not None and generation.usage.generated_tokens == 3
    assert not workers()


def test_max_tokens_and_stop_strings_are_told_apart() -> None:
    cut = Generation(ScriptedEngine(["one two three"]), Request.ask("x", sampling=Sampling(max_tokens=2)))
    cut.run()
    assert (cut.text, cut.stop_reason) == ("one two", "length")
    ended = Generation(ScriptedEngine(["one two three"]), Request.ask("x", sampling=Sampling(stop=(" three",))))
    ended.run()
    assert (ended.text, ended.stop_reason) == ("one two", "stop_sequence")


def test_stop_from_another_thread_keeps_the_text() -> None:
    engine = ScriptedEngine(["word " * 10_000], seconds_per_token=0.01)
    generation = Generation(engine, Request.ask("x"))
    generation.run(lambda _: generation.stop())
    assert generation.stop_reason == "interrupted"
    assert generation.text.strip() == "word"
    assert not workers()


@pytest.mark.parametrize("where", ["waiting", "in on_text"])
def test_the_stop_button_keeps_the_text_and_joins_the_worker(where: str) -> None:
    generation = Generation(ScriptedEngine(["word " * 10_000], seconds_per_token=0.02), Request.ask("x"))

    def press(_: str) -> None:
        if where == "in on_text":
            raise KeyboardInterrupt
        threading.Timer(0.05, _thread.interrupt_main).start() if len(generation.text) < 6 else None

    generation.run(press)
    assert generation.stop_reason == "interrupted"
    assert generation.text.startswith("word")
    assert not workers()


def test_a_second_press_gets_out_of_an_engine_that_does_not_react() -> None:
    class Deaf(ScriptedEngine):
        def stream(self, request, stop):  # type: ignore[no-untyped-def]
            yield Piece("begun")
            _thread.interrupt_main()
            time.sleep(0.5)
            _thread.interrupt_main()
            time.sleep(0.5)
            yield from super().stream(request, stop)

    generation = Generation(Deaf(), Request.ask("x"))
    with pytest.raises(KeyboardInterrupt):
        generation.run()
    assert generation.text == "begun"


@pytest.mark.parametrize(
    ("raised", "seen"),
    [
        (OptionError("too long"), OptionError),
        (MemoryError(), DoesNotFit),
        (type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory"), DoesNotFit),
        (ValueError("boom"), EngineError),
    ],
)
def test_errors_of_the_engine_are_raised_where_the_text_is_wanted(raised: Exception, seen: type[Exception]) -> None:
    with pytest.raises(seen):
        Generation(ScriptedEngine([raised]), Request.ask("x")).run()
    assert not workers()


def test_text_before_an_error_is_kept() -> None:
    class Breaks(ScriptedEngine):
        def stream(self, request, stop):  # type: ignore[no-untyped-def]
            yield Piece("half an ")
            raise RuntimeError("disk gone")

    generation = Generation(Breaks(), Request.ask("x"))
    with pytest.raises(EngineError, match="disk gone"):
        generation.run()
    assert generation.text == "half an "


def test_an_engine_that_ends_without_a_reason_is_reported() -> None:
    class Silent(ScriptedEngine):
        def stream(self, request, stop):  # type: ignore[no-untyped-def]
            yield Piece("text")

    with pytest.raises(EngineError, match="without saying why"):
        Generation(Silent(), Request.ask("x")).run()


def test_leaving_the_iterator_early_stops_the_engine() -> None:
    generation = Generation(ScriptedEngine(["word " * 10_000], seconds_per_token=0.01), Request.ask("x"))
    for _ in generation:
        break
    time.sleep(0.05)
    assert not workers()
