"""A model whose answers are written down, for tests of the decode loop above it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from kaggle_magics.models.engines.decoding import LocalEngine
from kaggle_magics.models.engines.local_model import Interrupted, Row
from kaggle_magics.models.engines.protocol import EngineFacts
from kaggle_magics.models.engines.text import ByteDecoder
from kaggle_magics.models.request import Piece, Request, Sampling

END, BOS = 0, 1


class Scripted:
    """A model over bytes (token = byte + 2) that goes on with `script` after whatever prompt."""

    size = 258
    tokenizer = None

    def __init__(self, script: str = "", *, context: int = 4096, template: str | None = None) -> None:
        self.script = [byte + 2 for byte in script.encode()] + [END]
        self.facts = EngineFacts("scripted", "none", "cpu", "float32", context)
        self.template = template
        self.special_tokens = {"bos_token": "<s>"}
        self.croppable = True
        self.prompts: dict[int, int] = {}
        self.read: list[list[list[int]]] = []
        self.rows: list[Row] = []
        self.most_rows = 64
        self.stop_at: int | None = None
        self.fail_when: Callable[[int], BaseException | None] = lambda rows: None
        self.closed = False

    def is_end(self, token: int) -> bool:
        return token == END

    def token_text(self, token: int) -> str:
        return bytes([token - 2]).decode("utf-8", "replace") if token > 1 else ""

    def encode(self, text: str, *, add_special: bool) -> list[int]:
        head, text = ([BOS], text[3:]) if text.startswith("<s>") else ([], text)
        return [BOS] * add_special + head + [byte + 2 for byte in text.encode()]

    def decoder(self, prompt: Sequence[int]) -> ByteDecoder:
        return ByteDecoder(lambda token: bytes([token - 2]) if token > 1 else b"")

    def begin(self) -> Row:
        row = Row()
        self.rows.append(row)
        return row

    def crop(self, row: Row, length: int) -> None:
        if length < len(row.tokens):
            del row.tokens[length if self.croppable else 0 :]

    def fork(self, row: Row, length: int) -> Row:
        twin = self.begin()
        if self.croppable or length == len(row.tokens):
            twin.tokens = row.tokens[:length]
        return twin

    def park(self, row: Row) -> None:
        row.memory = "parked"

    def drop(self, row: Row) -> None:
        row.tokens = []
        if any(row is one for one in self.rows):
            self.rows = [one for one in self.rows if one is not row]

    def bytes_of(self, row: Row) -> int:
        return len(row.tokens)

    def rows_at_once(self, shared: int, own: Sequence[int]) -> int:
        return min(len(own), self.most_rows)

    def evaluate(
        self, rows: Sequence[Row], tails: Sequence[Sequence[int]], stop: threading.Event
    ) -> NDArray[np.float32]:
        assert all(tails) and len({id(row) for row in rows}) == len(rows)
        error = self.fail_when(len(rows))
        if error is not None:
            raise error
        self.read.append([list(tail) for tail in tails])
        logits = np.zeros((len(rows), self.size), np.float32)
        for place, (row, tail) in enumerate(zip(rows, tails, strict=True)):
            if self.stop_at is not None and len(row.tokens) + len(tail) >= self.stop_at:
                row.tokens.extend(tail[: self.stop_at - len(row.tokens)])
                stop.set()
                raise Interrupted
            row.tokens.extend(tail)
            answered = self.answered(row.tokens)
            logits[place, self.script[answered] if answered < len(self.script) else END] = 1.0
        return logits

    def answered(self, tokens: Sequence[int]) -> int:
        """How much of the script stands at the end of the tokens."""
        longest = min(len(self.script) - 1, len(tokens))
        return max(n for n in range(longest + 1) if list(tokens[len(tokens) - n :]) == self.script[:n])

    def close(self) -> None:
        self.closed = True


def run(engine: LocalEngine, text: str, event: threading.Event | None = None, **sampling: object) -> tuple[str, Piece]:
    request = Request.ask(text, template="none", sampling=Sampling(**sampling))  # type: ignore[arg-type]
    pieces = list(engine.stream(request, event or threading.Event()))
    return "".join(piece.text for piece in pieces), pieces[-1]


def used(engine: LocalEngine, text: str) -> tuple[int, int]:
    """Tokens of the prompt, and how many of them were reused."""
    _, last = run(engine, text, max_tokens=3)
    assert last.usage is not None
    return last.usage.prompt_tokens, last.usage.reused_tokens


A, B, C, D = ("A" * 90, "B" * 90, "C" * 90, "D" * 90)
