"""Follow-up questions that are made to stand alone, and what a model writes for them."""

from __future__ import annotations

import pytest

from kaggle_magics.rag.answering.follow_up import depends, is_rewriting, stand_alone

OPENS = "When does the reading room open?"


@pytest.mark.parametrize(
    ("previous", "question", "alone"),
    [
        (OPENS, "And when does it close?", "And when does the reading room close?"),
        (OPENS, "And on Sundays?", "When does the reading room open, on Sundays?"),
        ("Who leads Coastal Biology?", "What about Ice Physics?", "Who leads Ice Physics?"),
        ("Who founded the Marwen Institute?", "Who is its head?", "Who is the Marwen Institute's head?"),
        ("How much is a printed page?", "Why?", "Why (printed page)?"),
        (OPENS, "What does a parking space cost?", "What does a parking space cost?"),
        ("", "And when does it close?", "And when does it close?"),
        ("図書館は何時に開きますか", "何時に閉まりますか", "何時に閉まりますか"),
    ],
)  # fmt: skip
def test_what_a_question_points_at_is_taken_from_the_one_before(previous: str, question: str, alone: str) -> None:
    assert stand_alone(question, previous) == alone


@pytest.mark.parametrize("question", ["", "?", "it", "And", "\\1 it?", "it " * 500, "\U0001d518 it"])
def test_whatever_is_asked_it_stays_a_text(question: str) -> None:
    assert isinstance(stand_alone(question, r"Who is \g<0> the Head?"), str)


def test_the_words_of_a_german_question_are_all_there() -> None:
    alone = stand_alone("Und wann schließt er?", "Wann öffnet der Lesesaal?")
    assert "Lesesaal" in alone and "schließt" in alone


def test_only_what_depends_is_rewritten() -> None:
    assert depends("And then?") and depends("Why?") and depends("How old is she?")
    assert not depends("Who founded the institute?") and not depends("図書館は何時に開きますか")


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        ("When does the reading room close?", True),
        ("", False),
        ("The reading room closes.\nAt six.", False),
        ("Once upon a time a girl named Lily went to the park.", False),
        ("close " * 100, False),
    ],
)
def test_what_a_model_wrote_is_checked(text: str, accepted: bool) -> None:
    assert is_rewriting(text, "And when does it close?", [OPENS, "At nine."]) is accepted
