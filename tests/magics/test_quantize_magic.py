"""%llm_quantize as a person types it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.errors import OptionError


@pytest.fixture
def bundled(root: Path) -> Path:
    """The bundled model's GGUF, which is quantised already."""
    return next((root / "kaggle_magics" / "models" / "pocket").glob("*.gguf"))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("%llm_quantize pocket", "--to is missing"),
        ("%llm_quantize pocket --to q4km", "Did you mean q4_k_m"),
        ("%llm_quantize pocket --to q4_0,q8_0", "--measure"),
        ("%llm_quantize pocket --to q4_0 --text notes.txt", "cannot be read"),
        ("%llm_quantize pocket --to q4_0 --measure --path out", "--path does not go with it"),
    ],
)
def test_what_is_wrong_is_said(shell: Any, line: str, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        shell.run(line)


@pytest.mark.gguf
def test_a_file_is_made_shown_and_loaded(shell: Any, bundled: Path, outputs: Any, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="--requantize"):
        shell.run(f"%llm_quantize {bundled} --to q5_0")
    shell.run(f"small = %llm_quantize {bundled} --to q5_0 --requantize --path '{tmp_path}/my file.gguf' -o same")
    made = shell.user_ns["small"]
    assert made is shell.user_ns["same"] and (tmp_path / "my file.gguf").stat().st_size == made.bytes
    assert "%llm_load" in outputs.html and "my file.gguf" in outputs.html
    drawn = shell.display_formatter.format(made)[0]
    for part in ("text/html", "text/plain"):
        assert all(word in drawn[part] for word in ("Q5_0", "bits a weight", "go on alike", "losses of both"))
    shell.run("model = %llm_load $small --name small")
    assert shell.user_ns["model"].facts.dtype == "Q5_0"


@pytest.mark.gguf
def test_a_dry_run_and_a_measurement_are_tables(shell: Any, bundled: Path, tmp_path: Path) -> None:
    shown = shell.run(f"found = %llm_quantize {bundled} --to q5_0 --requantize --dry-run --path {tmp_path}")
    assert "Nothing was written" in shown and not list(tmp_path.iterdir())
    assert shell.user_ns["found"].bytes > 100_000
    (tmp_path / "text.txt").write_text("The river falls into the sea, and nobody has asked it why. " * 4)
    shell.run(f"table = %llm_quantize {bundled} --to q5_0 --requantize --measure --text {tmp_path}/text.txt")
    table = shell.user_ns["table"]
    assert [each.type for each in table] == ["q8_0", "q5_0"] and len(table.to_pandas()) == 2
    drawn = shell.display_formatter.format(table)[0]["text/plain"]
    assert "Q8_0 (original)" in drawn and "perplexity" in drawn and "KL" in drawn
