"""The bundled model: what is shipped, and that both engines read the same tokens and say the same."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kaggle_magics.models.checkpoint import Checkpoint
from kaggle_magics.models.find.catalog import list_checkpoints
from kaggle_magics.models.find.reference import resolve
from kaggle_magics.session import Session

MB = 1_000_000
QUESTIONS = (
    "What is the area of a circle with radius 5?",
    "What is the capital of Peru? Just return the name.",
    "Write the word café in capitals.\n\n    indented",
    "¿Qué? 日本語 🎈",
)


@pytest.fixture(scope="module")
def pocket() -> Checkpoint:
    return resolve("pocket")


@pytest.fixture
def session() -> Iterator[Session]:
    session = Session()
    yield session
    session.close()


def test_it_is_there_small_and_says_what_it_is(pocket: Checkpoint) -> None:
    assert pocket.origin == "bundled" and pocket.architecture == "LlamaForCausalLM" and pocket.has_chat_template
    assert pocket.parameters is not None and pocket.parameters <= 8_000_000
    assert pocket.context_length >= 1024
    shipped = sum(file.stat().st_size for file in pocket.path.rglob("*") if file.is_file())
    assert shipped < 25 * MB
    card = (pocket.path / "README.md").read_text(encoding="utf-8")
    assert "Apache-2.0" in card and "limits" in card.casefold()


def test_without_anything_attached_it_is_what_is_loaded(pocket: Checkpoint) -> None:
    assert resolve(None).path == pocket.path
    assert {"pocket", "pocket.gguf"} <= {checkpoint.name for checkpoint in list_checkpoints()}


@pytest.mark.gguf
def test_both_engines_read_the_same_tokens_and_mostly_say_the_same(session: Session) -> None:
    pytest.importorskip("transformers", reason="transformers is not installed")
    first, second = session.load("pocket"), session.load("pocket.gguf")
    same = 0
    for question in QUESTIONS:
        answers = [session.prompt(question, model=model.name, max_tokens=24) for model in (first, second)]
        assert answers[0].usage.prompt_tokens == answers[1].usage.prompt_tokens, question
        assert first.engine.render(_request(question)) == second.engine.render(_request(question))
        same += answers[0].text == answers[1].text
    # Q8_0 rounds the weights: where two words are as likely, the engines may part.
    assert same >= len(QUESTIONS) // 2


def _request(question: str):  # type: ignore[no-untyped-def]
    from kaggle_magics.models.request import Request

    return Request.ask(question, system="Be brief.")
