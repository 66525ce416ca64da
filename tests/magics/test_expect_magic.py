"""%%expect and `Session.expect`: what is checked, how often, and when the cell fails."""

from __future__ import annotations

from typing import Any

import pytest

from kaggle_magics.errors import ExpectationFailed, KaggleMagicsError, OptionError
from kaggle_magics.session import Session
from kaggle_magics.testing import ScriptedEngine


def by_seed(request: Any) -> str:
    return "Lima" if request.sampling.seed % 2 else "Cusco"


def test_the_last_answer_is_checked_without_asking_again(shell: Any, script: Any, outputs: Any) -> None:
    engine = script("Lima it is.")
    shell.run_cell("%%prompt\nCapital?").raise_error()
    shell.user_ns["city"] = "Lima"
    assert shell.run_cell("%%expect -o found\ncontains {city}\nmax_tokens 2").result is None
    found = shell.user_ns["found"]
    assert len(engine.requests) == 1
    assert [(rate.name, rate.passed, rate.of) for rate in found.by_expectation] == [
        ("contains Lima", 1, 1),
        ("max_tokens 2", 0, 1),
    ]
    assert found.rate == 0
    assert "FAILED: 0 of 1 answer as expected" in outputs[1]["text/plain"] and "it has 3 tokens" in outputs.html


def test_seeds_give_a_pass_rate_and_the_last_answer_stays(shell: Any, script: Any, outputs: Any) -> None:
    engine = script(by_seed)
    shell.run_cell("%%prompt --temperature 1 --seed 8 -s terse\nCapital?").raise_error()
    last = shell.run_line_magic("llm_last", "")
    shell.run_cell("%%expect --seeds 5 -o found\nequals Lima").raise_error()
    found = shell.user_ns["found"]
    assert [request.sampling.seed for request in engine.requests] == [8, 1, 2, 3, 4, 5]
    assert {request.messages for request in engine.requests} == {engine.requests[0].messages}
    assert (found.total.passed, found.total.of, found.rate) == (3, 5, 0.6)
    assert shell.run_line_magic("llm_last", "") is last
    shell.run_cell("%%expect --seed 7,9 -o found\nequals Lima").raise_error()
    assert shell.user_ns["found"].rate == 1 and "passed: 2 of 2" in outputs[-1]["text/plain"]
    frame = shell.user_ns["found"].to_pandas()
    assert list(frame["seed"]) == [7, 9] and frame["passed"].all()


def test_at_temperature_0_seeds_make_no_difference_and_it_says_so(shell: Any, script: Any, outputs: Any) -> None:
    engine = script("Lima")
    shell.run_cell("%%prompt\nCapital?").raise_error()
    shell.run_cell("%%expect --seeds 10\nequals Lima").raise_error()
    assert len(engine.requests) == 1 and "At temperature 0 every seed gives the same answer" in outputs.html


@pytest.mark.parametrize(
    ("options", "fails"), [("--must", True), ("--at-least 0.7", True), ("--at-least 0.6", False), ("", False)]
)
def test_a_demand_fails_the_cell_after_showing_why(
    shell: Any, script: Any, outputs: Any, options: str, fails: bool
) -> None:
    script(by_seed)
    shell.run_cell("%%prompt --temperature 1\nCapital?").raise_error()
    result = shell.run_cell(f"%%expect --seeds 5 {options} -o found\nequals Lima")
    assert len(shell.user_ns["found"]) == 5 and "3 of 5 answers" in outputs[1]["text/plain"]
    if fails:
        assert isinstance(result.error_in_exec, ExpectationFailed)
        assert str(result.error_in_exec).startswith("3 of 5 answers are as expected (60%), fewer than")
        assert "equals Lima: it says: Cusco" in str(result.error_in_exec)
    else:
        result.raise_error()


def test_after_a_comparison_every_variant_is_checked(shell: Any, script: Any, outputs: Any) -> None:
    script(by_seed)
    shell.run_cell("%%compare --temperature 1 --seed 1,2,3\nCapital?").raise_error()
    shell.run_cell("%%expect -o found\nequals Lima").raise_error()
    found = shell.user_ns["found"]
    assert [(rate.name, rate.rate) for rate in found.by_variant] == [("seed 1", 1), ("seed 2", 0), ("seed 3", 1)]
    assert "By variant" in outputs[1]["text/plain"]
    shell.run_cell("%%prompt\nCapital?").raise_error()
    shell.run_cell("%%expect -o found\nequals Lima").raise_error()
    assert len(shell.user_ns["found"]) == 1


def test_a_variant_that_failed_counts_as_failed(shell: Any, script: Any) -> None:
    script("Lima", name="a")
    shell.run("%%compare -m a,no-such-model\nCapital?")
    shell.run("%%expect -o found\nnot contains Cusco")
    found = shell.user_ns["found"]
    assert [verdict.passed for verdict in found] == [True, False] and "No model is called" in str(found[1].error)
    assert list(found.to_pandas()["passed"]) == [True, False]


def test_what_a_variable_holds_can_be_checked(shell: Any, script: Any) -> None:
    script("Lima", "Cusco")
    shell.run("%%prompt -o one\nx")
    shell.run("%%prompt\nx")
    shell.run("%%expect --on one --must\nequals Lima")
    shell.user_ns["answers"] = [shell.user_ns["one"]] * 2
    shell.run("%%expect --on answers -o found\nequals Lima")
    assert shell.user_ns["found"].total.of == 2


def test_what_was_said_is_escaped(shell: Any, script: Any, outputs: Any) -> None:
    script("<script>alert(1)</script>")
    shell.run_cell("%%compare --temperature 1 --seed 1,2\nx").raise_error()
    shell.run_cell("%%expect\nequals <img src=x onerror=alert(1)>").raise_error()
    assert "<script" not in outputs.html and "<img" not in outputs.html


def test_a_stop_keeps_what_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session()
    session.adopt(ScriptedEngine(["one two three four"], seconds_per_token=0.05))
    session.prompt("x", temperature=1.0)

    def stop(done: int, of: int) -> None:
        raise KeyboardInterrupt

    found = session.expect("stops", seeds=3, on_progress=stop)
    assert 1 <= len(found) < 3 and found.notes == (f"Stopped: {len(found)} of 3 answers are there and were checked.",)
    assert session.expect("stops").rate == 1
    session.close()


def test_without_an_embedder_similar_compares_words_and_says_so(no_embedder: None) -> None:
    session = Session()
    session.adopt(ScriptedEngine(["The capital of Peru is Lima."]))
    session.prompt("x")
    found = session.expect(["similar 0.5 Lima is the capital of Peru.", "similar 0.99 Lima is the capital of Peru."])
    assert [outcome.passed for _, outcome in found[0].checks] == [True, False]
    assert found.notes == ("similar: ROUGE-L F1 of the words; no embedding model is at hand.",)
    session.close()


def test_with_an_embedder_similar_is_its_cosine(monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np

    class Letters:
        name = "letters"

        def embed_documents(self, texts: list[str]) -> Any:
            rows = np.array([[text.count("a") + 0.001, text.count("b")] for text in texts], dtype=np.float32)
            return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    monkeypatch.setattr("kaggle_magics.rag.embedding.models.find_embedder", lambda **_: Letters())
    session = Session()
    session.adopt(ScriptedEngine(["ab"]))
    session.prompt("x")
    found = session.expect("similar 0.7 a\nsimilar 0.8 a")
    assert [outcome.passed for _, outcome in found[0].checks] == [True, False]
    assert "the cosine by letters is 0.71" in found[0].checks[1][1].detail and "letters" in found.notes[0]
    session.close()


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("%%expect\ncontain Lima", "Line 1: 'contain' is no assertion. Did you mean contains?"),
        ("%%expect --seeds 0\nstops", "seeds must be at least 1"),
        ("%%expect --seeds 2 --seed 1\nstops", "do not go together"),
        ("%%expect --at-least 90\nstops", "--at-least needs a share from 0 to 1"),
        ("%%expect --on nothing\nstops", "There is no variable 'nothing'"),
        ("%%expect --on text\nstops", "on must be an answer"),
        ("%%expect\n ", "%%expect has no assertions"),
        ("%%expect --sees 3\nstops", "Did you mean --seed"),
        ("%%expect\njson schema Nobody", "There is no Nobody"),
    ],
)
def test_bad_input_is_one_line(shell: Any, script: Any, cell: str, says: str) -> None:
    engine = script("x")
    shell.run("%%prompt\nx")
    shell.user_ns["text"] = "a text"
    with pytest.raises(KaggleMagicsError) as caught:
        shell.run(cell)
    assert says in str(caught.value) and len(engine.requests) == 1


def test_before_anything_was_asked(shell: Any) -> None:
    with pytest.raises(OptionError, match="There is no answer to check yet"):
        shell.run("%%expect\nstops")


def test_a_comparison_takes_no_seeds(shell: Any, script: Any) -> None:
    script("x")
    shell.run("%%compare --top-k 1,2\nx")
    with pytest.raises(OptionError, match="Give the seeds to it"):
        shell.run("%%expect --seeds 3\nstops")


def test_all_rows_of_a_table_that_was_asked_last_are_checked(shell: Any, script: Any) -> None:
    script(lambda request: f"The capital of {request.messages[-1].content} is Lima.")
    shell.user_ns["places"] = [{"place": "Peru"}, {"place": "Chile"}]
    shell.run_cell("%%prompt --over places\n{place}").raise_error()
    shell.run_cell("%%expect -o found\ncontains Peru").raise_error()
    assert (shell.user_ns["found"].total.passed, shell.user_ns["found"].total.of) == (1, 2)
    shell.run_cell("%%prompt\nChile").raise_error()
    shell.run_cell("%%expect -o found\ncontains Chile").raise_error()
    assert (shell.user_ns["found"].total.passed, shell.user_ns["found"].total.of) == (1, 1)


def test_all_of_several_answers_are_checked_and_greedy_ones_say_so_once(
    shell: Any, script: Any, session: Session, outputs: Any
) -> None:
    script(by_seed)
    shell.run_cell("%%prompt -n 3 --temperature 1 --seed 1\nCapital?").raise_error()
    shell.run_cell("%%expect -o found\nequals Lima").raise_error()
    assert (shell.user_ns["found"].total.passed, shell.user_ns["found"].total.of) == (2, 3)
    answers = session.prompt_over("{place}?", [{"place": "Peru"}, {"place": "Chile"}], seed=1)
    assert len(session.expect("equals Lima", on=answers, seeds=3).notes) == 1


def test_a_closed_session_has_nothing_to_check(script: Any, session: Session) -> None:
    script("Lima")
    session.compare("Capital?", seed=[1, 2], temperature=1)
    session.close()
    with pytest.raises(OptionError, match="no answer to check"):
        session.expect("equals Lima")
