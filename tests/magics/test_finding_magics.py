"""%llm_models, aliases and their completion, in a real shell."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.errors import ModelNotFound, OptionError
from kaggle_magics.models.identity import Identity
from kaggle_magics.models.loaded import LoadedModel
from kaggle_magics.testing import ScriptedEngine

Make = Callable[..., Path]


@pytest.fixture
def attached(tree: Path, make_folder: Make, make_adapter: Make) -> Path:
    """A model in two versions, an adapter, a speech model, one far too large and one cut short."""
    for version in (1, 2):
        make_folder(tree / f"models/qwen-lm/qwen2.5/transformers/0.5b/{version}", parameters=1000)
    make_adapter(tree / "models/ada/my-lora/transformers/default/1", base="Qwen/Qwen2.5-0.5B")
    make_folder(tree / "models/openai/whisper/transformers/tiny/1", model_type="whisper")
    make_folder(tree / "models/meta/huge/transformers/70b/1", num_hidden_layers=10**12)
    cut = make_folder(tree / "models/ada/cut/transformers/1b/1") / "model.safetensors"
    cut.write_bytes(cut.read_bytes()[:-5])
    return tree


def test_the_list_tells_all_and_hides_nothing(shell: Any, attached: Path) -> None:
    shown = shell.run("%llm_models -o found")
    row = next(line for line in shown.splitlines() if line.startswith("qwen2.5-0.5b"))
    assert "2, newest of 1, 2" in row and "qwen-lm/qwen2.5/transformers/0.5b" in row and " yes " in row
    assert " no " in next(line for line in shown.splitlines() if line.startswith("huge-70b"))
    assert "LORA for Qwen/Qwen2.5-0.5B" in shown and "speech" in shown and "--dry-run" in shown
    assert "Cannot be used" in shown and "cut short" in shown
    table = shell.user_ns["found"].to_pandas()
    assert set(table["kind"].dropna()) == {"generator", "adapter", "speech"}
    assert table.set_index("name").loc["cut-1b", "problem"].startswith("model.safetensors is cut short")
    assert table.set_index("name").loc["huge-70b", "fits"] in (False, None)


def test_the_list_can_be_narrowed(shell: Any, attached: Path) -> None:
    shell.run("found = %llm_models QWEN 0.5b")
    assert {model.name for model in shell.user_ns["found"]} == {"qwen2.5-0.5b"}
    shell.run("found = %llm_models --kind speech")
    assert [model.name for model in shell.user_ns["found"]] == ["whisper-tiny"]
    assert "No model matches" in shell.run("%llm_models nothing here")
    with pytest.raises(OptionError, match="Did you mean embedder"):
        shell.run("%llm_models --kind embeder")


def test_its_html_escapes_what_files_say(shell: Any, tree: Path, make_folder: Make) -> None:
    make_folder(tree / "evil", architectures=["<img src=x onerror=alert(1)>ForCausalLM"])
    shell.run("found = %llm_models evil")
    drawn = shell.display_formatter.format(shell.user_ns["found"])[0]
    assert "<img" not in drawn["text/html"] and "&lt;img" in drawn["text/html"]


def test_aliases_are_set_used_and_completed(shell: Any, session: Any, attached: Path) -> None:
    shell.run('%config KaggleMagics.aliases = {"little": "qwen2.5/transformers/0.5b"}')
    session.aliases["mine"] = "my-lora"
    assert session.plan("little").checkpoint.name == "qwen2.5-0.5b"
    shell.run("plan = %llm_load little --dry-run")
    offered = shell.complete(None, "%llm_load ")[1]
    assert {"little", "mine", "qwen2.5-0.5b", "qwen-lm/qwen2.5/transformers/0.5b"} <= set(offered)
    # Setting them anew forgets what was set before, and not what Python set.
    shell.run('%config KaggleMagics.aliases = {"small": "pocket"}')
    assert session.aliases == {"small": "pocket", "mine": "my-lora"}
    with pytest.raises(ModelNotFound, match="'little'"):
        shell.run("%llm_load little --dry-run")


def test_an_alias_of_a_server_connects_to_it(shell: Any, session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    connected: list[str] = []

    def connect(reference: str, **_: Any) -> Any:
        connected.append(reference)
        return LoadedModel("served", ScriptedEngine(), identity=Identity("openai:http://127.0.0.1:1/v1#qwen"))

    monkeypatch.setattr(session._pool, "connect", connect)
    session.aliases["box"] = "openai:http://127.0.0.1:1/v1#qwen"
    shell.run("m = %llm_load box")
    assert connected == ["openai:http://127.0.0.1:1/v1#qwen"]


def test_aliases_that_cannot_be_are_refused(shell: Any, session: Any, capsys: Any) -> None:
    for odd in ('{"": "pocket"}', '{"a": ""}', '{"a": 3}', '{" a": "pocket"}'):
        result = shell.run_cell(f"%config KaggleMagics.aliases = {odd}")
        assert result.error_in_exec is not None or session.aliases == {}
    assert session.aliases == {}


def test_completion_reads_no_headers(shell: Any, attached: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("a header was read")

    monkeypatch.setattr("kaggle_magics.models.find.catalog.read_checkpoint", never)
    assert "whisper-tiny" in shell.complete(None, "%llm_load whis")[1]


def test_a_download_is_shown_while_it_comes(shell: Any, session: Any, outputs: Any, monkeypatch: Any) -> None:
    from kaggle_magics.models.find.downloads.supervise import Progress
    from kaggle_magics.session import models

    found = session.plan("pocket").checkpoint

    def resolve(reference: Any, *, on_progress: Any = None, download: bool = True, **_: Any) -> Any:
        if download and on_progress:
            for done in (0, 500_000_000, 1_000_000_000):
                on_progress(Progress("ada/some", done, 1_000_000_000, 25e6))
        return found

    monkeypatch.setattr(models, "resolve", resolve)
    shown: list[str] = []
    publish = outputs.publish
    monkeypatch.setattr(
        shell.display_pub, "publish", lambda **given: (shown.append(given["data"]["text/plain"]), publish(**given))
    )
    monkeypatch.setattr(session, "load", lambda *_, **__: type("Model", (), {"name": "some"})())
    shell.run("%llm_load hub:ada/some")
    assert any("Downloading ada/some: 0.00 of 1.00 GB" in text for text in shown)
    assert "pocket was downloaded to" in outputs.html
