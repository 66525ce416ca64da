"""Updates are few, the last state is whole, and an error keeps what there is."""

from __future__ import annotations

import io
import itertools

import pytest

from kaggle_magics.display.bundle import View, note
from kaggle_magics.display.stream import SHORTEST_INTERVAL, FinalShow, NotebookShow, TerminalShow

FINAL = View("answer", "<p>final</p>", "final", "final")


class Publisher:
    def __init__(self) -> None:
        self.sent: list[tuple[bool, dict[str, str]]] = []

    def __call__(self, data: dict[str, str], *, update: bool, metadata: object = None) -> None:
        self.sent.append((update, data))


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_updates_keep_their_distance_and_grow_apart() -> None:
    publisher, clock = Publisher(), Clock()
    show = NotebookShow(publisher, clock=clock)
    times: list[float] = []
    for step in range(2000):
        clock.now = step * 0.01
        before = len(publisher.sent)
        show.text("x" * 50)
        if len(publisher.sent) > before:
            times.append(clock.now)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert min(gaps) >= SHORTEST_INTERVAL - 1e-9
    assert gaps[-1] > 4 * gaps[0]
    assert sum(len(part) for _, data in publisher.sent for part in data.values()) / 20 < 200_000


def test_one_output_first_shown_then_updated() -> None:
    publisher = Publisher()
    show = NotebookShow(publisher)
    with show:
        show.begin("model")
        show.text("<b>hello</b>")
        show.finish(FINAL)
    assert [update for update, _ in publisher.sent] == [False, *[True] * (len(publisher.sent) - 1)]
    assert "<b>" not in "".join(data["text/html"] for _, data in publisher.sent)
    assert publisher.sent[-1][1]["text/plain"] == "final"


def test_parts_stay_while_the_next_one_streams() -> None:
    publisher, clock = Publisher(), Clock()
    show = NotebookShow(publisher, clock=clock)
    show.part("first")
    show.text("one")
    show.part_done(note("first done"))
    clock.now = 10.0
    show.part("second")
    assert "first done" in publisher.sent[-1][1]["text/plain"] and "second" in publisher.sent[-1][1]["text/plain"]


def test_an_error_keeps_the_text_so_far() -> None:
    publisher = Publisher()
    with pytest.raises(ValueError, match="broken"), NotebookShow(publisher, clock=Clock()) as show:
        show.begin("model")
        show.text("half an ")
        show.text("answer")
        raise ValueError("broken")
    assert "half an answer" in publisher.sent[-1][1]["text/plain"]
    assert "Ended by an error" in publisher.sent[-1][1]["text/plain"]


def test_an_error_before_any_text_leaves_nothing_to_see() -> None:
    publisher = Publisher()
    with pytest.raises(ValueError, match="broken"), NotebookShow(publisher) as show:
        show.begin("model")
        raise ValueError("broken")
    assert publisher.sent[-1] == (True, {"text/html": "", "text/plain": ""})


def test_a_saved_run_gets_one_output() -> None:
    publisher = Publisher()
    show = FinalShow(publisher)
    show.begin("model")
    show.text("one")
    show.finish(FINAL)
    assert [update for update, _ in publisher.sent] == [False]


def test_a_terminal_gets_text_as_it_comes_and_the_rest_below() -> None:
    out = io.StringIO()
    show = TerminalShow(out)
    show.begin("model")
    show.text("hello \x1b[31m")
    assert out.getvalue() == "hello "
    show.finish(FINAL, rest=note("below"))
    assert out.getvalue() == "hello \n\nbelow\n"


def test_a_terminal_gets_all_when_nothing_streamed() -> None:
    out = io.StringIO()
    TerminalShow(out).finish(FINAL)
    assert out.getvalue() == "final\n"


def test_thoughts_are_dimmed_until_the_answer_begins() -> None:
    publisher, clock = Publisher(), Clock()
    show = NotebookShow(publisher, clock=clock)
    show.begin("model")
    for step in range(3):
        clock.now += 10
        show.reasoning(f"<b>thought {step} " + "x" * 1000)
    live = publisher.sent[-1][1]["text/html"]
    assert 'class="km-dim"' in live and "..." in live and "<b>" not in live and len(live) < 8000
    clock.now += 10
    show.text("The answer")
    assert "km-dim" not in publisher.sent[-1][1]["text/html"].partition("</style>")[2]


def test_an_error_while_it_thinks_keeps_the_thoughts() -> None:
    publisher = Publisher()
    with pytest.raises(ValueError, match="broken"), NotebookShow(publisher, clock=Clock()) as show:
        show.reasoning("so far")
        raise ValueError("broken")
    assert (
        "so far" in publisher.sent[-1][1]["text/plain"] and "Ended by an error" in publisher.sent[-1][1]["text/plain"]
    )


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_dims_thoughts_and_a_file_gets_none() -> None:
    for out, shown in ((Terminal(), "\x1b[2mhm\x1b[22m\n\nLima\n"), (io.StringIO(), "Lima\n")):
        show = TerminalShow(out)
        show.reasoning("h\x1b[31m")
        show.reasoning("m")
        show.text("Lima")
        show.finish(FINAL)
        assert out.getvalue() == shown


def test_what_is_sent_of_a_quick_answer_grows_with_the_text_and_not_with_its_square() -> None:
    sent: dict[int, int] = {}
    for tokens in (500, 1000, 2000):
        publisher, clock = Publisher(), Clock()
        show = NotebookShow(publisher, clock=clock)
        show.begin("model")
        for step in range(tokens):
            clock.now = step * 0.004
            show.text("token ")
        sent[tokens] = sum(len(part) for _, data in publisher.sent for part in data.values())
    assert sent[500] < 50_000
    assert sent[1000] < 2.5 * sent[500] and sent[2000] < 2.5 * sent[1000]


def test_nobody_waits_longer_than_a_second_and_the_first_word_comes_at_once() -> None:
    publisher, clock = Publisher(), Clock()
    show = NotebookShow(publisher, clock=clock)
    show.begin("model")
    times = []
    for step in range(200):
        clock.now = 0.2 + step * 0.3
        before = len(publisher.sent)
        show.text("x")
        if len(publisher.sent) > before:
            times.append(clock.now)
    assert times[0] == 0.2 and max(later - earlier for earlier, later in itertools.pairwise(times)) <= 1.3


def test_a_text_in_the_making_is_sent_as_html_with_its_end_as_text() -> None:
    publisher, clock = Publisher(), Clock()
    show = NotebookShow(publisher, clock=clock)
    show.begin("model")
    clock.now = 10.0
    show.text("first " + "word " * 500 + "<b>last</b>")
    live = publisher.sent[-1][1]
    assert set(live) == {"text/html", "text/plain"}
    assert "first" in live["text/html"] and "<b>" not in live["text/html"]
    assert live["text/plain"].endswith("<b>last</b>") and len(live["text/plain"]) < 200
    show.finish(FINAL)
    assert set(publisher.sent[-1][1]) == {"text/html", "text/markdown", "text/plain"}
