"""Token views: what is seen of each token, never by colour alone, bounded, escaped."""

from __future__ import annotations

import math
from dataclasses import replace

from kaggle_magics.display.answers import answer_view
from kaggle_magics.display.tokens import MOST_TOKENS, folded, percent
from kaggle_magics.generation.answer import Answer, RunCard
from kaggle_magics.models.request import Sampling, TokenProbability, Usage

CARD = RunCard("m", "", "scripted", "", "cpu", "", (), "auto", Sampling(seed=1), "0", "2026-01-01T00:00:00+00:00")


def token(text: str, probability: float, *others: tuple[str, float], piece: str | None = None) -> TokenProbability:
    top = tuple((at + 10, other, math.log(value)) for at, (other, value) in enumerate(others))
    return TokenProbability(1, text, math.log(probability), top, text if piece is None else piece)


def answer(*tokens: TokenProbability) -> Answer:
    text = "".join(each.piece for each in tokens)
    return Answer(text=text, stop_reason="end", usage=Usage(1, 0, len(tokens), 0.1, 0.2), card=CARD, tokens=tokens)


def test_each_token_has_its_shade_and_its_alternatives() -> None:
    shown = answer_view(
        answer(
            token("The", 0.95), token(" <b>", 0.6, (' "x"', 0.3)), token("\n", 0.3), token("é", 0.1), token("!", 0.01)
        )
    )
    for level in range(5):
        assert shown.html.count(f'class="km-t km-p{level}"') == 2  # the token, and its entry in the legend
    assert "<b>" not in shown.html and "&lt;b&gt;" in shown.html
    assert "30 %  ␣&quot;x&quot;" in shown.html and "⏎" in shown.html
    for words in ("90 % and more", "50 to 90 %", "20 to 50 %", "5 to 20 %", "below 5 %"):
        assert words in shown.html
    assert "<script" not in shown.html and "title=" in shown.html


def test_the_places_of_doubt_are_told_in_words() -> None:
    shown = answer_view(answer(token("Lima", 0.9), token(" is", 0.2, (" was", 0.7), (" is", 0.2)), token(".", 1.0)))
    for form in (shown.text, shown.html):
        assert "3 tokens, mean probability 70%, perplexity 1.77, 1 of them not the likeliest" in form
    assert "␣was 70 %" in shown.text and "after" in shown.text and "Lima" in shown.text.splitlines()[-3]
    sure = answer_view(answer(token("Lima", 0.9)))
    assert "least certain" not in sure.text


def test_parts_of_a_character_are_a_sign_and_then_the_character() -> None:
    shown = answer_view(
        answer(token("\ufffd", 0.9, piece=""), token("\ufffd", 0.9, piece="🎉"), token("Lima", 1, piece=" Lima"))
    )
    assert "\ufffd" not in shown.html.replace("&#xfffd;", "").partition('title="')[0]
    assert ">🎉</span>" in shown.html and "◦" in shown.html and "> Lima</span>" in shown.html


def test_a_long_answer_is_folded_in_the_middle() -> None:
    tokens = [token(f" w{n}", 0.5, *[(f" other{at}", 0.1) for at in range(5)]) for n in range(20_000)]
    shown = answer_view(answer(*tokens))
    assert len(shown.html) < 700_000
    assert "18,500 tokens not shown" in shown.html and ">w0<" not in shown.html and "> w19999<" in shown.html
    for count in (0, 1, MOST_TOKENS, MOST_TOKENS + 1, 10**6):
        head, tail = folded(count)
        assert len(head) + len(tail) == min(count, MOST_TOKENS) and (not tail or tail[-1] == count - 1)


def test_impossible_and_certain_tokens() -> None:
    never = replace(token("x", 0.5), logprob=-math.inf)
    shown = answer_view(answer(never, token("y", 1.0)))
    assert "< 0.1 %" in shown.text and "perplexity" in shown.text
    assert [percent(math.log(value)) for value in (1.0, 0.123, 0.0123, 0.0001)] == ["100 %", "12 %", "1.2 %", "< 0.1 %"]


def test_the_first_token_has_nothing_before_it() -> None:
    shown = answer_view(
        answer(token(" ", 0.99, piece=""), token("\x00", 0.99, piece=""), token("Lima", 0.1, ("x", 0.5)))
    )
    assert "(the beginning)" in shown.text


def test_an_answer_that_did_not_begin_shows_its_tokens_and_says_so() -> None:
    cut = replace(answer(token("<think>", 0.9), token("hm", 0.9)), text="", reasoning="hm", stop_reason="length")
    shown = answer_view(cut)
    assert "The answer did not begin" in shown.text and "&lt;think&gt;" in shown.html
