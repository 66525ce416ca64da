"""What is kept from one request to the next: the common beginning of prompts, in several contexts."""

from __future__ import annotations

import threading

from scripted_model import A, B, C, D, Scripted, run, used

from kaggle_magics.models.engines.decoding import LocalEngine
from kaggle_magics.models.request import Request


def test_a_common_beginning_is_reused() -> None:
    model = Scripted("answer")
    engine = LocalEngine(model)
    run(engine, "The document. Question one?")
    text, last = run(engine, "The document. Question two?")
    assert text == "answer" and last.usage is not None
    assert last.usage.reused_tokens == 1 + len("The document. Question ")
    # The same prompt again: only its last token is read.
    _, last = run(engine, "The document. Question two?")
    assert last.usage is not None and last.usage.reused_tokens == last.usage.prompt_tokens - 1
    # The answer is part of the next prompt, as in a conversation.
    _, last = run(engine, "The document. Question two?answer. And?")
    assert last.usage is not None and last.usage.reused_tokens == 1 + len("The document. Question two?answer")


def test_four_contexts_in_turn_are_all_kept() -> None:
    engine = LocalEngine(Scripted("xyz"), kept_bytes=1000)
    for context in (A, B, C, D):
        # Only the BOS is known, which is not worth a copy.
        assert used(engine, context + " first?") == (98, 0)
    for question in (" second?", " third?"):
        for context in (A, B, C, D):
            assert used(engine, context + question)[1] >= 92


def test_the_context_used_longest_ago_goes_first_when_bytes_run_out() -> None:
    model = Scripted("xyz")
    engine = LocalEngine(model, kept_bytes=250)
    for context in (A, B, A, C):
        used(engine, context)
    assert used(engine, A)[1] == 90
    assert used(engine, B)[1] == 0
    assert sum(len(row.tokens) for row in model.rows) <= 250
    # The latest one stays, whatever the bound.
    engine.kept_bytes = 0
    used(engine, C)
    assert [len(row.tokens) for row in model.rows] == [93] and used(engine, C)[1] == 90
    assert engine.forget() == 1 and not model.rows


def test_what_two_prompts_share_is_copied_when_the_rest_is_worth_keeping() -> None:
    model = Scripted("xyz")
    engine = LocalEngine(model, kept_bytes=1000)
    system = "System text. "
    used(engine, system + A)
    assert used(engine, system + B)[1] == 1 + len(system)
    # Both are whole: the first was not cut for the second.
    assert used(engine, system + A + "?")[1] == 1 + len(system + A)
    assert used(engine, system + B + "?")[1] == 1 + len(system + B)
    # A follow-up replaces what it goes on from.
    assert len(model.rows) == 2


def test_a_memory_that_cannot_be_cut_is_copied_where_prompts_part() -> None:
    model = Scripted("xyz")
    model.croppable = False
    engine = LocalEngine(model, kept_bytes=5000)
    assert used(engine, A + " one?") == (96, 0)
    # The same prompt, and a conversation that goes on.
    assert used(engine, A + " one?")[1] == 95
    assert used(engine, A + " one?xyz and then?")[1] >= 95
    # The second question shows where the context ends, the third one gains from it.
    assert used(engine, A + " two?")[1] == 0
    assert used(engine, A + " six?")[1] >= 1 + len(A)
    run(engine, B + B)
    assert used(engine, A + " ten?")[1] >= 1 + len(A)


def test_an_interrupted_answer_leaves_what_was_read() -> None:
    engine, stop = LocalEngine(Scripted("x" * 50)), threading.Event()
    pieces = []
    for piece in engine.stream(Request.ask(A, template="none"), stop):
        pieces.append(piece)
        stop.set()
    assert pieces[-1].stop_reason == "interrupted"
    assert used(engine, A + "?")[1] == 91


# -- tables ----------------------------------------------------------------------------------------------------
