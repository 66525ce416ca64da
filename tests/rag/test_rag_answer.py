"""The grounded request within its budget, checked citations, and answers without a model."""

from __future__ import annotations

from typing import Any

import pytest

from kaggle_magics import wording
from kaggle_magics.errors import CollectionError, OptionError
from kaggle_magics.generation.answer import Answer, RunCard
from kaggle_magics.models.request import Sampling, Usage
from kaggle_magics.rag.answering.answer import TEMPLATE_TOKENS, extractive, finish, grounded_request
from kaggle_magics.rag.passages import Hit, Passage

SAMPLING = Sampling(max_tokens=20)


def hits(*texts: str, context: str = "") -> list[Hit]:
    return [
        Hit(Passage(f"p{n}", "d", f"s{n}.md", 10, 10 + len(text), text, context), n, {"dense": 1.0})
        for n, text in enumerate(texts, start=1)
    ]


def count(text: str) -> int:
    return len(text.split())


def ask(found: list[Hit], budget: int, question: str = "Where is it?") -> tuple[Any, list[Hit]]:
    return grounded_request(question, found, sampling=SAMPLING, count_tokens=count, budget=budget)


def answer(text: str) -> Answer:
    card = RunCard("m", "s", "e", "l", "cpu", "float32", (), "auto", SAMPLING, "0", "now")
    return Answer(text=text, stop_reason="end", usage=Usage(1, 0, 1, 0.1, 0.2), card=card)


def test_the_request_is_exactly_the_wording() -> None:
    found = hits("One.", "Two.", context="Head")
    request, used = ask(found, 1000)
    assert used == found and request.sampling is SAMPLING
    assert [(turn.role, turn.content) for turn in request.messages] == [
        ("system", wording.GROUNDED_SYSTEM),
        ("user", "[1] (Head) One.\n\n[2] (Head) Two.\n\nQuestion: Where is it?"),
    ]


def test_the_budget_holds_and_smaller_passages_still_fit() -> None:
    found = hits("short one", "long " * 200, "short two", "short one")
    budget = 130
    request, used = ask(found, budget)
    assert [hit.passage.text for hit in used] == ["short one", "short two"]  # too long and repeated ones are left out
    total = sum(count(turn.content) for turn in request.messages)
    assert total + TEMPLATE_TOKENS + SAMPLING.max_tokens <= budget


def test_a_best_passage_that_does_not_fit_is_cut_at_a_sentence_with_its_offsets() -> None:
    text = " ".join(f"Sentence number {number} is here." for number in range(100))
    _, used = ask(hits(text), 120)
    (hit,) = used
    assert (
        hit.passage.text.endswith("is here.")
        and text.startswith(hit.passage.text)
        and len(hit.passage.text) < len(text)
    )
    assert (hit.passage.start, hit.passage.end) == (10, 10 + len(hit.passage.text))
    _, used = ask(hits("word " * 500), 120)
    assert 1 < count(used[0].passage.text) < 100


def test_no_room_and_no_hits_are_errors() -> None:
    with pytest.raises(OptionError, match="no room"):
        ask(hits("One."), 100, "word " * 200)
    with pytest.raises(CollectionError, match="no passages"):
        ask([], 100)


def test_citations_are_checked_and_listed_once_in_their_order() -> None:
    found = hits("One.", "Two.", "Three.")
    done = finish(answer("It is two [2], one [1][2] and nine [9] or zero [0]."), found)
    assert [(citation.number, citation.passage.text) for citation in done.citations] == [(2, "Two."), (1, "One.")]
    assert done.unknown_citations == (9, 0) and not done.refused and not done.extractive
    assert (
        done.hits == tuple(found)
        and done.text == "It is two [2], one [1][2] and nine [9] or zero [0]."
        and done.usage.generated_tokens == 1
    )


@pytest.mark.parametrize(
    "text", ["The documents do not say.", ' "the documents do not say"', "The documents do not say. [1]"]
)
def test_a_refusal_cites_nothing(text: str) -> None:
    done = finish(answer(text), hits("One."))
    assert done.refused and done.citations == ()


def test_an_answer_without_citations_is_neither_refused_nor_cited() -> None:
    done = finish(answer("It is two."), hits("One."))
    assert not done.refused and done.citations == () and done.unknown_citations == ()


def test_extracts_are_the_nearest_sentences_with_their_numbers(embedder) -> None:
    found = hits("The tide is high. The library opens at nine\nin the morning.", "Boats are red.")
    done = extractive("When opens the library in the morning?", found, embedder=embedder)
    assert done.text == "The library opens at nine in the morning. [1]"
    assert done.extractive and not done.refused and [citation.number for citation in done.citations] == [1]
    assert done.usage.generated_tokens == 0 and done.card.model == "extracts"


def test_extracts_refuse_when_nothing_is_near(embedder) -> None:
    for found in (hits("The tide is high.", "Boats are red."), []):
        for one in (embedder, None):
            done = extractive("Who won the chess prize?", found, embedder=one)
            assert done.refused and done.text == wording.REFUSAL and done.citations == () and done.extractive


def test_extracts_without_embedder_go_by_words_and_context() -> None:
    found = hits("009 | 12 | none", "010 | 120 | projector", context="Lecture hall: Room | Seats | Equipment")
    done = extractive("Which lecture hall has a projector?", found, embedder=None)
    assert done.text.startswith("010 | 120 | projector [2]")
