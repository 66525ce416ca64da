"""Several answers to one prompt: seeds in a row, one batch, and nothing that would only repeat itself."""

from __future__ import annotations

from typing import Any

import pytest

from kaggle_magics.display.several import answers_view
from kaggle_magics.errors import EngineError, OptionError
from kaggle_magics.generation.several import Answers
from kaggle_magics.generation.tables.table import TableProgress
from kaggle_magics.session import Session
from kaggle_magics.testing import ScriptedEngine


@pytest.fixture
def session() -> Session:
    return Session()


def test_seeds_follow_one_another(session: Session) -> None:
    engine = ScriptedEngine(["red", "blue", " red"])
    session.adopt(engine, name="scripted")
    told: list[TableProgress] = []
    answers = session.prompt_many("A colour?", n=3, temperature=0.5, seed=2**32 - 2, on_progress=told.append)
    assert [request.sampling.seed for request in engine.requests] == [2**32 - 2, 2**32 - 1, 0]
    assert isinstance(answers, Answers) and [answer.text for answer in answers] == ["red", "blue", " red"]
    assert answers.distinct() == {"red": [0, 2], "blue": [1]}
    assert session.last is answers[-1] and (told[-1].done, told[-1].rows, told[-1].unit) == (3, 3, "answers")
    frame = answers.to_pandas()
    assert list(frame) == ["answer", "stop_reason", "tokens", "seconds", "seed", "error"]
    assert frame["seed"].tolist() == [2**32 - 2, 2**32 - 1, 0]


def test_without_a_seed_it_begins_anywhere(session: Session) -> None:
    session.adopt(ScriptedEngine(), name="scripted")
    seeds = [answer.card.sampling.seed or 0 for answer in session.prompt_many("x", n=3, temperature=1.0)]
    assert [(seed - seeds[0]) % 2**32 for seed in seeds] == [0, 1, 2]


def test_each_is_had_again_by_its_seed_and_the_prompt_is_read_once(session: Session) -> None:
    session.load("pocket")
    answers = session.prompt_many("Write one short sentence.", n=3, temperature=1.0, seed=7, max_tokens=8)
    alone = session.prompt("Write one short sentence.", temperature=1.0, seed=9, max_tokens=8)
    assert answers[2].text == alone.text
    assert len(answers.distinct()) > 1
    assert answers[1].usage.reused_tokens >= answers[1].usage.prompt_tokens - 1


@pytest.mark.parametrize(
    ("n", "options", "says"),
    [
        (0, {"temperature": 1.0}, "n must be a whole number of at least 1, not 0"),
        (True, {"temperature": 1.0}, "not True"),
        (2.0, {"temperature": 1.0}, r"not 2\.0"),
        (2, {}, "At temperature 0 all 2 answers would be the same. Give a temperature, such as --temperature 0.8."),
    ],
)
def test_what_makes_no_sense_is_told(session: Session, n: Any, options: dict[str, Any], says: str) -> None:
    engine = ScriptedEngine()
    session.adopt(engine, name="scripted")
    with pytest.raises(OptionError, match=says):
        session.prompt_many("x", n=n, **options)
    assert engine.requests == []


def test_one_answer_needs_no_temperature(session: Session) -> None:
    session.adopt(ScriptedEngine(["yes"]), name="scripted")
    assert [answer.text for answer in session.prompt_many("x", n=1)] == ["yes"]


def test_failures_are_told_and_only_where_all_fail_raised(session: Session) -> None:
    session.adopt(ScriptedEngine(["yes", EngineError("No <luck>.")]), name="scripted")
    answers = session.prompt_many("x", n=2, temperature=1.0)
    assert [answer.error for answer in answers] == ["", "No <luck>."]
    view = answers_view(answers)
    assert "Failed: No &lt;luck&gt;." in view.html
    assert answers.to_pandas()["answer"].isna().tolist() == [False, True]
    session.adopt(ScriptedEngine([EngineError("No luck.")]), name="scripted")
    with pytest.raises(EngineError, match="No luck"):
        session.prompt_many("x", n=2, temperature=1.0)


def test_a_view_counts_what_is_the_same(session: Session) -> None:
    session.adopt(ScriptedEngine(["<b>red</b>", "blue", "<b>red</b>"]), name="scripted")
    view = answers_view(session.prompt_many("x", n=3, temperature=0.5, seed=1), asked=5)
    for said in (
        "1, 3 (2 of 3)",
        "3 answers, 2 distinct",
        "seeds 1 to 3",
        "temperature 0.5",
        "3 of 5 answers had begun",
    ):
        assert said in view.text
    assert "<b>red" not in view.html
