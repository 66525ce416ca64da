"""Tables on a server: rows side by side, in order, failures by row; batch files name the server's model."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.generation.tables import runner as table_runner
from kaggle_magics.models.engines.endpoint import Limits
from kaggle_magics.session import Session


@pytest.fixture
def session(server: Any) -> Any:
    made = Session()
    engine = server.connect(limits=Limits(connect=1.0, idle=5.0, retries=0, backoff=0.0), at_once=4)
    made.adopt(engine, name="served")
    yield made
    made.close()


def test_rows_go_out_together_and_come_back_in_order(server: Any, session: Session) -> None:
    together = threading.Barrier(4)

    def answer(exchange: Any) -> None:
        text = exchange.body["messages"][-1]["content"]
        if text == "too long":
            exchange.error(400, "This model's maximum context length is 10 tokens.")
            return
        if len(server.asked) <= 4:
            together.wait(5)
        exchange.say(f"<{text}>", usage={"prompt_tokens": 3, "completion_tokens": 1})

    server.script = [answer]
    table = session.prompt_over("{value}", [*"abcdefgh", "too long", "i"])
    assert [row.text for row in table] == [*(f"<{text}>" for text in "abcdefgh"), "", "<i>"]
    assert "context" in table[8].error and table.run.usage.prompt_tokens == 27


def test_a_server_that_is_gone_is_not_asked_for_every_row(
    server: Any, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_runner, "AT_FIRST", 5)
    server.script = [lambda exchange: exchange.error(503, "down for repair")]
    table = session.prompt_over("{value}", range(1000))
    assert (table.done, table.failed, table.left) == (0, 5, 995) and "down for repair" in table.run.gave_up
    server.script = [lambda exchange: exchange.say("back")]
    assert session.prompt_over("{value}", range(10)).complete


def test_a_batch_file_names_the_server_s_model(session: Session, tmp_path: Path) -> None:
    session.write_batch("Hello", tmp_path / "r.jsonl")
    assert json.loads((tmp_path / "r.jsonl").read_text())["body"]["model"] == "small-1"
