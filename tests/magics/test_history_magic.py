"""`%llm_history` and `%llm_last` as a person types them."""

from __future__ import annotations

from typing import Any

import pytest

import kaggle_magics
import kaggle_magics.session as session_module
from kaggle_magics.display.results import HistoryEntries
from kaggle_magics.environment import data_dir
from kaggle_magics.errors import OptionError


def shown(shell: Any, value: Any) -> dict[str, str]:
    data, _ = shell.display_formatter.format(value)
    return data


def restart() -> None:
    """The session of a new kernel."""
    kaggle_magics.get_session().close()
    session_module._session = None


def test_what_was_asked_is_listed_and_searched(shell: Any, script: Any) -> None:
    script("Lima <b>.", "A long answer. " * 20 + "In it the word needle is found.")
    shell.run("%%prompt\nThe capital of Peru | Chile?\nNow!")
    shell.run("%%prompt --thread t\nSecond")
    listed = shell.run_line_magic("llm_history", "-o found")
    assert isinstance(listed, HistoryEntries) and listed is shell.user_ns["found"]
    assert [entry.question for entry in listed] == ["Second", "The capital of Peru | Chile?\nNow!"]
    data = shown(shell, listed)
    assert "thread t" in data["text/plain"] and "Lima <b>." in data["text/plain"]
    assert "<b>" not in data["text/html"] and r"Peru \| Chile" in data["text/markdown"]
    [found] = shell.run_line_magic("llm_history", "needle")
    assert (
        found.question == "Second" and "needle" in shown(shell, HistoryEntries([found], words="needle"))["text/plain"]
    )
    assert len(shell.run_line_magic("llm_history", "--limit 1")) == 1
    assert len(shell.run_line_magic("llm_history", "-m scripted capital")) == 1
    nothing = shell.run_line_magic("llm_history", "absent")
    assert shown(shell, nothing)["text/plain"] == "Nothing that was asked holds: absent"


def test_it_is_a_table_of_pandas_too(shell: Any, script: Any) -> None:
    pytest.importorskip("pandas")
    script("Lima.")
    shell.run("%%prompt\nThe capital?")
    frame = shell.run_line_magic("llm_history", "").to_pandas()
    assert frame.loc[0, "question"] == "The capital?" and frame.loc[0, "generated_tokens"] == 1


def test_a_whole_thread_is_shown_in_its_order(shell: Any, script: Any) -> None:
    script("**Lima**.", "About <i>ten</i> million.")
    shell.run('%%prompt --thread peru -s "Be brief."\nThe capital?')
    shell.run("%%prompt --thread peru\nHow many?")
    for _ in range(2):
        found = shell.run_line_magic("llm_history", "--thread peru")
        assert [entry.question for entry in found] == ["The capital?", "How many?"]
        data = shown(shell, found)
        places = [
            data["text/plain"].find(text) for text in ("Be brief.", "The capital?", "Lima", "How many?", "million")
        ]
        assert places == sorted(places) and min(places) >= 0
        assert "<strong>Lima</strong>" in data["text/html"] and "<i>" not in data["text/html"]
        restart()


def test_forgetting(shell: Any, script: Any) -> None:
    script("Lima.")
    for question in ("One", "Two", "Three"):
        shell.run(f"%%prompt\n{question}")
    assert shell.run("%llm_history two --forget") == "1 entry is forgotten.\n"
    assert shell.run("%llm_history --forget --all") == "2 entries are forgotten.\n"
    data = shown(shell, shell.run_line_magic("llm_history", ""))
    assert data["text/plain"] == "Nothing was asked that could be listed."


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("--forget", "needs to know what"),
        ("--forget --all x", "needs to know what"),
        ("--all", "--all goes with --forget"),
        ("x --forget -o y", "takes no --output"),
        ("--limit 0", "limit must be at least 1"),
        ("--thread nowhere", "There is no thread named 'nowhere'"),
    ],
)
def test_bad_input_is_one_line(shell: Any, script: Any, line: str, says: str) -> None:
    script("Lima.")
    with pytest.raises(OptionError, match=says):
        shell.run(f"%llm_history {line}")


def test_the_last_answer_is_shown_again_after_a_restart(shell: Any, script: Any) -> None:
    script("One.", "**Two**.")
    shell.run("%%prompt\nFirst")
    shell.run("%%prompt\nSecond")
    before = shown(shell, shell.run_line_magic("llm_last", ""))
    restart()
    assert shown(shell, shell.run_line_magic("llm_last", "")) == before and "Two" in before["text/plain"]
    assert shell.run_line_magic("llm_last", "-n 2 -o earlier").text == "One."
    assert shell.user_ns["earlier"].text == "One."
    with pytest.raises(OptionError, match="There are no 9 answers"):
        shell.run_line_magic("llm_last", "-n 9")
    with pytest.raises(OptionError, match="n must be at least 1"):
        shell.run_line_magic("llm_last", "-n 0")


def test_the_trait_switches_recording_off(shell: Any, script: Any) -> None:
    script("Lima.")
    shell.run("%config KaggleMagics.history = False")
    shell.run("%%prompt\nSecret")
    assert not (data_dir() / "history.sqlite").exists()
    shell.run("%reload_ext kaggle_magics")
    script("Lima.")
    shell.run("%%prompt\nSecret")
    assert not (data_dir() / "history.sqlite").exists()
    shell.run("%config KaggleMagics.history = True")
    shell.run("%%prompt\nOpen")
    assert [entry.question for entry in shell.run_line_magic("llm_history", "")] == ["Open"]


def test_trouble_is_one_line_below_the_answer(shell: Any, script: Any, capsys: pytest.CaptureFixture[str]) -> None:
    (data_dir() / "history.sqlite").mkdir()
    script("Lima.")
    for _ in range(2):
        assert "Lima." in shell.run("%%prompt\nThe capital?")
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and said[0].startswith("kaggle_magics: The history is not kept:")
