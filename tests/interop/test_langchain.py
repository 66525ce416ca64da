"""The session's model as a LangChain chat model, by LangChain's own conformance tests and in a chain."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("langchain_core", reason="the extra `langchain` is not installed")

from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate

from kaggle_magics.errors import ModelNotLoaded, OptionError
from kaggle_magics.interop.langchain import SessionChatModel
from kaggle_magics.session import Session
from kaggle_magics.testing import ScriptedEngine


@pytest.fixture
def session() -> Iterator[Session]:
    session = Session()
    yield session
    session.close()


def test_it_works_in_a_chain_and_passes_the_prompt_on(session: Session) -> None:
    engine = ScriptedEngine(["Nairobi is it."])
    session.adopt(engine, name="scripted")
    prompt = ChatPromptTemplate.from_messages([("system", "Be brief."), ("human", "Capital of {country}?")])
    chain = prompt | session.as_langchain(temperature=0.3) | StrOutputParser()
    assert chain.invoke({"country": "Kenya"}) == "Nairobi is it."
    (request,) = engine.requests
    turns = [(turn.role, turn.content) for turn in request.messages]
    assert turns == [("system", "Be brief."), ("user", "Capital of Kenya?")]
    assert request.sampling.temperature == 0.3


def test_it_streams_and_reports_usage(session: Session) -> None:
    session.adopt(ScriptedEngine(["one two three"]), name="scripted")
    chunks = list(session.as_langchain().stream("count"))
    assert [chunk.text for chunk in chunks if chunk.text] == ["one", " two", " three"]
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    assert isinstance(whole, AIMessageChunk) and whole.usage_metadata is not None
    assert whole.usage_metadata["output_tokens"] == 3
    assert whole.response_metadata["stop_reason"] == "end"


def test_stop_and_options_of_a_call_are_heard(session: Session) -> None:
    engine = ScriptedEngine(["one two three"])
    session.adopt(engine, name="scripted")
    model = session.as_langchain(max_tokens=50)
    assert model.invoke("x", stop=[" three"]).text == "one two"
    assert model.invoke("x", max_tokens=1).text == "one"
    assert engine.requests[-1].sampling.max_tokens == 1


def test_conversations_and_a_default_system_text(session: Session) -> None:
    engine = ScriptedEngine()
    session.adopt(engine, name="scripted")
    model = session.as_langchain(system="Be kind.")
    model.invoke([HumanMessage("hi"), AIMessage("hello"), HumanMessage([{"type": "text", "text": "again"}])])
    model.invoke([SystemMessage("Be short."), HumanMessage("hi")])
    assert [[turn.role for turn in request.messages] for request in engine.requests] == [
        ["system", "user", "assistant", "user"],
        ["system", "user"],
    ]
    assert engine.requests[0].messages[-1].content == "again"
    assert engine.requests[1].messages[0].content == "Be short."


def test_batches_wait_for_each_other(session: Session) -> None:
    session.adopt(ScriptedEngine([lambda request: request.messages[-1].content.upper()]), name="scripted")
    assert [reply.text for reply in session.as_langchain().batch(["a", "b", "c", "d"])] == ["A", "B", "C", "D"]


def test_what_cannot_be_sent_is_refused(session: Session) -> None:
    with pytest.raises(ModelNotLoaded):
        session.as_langchain().invoke("x")
    session.adopt(ScriptedEngine(), name="scripted")
    picture: list[str | dict[Any, Any]] = [{"type": "image_url", "image_url": {"url": "data:,"}}]
    with pytest.raises(OptionError, match="images"):
        session.as_langchain().invoke([HumanMessage(picture)])
    with pytest.raises(OptionError, match="temprature"):
        session.as_langchain(temprature=1)


try:
    from langchain_tests.unit_tests import ChatModelUnitTests
except ImportError:

    @pytest.mark.skip(reason="langchain-tests is not installed")
    def test_conformance() -> None:
        """Stands in for `TestConformance`, so that its absence is seen in the report."""

else:
    shared = Session()
    shared.adopt(ScriptedEngine(), name="scripted")

    class TestConformance(ChatModelUnitTests):
        """LangChain's own tests of what every chat model has to do without a network."""

        @property
        def chat_model_class(self) -> type[SessionChatModel]:
            return SessionChatModel

        @property
        def chat_model_params(self) -> dict[str, Any]:
            return {"session": shared}
