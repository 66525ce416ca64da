"""%%prompt --over: what it asks, what it shows, what is in -o, and what it says when it cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.display.stream import NotebookShow
from kaggle_magics.errors import EngineError, ModelNotLoaded, OptionError

pd = pytest.importorskip("pandas")


def echo(request: Any) -> str:
    return f"so {request.messages[-1].content}"


def asked(engine: Any) -> list[str]:
    return [request.messages[-1].content for request in engine.requests]


def test_a_table_is_asked_and_shown_and_kept(shell: Any, script: Any, outputs: Any) -> None:
    engine = script(echo)
    shell.user_ns["df"] = pd.DataFrame({"text": ["good", "<b>bad</b> $x$", None], "n": [1, 2, 3]}, index=list("abc"))
    shell.user_ns["unit"] = "stars"
    shell.run_cell("%%prompt --over df -o out --max-tokens 9\nRate {text} in {unit}: {n}").raise_error()
    assert asked(engine) == ["Rate good in stars: 1", "Rate <b>bad</b> $x$ in stars: 2"]
    assert engine.requests[0].sampling.max_tokens == 9
    out = shell.user_ns["out"]
    assert out.to_pandas()["answer"].tolist()[:2] == ["so Rate good in stars: 1", "so Rate <b>bad</b> $x$ in stars: 2"]
    assert len(outputs) == 1
    assert "<b>bad" not in outputs.html and "&lt;b&gt;bad" in outputs.html and "$x$" not in outputs.html
    for said in (
        "2 answered",
        "1 failed",
        "{text} is empty in this row.",
        "Filled in from the notebook: unit.",
        "rows/s",
    ):
        assert said in outputs.html
    assert "not defined" not in outputs.html
    shell.run_cell("out").raise_error()
    assert "2 answered" in out_text(shell)


def out_text(shell: Any) -> str:
    data, _ = shell.display_formatter.format(shell.user_ns["out"])
    return str(data["text/plain"])


def test_columns_go_before_names_of_the_notebook(shell: Any, script: Any) -> None:
    engine = script(echo)
    shell.user_ns.update(df=[{"city": "Lima"}], city="Rome", unit="km", most=3)
    shell.run('%%prompt --over df -s "In {city}, {unit}" --max-tokens $most\nGo to {city}.')
    assert [message.content for message in engine.requests[0].messages] == ["In Lima, km", "Go to Lima."]
    assert engine.requests[0].sampling.max_tokens == 3
    shell.run('out = %prompt --over df "Leave {city}."')
    assert asked(engine)[1:] == ["Leave Lima."] and shell.user_ns["out"][0].text == "so Leave Lima."


@pytest.mark.parametrize(
    ("over", "text", "says"),
    [
        ("Lima,Rome", "{value}", ["Lima", "Rome"]),
        ("Lima,Rome", "{city}", ["Lima", "Rome"]),
        ("city=Lima,Rome", "{city} {unit}", ["Lima km", "Rome km"]),
        ("words", "{value}", ["a", "b"]),
        ("rows", '{city} {row["a b"]}', ["Lima 1"]),
        ("town=rows", '{town["city"]}', ["Lima"]),
        ("columns", "{city}", ["Lima", "Rome"]),
        ("series", "{city}", ["Lima"]),
        ("nameless", "{town}", ["Lima"]),
        ("towns.csv", "{city} {n}", ["Lima 007"]),
        ("path", "{city}", ["Lima"]),
    ],
)
def test_what_over_takes(
    shell: Any, script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, over: str, text: str, says: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("towns.csv").write_text("city,n\nLima,007\n")
    engine = script(echo)
    shell.user_ns.update(
        words=["a", "b"],
        rows=[{"city": "Lima", "a b": 1}],
        columns={"city": ["Lima", "Rome"]},
        series=pd.Series(["Lima"], name="city"),
        nameless=pd.Series(["Lima"]),
        path=Path("towns.csv"),
        unit="km",
    )
    shell.run(f"%%prompt --over {over}\n{text}")
    assert asked(engine) == says


def test_the_same_cell_goes_on_where_it_was_stopped(
    shell: Any, script: Any, outputs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = script(echo, seconds_per_token=0.005)
    shell.user_ns["df"] = {"n": list(range(40))}
    keep, pressed = NotebookShow.progress, []

    def stop_button(show: NotebookShow, label: str) -> None:
        keep(show, label)
        if "3 of 40" in label and not pressed:
            pressed.append(label)
            raise KeyboardInterrupt

    monkeypatch.setattr("kaggle_magics.magics.prompting.table._SECONDS", 0.0)
    monkeypatch.setattr(NotebookShow, "progress", stop_button)
    shell.run_cell("%%prompt --over df -o out\nsay {n}").raise_error()
    out = shell.user_ns["out"]
    assert 3 <= out.done < 10 and out.left == 40 - out.done
    assert f"{out.left} of 40 rows are left. Run it again to go on with them." in outputs.html
    shell.run_cell("%%prompt --over df -o out\nsay {n}").raise_error()
    assert pressed and shell.user_ns["out"].complete and "known before" in outputs.html
    assert len(engine.requests) <= 42
    shell.run_cell("%%prompt --over df -o out --limit 2 --again\nsay {n}").raise_error()
    assert len(shell.user_ns["out"]) == 2 and asked(engine)[-2:] == ["say 0", "say 1"]


def test_progress_is_shown_at_most_ten_times_a_second(shell: Any, script: Any, outputs: Any) -> None:
    script("yes", seconds_per_token=0.001)
    shell.user_ns["df"] = {"n": list(range(200))}
    shell.run_cell("%%prompt --over df -o out\nsay {n}").raise_error()
    assert 1 <= outputs.updates <= 2 + 10 * shell.user_ns["out"].run.seconds


def test_a_saved_run_shows_the_end_only(shell: Any, script: Any, outputs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Batch")
    script("yes")
    shell.run_cell("%%prompt --over a,b\nsay {value}").raise_error()
    assert outputs.updates == 0 and len(outputs) == 1


def test_a_terminal_gets_a_table(shell: Any, script: Any) -> None:
    script("yes")
    shown = shell.run("%%prompt --over a,b\nsay {x}")
    assert "0    a  yes" in shown and "2 answered" in shown and "<" not in shown


def test_all_rows_failing_is_a_result(shell: Any, script: Any, outputs: Any) -> None:
    script(EngineError("No <b>luck."))
    shell.run_cell("%%prompt --over a,b -o out\nsay {x}").raise_error()
    assert shell.user_ns["out"].failed == 2
    assert "Every row failed." in outputs.html and "No &lt;b&gt;luck." in outputs.html
    assert "2 failed, the first at position 0" in outputs.html


@pytest.mark.parametrize(
    ("cell", "kind", "says"),
    [
        ("%%prompt --over dff\n{text}", OptionError, "there is no dff in the notebook. Did you mean df?"),
        ("%%prompt --over zzz\n{text}", OptionError, "For one value, put a comma behind it: zzz,"),
        ("%%prompt --over ','\n{text}", OptionError, "the list is empty"),
        ("%%prompt --over number\n{text}", OptionError, "number is an int, not a table"),
        ("%%prompt --over empty\n{text}", OptionError, "empty has no rows"),
        ("%%prompt --over no.csv\n{text}", OptionError, "There is no file no.csv"),
        ("%%prompt --over df\n{txt}", OptionError, "{txt} is neither a column of df nor a name in the notebook."),
        ("%%prompt --over df\nHello", OptionError, "uses no column of df"),
        ("%%prompt --over df --raw\n{text}", OptionError, "Use one of the two"),
        ("%%prompt --over df --limit 0\n{text}", OptionError, "--limit must be at least 1"),
        ("%%prompt --over df -m other\n{text}", ModelNotLoaded, "'other'"),
        ("%%prompt --over df\n \n", OptionError, "has no prompt"),
        ("%%prompt --over\n{text}", OptionError, "--over needs a value"),
    ],
)
def test_bad_input_is_one_line_and_asks_nothing(shell: Any, script: Any, cell: str, kind: type, says: str) -> None:
    engine = script("never")
    shell.user_ns.update(df=pd.DataFrame({"text": ["a"]}), number=5, empty=[])
    with pytest.raises(kind) as caught:
        shell.run(cell)
    assert says in str(caught.value) and "\n" not in str(caught.value)
    assert engine.requests == []


def test_several_answers_are_shown_numbered_and_kept(shell: Any, script: Any, outputs: Any) -> None:
    engine = script("red", "blue", "red")
    shell.run_cell("%%prompt -n 3 --temperature 0.7 --seed 5 -o answers\nA colour?").raise_error()
    assert [request.sampling.seed for request in engine.requests] == [5, 6, 7]
    answers = shell.user_ns["answers"]
    assert [answer.text for answer in answers] == ["red", "blue", "red"]
    assert len(outputs) == 1
    for said in ("1, 3 (2 of 3)", "3 answers, 2 distinct", "seeds 5 to 7"):
        assert said in outputs.html
    assert shell.run("again = %prompt -n 2 --temperature 1 'A colour?'") == ""
    assert len(shell.user_ns["again"]) == 2
    shell.run_cell("again").raise_error()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("-n 3", "At temperature 0 all 3 answers would be the same"),
        ("-n 0 --temperature 1", "n must be a whole number of at least 1"),
        ("-n x", "-n needs a whole number"),
        ("-n 2 --temperature 1 --over df", "-n and --over do not go together"),
        ("-n 2 --temperature 1 --thread talk", "-n asks many times"),
        ("--over df --thread talk", "--over asks many times"),
        ("--limit 3", "--limit is about the rows of a table"),
        ("--again", "--again is about the rows of a table"),
    ],
)
def test_what_does_not_go_together_is_told(shell: Any, script: Any, line: str, says: str) -> None:
    engine = script("never")
    shell.user_ns["df"] = pd.DataFrame({"text": ["a"]})
    with pytest.raises(OptionError, match=says):
        shell.run(f"%%prompt {line}\n{{text}}")
    assert engine.requests == []


def test_a_dry_run_shows_the_first_row_that_can_be_asked(shell: Any, script: Any) -> None:
    engine = script("never")
    shell.user_ns["df"] = pd.DataFrame({"text": [None, "good"]})
    shown = shell.run("%%prompt --over df --dry-run\nRate {text}")
    assert "Rate" in shown and "good" in shown and "The row at position 1 of the 2 of df." in shown
    with pytest.raises(OptionError, match=r"None of the 1 rows can be asked\. {text} is empty in this row"):
        shell.run("%%prompt --over df --dry-run --limit 1\nRate {text}")
    assert engine.requests == []


def test_a_table_is_whole_in_a_terminal_below_what_is_attached(shell: Any, script: Any) -> None:
    engine = script("yes")
    shell.user_ns.update(df=pd.DataFrame({"text": ["good"]}), notes=pd.DataFrame({"a": [1]}))
    shown = shell.run("%%prompt --over df --attach notes\nRate {text}")
    assert "Attached: notes" in shown and "0    good  yes" in shown and "Add -o NAME to keep this table" in shown
    assert "Rate good" in asked(engine)[0] and asked(engine)[0] != "Rate good"


def test_saved_prompts_are_asked_once_a_row(shell: Any, script: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    engine = script("yes")
    shell.user_ns.update(df=pd.DataFrame({"text": ["good"]}), text="not this", kind="film")
    shell.run("%%prompt --over df --save rate -s 'a {kind} of {text}'\nRate {text} as {kind}")
    shell.run("out = %prompt --use rate --over df -i kind=book")
    said = [[message.content for message in request.messages] for request in engine.requests]
    assert said == [["a film of good", "Rate good as film"], ["a book of good", "Rate good as book"]]


def test_a_part_of_a_variable_is_a_table_and_code_is_not_taken_for_a_text(shell: Any, script: Any) -> None:
    engine = script(echo)
    shell.user_ns.update(df=pd.DataFrame({"city": ["Lima", "Rome"]}), sets={"test": [{"city": "Oslo"}]})
    shell.run_cell("%%prompt --over df.city\nGo to {city}").raise_error()
    shell.run_cell("%%prompt --over 'sets[\"test\"]'\nGo to {city}").raise_error()
    shell.run_cell("%%prompt --over Lima.,Rome\nSee {value}").raise_error()
    assert asked(engine) == [*("Go to Lima", "Go to Rome", "Go to Oslo", "See Lima.", "See Rome")]
    for code in ("df.head(1)", "'df[df.city > 1]'", "df.nothing"):
        result = shell.run_cell(f"%%prompt --over {code}\nGo to {{city}}")
        assert isinstance(result.error_in_exec, OptionError) and "--over" in str(result.error_in_exec)
    assert len(engine.requests) == 5
