"""`Session.compare`: what is asked of whom, what is loaded for it, and how everything is as before afterwards."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.errors import DoesNotFit, EngineError, ModelNotLoaded, OptionError
from kaggle_magics.models.fit.machine import Machine, this_machine
from kaggle_magics.session import Session
from kaggle_magics.testing import ScriptedEngine

POCKET = Path(__file__).parents[2] / "kaggle_magics" / "models" / "pocket" / "pocket-Q8_0.gguf"


@pytest.fixture
def session() -> Iterator[Session]:
    made = Session()
    yield made
    made.close()


def adopt(session: Session, name: str, *script: Any, **options: Any) -> ScriptedEngine:
    engine = ScriptedEngine(script, **options)
    session.adopt(engine, name=name)
    return engine


def test_models_and_settings_make_a_table(session: Session) -> None:
    a = adopt(session, "a", "Lima it is.", "It is Lima.")
    b = adopt(session, "b", "Lima it is.")
    found = session.compare("Capital?", models=["a", "b"], temperature=[0.5, 1.0], seed=3, max_tokens=9, system="s")
    assert [(row.model, row.variant.settings, row.text) for row in found] == [
        ("a", {"temperature": 0.5}, "Lima it is."),
        ("a", {"temperature": 1.0}, "It is Lima."),
        ("b", {"temperature": 0.5}, "Lima it is."),
        ("b", {"temperature": 1.0}, "Lima it is."),
    ]
    assert [(r.sampling.temperature, r.sampling.seed, r.sampling.max_tokens) for r in (*a.requests, *b.requests)] == [
        (0.5, 3, 9), (1.0, 3, 9), (0.5, 3, 9), (1.0, 3, 9),
    ]  # fmt: skip
    # Two of the three others are equal; ROUGE-L with "It is Lima.": 2 * 3 / 8.
    assert found[0].same == pytest.approx(2 / 3) and found[1].same == 0
    assert found[0].agreement == pytest.approx((1 + 1 + 0.75) / 3)
    assert session.current is not None and session.current.name == "b"
    assert session.last is found[-1].answer and session.compared is found
    frame = found.to_pandas()
    assert list(frame["text"]) == [row.text for row in found]
    assert {"model", "temperature", "stop_reason", "tokens_per_second", "memory_bytes", "agreement"} <= set(frame)


def test_a_variant_that_fails_stops_no_other(session: Session) -> None:
    adopt(session, "broken", EngineError("It broke."))
    adopt(session, "full", DoesNotFit("Too little memory."))
    adopt(session, "good", "Yes.")
    found = session.compare("Well?", models=["broken", "no-such-model", "full", "good"])
    assert [row.stop_reason for row in found] == ["error", "error", "error", "end"]
    assert found[0].error == "It broke." and "no-such-model" in str(found[1].error)
    assert "memory" in str(found[2].error)
    assert found[3].text == "Yes." and found[3].agreement is None
    assert list(session.loaded) == ["broken", "full", "good"]


def test_a_stop_keeps_what_is_done(session: Session) -> None:
    adopt(session, "a", "one two three four", seconds_per_token=0.05)

    def stop(piece: str) -> None:
        if said.count("one") == 2:
            raise KeyboardInterrupt

    said: list[str] = []
    found = session.compare(
        "x", temperature=[0.1, 0.2, 0.3], on_text=lambda piece: (said.append(piece.strip()), stop(piece))[1]
    )
    assert [row.stop_reason for row in found] == ["end", "interrupted", "interrupted"]
    assert found[0].text == "one two three four" and found[1].text.startswith("one") and found[2].answer is None
    assert found.notes == ("Stopped: what was done until then was kept.",)
    assert [row.agreement for row in found] == [None] * 3, "the beginning of an answer is not compared"
    assert session.prompt("again").text


def test_a_stop_while_a_model_loads_keeps_what_is_done(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    adopt(session, "a", "one")

    def load(*args: Any, **options: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(session, "load", load)
    found = session.compare("x", models=["a", "pocket"])
    assert [row.stop_reason for row in found] == ["end", "interrupted"]


@pytest.mark.parametrize(
    ("options", "kind", "says"),
    [
        ({"temperature": []}, OptionError, "temperature has no values"),
        ({"temprature": [1]}, OptionError, "Did you mean temperature"),
        ({"models": []}, OptionError, "model has no values"),
        ({"models": ["a", "a"]}, OptionError, "'a' twice"),
        ({"top_p": [3.0]}, OptionError, "top_p"),
    ],
)
def test_what_cannot_be_asked(session: Session, options: dict[str, Any], kind: type[Exception], says: str) -> None:
    engine = adopt(session, "a", "never")
    with pytest.raises(kind, match=says):
        session.compare("x", **options)
    assert not engine.requests


def test_without_a_model(session: Session) -> None:
    with pytest.raises(ModelNotLoaded, match="No model is loaded"):
        session.compare("x", temperature=[0, 1])


def test_weights_in_other_types_need_files(session: Session) -> None:
    adopt(session, "a", "x")
    [row] = session.compare("x", quant=["q8_0"])
    assert row.error == "a was not loaded from files: it runs as it is. Leave quant out."


@pytest.fixture
def second(tmp_path: Path) -> Path:
    """The bundled model in a file of another name."""
    return Path(shutil.copy(POCKET, tmp_path / "second.gguf"))


@pytest.mark.gguf
def test_a_model_is_loaded_for_it_and_unloaded_again(session: Session, second: Path) -> None:
    adopt(session, "other", "The capital of Peru is Cusco.")
    began: list[str] = []
    found = session.compare(
        "What is the capital of Peru?",
        models=[second, "other"],
        max_tokens=20,
        on_variant=lambda row: began.append(row.model) if row.answer is None else None,
    )
    assert began == ["other", "second"], "what is loaded goes first"
    assert [row.text for row in found] == ["The capital of Peru is Lima.", "The capital of Peru is Cusco."]
    assert found[0].seconds_to_load and found[0].planned_bytes and found[1].seconds_to_load is None
    assert found[0].agreement == pytest.approx(12 / 14)
    assert list(session.loaded) == ["other"] and session.current is session.loaded["other"]


@pytest.mark.gguf
def test_what_is_loaded_under_another_name_is_not_loaded_again(session: Session) -> None:
    model = session.load(POCKET, name="mine")
    [row] = session.compare("What is the capital of Peru?", models=[POCKET], quant="none", max_tokens=20)
    assert row.text == "The capital of Peru is Lima." and row.seconds_to_load is None
    assert session.loaded == {"mine": model}


@pytest.mark.gguf
@pytest.mark.slow
def test_one_model_in_several_types(session: Session) -> None:
    pytest.importorskip("torch")
    model = session.load("pocket")
    found = session.compare("What is the capital of Peru?", quant=["none", "q8_0"], max_tokens=20)
    assert [row.answer.card.engine for row in found if row.answer] == ["transformers", "llama.cpp"]
    assert [row.text for row in found] == ["The capital of Peru is Lima."] * 2
    assert [row.title for row in found] == ["quant none", "quant q8_0"] and found[0].model == "pocket"
    assert session.loaded == {"pocket": model} and session.current is model


@pytest.mark.gguf
def test_what_does_not_fit_beside_the_others_has_them_stand_aside(
    session: Session, second: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = session.load(POCKET, name="first")
    engine = first.engine
    adopt(session, "lent", "Cusco.")
    session.use("first")
    machine = replace(this_machine(), gpus=(), memory=10**10)
    first.private = {"cpu": 2 * 10**9}

    def full() -> Machine:
        return replace(machine, available=10**6 if "first" in session.loaded else 2 * 10**9)

    for module in ("pool", "fit.plan"):
        monkeypatch.setattr(f"kaggle_magics.models.{module}.this_machine", full)
    heard: list[str] = []
    found = session.compare(
        "What is the capital of Peru?", models=["first", second], max_tokens=20, on_progress=heard.append
    )
    assert [row.text for row in found] == ["The capital of Peru is Lima."] * 2, [row.error for row in found]
    assert found.notes == ("first had to make room meanwhile; it is loaded again.",), heard
    assert "Unloading first for a while: second needs room" in heard
    assert list(session.loaded) == ["first", "lent"] and session.current is first and first.engine is not engine
    assert session.prompt("What is the capital of Peru?", max_tokens=20).text == "The capital of Peru is Lima."


@pytest.mark.gguf
def test_what_fits_nowhere_is_a_row_that_says_so(
    session: Session, second: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adopt(session, "a", "fine")
    machine = replace(this_machine(), gpus=(), memory=10**7, available=10**6)
    for module in ("pool", "fit.plan"):
        monkeypatch.setattr(f"kaggle_magics.models.{module}.this_machine", lambda: machine)
    found = session.compare("x", models=[second, "a"])
    assert "needs" in str(found[0].error) and found[1].text == "fine"
    assert list(session.loaded) == ["a"]


@pytest.mark.gguf
def test_a_comparison_is_replayed_without_its_models(
    session: Session, second: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLE_MAGICS_ANSWERS", str(tmp_path / "answers"))
    session.load(POCKET, name="first")
    asked: dict[str, Any] = {"models": ["first", second], "quant": ["none", "q8_0"], "max_tokens": 20}
    found = session.compare("What is the capital of Peru?", **asked)
    assert [row.error for row in found] == [None] * 4
    session.close()
    second.unlink()
    again = Session()
    again.answers.replay = True
    again.load(POCKET, name="first")
    replayed = again.compare("What is the capital of Peru?", **asked)
    assert [(row.title, row.text) for row in replayed] == [(row.title, row.text) for row in found]
    assert all(answer.from_cache for answer in replayed.answers) and list(again.loaded) == ["first"]
    again.close()
