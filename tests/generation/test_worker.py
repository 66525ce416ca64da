"""The worker: streams, stops, reports, and leaves no thread behind."""

from __future__ import annotations

import _thread
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from kaggle_magics.errors import DoesNotFit, EngineError, OptionError
from kaggle_magics.generation.worker import Generation, TableGeneration
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


def table(*texts: str) -> list[Request]:
    return [Request.ask(text) for text in texts]


def test_a_table_keeps_its_order_and_tells_of_every_row() -> None:
    engine = ScriptedEngine([lambda request: request.messages[-1].content + "!", OptionError("no")])
    generation = TableGeneration(engine, table("a b", "c", "d e f"))
    seen: list[tuple[int, str]] = []
    generation.run(lambda shown: seen.append((shown[0], shown[1].text)))
    assert [(row.text, row.stop_reason) for row in generation.answers] == [
        ("a b!", "end"),
        ("no", "error"),
        ("d e f!", "end"),
    ]
    assert [text for index, text in seen if index == 2 and text] == ["d", " e", " f!"]
    assert not workers()


def test_the_stop_button_keeps_the_rows_that_are_done() -> None:
    engine = ScriptedEngine(["done", "word " * 10_000, "never"], seconds_per_token=0.01)
    generation = TableGeneration(engine, table("a", "b", "c"))

    def press(shown: tuple[int, Piece]) -> None:
        if shown[0] == 1:
            raise KeyboardInterrupt

    generation.run(press)
    assert [row.stop_reason for row in generation.answers] == ["end", "interrupted", "interrupted"]
    assert generation.answers[0].text == "done" and generation.answers[1].text.startswith("word")
    # The third was not begun.
    assert generation.answers[2].text == "" and generation.answers[2].usage is not None
    assert len(engine.requests) == 2 and not workers()


def test_a_table_that_loses_a_row_is_reported() -> None:
    class Forgetful(ScriptedEngine):
        def stream_many(self, requests, stop):  # type: ignore[no-untyped-def]
            yield from super().stream_many(requests[:1], stop)

    with pytest.raises(EngineError, match="without saying why"):
        TableGeneration(Forgetful(), table("a", "b")).run()
    assert not TableGeneration(ScriptedEngine(), []).answers
