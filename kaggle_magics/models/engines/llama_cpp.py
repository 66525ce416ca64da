"""A loaded GGUF file as a `LocalModel`, through llama.cpp's C API.

The facts of it that are used here are in llama.h (context and memory functions, `llama_set_abort_callback`).
`llama_cpp_loading` loads what is run here.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kaggle_magics.errors import DoesNotFit, EngineError
from kaggle_magics.models.engines.decoding import Interrupted
from kaggle_magics.models.engines.llama_cpp_library import last_words
from kaggle_magics.models.engines.llama_cpp_vocabulary import LlamaVocabulary
from kaggle_magics.models.engines.protocol import EngineFacts
from kaggle_magics.models.engines.sampling import Logits
from kaggle_magics.models.engines.text import ByteDecoder

_ABORTED, _NO_ROOM = 2, 1
"""What `llama_decode` returns when the abort callback ended it, and when its memory is full."""


class LlamaModel:
    """See `LocalModel`. It owns the `llama_model *` and the `llama_context *` that it is given."""

    def __init__(self, library: Any, model: Any, context: Any, *, facts: EngineFacts) -> None:
        self._library, self._model, self._context = library, model, context
        self._stop: threading.Event | None = None
        self._interrupt: BaseException | None = None
        # Kept here because llama.cpp holds only the address.
        self._abort = library.ggml_abort_callback(self._must_stop)
        library.llama_set_abort_callback(context, self._abort, None)
        self._memory = library.llama_get_memory(context)
        self._vocabulary = LlamaVocabulary(library, model)
        self.facts = facts
        template = library.llama_model_chat_template(model, None)
        self.template: str | None = template.decode("utf-8", "replace") if template else None
        self.special_tokens: Mapping[str, str] = self._vocabulary.special_tokens

    def is_end(self, token: int) -> bool:
        return self._vocabulary.is_end(token)

    def encode(self, text: str, *, add_special: bool) -> list[int]:
        return self._vocabulary.encode(text, add_special=add_special)

    def decoder(self, prompt: Sequence[int]) -> ByteDecoder:
        return ByteDecoder(self._vocabulary.token_bytes)

    def keep(self, length: int) -> int:
        library, memory = self._library, self._memory
        if length > 0 and library.llama_memory_seq_rm(memory, 0, length, -1):
            # A sliding window may have dropped what the next token must still see (as llama-server checks it).
            window = library.llama_model_n_swa(self._model)
            if library.llama_memory_seq_pos_min(memory, 0) <= max(0, length - window):
                return length
        library.llama_memory_clear(memory, True)
        return 0

    def evaluate(self, tokens: Sequence[int], stop: threading.Event) -> Logits:
        library = self._library
        ids = (library.llama_token * len(tokens))(*tokens)
        self._stop = stop
        try:
            result = library.llama_decode(self._context, library.llama_batch_get_one(ids, len(tokens)))
        finally:
            self._stop = None
        if self._interrupt is not None:
            interrupt, self._interrupt = self._interrupt, None
            raise interrupt
        if result == _ABORTED:
            raise Interrupted
        if result == _NO_ROOM:
            raise DoesNotFit("The model's context is full.", "Shorten the prompt, or load it with a longer context.")
        if result != 0:
            raise EngineError(f"llama.cpp failed (llama_decode returned {result}).", last_words())
        logits = np.ctypeslib.as_array(library.llama_get_logits_ith(self._context, -1), shape=(self._vocabulary.size,))
        return logits.astype(np.float32, copy=True)

    def close(self) -> None:
        if self._context is not None:
            self._library.llama_free(self._context)
        if self._model is not None:
            self._library.llama_model_free(self._model)
        self._context = self._model = None

    def _must_stop(self, _: Any) -> bool:
        """Asked by llama.cpp before every node of a computation."""
        try:
            return self._stop is not None and self._stop.is_set()
        except BaseException as error:
            # A KeyboardInterrupt lands here, where ctypes would drop it.
            self._interrupt = error
            return True
