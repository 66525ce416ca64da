"""--attach, as a person types it: what reaches the model, what is shown before, and what cannot be attached."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.errors import DocumentError, OptionError


@pytest.fixture(autouse=True)
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own for the notebook."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def asked(engine: Any, at: int = -1) -> str:
    return str(engine.requests[at].messages[-1].content)


def test_names_and_files_reach_the_model_before_the_question(shell: Any, script: Any, beside: Path) -> None:
    engine = script("ok")
    (beside / "notes, old.md").write_text("Old notes.")
    (beside / "data.csv").write_text("a,b\n1,2\n")
    shell.user_ns.update(rows=[{"city": "Lima"}], data=[1])
    shown = shell.run("%%prompt --attach rows[0],data,data.csv --attach 'notes, old.md'\nWhich city of {rows[0]}?")
    assert asked(engine) == (
        "rows[0] is a dict of 1 key:\n- city: 'Lima'\n\ndata is a list of 1 item:\n- 1\n\n"
        "data.csv is a file of 8 bytes:\na,b\n1,2\n\nnotes, old.md is a file of 10 bytes:\nOld notes.\n\n"
        "Which city of {'city': 'Lima'}?"
    )
    assert "Attached: rows[0] (" in shown and shown.index("Attached") < shown.index("ok")
    shell.run('answer = %prompt "What is it?" --attach data')
    assert asked(engine) == "data is a list of 1 item:\n- 1\n\nWhat is it?"


def test_what_is_sent_is_shown_word_for_word_and_escaped_before_the_answer(
    shell: Any, script: Any, outputs: Any
) -> None:
    seen: list[str] = []
    script(lambda request: seen.append(outputs.html) or "done")
    shell.user_ns["page"] = "<script>alert(1)</script> ![x](http://evil.example/a.png)"
    shell.run_cell("%%prompt --attach page\nWhat is it?").raise_error()
    assert "&lt;script&gt;alert(1)" in seen[0] and "done" not in seen[0]
    assert "&lt;script&gt;alert(1)" in outputs.html and "done" in outputs.html and "<details>" in outputs.html
    assert "<script" not in outputs.html and len(outputs) == 1
    assert "![" not in outputs[0]["text/markdown"] and "<script" not in outputs[0]["text/markdown"]


def test_the_budget_can_be_set(shell: Any, script: Any) -> None:
    engine = script("ok")
    shell.user_ns["long"] = "word " * 5000
    shown = shell.run("%%prompt --attach long --attach-tokens 50\nSum it up.")
    assert len(asked(engine).split()) <= 55 and "Left out of long" in asked(engine) and "left out:" in shown
    shell.run("%%prompt --attach long\nSum it up.")
    assert 700 < len(asked(engine).split()) <= 4096 // 4 + 5


def test_functions_and_classes_of_cells_bring_their_source(shell: Any, script: Any) -> None:
    engine = script("ok")
    shell.run("def double(x):\n    return 2 * x")
    shell.run("@staticmethod\ndef other(): pass\nclass Box:\n    size = 3\n    def grow(self):\n        self.size += 1")
    shell.run("%%prompt --attach double,Box\nWhat do they do?")
    assert "def double(x):\n    return 2 * x" in asked(engine)
    assert "class Box:\n    size = 3\n    def grow(self):\n        self.size += 1\n\nWhat" in asked(engine)


def test_the_last_error_can_be_attached(shell: Any, script: Any, capsys: Any) -> None:
    engine = script("ok")
    shell.run_cell("def broken():\n    return 1 / 0\nbroken()")
    shell.run("%%prompt --attach _error\nWhat went wrong?")
    assert "_error is an exception of type ZeroDivisionError" in asked(engine) and "return 1 / 0" in asked(engine)


def test_what_is_not_there_is_named_before_anything_is_asked(shell: Any, script: Any, beside: Path) -> None:
    engine = script("ok")
    shell.user_ns["frame"] = [1]
    (beside / "docs").mkdir()
    (beside / "binary.bin").write_bytes(b"\0\1\2")
    with pytest.raises(OptionError, match=r"no variable and no file named 'fram'. Did you mean frame"):
        shell.run("%%prompt --attach fram\nWhat?")
    with pytest.raises(OptionError, match=r"There is no file gone\.csv"):
        shell.run("%%prompt --attach gone.csv\nWhat?")
    with pytest.raises(OptionError, match="is a folder"):
        shell.run("%%prompt --attach docs\nWhat?")
    with pytest.raises(OptionError, match="Download it first"):
        shell.run("%%prompt --attach https://example.com/x.png\nWhat?")
    with pytest.raises(DocumentError, match="binary"):
        shell.run("%%prompt --attach binary.bin\nWhat?")
    with pytest.raises(OptionError, match="names nothing"):
        shell.run("%%prompt --attach ,\nWhat?")
    with pytest.raises(OptionError, match="goes with --attach"):
        shell.run("%%prompt --attach-tokens 5\nWhat?")
    assert engine.requests == []


def test_a_conversation_keeps_what_was_attached(shell: Any, script: Any) -> None:
    engine = script("ok")
    shell.user_ns["data"] = [17]
    shell.run("%%prompt --thread t --attach data\nWhat is it?")
    shell.run("%%prompt --thread t\nAnd then?")
    assert "- 17" in str(engine.requests[1].messages[0].content)


@pytest.mark.filterwarnings("ignore:.*Completer.complete.*:PendingDeprecationWarning")
def test_names_and_paths_are_completed_after_a_comma(shell: Any, beside: Path) -> None:
    (beside / "frame.csv").touch()
    shell.user_ns["frames"] = []
    assert set(shell.complete(None, "%%prompt --attach fra")[1]) == {"frames", "frame.csv"}
