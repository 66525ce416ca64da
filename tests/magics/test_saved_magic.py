"""--save, --use, -i and %llm_prompts, as a person types them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.errors import ModelNotLoaded, OptionError, SavedPromptError, SavedPromptNotFound


@pytest.fixture(autouse=True)
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own for the notebook."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def asked(engine: Any, at: int = -1) -> list[str]:
    return [message.content for message in engine.requests[at].messages]


def test_a_prompt_is_kept_with_its_fields_and_used(shell: Any, script: Any, beside: Path) -> None:
    engine = script("Lima")
    shell.user_ns.update(country="Peru", tone="terse")
    shown = shell.run(
        '%%prompt --save capital -s "Be {tone}." --max-tokens 9 --stop x --seed 3\nCapital of {country}?\n'
    )
    assert asked(engine) == ["Be terse.", "Capital of Peru?"]
    assert "Saved in prompts/capital.md, with the fields tone, country." in shown
    assert (beside / "prompts" / "capital.md").read_text() == (
        '+++\nsystem = "Be {tone}."\nmax_tokens = 9\nseed = 3\nstop = ["x"]\n+++\nCapital of {country}?\n'
    )
    answer = shell.run("answer = %prompt --use capital -i country=France -i tone=kind --max-tokens 7")
    assert answer == "" and shell.user_ns["answer"].text == "Lima"
    assert asked(engine) == ["Be kind.", "Capital of France?"]
    sampling = engine.requests[-1].sampling
    assert (sampling.max_tokens, sampling.seed, sampling.stop) == (7, 3, ("x",))
    shown = shell.run("%%prompt --use capital -i country=Fiji -s 'No {tone}'\n\n")
    assert asked(engine) == ["No terse", "Capital of Fiji?"] and "notebook: tone." in shown


def test_missing_fields_are_named_before_anything_is_asked(shell: Any, script: Any) -> None:
    engine = script("Lima")
    shown = shell.run("%%prompt --save trip\nFrom {start} to {end} in {n} days?")
    assert "Saved in prompts/trip.md, with the fields start, end, n." in shown
    assert (
        "Not asked: nothing fills start, end, n. Use it: %prompt --use trip -i start=... -i end=... -i n=..." in shown
    )
    with pytest.raises(OptionError, match=r"'trip' needs values for start, n\. Give them with -i start=\.\.\. -i n="):
        shell.run("%%prompt --use trip -i end=Rome\n\n")
    with pytest.raises(OptionError, match="needs a value for n"):
        shell.run("%prompt --use trip -i end=Rome -i start=Pisa")
    with pytest.raises(OptionError, match=r"no field 'stat'\. Did you mean start"):
        shell.run("%prompt --use trip -i stat=Rome")
    assert engine.requests == []


def test_what_is_used_can_be_kept_as_a_variant(shell: Any, script: Any, session: Any) -> None:
    script("Lima")
    shell.run("%%prompt --save one -s 'Be {tone}.' --temperature 0.5 --seed 1\nHello {name}")
    shell.run("%prompt --use one -i name=Ada -i tone=kind --seed 2 --save two")
    assert session.prompts["two"].text == "Hello {name}"
    assert session.prompts["two"].options == {"system": "Be {tone}.", "temperature": 0.5, "seed": 2}


def test_the_line_form_is_kept_as_it_was_written(shell: Any, script: Any, session: Any) -> None:
    engine = script("ok")
    shell.user_ns["city"] = "Oslo"
    shell.run('answer = %prompt "Weather in {city}?" --system="in {city}" --save weather')
    assert asked(engine) == ["in Oslo", "Weather in Oslo?"]
    assert (session.prompts["weather"].text, session.prompts["weather"].options) == (
        "Weather in {city}?",
        {"system": "in {city}"},
    )


def test_raw_is_kept(shell: Any, script: Any, session: Any) -> None:
    engine = script("ok")
    shell.user_ns["x"] = 1
    shell.run("%%prompt --save raw --raw -s '{x}'\n{x} {{x}}")
    shell.run("%%prompt --use raw\n\n")
    assert asked(engine, 0) == asked(engine, 1) == ["{x}", "{x} {{x}}"]


def test_values_on_the_line_go_before_the_notebooks(shell: Any, script: Any) -> None:
    engine = script("ok")
    shell.user_ns.update(country="Peru", other="Chile")
    shown = shell.run("%%prompt -i country=Fiji -s 'of {country}'\n{country} and {other}")
    assert asked(engine) == ["of Fiji", "Fiji and Chile"] and "notebook: other." in shown
    with pytest.raises(OptionError, match=r"-i gives contry.*"):
        shell.run("%%prompt -i contry=Fiji\n{country}")
    with pytest.raises(OptionError, match="gives a name twice"):
        shell.run("%%prompt -i a=1 -i a=2\n{a}")
    shell.run("%%prompt -i country={other}\n{country}")
    assert asked(engine) == ["Chile"]


def test_another_prompt_is_replaced_only_when_asked_for(shell: Any, script: Any, session: Any) -> None:
    engine = script("ok")
    shell.run("%%prompt --save one\nfirst")
    shell.run("%%prompt --save one\nfirst")
    with pytest.raises(OptionError, match="--overwrite"):
        shell.run("%%prompt --save one\nsecond")
    assert len(engine.requests) == 2
    shell.run("%%prompt --save one --overwrite\nsecond")
    assert session.prompts["one"].text == "second"
    with pytest.raises(OptionError, match="--overwrite goes with --save"):
        shell.run("%%prompt --overwrite\nthird")


def test_a_prompt_is_kept_where_no_model_can_answer_it(shell: Any, session: Any, capsys: Any) -> None:
    with pytest.raises(ModelNotLoaded):
        shell.run_cell("%%prompt --save one\nfirst").raise_error()
    assert "Saved in prompts/one.md" in capsys.readouterr().out
    assert session.prompts["one"].text == "first"


def test_wrong_uses_are_one_line(shell: Any, script: Any, beside: Path) -> None:
    script("ok")
    shell.run("%%prompt --save one\nfirst")
    shell.run("%%chain --save steps\na: first")
    with pytest.raises(SavedPromptNotFound, match="Did you mean one"):
        shell.run("%prompt --use onee")
    with pytest.raises(OptionError, match="has its text already"):
        shell.run("%%prompt --use one\nmore text")
    with pytest.raises(OptionError, match=r"is a chain.*%chain --use steps"):
        shell.run("%prompt --use steps")
    with pytest.raises(OptionError, match=r"is a prompt.*%prompt --use one"):
        shell.run("%chain --use one")
    with pytest.raises(OptionError, match="cannot be named"):
        shell.run("%%prompt --save ../x\nfirst")
    (beside / "prompts" / "odd.md").write_text("+++\nmax_token = 3\n+++\nx")
    with pytest.raises(SavedPromptError, match=r"odd.md: %%prompt has no option 'max_token'. Did you mean max_tokens"):
        shell.run("%prompt --use odd")


def test_chains_are_kept_and_used(shell: Any, script: Any, session: Any) -> None:
    engine = script("Ceviche", "fish")
    shell.run(
        "%%chain --save menu -i country=Peru --max-tokens 9\ndish: A dish of {country}?\nparts: What is in {dish}?"
    )
    assert session.prompts["menu"].fields == ("country",)
    shell.run("result = %chain --use menu -i country=Japan")
    assert asked(engine, 2) == ["A dish of Japan?"] and asked(engine, 3) == ["What is in Ceviche?"]
    assert shell.user_ns["result"].answer.text == "fish" and engine.requests[2].sampling.max_tokens == 9
    shown = shell.run("%%chain --use menu --over Peru,Fiji\n\n")
    assert asked(engine, -2) == ["A dish of Fiji?"] and "2 of 2" in shown


def test_the_list_shows_finds_and_forgets(shell: Any, script: Any, outputs: Any) -> None:
    script("ok")
    shell.run("%%prompt --save capital --raw\nThe <b>capital</b> of {country}?")
    shell.run("%%prompt --save menu\nA dish of {country}?")
    found = shell.run_cell("%llm_prompts country -o found").result
    assert [one.name for one in found] == ["capital", "menu"] and found is shell.user_ns["found"]
    data, _ = shell.display_formatter.format(found)
    assert "<b>" not in data["text/html"] and "country" in data["text/plain"] and "menu.md" in data["text/plain"]
    shown = shell.run_cell("%llm_prompts --show capital").result
    data, _ = shell.display_formatter.format(shown)
    assert "<b>" not in data["text/html"] and "of {country}?" in data["text/plain"] and "raw" in data["text/plain"]
    assert "Deleted prompts/menu.md" in shell.run("%llm_prompts --forget menu")
    assert [one.name for one in shell.run_cell("%llm_prompts").result] == ["capital"]
    with pytest.raises(OptionError):
        shell.run("%llm_prompts --forget a --show b")


def test_the_folder_can_be_set(shell: Any, script: Any, beside: Path) -> None:
    script("ok")
    shell.run("%config KaggleMagics.prompts = 'kept/here'")
    shell.run("%%prompt --save one\nfirst")
    assert (beside / "kept" / "here" / "one.md").is_file()
    shell.run("%reload_ext kaggle_magics")
    assert [one.name for one in shell.run_cell("%llm_prompts").result] == ["one"]


@pytest.mark.filterwarnings("ignore:.*Completer.complete.*:PendingDeprecationWarning")
def test_names_and_fields_are_completed(shell: Any, session: Any) -> None:
    session.prompts.save("capital", "{country} {n}")
    session.prompts.save("café", "x")
    assert shell.complete(None, "%prompt --use ca")[1] == ["café", "capital"]
    assert shell.complete(None, "%prompt --use capital -i ")[1] == ["country=", "n="]
    assert shell.complete(None, "%llm_prompts --forget cap")[1] == ["capital"]
