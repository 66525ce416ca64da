"""%%prompt --jsonl and --answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.errors import OptionError

pd = pytest.importorskip("pandas")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def answer_file(requests: Path, answers: Path) -> None:
    """Answer every request by the last word of its prompt."""
    with answers.open("w") as out:
        for line in reversed(requests.read_text().splitlines()):
            asked = json.loads(line)
            text = asked["body"]["messages"][-1]["content"].split()[-1]
            body = {"model": "m", "choices": [{"message": {"content": text}, "finish_reason": "stop"}]}
            out.write(json.dumps({"custom_id": asked["custom_id"], "response": {"body": body}, "error": None}) + "\n")


def test_requests_go_out_and_answers_come_back(shell: Any, outputs: Any, here: Path) -> None:
    shell.user_ns.update(df=pd.DataFrame({"city": ["Lima", "<b>"]}, index=["x", "y"]), city="Rome", kind="big")
    shell.run_cell("%%prompt --over df --jsonl r.jsonl -m served -o batch\n{kind} {city}").raise_error()
    assert shell.user_ns["batch"].requests == 2
    assert "vllm run-batch -i r.jsonl -o r.answers.jsonl --model served" in outputs.html
    answer_file(here / "r.jsonl", here / "r.answers.jsonl")
    shell.run_cell("%%prompt --over df --answers r.answers.jsonl -o out\n{kind} {city}").raise_error()
    frame = shell.user_ns["out"].to_pandas()
    assert frame["answer"].tolist() == ["Lima", "<b>"] and frame.index.tolist() == ["x", "y"]
    assert "<b>" not in outputs.html and "from r.answers.jsonl" in outputs.html


def test_one_prompt_and_several_answers(shell: Any, here: Path) -> None:
    shown = shell.run("%%prompt --jsonl r.jsonl -m served -n 2 --temperature 1\nSay yes")
    assert "requests" in shown and "2" in shown
    answer_file(here / "r.jsonl", here / "a.jsonl")
    assert "yes" in shell.run("%%prompt --answers a.jsonl -n 2 --temperature 1 -o out\nSay yes")
    assert [answer.text for answer in shell.user_ns["out"]] == ["yes", "yes"]
    assert shell.run("batch = %prompt 'Say no' --jsonl n.jsonl -m served") == ""
    assert shell.user_ns["batch"].requests == 1


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("--jsonl a.jsonl --answers a.jsonl -m x", "Use one of the two"),
        ("--jsonl a.jsonl --thread talk -m x", "--jsonl asks nothing here"),
        ("--jsonl a.jsonl", "must name its model"),
        ("--jsonl old.jsonl -m x", "another old.jsonl already"),
        ("--answers none.jsonl", "There is no file none.jsonl"),
        ("--overwrite", "--overwrite goes with"),
    ],
)
def test_bad_input_is_one_line(shell: Any, here: Path, line: str, says: str) -> None:
    (here / "old.jsonl").write_text("mine")
    with pytest.raises(OptionError, match=says):
        shell.run(f"%%prompt {line}\nHello")
    assert (here / "old.jsonl").read_text() == "mine"


def test_overwriting_is_asked_for(shell: Any, here: Path) -> None:
    (here / "old.jsonl").write_text("mine")
    shell.run("%%prompt --jsonl old.jsonl --overwrite -m x\nHello")
    assert "custom_id" in (here / "old.jsonl").read_text()
