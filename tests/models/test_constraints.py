"""Constraints and token probabilities in the decode loop."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from numpy.typing import NDArray
from scripted_model import END, Scripted

from kaggle_magics.models.constraint import Vocabulary
from kaggle_magics.models.engines.decoding import LocalEngine
from kaggle_magics.models.request import Request, Sampling


class Only:
    """Allows one text and then the end; counts what it is asked."""

    keeps_space = True
    finished = False

    def __init__(self, text: str) -> None:
        self.tokens = [byte + 2 for byte in text.encode()] + [END]
        self.asked: list[int] = []
        self.masks = 0

    def begin(self, vocabulary: Vocabulary) -> Only:
        assert vocabulary.size == 258 and vocabulary.is_end(END) and vocabulary.token_text(67) == "A"
        self.place = 0
        return self

    def allows(self, token: int) -> bool:
        self.asked.append(token)
        return token == self.tokens[self.place]

    def mask(self) -> NDArray[np.bool_]:
        self.masks += 1
        mask = np.zeros(258, bool)
        mask[self.tokens[self.place : self.place + 1]] = True
        return mask

    def advance(self, token: int) -> None:
        assert token == self.tokens[self.place]
        self.place += 1


def test_a_constraint_decides_and_is_asked_little() -> None:
    likes = Only("xyz")
    [*_, last] = LocalEngine(Scripted("xyz")).stream(
        Request.ask("ab", template="none", constraint=likes), threading.Event()
    )
    assert last.stop_reason == "end" and len(likes.asked) == 4 and likes.masks == 0
    other = Only("no")
    pieces = list(
        LocalEngine(Scripted("xyz")).stream(Request.ask("ab", template="none", constraint=other), threading.Event())
    )
    assert "".join(piece.text for piece in pieces) == "no" and pieces[-1].stop_reason == "end"
    assert other.masks >= 1


def test_probabilities_come_with_the_pieces_and_none_is_lost() -> None:
    engine = LocalEngine(Scripted("Hé END"))
    request = Request.ask("ab", template="none", sampling=Sampling(stop=("END",)), logprobs=2)
    pieces = list(engine.stream(request, threading.Event()))
    tokens = [token for piece in pieces for token in piece.tokens]
    assert "".join(piece.text for piece in pieces) == "Hé "
    # Also those of half characters and of the stop string.
    assert [token.token - 2 for token in tokens] == list("Hé END".encode())
    assert tokens[0].text == "H" and tokens[1].text == "\ufffd"
    likely = 1 / (1 + 257 / np.e)
    for token in tokens:
        assert token.logprob == pytest.approx(np.log(likely), abs=1e-6)
        assert token.top[0] == (token.token, token.text, token.logprob) and len(token.top) == 2
        assert token.top[1][2] == pytest.approx(np.log(likely) - 1, abs=1e-6)
    assert not any(piece.tokens for piece in engine.stream(Request.ask("ab", template="none"), threading.Event()))
