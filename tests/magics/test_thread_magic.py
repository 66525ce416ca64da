"""`--thread` as a person types it: cells that are run again, what is said about it, and the status."""

from __future__ import annotations

from typing import Any

import pytest

from kaggle_magics.errors import OptionError


@pytest.fixture
def cells(shell: Any, outputs: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`cells(id, text)` runs a cell as a front end does that sends the cell's id (None: one that does not)."""
    count = iter(range(1000))

    def run(cell_id: str | None, text: str) -> None:
        parent = {"header": {"msg_id": f"run-{next(count)}"}, "metadata": {"cellId": cell_id} if cell_id else {}}
        monkeypatch.setattr(shell, "get_parent", lambda: parent, raising=False)
        shell.run_cell(text).raise_error()

    return run


def texts(engine: Any) -> list[str]:
    return [message.content for message in engine.requests[-1].messages]


def test_cells_continue_a_conversation(cells: Any, script: Any, outputs: Any) -> None:
    engine = script("Lima.", "Ten million.")
    cells("1", "%%prompt --thread peru\nThe capital?")
    cells("2", "%%prompt --thread peru\nHow many live there?")
    assert texts(engine) == ["The capital?", "Lima.", "How many live there?"]
    assert "thread peru, turn 2" in outputs[-1]["text/plain"] and "thread peru, turn 2" in outputs.html


def test_a_cell_that_is_run_again_replaces_its_turn(cells: Any, script: Any, session: Any, outputs: Any) -> None:
    engine = script("1", "2", "3")
    for number in "123":
        cells(number, f"%%prompt --thread a\nQuestion {number}")
    cells("3", "%%prompt --thread a\nQuestion 3, better")
    assert texts(engine) == ["Question 1", "1", "Question 2", "2", "Question 3, better"]
    assert "cut off" not in outputs[-1]["text/plain"]
    cells("1", "%%prompt --thread a\nQuestion 1")
    assert texts(engine) == ["Question 1"] and len(session.threads["a"]) == 1
    for shown in outputs[-1].values():
        assert "the 2 turns after it were cut off thread a: run their cells again" in shown


def test_several_lines_of_one_cell_are_several_turns(cells: Any, script: Any, session: Any) -> None:
    script("1", "2")
    for _ in range(2):
        cells("1", '%prompt --thread a "One"\n%prompt --thread a "Two"')
        assert [turn.question.content for turn in session.threads["a"].turns] == ["One", "Two"]


def test_without_an_id_the_text_tells_the_cell(cells: Any, shell: Any, script: Any, session: Any) -> None:
    script("1")
    shell.user_ns["fruit"] = "apple"
    cells(None, "%%prompt --thread a\nWhat of {fruit}?")
    shell.user_ns["fruit"] = "pear"
    cells(None, "%%prompt --thread a --temperature 1\nWhat of {fruit}?")
    assert [turn.question.content for turn in session.threads["a"].turns] == ["What of pear?"]
    cells(None, "%%prompt --thread a\nWhat else?")
    assert len(session.threads["a"]) == 2


def test_in_a_saved_run_and_in_a_terminal_every_question_is_a_turn(
    cells: Any, shell: Any, script: Any, session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    script("1")
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Batch")
    for _ in range(2):
        cells(None, "%%prompt --thread a\nGo on.")
    monkeypatch.setattr(shell, "kernel", None)
    for _ in range(2):
        shell.run("%%prompt --thread a\nGo on.")
    assert len(session.threads["a"]) == 4


def test_what_was_left_out_is_said(cells: Any, script: Any, outputs: Any) -> None:
    script("word " * 20, context_length=60)
    for number in range(4):
        cells(str(number), f"%%prompt --thread a --max-tokens 20\nQuestion {number}")
    said = outputs[-1]["text/plain"]
    assert "The 2 earliest turns of thread a did not fit into the context and were left out." in said


def test_new_starts_over_and_the_status_lists_threads(cells: Any, shell: Any, script: Any, session: Any) -> None:
    script("1")
    cells("1", "%%prompt --thread a\nOne <b>")
    cells("2", "%%prompt --thread a --new\nTwo <b>bold</b>")
    assert len(session.threads["a"]) == 1
    data, _ = shell.display_formatter.format(session.status())
    assert "Threads" in data["text/plain"] and "Two" in data["text/plain"]
    assert "<b>bold" not in data["text/html"] and "&lt;b&gt;bold" in data["text/html"]


def test_new_without_a_thread_is_one_line(shell: Any, script: Any) -> None:
    engine = script("never")
    with pytest.raises(OptionError, match="--thread"):
        shell.run("%%prompt --new\nHello")
    assert not engine.requests
