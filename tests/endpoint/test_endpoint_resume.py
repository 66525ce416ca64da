"""Going on with a server's answer: where servers can do that, and one clear line where they cannot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from kaggle_magics.environment import data_dir
from kaggle_magics.errors import OptionError
from kaggle_magics.session import Session


@pytest.fixture
def session(server: Any) -> Iterator[Session]:
    session = Session()
    server.script = [
        lambda exchange: exchange.say("The capital", finish="length"),
        lambda exchange: exchange.say(" is Lima."),
    ]
    yield session
    session.close()


@pytest.mark.parametrize(("owner", "told"), [("vllm", True), ("sglang", True), ("llamacpp", False)])
def test_servers_that_go_on_with_the_assistant_s_turn(server: Any, session: Session, owner: str, told: bool) -> None:
    server.models[0]["owned_by"] = owner
    session.load(server.reference)
    begun = session.prompt("Capital of Peru?", max_tokens=2)
    answer = session.resume(max_tokens=9)
    assert answer.text == "The capital is Lima." and answer.stop_reason == "end"
    assert answer.card.resumed == begun.usage.generated_tokens
    sent = server.asked[-1].body
    assert [turn["role"] for turn in sent["messages"]] == ["user", "assistant"]
    assert sent["messages"][-1]["content"] == "The capital" and sent["max_tokens"] == 9
    expected = {"continue_final_message": True, "add_generation_prompt": False} if told else {}
    assert {
        name: sent[name] for name in ("continue_final_message", "add_generation_prompt") if name in sent
    } == expected


def test_others_begin_a_new_answer_so_they_are_not_asked(server: Any, session: Session) -> None:
    session.load(server.reference)
    session.prompt("Capital of Peru?", max_tokens=2)
    with pytest.raises(OptionError, match="cannot go on with an answer, only begin a new one"):
        session.resume()
    assert len(server.asked) == 1


def test_a_finished_text_can_always_go_on(server: Any, session: Session) -> None:
    session.load(server.reference)
    session.prompt("Capital of Peru?", max_tokens=2, template="chatml")
    assert session.resume(max_tokens=9).text == "The capital is Lima."
    assert server.asked[-1].body["prompt"].endswith("assistant\nThe capital")


def test_the_key_is_in_no_file(server: Any, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_MAGICS_KEY", "sk-very-secret-1234")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret-1234")
    session.load(server.reference)
    session.prompt("Capital of Peru?", thread="a")
    session.close()
    kept = [file for file in data_dir().rglob("*") if file.is_file()]
    assert any(file.name == "history.sqlite" for file in kept)
    assert not any(b"very-secret" in file.read_bytes() for file in kept)
