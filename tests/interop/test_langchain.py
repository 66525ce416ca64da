"""The session's model as a LangChain chat model, by LangChain's own conformance tests and in a chain."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

pytest.importorskip("langchain_core", reason="the extra `langchain` is not installed")

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableConfig

from kaggle_magics.errors import EngineError, ModelNotLoaded, OptionError
from kaggle_magics.interop.langchain import SessionChatModel
from kaggle_magics.models.request import Piece, Request
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


class CountingEngine(ScriptedEngine):
    """Shouts back; says which calls it got."""

    def __init__(self) -> None:
        super().__init__([lambda request: request.messages[-1].content.upper()])
        self.calls: list[int] = []

    def stream_many(self, requests: Sequence[Request], stop: threading.Event) -> Iterator[tuple[int, Piece]]:
        self.calls.append(len(requests))
        for index, piece in super().stream_many(list(reversed(requests)), stop):
            yield len(requests) - 1 - index, piece


def test_a_batch_is_one_call_of_the_engine_and_keeps_its_order(session: Session) -> None:
    engine = CountingEngine()
    session.adopt(engine, name="scripted")
    told: list[tuple[str, str]] = []

    class Listener(BaseCallbackHandler):
        def on_llm_end(self, response: Any, **kwargs: Any) -> None:
            told.append((response.generations[0][0].text, str(kwargs["tags"])))

    configs: list[RunnableConfig] = [{"callbacks": [Listener()], "tags": [tag]} for tag in "1234"]
    replies = session.as_langchain().batch(["a", "b", "c", "d"], configs, stop=["Z"])
    assert [reply.text for reply in replies] == ["A", "B", "C", "D"]
    assert [reply.usage_metadata["output_tokens"] for reply in replies] == [1] * 4
    assert engine.calls == [4] and all(request.sampling.stop == ("Z",) for request in engine.requests)
    assert told == [("A", "['1']"), ("B", "['2']"), ("C", "['3']"), ("D", "['4']")]
    prompt = ChatPromptTemplate.from_template("say {word}")
    chain = prompt | session.as_langchain() | StrOutputParser()
    assert chain.batch([{"word": word} for word in "xyz"]) == ["SAY X", "SAY Y", "SAY Z"]
    assert asyncio.run(session.as_langchain().abatch(["p", "q"]))[1].text == "Q"
    assert engine.calls == [4, 3, 2]


def test_a_failing_row_of_a_batch_fails_alone(session: Session) -> None:
    session.adopt(ScriptedEngine(["one", OptionError("too long"), "three"]), name="scripted")
    replies = session.as_langchain().batch(["a", "b", "c"], return_exceptions=True)
    assert [getattr(reply, "text", None) for reply in replies] == ["one", None, "three"]
    assert isinstance(replies[1], EngineError) and "too long" in str(replies[1])
    with pytest.raises(EngineError, match="too long"):
        session.as_langchain().batch(["a", "b", "c"])


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
