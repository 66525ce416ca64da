"""`%%prompt --resume` as a person types it."""

from __future__ import annotations

from typing import Any

import pytest

from kaggle_magics.errors import OptionError


def test_a_cell_without_text_goes_on_with_the_last_answer(shell: Any, script: Any, outputs: Any) -> None:
    script("one two three four", " three four.")
    shell.run("%%prompt --max-tokens 2\nCount")
    assert "--resume" in outputs[-1]["text/plain"]
    shell.run("%%prompt --resume --max-tokens 9 -o whole")
    assert shell.user_ns["whole"].text == "one two three four."
    for shown in outputs[-1].values():
        assert "one two three four." in shown and "resumed after 2 tokens" in shown


def test_the_line_form_and_a_thread(shell: Any, script: Any, session: Any) -> None:
    script("one two three four", "Something else", " three four.")
    shell.run("%%prompt --thread t --max-tokens 2\nCount")
    shell.run("%%prompt\nOther")
    assert shell.run_line_magic("prompt", "--resume --thread t").text == "one two three four."
    assert [turn.answer.text for turn in session.threads["t"].turns] == ["one two three four."]


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("%%prompt --resume\nText", "takes no text"),
        ("%prompt --resume text", "takes no text"),
        ("%prompt --resume --temperature 1", "--temperature has no place with --resume"),
        ("%prompt --resume --new", "--new has no place"),
        ("%prompt --resume --over x", "--over has no place"),
        ("%prompt --resume", "ended by itself"),
        ("%prompt --resume --thread nowhere", "There is no thread"),
    ],
)
def test_bad_input_is_one_line(shell: Any, script: Any, cell: str, says: str) -> None:
    engine = script("Yes.")
    shell.run("%%prompt\nHello")
    with pytest.raises(OptionError, match=says):
        shell.run(cell)
    assert len(engine.requests) == 1
