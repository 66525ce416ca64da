"""What a library has to offer to become a local engine: token sequences in memory, and logits of what follows them.

Everything else, from requests to text, is written once above it (`decoding`).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kaggle_magics.models.constraint import Vocabulary
from kaggle_magics.models.engines.protocol import EngineFacts
from kaggle_magics.models.engines.text import TokenDecoder


class Interrupted(Exception):
    """A model stopped inside `evaluate` because it was told to."""


@dataclass(eq=False, slots=True)
class Row:
    """A token sequence in a model's memory (its KV cache, its recurrent state)."""

    tokens: list[int] = field(default_factory=list)
    """What the memory holds, kept by the model: true after every call, also one that failed or was stopped."""
    memory: Any = None
    """The model's own; nobody else looks into it."""


class LocalModel(Vocabulary, Protocol):
    """A library's model and tokenizer. It is used by one thread at a time."""

    @property
    def facts(self) -> EngineFacts: ...

    @property
    def template(self) -> str | None:
        """The model's own chat template."""
        ...

    @property
    def special_tokens(self) -> Mapping[str, str]:
        """`bos_token`, `eos_token` and so on, as text."""
        ...

    @property
    def croppable(self) -> bool:
        """Whether a row can be cut and forked at any length; a recurrent state can only be copied as it is."""
        ...

    def token_name(self, token: int) -> str:
        """A token's name in the vocabulary, which for a special token is the text that stands for it."""
        ...

    def encode(self, text: str, *, add_special: bool) -> list[int]:
        """Token ids; special tokens written in the text count as such. `add_special` adds what the tokenizer puts
        around a text, such as BOS."""
        ...

    def decoder(self, prompt: Sequence[int]) -> TokenDecoder:
        """A decoder for the answer to `prompt`."""
        ...

    def begin(self) -> Row:
        """A row that holds nothing yet."""
        ...

    def evaluate(
        self, rows: Sequence[Row], tails: Sequence[Sequence[int]], stop: threading.Event
    ) -> NDArray[np.float32]:
        """Read `tails[i]` (not empty) after `rows[i]`, all rows together: logits of what follows each, shape
        (rows, vocabulary). A long tail is a prefill, a tail of one token a decoding step.

        Raises `Interrupted` when it stopped early because `stop` was set.
        """
        ...

    def crop(self, row: Row, length: int) -> None:
        """Forget all but the first `length` tokens, or everything where that cannot be: `row.tokens` tells."""
        ...

    def fork(self, row: Row, length: int) -> Row:
        """Another row with the first `length` tokens of `row`, which stays; an empty one where that cannot be."""
        ...

    def park(self, row: Row) -> None:
        """This row will not be evaluated soon: move it out of the way of those that are."""
        ...

    def drop(self, row: Row) -> None:
        """Free a row."""
        ...

    def bytes_of(self, row: Row) -> int:
        """Memory that keeping this row takes, in bytes."""
        ...

    def rows_at_once(self, shared: int, own: Sequence[int]) -> int:
        """How many of the first rows can be evaluated together when each has `shared` tokens in common with the
        others and `own[i]` of its own, the answer's included. At least 1."""
        ...

    def close(self) -> None: ...
