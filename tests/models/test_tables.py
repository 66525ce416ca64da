"""A table of prompts: what is common is read once, the rest together, and each row ends for itself."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from scripted_model import A, B, Scripted, used

from kaggle_magics.errors import DoesNotFit, EngineError
from kaggle_magics.models.engines.decoding import LocalEngine
from kaggle_magics.models.engines.local_model import Row
from kaggle_magics.models.request import Piece, Request, Sampling


def table(
    engine: LocalEngine, texts: Sequence[str], stop: threading.Event | None = None, **sampling: object
) -> dict[int, tuple[str, Piece]]:
    requests = [
        Request.ask(text, template="none", sampling=Sampling(**sampling))  # type: ignore[arg-type]
        for text in texts
    ]
    rows: dict[int, tuple[str, Piece]] = {}
    for index, piece in engine.stream_many(requests, stop or threading.Event()):
        assert index not in rows or rows[index][1].stop_reason is None, "nothing comes after a last piece"
        rows[index] = (rows.get(index, ("", piece))[0] + piece.text, piece)
    return rows


def test_a_table_reads_what_is_common_once_and_the_rest_together() -> None:
    model = Scripted("xyz")
    engine = LocalEngine(model)
    questions = ["one?", "three?", "seventeen?", "two?"]
    rows = table(engine, [A + question for question in questions])
    assert [rows[index][0] for index in range(4)] == ["xyz"] * 4
    assert [len(tails) for tails in model.read] == [1, 4, 4, 4, 4]
    assert model.read[0][0] == model.encode(A, add_special=True)
    # Sorted by length; each row reads only its own.
    assert [len(tail) for tail in model.read[1]] == [10, 6, 4, 4]
    usages = [rows[index][1].usage for index in range(4)]
    assert [usage.prompt_tokens for usage in usages if usage] == [95, 97, 101, 95]
    # Reused is what did not have to be read: the first row in the batch paid for the common beginning.
    assert [usage.reused_tokens for usage in usages if usage] == [91, 91, 0, 91]
    # A second table finds it in memory; so does a single question.
    model.read.clear()
    rows = table(engine, [A + "new?", A + "other?"])
    assert len(model.read[0]) == 2
    assert used(engine, A + "?")[1] == 91
    # Nothing is left over but the context.
    assert len(model.rows) == 1


def test_rows_that_have_ended_leave_the_batch() -> None:
    model = Scripted("abcdefgh")
    engine = LocalEngine(model)
    requests = [
        Request.ask(f"{A}{place}", template="none", sampling=Sampling(max_tokens=place)) for place in (5, 2, 8, 3)
    ]
    rows: dict[int, str] = {}
    for index, piece in engine.stream_many(requests, threading.Event()):
        rows[index] = rows.get(index, "") + piece.text
    assert rows == {0: "abcde", 1: "ab", 2: "abcdefgh", 3: "abc"}
    assert [len(tails) for tails in model.read] == [1, 4, 4, 3, 2, 2, 1, 1, 1]


def test_batches_are_as_large_as_memory_allows() -> None:
    model = Scripted("xy")
    model.most_rows = 3
    rows = table(LocalEngine(model), [f"{A} {place}" for place in range(7)])
    assert len(rows) == 7 and {text for text, _ in rows.values()} == {"xy"}
    assert max(len(tails) for tails in model.read) == 3


def test_a_batch_that_does_not_fit_is_halved() -> None:
    model = Scripted("xy")
    model.fail_when = lambda rows: DoesNotFit("too much") if rows > 2 else None
    rows = table(LocalEngine(model), [f"{A} {place}" for place in range(7)])
    assert [rows[index][0] for index in range(7)] == ["xy"] * 7
    model.fail_when = lambda rows: DoesNotFit("too much")
    rows = table(LocalEngine(model), [A + "1", A + "2"])
    assert {last.stop_reason for _, last in rows.values()} == {"error"}


def test_a_row_that_fails_fails_alone() -> None:
    rows = table(LocalEngine(Scripted("xy", context=60)), ["short", A, "", "also short"])
    assert [rows[index][1].stop_reason for index in range(4)] == ["end", "error", "end", "end"]
    assert "context holds 60" in rows[1][0] and rows[3][0] == "xy"
    model = Scripted("xy")
    model.fail_when = lambda rows: EngineError("torch failed") if len(model.read) == 2 else None
    rows = table(LocalEngine(model), [A + "1", A + "2"])
    assert [(text, last.stop_reason) for text, last in rows.values()] == [("xtorch failed", "error")] * 2
    assert table(LocalEngine(model), []) == {}


def test_a_stop_keeps_what_is_done_and_begins_no_more() -> None:
    model = Scripted("abcdef")
    model.most_rows = 2
    engine, stop = LocalEngine(model), threading.Event()
    requests = [
        Request.ask(f"{A}{place}", template="none", sampling=Sampling(max_tokens=most))
        for place, most in enumerate((1, 9, 9, 9))
    ]
    last: dict[int, Piece] = {}
    for index, piece in engine.stream_many(requests, stop):
        last[index] = piece
        if len(last) == 2 and piece.stop_reason is None:
            stop.set()
    assert {index: piece.stop_reason for index, piece in last.items()} == {0: "length", 1: "interrupted"}
    stop = threading.Event()
    model.stop_at = 50
    assert table(engine, [B + "1", B + "2"], stop) == {}
    model.stop_at = None
    assert table(engine, [B + "1", B + "2"], max_tokens=2)[1][0] == "ab"


def test_rows_draw_by_their_own_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Scripted()

    def flat(rows: Sequence[Row], tails: Sequence[Sequence[int]], stop: threading.Event) -> NDArray[np.float32]:
        for row, tail in zip(rows, tails, strict=True):
            row.tokens.extend(tail)
        logits = np.zeros((len(rows), model.size), np.float32)
        logits[:, :67] = -np.inf
        return logits

    monkeypatch.setattr(model, "evaluate", flat)
    engine = LocalEngine(model)

    def draw(seed: int) -> Request:
        return Request.ask("ab", template="none", sampling=Sampling(max_tokens=8, temperature=1.0, seed=seed))

    alone = ["".join(piece.text for piece in engine.stream(draw(seed), threading.Event())) for seed in (1, 2, 1)]
    rows = {0: "", 1: "", 2: ""}
    for index, piece in engine.stream_many([draw(1), draw(2), draw(1)], threading.Event()):
        rows[index] += piece.text
    assert list(rows.values()) == alone and alone[0] == alone[2] != alone[1]


# -- constraints and probabilities -----------------------------------------------------------------------------
