"""Asking again: which answers are the same, which changed, which cannot be asked, and that nothing else is touched."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.compare.verification import Verified
from kaggle_magics.display.verified import verified_view
from kaggle_magics.errors import OptionError
from kaggle_magics.generation.record import output_record
from kaggle_magics.models.identity import Identity
from kaggle_magics.models.request import Request
from kaggle_magics.session import Session
from kaggle_magics.testing import ScriptedEngine


def fake(session: Session, *answers: Any, content: str | None = "km1:one", name: str = "fake") -> ScriptedEngine:
    """A scripted model that has, as a loaded one, files with a content hash."""
    engine = ScriptedEngine(answers)
    session.adopt(engine, name=name)
    session.model(name).identity = Identity("/nowhere/fake", content=content)
    return engine


def saved(path: Path, session: Session, **changes: Any) -> Path:
    """A notebook whose outputs carry the session's answers."""
    records = [output_record(replace(answer, card=replace(answer.card, **changes))) for answer in session.said]
    cell = {"cell_type": "code", "outputs": [{"metadata": {"kaggle_magics": {"answers": records}}}]}
    path.write_text(json.dumps({"cells": [cell]}))
    return path


def outcomes(found: Verified) -> list[str]:
    return [check.outcome for check in found]


def test_what_is_the_same_and_what_changed() -> None:
    session = Session()
    engine = fake(session, "Lima.", "Nairobi is it.", "Lima.", "Nairobi was it.")
    session.prompt("Peru?", temperature=0.5)
    session.prompt("Kenya?", system="Be brief.")
    before = list(session.said)
    found = session.verify()
    assert outcomes(found) == ["same", "changed"] and found.of == 2
    asked = [request.messages for request in engine.requests]
    assert asked[:2] == asked[2:]
    assert engine.requests[0].sampling == engine.requests[2].sampling, "the drawn seed too"
    [changed] = found.changed
    assert changed.differs_at == len("Nairobi ") and 0.5 < (changed.similarity or 0) < 1
    assert list(session.said) == before and session.last == before[-1]
    assert found.to_pandas()["outcome"].tolist() == ["same", "changed"]
    view = verified_view(found)
    assert 'From character 9: "is it." then, "was it." now.' in view.text and "1 of 2 answers are the same" in view.text


def test_an_answer_that_ends_elsewhere_changed() -> None:
    session = Session()
    engine = fake(session, "a b", "a b")
    session.prompt("x", max_tokens=2)
    session.said[0] = replace(session.said[0], stop_reason="length")
    [check] = session.verify()
    assert check.outcome == "changed" and check.differs_at is None and len(engine.requests) == 2
    assert "ended by length then, by end now" in verified_view(Verified([check])).text


def test_the_same_question_with_the_same_answer_is_asked_once() -> None:
    session = Session()
    engine = fake(session, "Lima.")
    for _ in range(3):
        session.prompt("Peru?", seed=1)
    assert outcomes(session.verify()) == ["same"] and len(engine.requests) == 4


def test_what_cannot_be_asked_says_why(tmp_path: Path) -> None:
    session, other = Session(), Session()
    fake(session, "Lima.")
    session.prompt("Peru?")
    notebook = saved(tmp_path / "a.ipynb", session)
    with pytest.raises(OptionError, match="Nothing was asked in this session"):
        other.verify()
    [check] = other.verify(notebook)
    assert check.outcome == "not asked" and check.remarks == ("fake is not on this machine (/nowhere/fake).",)
    fake(other, "Lima.", content="km1:other")
    assert other.verify(notebook)[0].remarks == ("fake is not on this machine (/nowhere/fake).",)
    (tmp_path / "model.gguf").write_bytes(b"other bytes")
    moved = saved(tmp_path / "b.ipynb", session, source=str(tmp_path / "model.gguf"))
    assert "have changed since" in other.verify(moved)[0].remarks[0]
    lent = saved(tmp_path / "c.ipynb", session, content=None)
    assert "was made in a notebook" in other.verify(lent)[0].remarks[0]
    long = saved(tmp_path / "d.ipynb", session, messages=())
    assert "too long" in other.verify(long)[0].remarks[0]
    structured = saved(tmp_path / "e.ipynb", session, structure="{}")
    assert "cannot be made again" in other.verify(structured)[0].remarks[0]
    empty = tmp_path / "f.ipynb"
    empty.write_text('{"cells": []}')
    with pytest.raises(OptionError, match=r"f\.ipynb holds no run card"):
        other.verify(empty)
    assert [*other.loaded] == ["fake"] and other.current is other.model("fake")


def test_answers_that_were_stopped_or_failed_are_not_asked() -> None:
    session = Session()
    engine = fake(session, "one two", "three", ValueError("broken"), "three")
    session.prompt("x")
    session.generate_many([Request.ask("y"), Request.ask("z")])
    session.said[0] = replace(session.said[0], stop_reason="interrupted")
    found = session.verify()
    assert outcomes(found) == ["not asked", "same", "not asked"] and len(engine.requests) == 4


def test_what_is_not_as_it_was_is_said_and_chance_is_admitted(tmp_path: Path) -> None:
    session = Session()
    fake(session, "Lima.", "Quito.")
    session.prompt("Peru?")
    notebook = saved(tmp_path / "a.ipynb", session, library="lib 1", device="cuda:0")
    [check] = session.verify(notebook)
    assert check.outcome == "changed"
    said = " ".join(check.remarks)
    assert "Library: lib 1 then, kaggle_magics.testing now." in said and "Device: cuda:0 then, cpu now." in said
    assert "A GPU adds in no fixed order" in said


def test_a_stop_keeps_what_was_checked() -> None:
    session = Session()
    fake(session, "one")
    for text in ("a", "b", "c"):
        session.prompt(text)
    seen: list[int] = []

    def stop(check: Any) -> None:
        seen.append(check.number)
        if len(seen) == 2:
            raise KeyboardInterrupt

    found = session.verify(on_check=stop)
    assert seen == [1, 2] and len(found) == 2 and found.of == 3
    assert "1 more were not looked at" in verified_view(found).text


def test_nothing_comes_from_the_cache_or_goes_into_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_MAGICS_ANSWERS", str(tmp_path / "answers"))
    session = Session()
    fake(session, "first", "second", "third")
    session.prompt("x")
    assert outcomes(session.verify()) == ["changed"]
    again = session.prompt("x")
    assert again.text == "first" and again.from_cache
    session.answers.replay = True
    with pytest.raises(OptionError, match="This is a replay"):
        session.verify()


def test_a_structure_is_made_again_from_the_card() -> None:
    session = Session()
    engine = fake(session, "Lima")
    assert session.prompt("Peru?", choices=["Lima", "Quito"]).value == "Lima"
    assert outcomes(session.verify()) == ["same"]
    assert engine.requests[1].constraint.key == engine.requests[0].constraint.key  # type: ignore[union-attr]


@pytest.mark.slow
def test_pocket_is_loaded_for_a_notebook_and_gives_the_same_answers(tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="transformers is not installed")
    session = Session()
    session.load("pocket")
    session.prompt("What is the capital of Peru?", max_tokens=12)
    session.prompt("Write a line.", temperature=1.0, max_tokens=8)
    notebook = saved(tmp_path / "a.ipynb", session, source="/elsewhere/pocket", model="theirs")
    session.unload()
    fake(session, "busy", name="mine")
    found = session.verify(notebook)
    assert outcomes(found) == ["same", "same"] and found[0].after is not None
    assert [*session.loaded] == ["mine"] and session.current is session.model("mine")
