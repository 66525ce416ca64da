"""%llm_*: loading, listing, using, freeing; and the overview with its doctor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.errors import KaggleMagicsError, ModelNotFound, ModelNotLoaded, OptionError


def test_status_names_what_is_loaded(shell: Any, script: Any) -> None:
    assert "No model is loaded" in shell.run("%llm_status")
    script("a", name="first")
    script("b", name="second")
    shown = shell.run("%llm_status")
    assert "second (current)" in shown and "first" in shown and "memory" in shown


def test_use_changes_who_answers(shell: Any, script: Any) -> None:
    script("first answer", name="first")
    script("second answer", name="second")
    assert "second answer" in shell.run("%%prompt\nHello")
    assert "first is the current model" in shell.run("%llm_use first")
    assert "first answer" in shell.run("%%prompt\nHello")
    assert "second answer" in shell.run("%%prompt -m second\nHello")
    with pytest.raises(ModelNotLoaded, match="Did you mean first"):
        shell.run("%llm_use frist")
    with pytest.raises(OptionError, match="NAME"):
        shell.run("%llm_use")


def test_unload_frees_one_or_all(shell: Any, script: Any, session: Any) -> None:
    engines = [script("x", name=name) for name in ("a", "b", "c")]
    assert "Unloaded b" in shell.run("%llm_unload b")
    assert [engine.closed for engine in engines] == [False, True, False]
    shell.run("%llm_unload --all")
    assert session.loaded == {} and all(engine.closed for engine in engines)
    assert "No model is loaded" in shell.run("%llm_unload --all")
    with pytest.raises(ModelNotLoaded, match="No model is loaded"):
        shell.run("%llm_unload")
    with pytest.raises(KaggleMagicsError, match="do not go together"):
        shell.run("%llm_unload a --all")


def test_stop_says_what_it_stopped(shell: Any) -> None:
    assert shell.run("%llm_stop") == "No answer is on its way.\n"


def test_a_wrong_reference_is_one_line(shell: Any) -> None:
    with pytest.raises(ModelNotFound, match="nosuchmodel") as caught:
        shell.run("%llm_load nosuchmodel")
    assert "\n" not in str(caught.value)
    with pytest.raises(OptionError, match="--context needs a whole number"):
        shell.run("%llm_load --context many")
    with pytest.raises(OptionError, match="takes no word 'b'"):
        shell.run("%llm_load a b")


def test_a_file_that_is_no_model_is_one_line(shell: Any, tmp_path: Path) -> None:
    broken = tmp_path / "cut short.gguf"
    broken.write_bytes(b"GGUF\x03")
    with pytest.raises(KaggleMagicsError) as caught:
        shell.run(f"%llm_load '{broken}'")
    assert "\n" not in str(caught.value)


def test_models_can_be_filtered(shell: Any) -> None:
    everything = shell.run("found = %llm_models")
    assert everything == ""
    assert len(shell.user_ns["found"]) == len(shell.user_ns["found"].to_pandas())
    shell.run("few = %llm_models no-model-has-this-name")
    assert shell.user_ns["few"] == []
    assert "No model matches" in shell.run("%llm_models no-model-has-this-name")


@pytest.mark.slow
def test_a_real_model_is_planned_loaded_asked_and_freed(shell: Any, shared: Path, outputs: Any) -> None:
    pytest.importorskip("transformers")
    path = shared / "models" / "cardputer-chat-3m"
    shell.run(f"plan = %llm_load {path} --dry-run")
    assert shell.user_ns["plan"][0].plan.memory and shell.run("%llm_status").count("cardputer") == 0
    shell.run(f"model = %llm_load {path} --name small")
    drawn = shell.display_formatter.format(shell.user_ns["model"])[0]
    words = ("safetensors", "parameters", "estimated", "loaded in", str(path))
    assert all(word in drawn["text/html"] for word in words)
    shell.run_cell("%%prompt --max-tokens 5 -o answer\nHello").raise_error()
    assert 1 <= shell.user_ns["answer"].usage.generated_tokens <= 5
    assert "Unloaded small" in shell.run("%llm_unload small")


def test_the_overview_lists_every_magic(shell: Any) -> None:
    from kaggle_magics.magics.registry import commands

    shown = shell.run("%kaggle_magics")
    for command in commands().values():
        assert command.typed() in shown and command.summary in shown


def test_the_doctor_names_the_line_that_mends(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from kaggle_magics.magics import overview

    monkeypatch.setattr(overview, "installed", lambda module: module != "chromadb")
    shown = shell.run("%kaggle_magics doctor")
    line = next(line for line in shown.splitlines() if "chromadb" in line)
    assert "no" in line.split() and "%pip install 'kaggle-magics[rag]'" in line
    assert "IPython" in shown and "memory" in shown
    with pytest.raises(OptionError, match="Did you mean doctor"):
        shell.run("%kaggle_magics docter")
