"""A run card goes to JSON and back, and a notebook's outputs carry it."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import kaggle_magics
from kaggle_magics.errors import OptionError
from kaggle_magics.generation.answer import Answer
from kaggle_magics.generation.card import LONGEST_VALUE, RunCard, shortened
from kaggle_magics.generation.record import (
    LARGEST,
    answer_of_record,
    answer_record,
    notebook_answers,
    output_record,
)
from kaggle_magics.models import content
from kaggle_magics.models.content import content_hash
from kaggle_magics.models.request import Message, Sampling, TokenProbability, Usage

CARD = RunCard(
    model="pocket",
    source="/models/pocket",
    engine="transformers",
    library="transformers 5",
    device="cpu",
    dtype="float32",
    messages=(Message("system", "Be kind."), Message("user", "¿Dónde? 🦊 “x”")),
    template="auto",
    sampling=Sampling(temperature=0.7, seed=3, stop=("\n",)),
    version="0.1.0",
    created="2026-01-02T03:04:05+00:00",
    content="km1:abc",
    filled=(("city", "Lima"), ("row.n", "3")),
)
ANSWER = Answer(
    text="Aquí.",
    stop_reason="stop_sequence",
    usage=Usage(9, 2, 3, 0.1, 0.2),
    card=CARD,
    tokens=(TokenProbability(5, "A", -0.5, ((5, "A", -0.5), (6, "B", float("-inf")))),),
)


def notebook(path: Path, *records: Any) -> Path:
    outputs = [
        {"output_type": "display_data", "data": {}, "metadata": {"kaggle_magics": {"answers": [record]}}}
        for record in records
    ]
    cells = [{"cell_type": "markdown", "source": "x"}, {"cell_type": "code", "source": "", "outputs": outputs}]
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return path


def test_a_card_comes_back_from_json_as_it_was() -> None:
    text = json.dumps(CARD.to_dict(), allow_nan=False)
    assert RunCard.from_dict(json.loads(text)) == CARD
    assert list(json.loads(text))[:3] == ["format", "model", "source"]
    assert json.dumps(RunCard.from_dict(json.loads(text)).to_dict()) == text


def test_an_answer_comes_back_with_its_probabilities() -> None:
    text = json.dumps(answer_record(ANSWER), allow_nan=False)
    assert answer_of_record(json.loads(text)) == ANSWER


def test_a_card_may_hold_what_a_later_release_added_but_not_what_it_changed() -> None:
    found = CARD.to_dict()
    assert RunCard.from_dict({**found, "colour": "red", "sampling": {**found["sampling"], "typical_p": 1}}) == CARD
    with pytest.raises(OptionError, match=r"newer release \(format 99.*pip install --upgrade"):
        RunCard.from_dict({**found, "format": 99})
    for broken in ({}, {"format": 1}, {**found, "messages": 3}, {**found, "sampling": None}, 7):
        with pytest.raises(OptionError, match=r"card"):
            RunCard.from_dict(broken)  # type: ignore[arg-type]


def test_lone_surrogates_and_endless_numbers_are_no_json() -> None:
    card = replace(CARD, messages=(Message("user", "a\ud800b"),))
    record = answer_record(replace(ANSWER, card=card, text="\udfff", usage=Usage(1, 0, 1, float("nan"), 1.0)))
    assert record["card"]["messages"][0]["content"] == "a?b" and record["text"] == "?"
    assert record["usage"]["seconds_to_first_token"] is None
    json.dumps(record, allow_nan=False, ensure_ascii=False).encode()


def test_values_are_kept_in_their_beginnings() -> None:
    [(name, text)] = shortened((("row", "x" * 5000),))
    assert name == "row" and text.startswith("x" * LONGEST_VALUE) and text.endswith("(5,000 characters)")
    assert len(text) < LONGEST_VALUE + 30


def test_a_notebook_keeps_the_beginning_of_an_endless_prompt_and_says_so(tmp_path: Path) -> None:
    long = replace(ANSWER, card=replace(CARD, messages=(Message("user", "é" * 10**6),)))
    record = output_record(long)
    assert record["cut"] and len(record["card"]["messages"][0]["content"]) == LARGEST
    short, cut = notebook_answers(notebook(tmp_path / "a.ipynb", output_record(ANSWER), record))
    assert short.text == ANSWER.text and short.card == CARD and cut.card.messages == ()


def test_cards_are_read_from_a_notebook(tmp_path: Path) -> None:
    assert kaggle_magics.cards(notebook(tmp_path / "a.ipynb", output_record(ANSWER))) == [CARD]
    assert kaggle_magics.cards(str(notebook(tmp_path / "b.ipynb", "somebody else's", 3))) == []
    with pytest.raises(OptionError, match="newer release"):
        kaggle_magics.cards(
            notebook(tmp_path / "c.ipynb", {**output_record(ANSWER), "card": {**CARD.to_dict(), "format": 2}})
        )


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", "[" * 10**5])
def test_what_is_no_notebook_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "no.ipynb"
    path.write_text(text)
    with pytest.raises(OptionError, match=r"no\.ipynb is no notebook"):
        kaggle_magics.cards(path)
    with pytest.raises(OptionError, match="cannot be read"):
        kaggle_magics.cards(tmp_path / "missing.ipynb")


def test_a_content_hash_is_of_the_bytes_and_not_of_the_place(tmp_path: Path, make_folder: Any) -> None:
    first = make_folder(tmp_path / "a")
    second = Path(shutil.copytree(first, tmp_path / "kaggle" / "input" / "b"))
    linked = tmp_path / "c"
    linked.mkdir()
    for file in first.iterdir():
        (linked / file.name).symlink_to(file)
    (second / "README.md").write_text("says nothing about what it answers")
    assert content_hash(first) == content_hash(second) == content_hash(linked)
    weights = bytearray((second / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (second / "model.safetensors").write_bytes(weights)
    assert content_hash(second) != content_hash(first)
    (linked / "tokenizer_config.json").write_text("{}")
    assert content_hash(linked) != content_hash(first)
    assert content_hash(tmp_path / "nothing.gguf") is None


def test_of_a_large_file_every_matrix_is_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "WHOLE", 1000)
    monkeypatch.setattr(content, "END", 100)
    monkeypatch.setattr(content, "STRIDE", 400)
    monkeypatch.setattr(content, "BLOCK", 10)
    data = os.urandom(10_050)
    file = tmp_path / "large.gguf"
    file.write_bytes(data)
    known = content_hash(file)
    for start in range(0, len(data) - 400, 150):
        changed = data[:start] + bytes(byte ^ 255 for byte in data[start : start + 410]) + data[start + 410 :]
        file.write_bytes(changed)
        assert content_hash(file) != known, start
    file.write_bytes(data)
    assert content_hash(file) == known
    assert content_hash(file.rename(tmp_path / "other.gguf")) == known
