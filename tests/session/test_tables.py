"""One prompt over many rows: in order, failures by row, stopped and gone on with, nothing asked twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.display.tables import answer_table_view
from kaggle_magics.errors import EngineError, KaggleMagicsError, OptionError
from kaggle_magics.generation.attachments.attach import Attached
from kaggle_magics.generation.tables import runner as table_runner
from kaggle_magics.generation.tables.table import AnswerTable, TableProgress
from kaggle_magics.models.request import Image, Request
from kaggle_magics.session import Session
from kaggle_magics.testing import ScriptedEngine

pd = pytest.importorskip("pandas")


def echo(request: Request) -> str:
    return f"<{request.messages[-1].content}>"


@pytest.fixture
def session() -> Session:
    return Session()


@pytest.fixture
def adopt(session: Session) -> Callable[..., ScriptedEngine]:
    def make(*script: Any, **options: Any) -> ScriptedEngine:
        engine = ScriptedEngine(script or [echo], **options)
        session.adopt(engine, name="scripted")
        return engine

    return make


def asked(engine: ScriptedEngine) -> list[str]:
    return [request.messages[-1].content for request in engine.requests]


def texts(table: AnswerTable) -> list[str]:
    return [row.text for row in table]


def test_each_row_is_asked_with_its_values(session: Session, adopt: Any) -> None:
    engine = adopt()
    frame = pd.DataFrame({"city": ["Lima", "Ōtsu"], "n": [1, 2], "two words": ["a", "b"]}, index=["x", "y"])
    table = session.prompt_over(
        '{city} {n} {row["two words"]} {unit} {{city}} {"json": 1}',
        frame,
        namespace={"unit": "km", "city": "not this one"},
        system="in {city}",
    )
    assert asked(engine) == ['Lima 1 a km {city} {"json": 1}', 'Ōtsu 2 b km {city} {"json": 1}']
    assert [request.messages[0].content for request in engine.requests] == ["in Lima", "in Ōtsu"]
    assert texts(table) == [f"<{text}>" for text in asked(engine)]
    assert table.complete and session.last is table[-1].answer
    assert repr(table) == "<AnswerTable: 2 rows, 2 answered, 0 failed, 0 left>"
    result = table.to_pandas()
    assert result.index.tolist() == ["x", "y"]
    assert list(result) == ["city", "n", "two words", "answer", "stop_reason", "tokens", "seconds", "error"]
    assert result["answer"].tolist() == texts(table) and result["stop_reason"].tolist() == ["end", "end"]
    assert result["tokens"].tolist() == [7, 7] and result["error"].isna().all()


def test_many_rows_come_back_in_order(session: Session, adopt: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_runner, "AT_ONCE", 7)
    monkeypatch.setattr(table_runner, "AT_FIRST", 3)
    adopt()
    calls: list[int] = []
    many = session.generate_many
    monkeypatch.setattr(
        session, "generate_many", lambda each, **options: calls.append(len(each)) or many(each, **options)
    )
    table = session.prompt_over("say {value}", range(25))
    assert texts(table) == [f"<say {number}>" for number in range(25)]
    assert calls == [3, 7, 7, 7, 1]


@pytest.mark.parametrize(
    ("text", "rows", "says"),
    [
        (
            "{ctiy}",
            {"city": ["Lima"]},
            "{ctiy} is neither a column of towns nor a name in the notebook. Did you mean city?",
        ),
        ('{row["ctiy"]}', {"city": ["Lima"]}, "towns has no column 'ctiy'. Did you mean city?"),
        ("{city} {known.nothing}", {"city": ["Lima"]}, "{known.nothing} is neither"),
        (
            "{known}",
            {"city": ["Lima"]},
            "uses no column of towns: every row would be asked the same. The columns are: city.",
        ),
        ("{a}", pd.DataFrame([[1, 2]], columns=["a", "a"]), "several columns named a"),
        ("{city}", {"city": []}, "towns has no rows"),
        ("  ", {"city": ["Lima"]}, "The prompt is empty"),
    ],
)
def test_a_wrong_field_is_told_before_anything_is_asked(
    session: Session, adopt: Any, text: str, rows: Any, says: str
) -> None:
    engine = adopt()
    with pytest.raises(OptionError) as caught:
        session.prompt_over(text, rows, name="towns", namespace={"known": 1})
    assert says in str(caught.value) and "\n" not in str(caught.value)
    assert engine.requests == []


def test_a_row_that_cannot_be_asked_keeps_its_reason(session: Session, adopt: Any) -> None:
    class Broken:
        def __str__(self) -> str:
            raise ValueError("no text")

    engine = adopt()
    table = session.prompt_over("{value}", ["a", None, float("nan"), Broken(), "", "b"])
    assert asked(engine) == ["a", "b"]
    assert [row.error for row in table] == [
        "",
        "{value} is empty in this row.",
        "{value} is empty in this row.",
        "{value} cannot be filled from this row.",
        "The prompt is empty for this row.",
        "",
    ]
    assert (table.done, table.failed, table.left) == (2, 4, 0)


def test_an_attribute_or_item_that_some_rows_lack(session: Session, adopt: Any) -> None:
    engine = adopt()
    table = session.prompt_over("{value[1]}", [("a", "b"), ("c",)])
    assert asked(engine) == ["b"]
    assert table[1].error == "{value[1]} cannot be filled from this row (IndexError: tuple index out of range)."


def test_a_model_error_is_of_its_row_and_is_tried_again(session: Session, adopt: Any) -> None:
    engine = adopt("one", EngineError("The model hiccuped."), "three", "two after all")
    table = session.prompt_over("{value}", list("abc"))
    assert texts(table) == ["one", "", "three"]
    assert table[1].error == "The model hiccuped." and table[1].stop_reason == "error"
    frame = table.to_pandas()
    assert frame["answer"].isna().tolist() == [False, True, False]
    assert frame["error"].dropna().tolist() == ["The model hiccuped."]
    again = session.prompt_over("{value}", list("abc"))
    assert texts(again) == ["one", "two after all", "three"] and asked(engine)[3:] == ["b"]


def test_an_engine_that_breaks_keeps_what_came_before(session: Session, adopt: Any) -> None:
    adopt("one", "two", RuntimeError("out of <b>luck"))
    table = session.prompt_over("{value}", list("abcd"))
    assert texts(table) == ["one", "two", "", ""]
    assert [bool(row.error) for row in table] == [False, False, True, True] and "luck" in table[3].error


def test_where_all_fail_it_ends_early(session: Session, adopt: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_runner, "AT_FIRST", 4)
    engine = adopt(EngineError("No server."))
    table = session.prompt_over("{value}", range(100))
    assert (table.failed, table.left, len(engine.requests)) == (4, 96, 4)
    assert table.run.gave_up == "No server."
    assert len(table.to_pandas()) == 100


def test_answered_rows_are_not_asked_again(session: Session, adopt: Any) -> None:
    engine = adopt()
    session.prompt_over("say {value}", ["a", "b"])
    table = session.prompt_over("say {value}", ["b", "c", "a"])
    assert texts(table) == ["<say b>", "<say c>", "<say a>"]
    assert asked(engine) == ["say a", "say b", "say c"]
    assert (table.run.asked, table.run.known) == (1, 2)
    session.prompt_over("tell {value}", ["a"])
    session.prompt_over("say {value}", ["a"], max_tokens=5)
    session.prompt_over("say {value}", ["a"], again=True)
    assert asked(engine)[3:] == ["tell a", "say a", "say a"]
    session.close()
    adopt()
    assert session.prompt_over("say {value}", ["a"]).run.asked == 1


def test_another_model_is_asked_anew_and_the_same_one_is_not_after_a_reload(session: Session) -> None:
    for _ in range(2):
        session.adopt(ScriptedEngine(["one"]), name="a")
        assert texts(session.prompt_over("{value}", ["x"])) == ["one"]
        session.unload("a")
    session.adopt(ScriptedEngine(["two"]), name="b")
    assert texts(session.prompt_over("{value}", ["x"])) == ["two"]


def test_equal_rows_are_asked_once_where_the_answer_is_certain(session: Session, adopt: Any) -> None:
    engine = adopt()
    table = session.prompt_over("{value}", ["a", "b", "a"])
    assert texts(table) == ["<a>", "<b>", "<a>"] and asked(engine) == ["a", "b"]
    # By chance each has its own, and keeps it.
    engine = adopt("one", "two", "three")
    table = session.prompt_over("{value}", ["a", "a"], temperature=1.0)
    assert texts(table) == ["one", "two"]
    seeds = [row.answer.card.sampling.seed for row in table if row.answer]
    assert len(set(seeds)) == 2
    assert texts(session.prompt_over("{value}", ["a", "a", "a"], temperature=1.0)) == ["one", "two", "three"]
    session.prompt_over("{value}", ["a", "b"], temperature=1.0, seed=5)
    assert {request.sampling.seed for request in engine.requests[3:]} == {5}


def test_a_stop_keeps_what_is_done_and_the_same_call_goes_on(session: Session, adopt: Any) -> None:
    engine = adopt()

    def stop_at(count: int) -> Callable[[TableProgress], None]:
        def tell(progress: TableProgress) -> None:
            if progress.done == count:
                raise KeyboardInterrupt

        return tell

    rows = range(600)
    first = session.prompt_over("{value}", rows, on_progress=stop_at(3))
    assert not first.complete and 3 <= first.done < 600 and texts(first)[:3] == ["<0>", "<1>", "<2>"]
    assert first[-1].stop_reason == "interrupted" and len(first.to_pandas()) == 600
    second = session.prompt_over("{value}", rows, on_progress=stop_at(first.done + 80))
    assert first.done < second.done < 600
    last = session.prompt_over("{value}", rows)
    assert texts(last) == [f"<{number}>" for number in rows]
    # A row that was cut off in the middle is asked again, and no other.
    assert len(engine.requests) <= 602


def test_a_row_longer_than_the_context_fails_alone(session: Session) -> None:
    model = session.load("pocket")
    table = session.prompt_over("Say yes. {value}", ["a", "word " * model.facts.context_length, "b"], max_tokens=2)
    assert [row.done for row in table] == [True, False, True]
    assert "context" in table[1].error


def test_batches_share_their_prefix_and_say_the_same_as_one_alone(session: Session) -> None:
    session.load("pocket")
    instructions = "Answer with the capital city of the country, and with nothing else. "
    table = session.prompt_over(instructions + "{value}", ["France", "Peru", "Japan"], max_tokens=8)
    alone = [session.prompt(instructions + land, max_tokens=8).text for land in ("France", "Peru", "Japan")]
    assert texts(table) == alone
    assert table.run.usage.reused_tokens > 0


def test_columns_of_the_same_names_stay(session: Session, adopt: Any) -> None:
    adopt()
    frame = pd.DataFrame({"answer": ["a"], "error": ["mine"]})
    result = session.prompt_over("{answer}", frame).to_pandas()
    assert list(result)[:3] == ["answer", "error", "answer_2"] and "error_2" in result
    assert result.loc[0, "answer"] == "a" and result.loc[0, "answer_2"] == "<a>"
    deep = pd.DataFrame({("a", "x"): ["v"], ("answer", ""): ["w"]})
    result = session.prompt_over("{a_x}", deep).to_pandas()
    assert result[("answer_2", "")].tolist() == ["<v>"] and result[("a", "x")].tolist() == ["v"]


def test_progress_counts_and_tells_the_rate(session: Session, adopt: Any) -> None:
    adopt()
    told: list[TableProgress] = []
    session.prompt_over("{value}", ["a", None, "b"], on_progress=told.append)
    assert (told[-1].done, told[-1].failed, told[-1].left, told[-1].rows) == (2, 1, 0, 3)
    assert told[-1].rows_per_second > 0 and told[-1].seconds_left == 0
    assert any(progress.begun for progress in told)


def test_a_model_that_goes_away_in_the_middle(session: Session, adopt: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_runner, "AT_FIRST", 2)
    adopt()

    many = session.generate_many

    def then_unload(*given: Any, **options: Any) -> Any:
        answers = many(*given, **options)
        session.unload("scripted")
        return answers

    monkeypatch.setattr(session, "generate_many", then_unload)
    table = session.prompt_over("{value}", range(5))
    assert (table.done, table.failed) == (2, 3) and "loaded" in table.run.gave_up


def test_without_a_model_nothing_begins(session: Session) -> None:
    with pytest.raises(KaggleMagicsError, match="No model is loaded"):
        session.prompt_over("{value}", ["a"])


def test_a_structure_gives_values_and_what_has_none_failed(session: Session, adopt: Any) -> None:
    adopt("5", "6", "1 2 3", "none")
    table = session.prompt_over("{n}?", {"n": list("abcd")}, schema=int, max_tokens=2)
    assert [row.value for row in table] == [5, 6, None, None]
    assert table[2].error == "Cut off before it was complete, after 2 tokens (max_tokens 2)."
    assert "did not keep to what was asked for" in table[3].error
    frame = table.to_pandas()
    assert frame["value"].tolist()[:2] == [5, 6] and frame["answer"].tolist()[:2] == ["5", "6"]
    assert frame["answer"].isna().tolist() == [False, False, True, True]


def test_what_is_kept_on_disk_is_known_and_again_asks_all_the_same(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLE_MAGICS_ANSWERS", str(tmp_path))

    def run(**options: Any) -> tuple[int, int]:
        table = session.prompt_over("Say {value}", ["a", "b"], max_tokens=2, **options)
        return table.run.asked, table.run.known

    session.load("pocket")
    assert run() == (2, 0)
    session.close()  # what the session itself remembers goes, as after a restart
    session.load("pocket")
    assert run() == (0, 2)
    assert run(again=True) == (2, 0)


def test_what_was_cut_off_is_told_and_kept(session: Session, adopt: Any) -> None:
    adopt("one two three", "one")
    table = session.prompt_over("{value}", ["a", "b"], max_tokens=2)
    assert [(row.text, row.stop_reason, row.done) for row in table] == [
        ("one two", "length", True),
        ("one", "end", True),
    ]
    view = answer_table_view(table)
    assert "one two [cut off]" in view.text and "1 of 2 answers were cut off at max_tokens 2." in view.text


def test_things_are_attached_to_every_row(session: Session, adopt: Any) -> None:
    engine = adopt()
    session.prompt_over("Rate {value}", ["a", "b"], attach={"notes": pd.DataFrame({"length": [1, 2]})})
    assert all(
        "length" in text and text.rstrip().endswith(f"Rate {row}")
        for text, row in zip(asked(engine), "ab", strict=True)
    )


def test_another_image_is_another_question(session: Session) -> None:
    def attached(data: bytes) -> Attached:
        return Attached(images=(Image(data, "image/png", "plot", 2, 2),))

    engine = ScriptedEngine([echo], takes_images=True)
    session.adopt(engine, name="seer")
    for data in (b"one", b"two", b"one"):
        session.prompt_over("{value}", ["a"], attached=attached(data))
    assert len(engine.requests) == 2
