"""A loaded model's vocabulary as llguidance knows one: the bytes of every token, arranged in a trie."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

from kaggle_magics.extras import require
from kaggle_magics.models.constraint import Vocabulary

PURPOSE = "Holding an answer to a schema, choices or a regular expression"


class Tokenizer:
    """A vocabulary's trie, and which of its tokens end an answer."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        library: Any = require("llguidance", PURPOSE)
        self.size = vocabulary.size
        self.ends = [token for token in range(self.size) if vocabulary.is_end(token)]
        tokens = list(vocabulary.token_bytes())
        for token in self.ends:
            tokens[token] = b""
        # llguidance wants one, and gives the mask a place more where there is none.
        end = self.ends or [len(tokens)]
        self.trie = library.LLTokenizer(_Bytes([*tokens, *[b""] * (end[0] + 1 - len(tokens))], end[0]), eos_token=end)


class _Bytes:
    """The form in which llguidance takes a vocabulary from Python."""

    is_tokenizer_wrapper = True
    bos_token_id = None
    special_token_ids = ()

    def __init__(self, tokens: Sequence[bytes], end: int) -> None:
        self.tokens, self.eos_token_id = tokens, end

    def __call__(self, text: object) -> list[int]:
        # Asked only to write forced text in the model's own tokens, which our grammars switch off (`no_forcing`).
        raise NotImplementedError


_tokenizers: WeakKeyDictionary[Any, Tokenizer] = WeakKeyDictionary()
_lock = threading.Lock()


def tokenizer_for(vocabulary: Vocabulary) -> Tokenizer:
    """The tokenizer of a loaded model, made when it is first asked for and kept as long as the model.

    About three seconds for 150,000 tokens. Raises `MissingExtra`.
    """
    with _lock:
        if (made := _tokenizers.get(vocabulary)) is None:
            made = _tokenizers[vocabulary] = Tokenizer(vocabulary)
        return made
