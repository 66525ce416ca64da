"""%%prompt: what it asks, what it shows, what it gives, and what it says when it cannot."""

from __future__ import annotations

from typing import Any

import pytest

from kaggle_magics.errors import EngineError, KaggleMagicsError, ModelNotLoaded, OptionError


def test_a_cell_streams_into_one_output(shell: Any, script: Any, outputs: Any) -> None:
    engine = script("Lima is the *capital*.")
    assert shell.run_cell("%%prompt\nWhat is the capital of Peru?\n").result is None
    assert [message.content for message in engine.requests[0].messages] == ["What is the capital of Peru?"]
    assert len(outputs) == 1 and outputs.updates >= 1
    assert "<em>capital</em>" in outputs.html and "scripted" in outputs.html
    assert set(outputs[0]) == {"text/html", "text/markdown", "text/plain"}


def test_a_terminal_gets_the_text_once(shell: Any, script: Any) -> None:
    script("Lima it is.")
    shown = shell.run("%%prompt\nCapital?")
    assert shown.count("Lima it is.") == 1
    assert "3 generated" in shown


def test_options_reach_the_engine(shell: Any, script: Any) -> None:
    engine = script("one two three four")
    shell.run(
        "%%prompt -s 'be terse' --max-tokens 3 --temperature 0.5 --top-k 4 --top-p 0.9 --min-p 0.1 "
        "--repeat-penalty 1.1 --seed 7 --stop x --stop 'y z' --template none -o answer\nHello"
    )
    request, answer = engine.requests[0], shell.user_ns["answer"]
    sampling = request.sampling
    assert [(message.role, message.content) for message in request.messages] == [
        ("system", "be terse"),
        ("user", "Hello"),
    ]
    assert (sampling.max_tokens, sampling.temperature, sampling.top_k, sampling.top_p) == (3, 0.5, 4, 0.9)
    assert (sampling.min_p, sampling.repeat_penalty, sampling.seed, sampling.stop) == (0.1, 1.1, 7, ("x", "y z"))
    assert request.template == "none"
    assert (answer.text, answer.stop_reason) == ("one two three", "length")


def test_settings_are_the_defaults(shell: Any, script: Any) -> None:
    engine = script("one two three four")
    shell.run("%config KaggleMagics.max_tokens = 2")
    shell.run('%config KaggleMagics.system = "be kind"')
    shell.run("%%prompt\nHello")
    shell.run("%%prompt --max-tokens 3 -s 'be terse'\nHello")
    assert [request.sampling.max_tokens for request in engine.requests] == [2, 3]
    assert [request.messages[0].content for request in engine.requests] == ["be kind", "be terse"]


def test_the_line_form_returns_its_answer(shell: Any, script: Any) -> None:
    script("Lima")
    assert shell.run('answer = %prompt "the capital of Peru" --max-tokens 5') == ""
    assert shell.user_ns["answer"].text == "Lima"
    assert shell.run("last = %llm_last") == ""
    assert shell.user_ns["last"] is shell.user_ns["answer"]


def test_names_are_filled_in_and_told(shell: Any, script: Any, outputs: Any) -> None:
    engine = script("ok")
    shell.user_ns.update(country="Peru", rows=[{"city": "Lima"}], spec='{"a": 1}')
    shell.run_cell('%%prompt\n{country} {rows[0]["city"]} {spec} {{country}} {"k": 2} {cuntry}').raise_error()
    assert engine.requests[0].messages[-1].content == 'Peru Lima {"a": 1} {country} {"k": 2} {cuntry}'
    assert "{cuntry} is not defined" in outputs.html
    assert "Filled in from the notebook: country, rows[0]" in outputs.html


def test_raw_leaves_all_braces(shell: Any, script: Any, outputs: Any) -> None:
    engine = script("ok")
    shell.user_ns["country"] = "Peru"
    shell.run_cell("%%prompt --raw\n{country} {cuntry} {{country}}").raise_error()
    assert engine.requests[0].messages[-1].content == "{country} {cuntry} {{country}}"
    assert "not defined" not in outputs.html


def test_words_of_the_line_are_filled_in_one_by_one(shell: Any, script: Any) -> None:
    engine = script("ok")
    shell.user_ns.update(role="be terse and kind", country="Peru", seed=5, nested="{country}")
    shell.run("%%prompt -s {role} --temperature 1 --seed $seed --stop $5\nHello")
    assert engine.requests[0].messages[0].content == "be terse and kind"
    assert (engine.requests[0].sampling.seed, engine.requests[0].sampling.stop) == (5, ("$5",))
    shell.run('answer = %prompt "In {country} and {nested}"')
    assert engine.requests[1].messages[0].content == "In Peru and {country}"


def test_a_function_of_the_notebook_fills_in_its_own_names(shell: Any, script: Any) -> None:
    engine = script("ok")
    shell.run("def ask(place):\n    return get_ipython().run_line_magic('prompt', '\"about {place}\"')\nask('Oslo')")
    shell.run("def again(place):\n    %prompt \"about {place}\"\nagain('Bergen')")
    assert [request.messages[0].content for request in engine.requests] == ["about Oslo", "about Bergen"]


def test_what_a_model_says_is_escaped(shell: Any, script: Any, outputs: Any) -> None:
    script("<script>alert(1)</script> <img src=x onerror=alert(1)> ![x](http://evil.example/a.png)")
    shell.run_cell("%%prompt\nHello").raise_error()
    assert "<script" not in outputs.html and "<img" not in outputs.html
    assert "<script" not in outputs[0]["text/markdown"] and "![" not in outputs[0]["text/markdown"]


def test_an_answer_that_was_cut_off_says_so(shell: Any, script: Any, outputs: Any) -> None:
    script("one two three")
    shell.run_cell("%%prompt --max-tokens 2\nHello").raise_error()
    assert "cut off" in outputs.html and "max_tokens 2" in outputs.html


def test_a_stopped_answer_keeps_its_text(
    shell: Any, script: Any, outputs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kaggle_magics.display.stream import NotebookShow

    script("one two three four", seconds_per_token=0.01)
    keep = NotebookShow.text

    def stop_button(show: NotebookShow, piece: str) -> None:
        keep(show, piece)
        if "two" in piece:
            raise KeyboardInterrupt

    monkeypatch.setattr(NotebookShow, "text", stop_button)
    shell.run_cell("%%prompt -o answer\nHello").raise_error()
    assert shell.user_ns["answer"].stop_reason == "interrupted"
    assert shell.user_ns["answer"].text.startswith("one two")
    assert "one two" in outputs.html and "stopped" in outputs.html
    shell.run_cell("%%prompt -o again\nHello").raise_error()


@pytest.mark.parametrize(
    ("cell", "kind", "says"),
    [
        ("%%prompt --temprature 1\nHello", OptionError, "no option --temprature. Did you mean --temperature?"),
        ("%%prompt --temperature hot\nHello", OptionError, "--temperature needs a number"),
        ("%%prompt --temperature -1\nHello", OptionError, "temperature must be between 0 and 100"),
        ("%%prompt --top-p 0\nHello", OptionError, "top_p must be above 0"),
        ("%%prompt --max-tokens 0\nHello", OptionError, "max_tokens must be at least 1"),
        ("%%prompt --stop ''\nHello", OptionError, "stop must be text that is not empty"),
        ("%%prompt -m other\nHello", ModelNotLoaded, "No model named 'other' is loaded"),
        ("%%prompt\n   \n", OptionError, "%%prompt has no prompt. Write it in the cell's body."),
        ("%%prompt What is it?\nHello", OptionError, "'What' stands on the line of %%prompt"),
        ("%prompt", OptionError, "%%prompt needs a prompt"),
        ("%prompt What's this", OptionError, "cannot be split"),
        ("%%prompt -o not-a-name\nHello", OptionError, "needs the name of a variable"),
    ],
)
def test_bad_input_is_one_line_and_asks_nothing(shell: Any, script: Any, cell: str, kind: type, says: str) -> None:
    engine = script("never")
    with pytest.raises(kind) as caught:
        shell.run(cell)
    assert says in str(caught.value) and "\n" not in str(caught.value)
    assert engine.requests == []


def test_without_a_model_it_says_how_to_load_one(shell: Any) -> None:
    with pytest.raises(ModelNotLoaded, match=r"No model is loaded\. Load one with %llm_load"):
        shell.run("%%prompt\nHello")


def test_an_engine_that_fails_keeps_the_session_usable(shell: Any, script: Any, outputs: Any) -> None:
    script(RuntimeError("kernel <b>panic</b>"), "fine")
    with pytest.raises(EngineError, match="kernel"):
        shell.run_cell("%%prompt -o answer\nHello").raise_error()
    assert "answer" not in shell.user_ns
    assert outputs.html == ""
    shell.run_cell("%%prompt -o answer\nHello").raise_error()
    assert shell.user_ns["answer"].text == "fine"


def test_last_without_any_answer_says_so(shell: Any) -> None:
    with pytest.raises(KaggleMagicsError, match="no answer yet"):
        shell.run("%llm_last")


def test_other_magics_go_around_it(shell: Any, script: Any) -> None:
    script("Lima")
    assert "Lima" in shell.run("%%time\n%%prompt\nHello")
    shell.run("%%capture caught\n%%prompt\nHello")
    assert "Lima" in shell.user_ns["caught"].stdout


def test_a_saved_run_shows_the_last_state_only(
    shell: Any, script: Any, outputs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Batch")
    script("one two three")
    shell.run_cell("%%prompt\nHello").raise_error()
    assert (len(outputs), outputs.updates) == (1, 0)
    assert "one two three" in outputs.html
