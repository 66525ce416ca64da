"""A GGUF file's tokenizer: text to tokens and tokens to bytes, by llama.cpp."""

from __future__ import annotations

import ctypes
from itertools import groupby
from typing import Any

from kaggle_magics.errors import EngineError


class LlamaVocabulary:
    """The vocabulary of a loaded model."""

    def __init__(self, library: Any, model: Any) -> None:
        self._library = library
        self.pointer: Any = library.llama_model_get_vocab(model)
        """`llama_vocab *`, for libraries that read it themselves."""
        self.size = int(library.llama_vocab_n_tokens(self.pointer))
        self._gaps = _gaps(library, self.pointer, self.size)
        self.special_tokens: dict[str, str] = {
            name: library.llama_vocab_get_text(self.pointer, token).decode("utf-8", "replace")
            for name, token in (
                ("bos_token", library.llama_vocab_bos(self.pointer)),
                ("eos_token", library.llama_vocab_eos(self.pointer)),
            )
            if token >= 0
        }

    def is_end(self, token: int) -> bool:
        return bool(self._library.llama_vocab_is_eog(self.pointer, token))

    def encode(self, text: str, *, add_special: bool) -> list[int]:
        data = (self._gaps.fill(text) if self._gaps else text).encode("utf-8")
        # Never more tokens than bytes, and a few special ones.
        tokens = (self._library.llama_token * (len(data) + 8))()
        count = self._library.llama_tokenize(self.pointer, data, len(data), tokens, len(tokens), add_special, True)
        if count < 0:
            raise EngineError("llama.cpp could not turn the prompt into tokens.")
        return list(tokens[:count])

    def token_name(self, token: int) -> str:
        """What the file calls a token; a control token is written so."""
        name: str = self._library.llama_vocab_get_text(self.pointer, token).decode("utf-8", "replace")
        return name

    def token_bytes(self, token: int) -> bytes:
        """A token's bytes; none for a control token."""
        size = 64
        buffer = ctypes.create_string_buffer(size)
        count = self._library.llama_token_to_piece(self.pointer, token, buffer, size, 0, False)
        if count < 0:
            size = -count
            buffer = ctypes.create_string_buffer(size)
            count = self._library.llama_token_to_piece(self.pointer, token, buffer, size, 0, False)
        return buffer.raw[: max(count, 0)]


class _Gaps:
    """Characters that a SentencePiece vocabulary without all byte tokens cannot write.

    llama.cpp looks such a byte's token up and, not finding it, ends the process (`llama_vocab::byte_to_token`). They
    are replaced by the unknown token before it sees them, as transformers does.
    """

    def __init__(self, pieces: set[str], unknown: str) -> None:
        self._pieces, self._unknown = pieces, unknown

    def fill(self, text: str) -> str:
        runs = groupby(text, key=self._is_known)
        return "".join("".join(run) if known else self._unknown for known, run in runs)

    def _is_known(self, character: str) -> bool:
        if ("▁" if character == " " else character) in self._pieces:
            return True
        return all(f"<0x{byte:02X}>" in self._pieces for byte in character.encode())


def _gaps(library: Any, vocab: Any, size: int) -> _Gaps | None:
    if library.llama_vocab_type(vocab) != library.LLAMA_VOCAB_TYPE_SPM:
        return None
    texts = [library.llama_vocab_get_text(vocab, token).decode("utf-8", "replace") for token in range(size)]
    pieces = {text for text in texts if len(text) == 1 or (len(text) == 6 and text.startswith("<0x"))}
    if all(f"<0x{byte:02X}>" in pieces for byte in range(256)):
        return None
    is_unknown = library.LLAMA_TOKEN_ATTR_UNKNOWN
    unknown = (text for token, text in enumerate(texts) if library.llama_vocab_get_attr(vocab, token) & is_unknown)
    return _Gaps(pieces, next(unknown, ""))
