"""What a cell shows carries the run cards of its answers, and a card can be looked at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell

import kaggle_magics
from kaggle_magics.session import Session


class Metadata(list[dict[str, Any]]):
    """The metadata of every output that was published, updates included."""

    def publish(self, metadata: dict[str, Any], **_: Any) -> None:
        self.append(metadata)

    @property
    def cards(self) -> list[dict[str, Any]]:
        return [record["card"] for record in self[-1]["kaggle_magics"]["answers"]]


@pytest.fixture
def metadata(shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch) -> Metadata:
    found = Metadata()
    monkeypatch.setattr(shell, "kernel", object(), raising=False)
    monkeypatch.setattr(shell.display_pub, "publish", found.publish)
    return found


def test_the_last_output_of_a_prompt_carries_its_card(shell: Any, script: Any, metadata: Metadata) -> None:
    script("Lima.")
    shell.user_ns["country"] = "Peru"
    shell.run('%%prompt --max-tokens 9 --seed 4 -s "Be brief." -o answer\nThe capital of {country}?')
    [card] = metadata.cards
    assert card["filled"] == {"country": "Peru"} and card["sampling"]["seed"] == 4
    assert [message["content"] for message in card["messages"]] == ["Be brief.", "The capital of Peru?"]
    assert metadata[-1]["kaggle_magics"]["answers"][0]["text"] == "Lima."
    assert metadata[0] == {}, "only the last state carries it"
    json.dumps(metadata[-1], allow_nan=False)
    assert kaggle_magics.get_session().last.card.to_dict() == card  # type: ignore[union-attr]


def test_a_chain_carries_a_card_for_each_step(shell: Any, script: Any, metadata: Metadata) -> None:
    script("ceviche", "fish")
    shell.run("%%chain -i country=Peru\ndish: The dish of {country}?\nparts: What is in {dish}?")
    first, second = metadata.cards
    assert first["filled"] == {"country": "Peru"} and second["filled"] == {"dish": "ceviche"}


def test_code_and_grounded_answers_carry_theirs(
    shell: Any, script: Any, metadata: Metadata, no_embedder: None, session: Session
) -> None:
    script("```python\nx = 1\n```", "At nine [1].")
    shell.user_ns["what"] = "door"
    shell.run("%%codegen\nSet {what}.")
    assert metadata.cards[0]["filled"] == {"what": "door"}
    session.ingest({"a.txt": "The door opens at nine."})
    shell.run("%%ask\nWhen does the {what} open?")
    assert metadata.cards[0]["filled"] == {"what": "door"} and metadata[-1]["kaggle_magics"]["answers"][0]["text"]


def test_a_value_that_is_shown_carries_its_card(shell: Any, script: Any) -> None:
    script("Lima.")
    answer = shell.run_line_magic("prompt", '"The capital?"')
    data, metadata = shell.display_formatter.format(answer)
    assert "Lima." in data["text/plain"] and metadata["kaggle_magics"]["answers"][0]["card"]["model"] == "scripted"
    data, metadata = shell.display_formatter.format(answer.card)
    assert (
        metadata == {} and "Run card" in data["text/html"] and "only a server, or this notebook" in data["text/plain"]
    )


def test_nothing_on_a_card_is_markup(shell: Any, script: Any) -> None:
    script("x")
    answer = shell.run_line_magic("prompt", '"<script>alert(1)</script> [a](http://b) | `c`"')
    html = shell.display_formatter.format(answer.card)[0]["text/html"]
    assert "<script>" not in html and "&lt;script&gt;" in html


def test_what_was_saved_reads_back(shell: Any, script: Any, metadata: Metadata, tmp_path: Path) -> None:
    script("Lima.")
    shell.run("%%prompt\nThe capital?")
    cell = nbformat.v4.new_code_cell("%%prompt\nThe capital?")
    cell.outputs = [nbformat.v4.new_output("display_data", data={"text/plain": "Lima."}, metadata=metadata[-1])]
    written = nbformat.v4.new_notebook(cells=[cell])
    nbformat.validate(written)
    nbformat.write(written, tmp_path / "saved.ipynb")
    assert kaggle_magics.cards(tmp_path / "saved.ipynb") == [kaggle_magics.get_session().last.card]  # type: ignore[union-attr]


def test_pocket_has_a_content_hash_and_a_template(session: Session) -> None:
    pytest.importorskip("transformers", reason="transformers is not installed")
    session.load("pocket")
    card = session.prompt("What is 2 + 2?", max_tokens=4).card
    assert card.content and card.content.startswith("km1:") and card.template_hash and card.context_length > 0
    plain = session.prompt("2 + 2 =", max_tokens=2, template="none").card
    named = session.prompt("2 + 2 =", max_tokens=2, template="chatml").card
    assert plain.template_hash is None and named.template_hash not in (None, card.template_hash)
