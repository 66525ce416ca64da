"""Probabilities from a server: asked for, read in each form that servers have, and done without."""

from __future__ import annotations

import itertools
import math
import threading
from typing import Any

import pytest

from kaggle_magics.models.engines.endpoint.probabilities import UNKNOWN, Told
from kaggle_magics.models.request import Request, Sampling, TokenProbability


def entry(text: str, probability: float, *others: tuple[str, float], **more: Any) -> dict[str, Any]:
    top = [{"token": other, "logprob": math.log(value)} for other, value in others]
    return {"token": text, "logprob": math.log(probability), "top_logprobs": top, **more}


def ask(server: Any, **options: Any) -> tuple[str, list[TokenProbability]]:
    pieces = list(server.connect().stream(Request.ask("Capital?", sampling=Sampling(), **options), threading.Event()))
    return "".join(piece.text for piece in pieces), [token for piece in pieces for token in piece.tokens]


def test_a_chat_tells_each_token_with_its_alternatives(server: Any) -> None:
    def answer(exchange: Any) -> None:
        exchange.begin_stream()
        for each in (entry("Li", 0.5, ("Li", 0.5), ("Cu", 0.25)), entry("ma", 1.0, id=77)):
            exchange.event({"choices": [{"delta": {"content": each["token"]}, "logprobs": {"content": [each]}}]})
        exchange.event({"choices": [{"delta": {}, "finish_reason": "stop"}]})
        exchange.event(b"[DONE]")

    server.script = [answer]
    text, tokens = ask(server, logprobs=2)
    assert (server.asked[0].body["logprobs"], server.asked[0].body["top_logprobs"]) == (True, 2)
    assert text == "Lima" == "".join(token.piece for token in tokens)
    assert [token.token for token in tokens] == [UNKNOWN, 77]
    assert math.exp(tokens[0].logprob) == pytest.approx(0.5)
    assert [(text, round(math.exp(value), 2)) for _, text, value in tokens[0].top] == [("Li", 0.5), ("Cu", 0.25)]


def test_nothing_is_asked_for_unless_wanted(server: Any) -> None:
    assert ask(server) == ("Lima.", [])
    assert not {"logprobs", "top_logprobs"} & server.asked[0].body.keys()


def test_the_older_completions_tell_lists_side_by_side(server: Any) -> None:
    def answer(exchange: Any) -> None:
        exchange.begin_stream()
        told = {
            "tokens": ["Li", "ma"],
            "token_logprobs": [-0.7, -0.1],
            "top_logprobs": [{"Cu": -1.5, "Li": -0.7}, None],
            "text_offset": [0, 2],
        }
        exchange.event({"choices": [{"text": "Lima", "logprobs": told, "finish_reason": "stop"}]})
        exchange.event(b"[DONE]")

    server.script = [answer]
    text, tokens = ask(server, logprobs=2, template="none")
    assert server.asked[0].body["logprobs"] == 2 and "top_logprobs" not in server.asked[0].body
    assert text == "Lima" and [token.piece for token in tokens] == ["Li", "ma"]
    assert tokens[0].top == ((UNKNOWN, "Li", -0.7), (UNKNOWN, "Cu", -1.5)) and tokens[1].top == ()


def test_a_server_that_knows_no_probabilities_answers_without(server: Any) -> None:
    def refuse(exchange: Any) -> None:
        exchange.error(400, "Unrecognized request arguments supplied: logprobs, top_logprobs", param="logprobs")

    server.script = [refuse, lambda exchange: exchange.say("Lima")]
    text, tokens = ask(server, logprobs=3)
    assert (text, tokens) == ("Lima", [])


def test_a_character_over_several_tokens_is_put_together_from_its_bytes() -> None:
    data = "é🎉".encode()
    told = Told()
    tokens = [token for byte in data for token in told.read({"content": [entry(f"\\x{byte:02x}", 0.5, bytes=[byte])]})]
    assert "".join(token.piece for token in tokens) == "é🎉"
    assert [token.piece for token in tokens] == ["", "é", "", "", "", "🎉"]


def test_what_is_in_no_known_form_is_left_out() -> None:
    values: list[Any] = [None, 1, "x", [], {}, True, [None], {"token": 1}, [300], [-1], math.nan, 5.0]
    for one, other in itertools.product(values, values):
        for told in (
            one,
            {"content": one},
            {"content": [{"token": one, "logprob": other}]},
            {"content": [{"token": "x", "logprob": -1, "bytes": one, "top_logprobs": other}]},
            {"content": [{"token": "x", "logprob": -1, "top_logprobs": [{"token": one, "logprob": other}]}]},
            {"tokens": one, "token_logprobs": other, "top_logprobs": one},
            {"tokens": ["x"], "token_logprobs": [other], "top_logprobs": [one]},
        ):
            for token in Told().read(told):
                assert isinstance(token.text, str) and isinstance(token.piece, str) and token.logprob <= 0
