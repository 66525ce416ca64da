"""A model that a server runs, in a session: loaded, asked, shown and unloaded like any other."""

from __future__ import annotations

from typing import Any

import pytest

from kaggle_magics.errors import KaggleMagicsError, OptionError
from kaggle_magics.session import Session


@pytest.fixture
def session() -> Any:
    made = Session()
    yield made
    made.close()


def test_load_ask_unload(server: Any, session: Session) -> None:
    model = session.load(server.reference, context=1000)
    assert model.name == "small-1" and session.current is model
    assert model.facts.context_length == 1000 and model.source == server.reference
    answer = session.prompt("Capital of Peru?", max_tokens=5)
    assert answer.text == "Lima." and answer.card.source == server.reference and answer.card.device == "endpoint"
    assert answer.usage.estimated
    assert session.load(server.reference, context=1000) is model, "the same again is only made current"
    assert session.load(server.reference, name="other").name == "other"
    session.unload("other")
    session.unload()
    assert session.current is None


def test_models_of_the_same_name_on_two_servers(server: Any, session: Session) -> None:
    server.models = [{"id": "a/small"}, {"id": "b/small"}]
    first = session.load(f"openai:{server.url}#a/small")
    second = session.load(f"openai:{server.url}#b/small")
    assert (first.name, second.name) == ("small", "small-2")


@pytest.mark.parametrize(
    "options", [{"dtype": "float16"}, {"device": "cuda"}, {"adapter": "lora"}, {"trust_remote_code": True}], ids=str
)
def test_what_is_the_server_s_choice(server: Any, session: Session, options: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="decides itself how its model runs"):
        session.load(server.reference, **options)
    assert not session.loaded and not server.seen


def test_swapping(server: Any, session: Session) -> None:
    session.load(server.reference, name="one")
    session.load(server.reference, name="two", swap=True)
    assert list(session.loaded) == ["two"] and session.prompt("Hi").text == "Lima."


def test_a_server_that_does_not_answer_leaves_the_session_as_it_was(server: Any, session: Session) -> None:
    model = session.load(server.reference)
    with pytest.raises(KaggleMagicsError):
        session.load("openai:http://127.0.0.1:1/v1#x")
    assert session.current is model and session.prompt("Hi").text == "Lima."


def test_documents_fit_into_the_server_s_context(
    server: Any, session: Session, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "notes.txt").write_text("The boiler man is Mr Ruiz. " + "Nothing else is known of boilers. " * 400)
    session.load(server.reference, context=600)
    monkeypatch.setattr("kaggle_magics.rag.embedding.models.installed", lambda module: False)
    session.ingest(tmp_path / "notes.txt")
    server.script = [lambda exchange: exchange.say("Mr Ruiz [1].")]
    found = session.ask("Who is the boiler man?", max_tokens=50)
    assert found.text == "Mr Ruiz [1]." and found.citations[0].passage.source.endswith("notes.txt")
    words = sum(len(message["content"].split()) for message in server.asked[0].body["messages"])
    assert words < 600


def test_thoughts_are_beside_the_answer(server: Any, session: Session) -> None:
    from kaggle_magics.display.answers import answer_view

    def think(exchange: Any) -> None:
        exchange.begin_stream()
        exchange.event({"choices": [{"delta": {"reasoning_content": "Peru <hm>"}}]})
        exchange.event({"choices": [{"delta": {"content": "Lima"}, "finish_reason": "stop"}]})

    server.script = [think]
    session.load(server.reference)
    answer = session.prompt("Hi")
    assert (answer.text, answer.reasoning) == ("Lima", "Peru <hm>")
    assert "Peru &lt;hm&gt;" in answer_view(answer).html


def test_a_template_that_stays_with_the_model(server: Any, session: Session) -> None:
    session.load(server.reference, template="chatml")
    session.prompt("Hi")
    assert server.asked[0].body["prompt"].startswith("<|im_start|>user\nHi")
    session.prompt("Hi", template="none")
    assert server.asked[1].body["prompt"] == "Hi"
    session.load(server.reference, template="auto")
    session.prompt("Hi")
    assert "messages" in server.asked[2].body
    with pytest.raises(OptionError, match="no template"):
        session.load(server.reference, template="chatmel")


def test_the_magics(server: Any, session: Session) -> None:
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output
    from traitlets.config import Config

    config = Config()
    config.HistoryManager.enabled = False
    shell = InteractiveShell(config=config)
    shell.run_line_magic("load_ext", "kaggle_magics")
    try:
        with capture_output() as shown:
            shell.run_cell(f"%llm_load {server.reference} -o model")
            shell.run_cell("%%prompt -o answer\nCapital of Peru?")
            shell.run_cell("%llm_load openai:https://user:planted@llm.example.org/v1")
            shell.run_cell(f"%llm_load {server.reference} --dry-run")
        assert shell.user_ns["model"].name == "small-1" and shell.user_ns["answer"].text == "Lima."
        everything = shown.stdout + shown.stderr + "".join(str(output.data) for output in shown.outputs)
        assert "must not hold a user name" in everything and "nothing to plan" in everything
        assert "planted" not in everything
        assert "estimated" in everything
    finally:
        shell.run_line_magic("unload_ext", "kaggle_magics")
