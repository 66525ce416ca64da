"""%%prompt --dry-run: what is seen of a prompt before it is sent."""

from __future__ import annotations

import re
from typing import Any

import pytest

from kaggle_magics.errors import KaggleMagicsError, OptionError


def test_a_cell_shows_origins_and_asks_nothing(shell: Any, script: Any, outputs: Any) -> None:
    engine = script("never")
    shell.user_ns["country"] = "Peru <b>"
    shell.run_cell("%%prompt --dry-run -s terse -o seen\nThe capital\nof {country} ?").raise_error()
    assert engine.requests == []
    seen = shell.user_ns["seen"]
    assert seen.counts == {"system": 1, "variable": 2, "text": 4}
    # Told without colours: by classes with underlines, titles, a legend, and marks in the text form.
    assert 'title="value of a variable country · token' in outputs.html and "km-o-variable" in outputs.html
    assert "⏎" in outputs.html and "<b>" not in outputs.html and "<script" not in outputs.html
    text = outputs[0]["text/plain"]
    assert "[system text] terse" in text and "[value of a variable country] Peru <b>" in text
    assert "[your text] The capital\nof" in text and "7 prompt tokens in a context of 4,096" in text
    assert re.search(r"your text +4 +0\.1 %", text)
    assert "Filled in from the notebook: country" in outputs.html


def test_a_line_returns_its_preview(shell: Any, script: Any) -> None:
    engine = script("never")
    shell.run('seen = %prompt "one two" --dry-run')
    assert shell.user_ns["seen"].prompt_tokens == 2 and engine.requests == []
    bundle, _ = shell.display_formatter.format(shell.user_ns["seen"])
    assert "[your text] one two" in bundle["text/plain"]


def test_a_thread_is_shown_with_its_turns_and_stays_as_it_is(shell: Any, script: Any, session: Any) -> None:
    engine = script("Lima it is", context_length=400)
    shell.run("%%prompt --thread t --max-tokens 50\nCapital of Peru?")
    shell.run("%%prompt --thread t --dry-run --max-tokens 50 -o seen\nAnd of Chile?")
    assert shell.user_ns["seen"].counts == {"history": 6, "text": 3}
    assert len(engine.requests) == 1 and len(session.threads["t"]) == 1
    shell.run("%%prompt --thread t --dry-run --max-tokens 50 -o seen\n" + "word " * 347)
    assert shell.user_ns["seen"].left_out == 1


def test_a_long_prompt_is_bounded_and_folded(shell: Any, script: Any, outputs: Any) -> None:
    script("never")
    shell.user_ns["text"] = " ".join(f"w{n}" for n in range(100_000))
    shell.run_cell("%%prompt --dry-run -o seen\nSum up: {text}").raise_error()
    sizes = {kind: len(data) for kind, data in outputs[0].items()}
    assert sum(sizes.values()) < 400_000, sizes
    assert "98,502 tokens not shown: 98,502 value of a variable" in outputs.html
    assert "Too long by" in outputs.html and len(shell.user_ns["seen"].tokens) == 100_002


def test_what_does_not_go_together(shell: Any, script: Any) -> None:
    engine = script("never")
    shell.user_ns["rows"] = [{"a": 1}]
    with pytest.raises(OptionError, match="--dry-run shows one prompt, and --jsonl is about many"):
        shell.run("%%prompt --jsonl out.jsonl --dry-run\nx")
    assert "prompt tokens in a context" in shell.run("%%prompt -n 3 --dry-run\nx")
    with pytest.raises(OptionError, match=r"no option --dry-rum\. Did you mean --dry-run"):
        shell.run("%%prompt --dry-rum\nx")
    assert engine.requests == []


def test_asking_documents_shows_the_passages(shell: Any, script: Any, session: Any, no_embedder: None) -> None:
    engine = script("never")
    session.ingest({"handbook": "The boiler is mended by Ana. The library opens at nine."})
    shell.user_ns["what"] = "the boiler"
    shell.run("%%ask --dry-run -o seen\nWho mends {what} today?")
    seen = shell.user_ns["seen"]
    assert seen.counts["variable"] == 2 and seen.counts["text"] == 3 and seen.counts["system"] > 5
    assert "mended by Ana" in "".join(token.text for token in seen.tokens if token.origin == "context")
    assert engine.requests == [] and session.last is None
    with pytest.raises(OptionError, match="--extract asks no model"):
        shell.run("%%ask --dry-run --extract\nWho?")
    with pytest.raises(KaggleMagicsError, match="Nothing was found to answer from"):
        shell.run("%%ask --dry-run\nzzz qqq")


def test_code_is_shown_with_its_instruction(shell: Any, script: Any) -> None:
    engine = script("never")
    shell.run("%%codegen --dry-run --language SQL -o seen\nAll orders")
    seen = shell.user_ns["seen"]
    assert "SQL" in "".join(token.text for token in seen.tokens if token.origin == "system")
    assert seen.counts["text"] == 2 and engine.requests == []
