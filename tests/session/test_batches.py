"""Batch files: what vLLM's `run-batch` reads, and what it writes, read back in the rows' order."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.display.batches import batch_file_view
from kaggle_magics.display.tables import answer_table_view
from kaggle_magics.errors import OptionError
from kaggle_magics.generation.several import Answers
from kaggle_magics.generation.tables.batch_file import BatchFile
from kaggle_magics.session import Session
from kaggle_magics.testing import ScriptedEngine

ROWS = ["Lima", None, "Ōtsu\n\u2028"]


@pytest.fixture
def session() -> Session:
    return Session()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "requests.jsonl"


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


def reply(custom_id: str, text: str | None = "yes", **changes: Any) -> str:
    """A line as vLLM writes it."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text, "reasoning": changes.pop("reasoning", None)},
        "logprobs": None,
        "finish_reason": changes.pop("finish_reason", "stop"),
        "stop_reason": changes.pop("stop_reason", None),
    }
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "served",
        "choices": [choice],
        "usage": {
            "prompt_tokens": 10,
            "total_tokens": 12,
            "completion_tokens": 2,
            "prompt_tokens_details": {"cached_tokens": 4},
        },
    }
    line = {
        "id": "vllm-1",
        "custom_id": custom_id,
        "response": {"status_code": 200, "request_id": "vllm-batch-1", "body": body},
        "error": None,
    }
    return json.dumps(line | changes)


def write_replies(path: Path, *replies: str) -> Path:
    path.write_text("".join(f"{each}\n" for each in replies), encoding="utf-8")
    return path


def test_requests_are_what_run_batch_reads(session: Session, file: Path) -> None:
    written = session.write_batch(
        "About {value} {x}",
        file,
        rows=ROWS,
        namespace={"x": 1},
        model="org/model",
        system="In {value}",
        max_tokens=7,
        temperature=0.5,
        top_p=0.9,
        top_k=4,
        min_p=0.1,
        repeat_penalty=1.2,
        seed=3,
        stop=["x"],
    )
    first, second = lines(file)
    assert first.keys() == {"custom_id", "method", "url", "body"}
    assert (first["method"], first["url"]) == ("POST", "/v1/chat/completions")
    assert first["body"] == {
        "model": "org/model",
        "messages": [{"role": "system", "content": "In Lima"}, {"role": "user", "content": "About Lima 1"}],
        "max_tokens": 7,
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 4,
        "min_p": 0.1,
        "repetition_penalty": 1.2,
        "seed": 3,
        "stop": ["x"],
    }
    assert second["body"]["messages"][1]["content"] == "About Ōtsu\n\u2028 1"
    assert first["custom_id"] != second["custom_id"]
    assert written == BatchFile(
        file, 2, "org/model", file.stat().st_size, {1: "{value} is empty in this row."}, was_there=False
    )
    view = batch_file_view(written)
    assert f"vllm run-batch -i {file}" in view.text and "--model org/model" in view.text
    assert "1 rows are not in it" in view.text or "{value} is empty" in view.text


def test_only_what_is_set_is_in_the_body(session: Session, file: Path) -> None:
    session.write_batch("Hello", file, model="m")
    assert lines(file)[0]["body"].keys() == {"model", "messages", "max_tokens", "temperature"}


def test_a_structure_is_a_response_format_and_is_read_back(session: Session, file: Path, tmp_path: Path) -> None:
    ask: dict[str, Any] = {"rows": ["a", "b", "c"], "choices": ["good", "bad"]}
    session.write_batch("{value}?", file, model="m", **ask)
    requests = lines(file)
    form = requests[0]["body"]["response_format"]
    assert form["type"] == "json_schema" and form["json_schema"]["schema"]["type"] == "object"
    [name] = form["json_schema"]["schema"]["properties"]
    ids = [request["custom_id"] for request in requests]
    answers = write_replies(
        tmp_path / "out.jsonl",
        reply(ids[0], json.dumps({name: "good"})),
        reply(ids[1], "neither"),
        reply(ids[2], '{"', finish_reason="length"),
    )
    table = session.read_batch("{value}?", answers, **ask)
    frame = table.to_pandas()
    assert frame["value_2"].tolist() == ["good", None, None]
    assert "did not keep to what was asked for" in frame["error"][1] and "Cut off" in frame["error"][2]


@pytest.mark.parametrize("with_model", [False, True])
def test_which_model_is_named(session: Session, file: Path, with_model: bool) -> None:
    if with_model:
        loaded = session.load("pocket", name="little")
        assert loaded.checkpoint is not None
        session.write_batch("Hello", file)
        assert lines(file)[0]["body"]["model"] == str(loaded.checkpoint.path)
        session.write_batch("Hello", file, model="other/name", overwrite=True)
        assert lines(file)[0]["body"]["model"] == "other/name"
    else:
        with pytest.raises(OptionError, match="must name its model, and none is loaded"):
            session.write_batch("Hello", file)


def test_a_file_is_written_whole_or_not_at_all(session: Session, file: Path) -> None:
    first = session.write_batch("{value}", file, rows=["a"], model="m")
    again = session.write_batch("{value}", file, rows=["a"], model="m")
    assert (first.was_there, again.was_there) == (False, True)
    before = file.read_bytes()
    with pytest.raises(OptionError, match=r"another .*requests.jsonl already. Give another name, or --overwrite"):
        session.write_batch("{value}", file, rows=["b"], model="m")
    with pytest.raises(OptionError, match="--template none cannot be in it"):
        session.write_batch("{value}", file, rows=["b"], model="m", template="none", overwrite=True)
    with pytest.raises(OptionError, match="none of the rows can be asked"):
        session.write_batch("{value}", file, rows=[None], model="m", overwrite=True)
    with pytest.raises(OptionError, match="is a folder"):
        session.write_batch("{value}", file.parent, rows=["b"], model="m")
    with pytest.raises(OptionError, match="cannot be written: No such file"):
        session.write_batch("{value}", file.parent / "no" / "f.jsonl", rows=["b"], model="m")
    assert file.read_bytes() == before and os.listdir(file.parent) == [file.name]
    assert session.write_batch("{value}", file, rows=["b"], model="m", overwrite=True).requests == 1
    assert file.read_bytes() != before


def test_replies_come_back_in_the_order_of_the_rows(session: Session, file: Path, tmp_path: Path) -> None:
    rows = ["a", None, "b", "c", "d", "e", "f", "g"]
    session.write_batch("{value}", file, rows=rows, model="m")
    ids = [request["custom_id"] for request in lines(file)]
    answers = write_replies(
        tmp_path / "out.jsonl",
        reply(ids[1], "B", finish_reason="length"),
        reply(ids[0], "<think>hm</think>A", stop_reason="###"),
        reply(ids[2], error={"error": {"message": "too long", "type": "x"}}, response={"status_code": 400}),
        reply(ids[3], error="Request failed", response=None),
        reply(ids[3], "D", reasoning="thought"),
        reply(ids[3], error="later", response=None),
        reply(ids[4], "", finish_reason="content_filter"),
        reply(ids[5], None),
        "",
    )
    table = session.read_batch("{value}", answers, rows=rows)
    assert [row.text for row in table] == ["A", "", "B", "", "D", "", "", ""]
    assert [row.error for row in table][3] == "too long" and "content_filter" in table[5].error
    assert [row.stop_reason for row in table][:3] == ["stop_sequence", "error", "length"]
    assert table[7].left and table[6].done
    first, fifth = table[0].answer, table[4].answer
    assert first is not None and first.reasoning == "hm" and fifth is not None and fifth.reasoning == "thought"
    assert (first.usage.prompt_tokens, first.usage.reused_tokens, first.usage.generated_tokens) == (10, 4, 2)
    assert first.card.messages[-1].content == "a" and first.card.created.startswith("2023-11-14")
    assert table.to_pandas()["seconds"].isna().all()
    view = answer_table_view(table)
    assert "1 of 8 rows have no reply in out.jsonl" in view.text and "rows/s" not in view.text
    session.adopt(ScriptedEngine(), name="here")
    assert session.prompt_over("{value}", ["a"]).run.asked == 1, "an answer of another model is not this one's"


def test_replies_to_other_prompts_are_told(session: Session, file: Path, tmp_path: Path) -> None:
    session.write_batch("{value}", file, rows=["a", "b"], model="m")
    answers = write_replies(tmp_path / "out.jsonl", *(reply(line["custom_id"]) for line in lines(file)))
    for text, rows in (("{value}", ["b", "a"]), ("{value}", ["a"]), ("{value}!", ["a", "b"])):
        with pytest.raises(OptionError, match=r"of the replies in out.jsonl are to other prompts"):
            session.read_batch(text, answers, rows=rows)
    # Rows that came behind them are left.
    assert session.read_batch("{value}", answers, rows=["a", "b", "c"]).left == 1  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "is empty"),
        ("{\n", "Line 1 of .* is no reply of a batch"),
        ("[1]\n", "Line 1 of .* is no reply"),
        ('{"id": 1}\n', "It needs a custom_id"),
        ('{"custom_id": "x", "body": {}}\n', "holds requests, not replies. Have them answered: vllm run-batch"),
        ("\udcff", "cannot be read"),
    ],
)
def test_what_is_no_file_of_replies_is_one_line(session: Session, file: Path, content: str, says: str) -> None:
    file.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(OptionError, match=says):
        session.read_batch("Hello", file)
    with pytest.raises(OptionError, match="There is no file"):
        session.read_batch("Hello", file.parent / "none.jsonl")


@pytest.mark.parametrize(
    "response", [None, 5, {}, {"body": None}, {"body": {"choices": []}}, {"body": {"choices": [1]}}]
)
def test_a_reply_without_an_answer_failed(session: Session, file: Path, response: Any) -> None:
    session.write_batch("Hello", file, model="m")
    custom_id = lines(file)[0]["custom_id"]
    answers = session.read_batch("Hello", write_replies(file, reply(custom_id, response=response)))
    assert isinstance(answers, Answers) and "answered with status" in answers[0].error


def test_several_answers_to_one_prompt(session: Session, file: Path, tmp_path: Path) -> None:
    session.write_batch("Hello", file, n=2, model="m", temperature=1.0, seed=4)
    assert [line["body"]["seed"] for line in lines(file)] == [4, 5]
    replies = [reply(line["custom_id"], f"answer {place}") for place, line in enumerate(lines(file))]
    answers = session.read_batch("Hello", write_replies(tmp_path / "o.jsonl", *replies), n=2, temperature=1.0, seed=4)
    assert [str(answer) for answer in answers] == ["answer 0", "answer 1"]
    first = session.write_batch("Hello", file, n=2, model="m", temperature=1.0, overwrite=True)
    assert session.write_batch("Hello", file, n=2, model="m", temperature=1.0).was_there and first.requests == 2
