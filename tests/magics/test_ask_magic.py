"""%%ask: evidence before the first word, refusals before a model is asked, follow-ups, what is sent, how it looks."""

from __future__ import annotations

from typing import Any

import pytest

from kaggle_magics import wording
from kaggle_magics.errors import CollectionError, OptionError
from kaggle_magics.generation.cache.kept import as_asked
from kaggle_magics.models.identity import Identity
from kaggle_magics.session import Session

pytestmark = pytest.mark.usefixtures("no_embedder")

TEXTS = {
    "library.md": "# Library\n\nThe reading room opens at nine. It closes at six.\n",
    "travel.txt": "Travel is approved by the head of the institute.\n",
    "boats.txt": "The boat Sturla carries twelve people.\n",
}


@pytest.fixture
def asked(shell: Any, session: Session) -> Any:
    session.ingest(TEXTS)
    return shell


def test_what_was_found_is_shown_before_the_model_is_asked(asked: Any, script: Any, outputs: Any) -> None:
    seen: list[str] = []

    def answer(request: Any) -> str:
        seen.append(outputs.html)
        return "At nine [1]."

    script(answer)
    asked.run_cell("%%ask\nWhen does the reading room open?").raise_error()
    assert "library.md" in seen[0] and "evidence" in seen[0] and "At nine" not in seen[0]
    assert "<mark>The reading room opens at nine.</mark>" in outputs.html and len(outputs) == 1


def test_without_evidence_no_model_is_asked_unless_told_to(asked: Any, script: Any, outputs: Any) -> None:
    engine = script("Magnus [1].")
    asked.run_cell("%%ask -o answer\nWhen did the institute close its office in Norway in 1997?").raise_error()
    answer = asked.user_ns["answer"]
    assert engine.requests == [] and answer.refused and answer.refused_by == "evidence"
    assert answer.text == wording.REFUSAL and not answer.evidence.enough
    assert wording.REFUSAL in outputs.html and "--no-refusal" in outputs.html
    asked.run_cell("%%ask -o answer --no-refusal\nWho won the chess prize of the institute?").raise_error()
    assert len(engine.requests) == 1 and not asked.user_ns["answer"].refused


def test_the_nearest_are_shown_with_a_refusal_in_text_too(asked: Any, script: Any) -> None:
    script("Never asked.")
    text = asked.run("%%ask\nWhen did the institute close its office in Norway in 1997?")
    assert "Nearest found, but not good enough" in text and wording.REFUSAL in text and "travel.txt" in text


def test_an_unsupported_sentence_is_marked_everywhere(asked: Any, script: Any, outputs: Any) -> None:
    script("It opens at nine [1]. Admission costs eleven dollars [1].")
    asked.run_cell("%%ask -o answer\nWhen does the reading room open?").raise_error()
    answer = asked.user_ns["answer"]
    assert answer.unsupported == ("Admission costs eleven dollars [1].",)
    for form in ("text/html", "text/markdown", "text/plain"):
        assert "not in the sources" in outputs[0][form]


def test_a_follow_up_stands_alone_and_reuses_what_was_said(asked: Any, script: Any, outputs: Any) -> None:
    engine = script("At nine [1].", "When does the reading room close?", "At six [1].", "Twelve [2].")
    asked.run_cell("%%ask --thread t\nWhen does the reading room open?").raise_error()
    asked.run_cell("%%ask --thread t -o answer\nAnd when does it close?").raise_error()
    first, rewriting, second = engine.requests
    assert rewriting.messages[0].content == wording.STANDALONE_SYSTEM
    assert "When does the reading room open?" in rewriting.messages[1].content
    assert second.messages[: len(first.messages)] == first.messages  # the prefix the engine has read already
    assert second.messages[-1].content == "Question: When does the reading room close?"
    answer = asked.user_ns["answer"]
    assert answer.searched == "When does the reading room close?" and answer.question == "And when does it close?"
    assert answer.citations[0].passage.source == "library.md" and answer.card.thread.turn == 2
    assert "Searched for: When does the reading room close?" in outputs.html
    asked.run_cell("%%ask --thread t -o answer\nHow many people does the boat Sturla carry?").raise_error()
    third = engine.requests[-1].messages[-1].content
    assert third.startswith("[") and "boat Sturla carries" in third and "reading room opens" not in third
    number = int(third[1])
    assert asked.user_ns["answer"].hits[number - 1].passage.source == "boats.txt"


def test_a_model_that_rewrites_badly_is_not_believed(asked: Any, script: Any) -> None:
    script("At nine [1].", "Once upon a time there was a girl.", "At six [1].")
    asked.run("%%ask --thread t\nWhen does the reading room open?")
    asked.run("%%ask --thread t -o answer\nAnd when does it close?")
    assert asked.user_ns["answer"].searched == "And when does the reading room close?"


def test_a_thread_without_a_model(asked: Any, session: Session) -> None:
    asked.run("%%ask --thread t\nWhen does the reading room open?")
    asked.run("%%ask --thread t -o answer\nAnd when does it close?")
    assert asked.user_ns["answer"].extractive and "reading room close" in asked.user_ns["answer"].searched
    assert len(session.threads["t"]) == 2


def test_asking_a_turn_again_replaces_it(session: Session, script: Any, shell: Any) -> None:
    session.ingest(TEXTS)
    engine = script("At nine [1].", "At ten [1].")
    for _ in range(2):
        session.ask("When does the reading room open?", thread="t", turn="first")
    assert len(session.threads["t"]) == 1 and session.threads["t"].turns[0].answer.text == "At ten [1]."
    assert engine.requests[0].messages == engine.requests[1].messages


def test_show_prompt_and_sources(asked: Any, script: Any, outputs: Any) -> None:
    script("At nine [1].")
    asked.run_cell("%%ask --show prompt --show sources --passages 3\nWhen does the reading room open?").raise_error()
    text = outputs[0]["text/plain"]
    assert "passage [1]" in text and "system text" in text and wording.GROUNDED_SYSTEM in text
    assert "What scripted would be sent" in text
    with pytest.raises(CollectionError, match="Nothing was found"):
        asked.run("%ask 'xyzzy' --dry-run")
    with pytest.raises(OptionError):
        asked.run("%%ask --show nothing\nWhen?")


def test_new_without_a_thread_is_told(asked: Any) -> None:
    with pytest.raises(OptionError, match="--new is about a thread"):
        asked.run("%%ask --new\nWhen?")


def test_nothing_of_a_document_or_question_is_markup(shell: Any, session: Session, script: Any, outputs: Any) -> None:
    session.ingest({"<b>.txt": "The <script>x</script> room opens at nine. $x$ \\href{a}{b}"})
    script("The <script>x</script> room opens at nine [1].")
    shell.run_cell("%%ask --thread t --show sources\nWhen does the <script> room open?").raise_error()
    assert "<script" not in outputs.html and "<mark>" in outputs.html


def test_a_kept_answer_has_its_citations_also_in_a_replay(
    session: Session, script: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLE_MAGICS_ANSWERS", str(tmp_path / "answers"))
    session.ingest(TEXTS)
    engine = script("At nine [1].")
    model = session.model()
    model.identity = Identity("/models/scripted", content="km1:one")
    session.answers.keep_load(as_asked("my-model"), model)
    first = session.ask("When does the reading room open?", temperature=0.0)
    again = session.ask("When does the reading room open?", temperature=0.0)
    replayed = Session()
    replayed.answers.replay = True
    replayed.load("my-model")
    replayed.ingest(TEXTS)
    third = replayed.ask("When does the reading room open?", temperature=0.0)
    assert len(engine.requests) == 1 and first.citations[0].passage.source == "library.md" and first.claims
    assert again.citations == third.citations == first.citations and again.claims == third.claims == first.claims


def test_a_real_engine_reuses_the_prefix_of_a_follow_up(session: Session, shell: Any, tiny_llama: Any) -> None:
    session.ingest(TEXTS)
    session.load(tiny_llama)
    first = session.ask("When does the reading room open?", thread="t", max_tokens=8, no_refusal=True)
    second = session.ask("How many people does Sturla carry?", thread="t", max_tokens=8, no_refusal=True)
    assert second.usage.reused_tokens > first.usage.prompt_tokens * 0.8
    assert second.card.messages[: len(first.card.messages)] == first.card.messages


def test_what_was_forgotten_or_changed_is_not_said_again_in_a_follow_up(
    session: Session, script: Any, shell: Any
) -> None:
    session.ingest(TEXTS)
    engine = script("At nine [1].", "By the head [2].", "At ten [1].")
    session.ask("When does the reading room open?", thread="t")
    session.ask("By whom is travel approved at the institute?", thread="t")
    assert len(engine.requests[-1].messages) > 2
    session.ingest({"library.md": TEXTS["library.md"].replace("nine", "ten")})
    session.collection().forget("travel.txt")
    answer = session.ask("When does the reading room open?", thread="t")
    assert len(engine.requests[-1].messages) == 2 and "at nine" not in str(engine.requests[-1].messages)
    assert [hit.passage.source for hit in answer.hits] == ["library.md"] and answer.card.thread.turn == 3
    assert "opens at ten" in answer.citations[0].passage.text and not answer.card.thread.left_out


def test_thanks_is_nothing_that_a_follow_up_goes_on_from(session: Session, script: Any, shell: Any) -> None:
    session.ingest(TEXTS)
    script("At nine [1].", "You are welcome.", "No rewriting.\nTwo lines.", "At six [1].")
    session.ask("When does the reading room open?", thread="t")
    session.prompt("Thanks.", thread="t")
    assert session.ask("And when does it close?", thread="t").searched == "And when does the reading room close?"


def test_no_refusal_is_not_offered_where_nothing_was_found(asked: Any, script: Any) -> None:
    script("Never asked.")
    text = asked.run("%%ask --no-refusal\nWho won chess prizes?")
    assert wording.REFUSAL in text and "no model was asked" in text and "--no-refusal asks" not in text
