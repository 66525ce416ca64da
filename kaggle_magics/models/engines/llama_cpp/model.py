"""A loaded GGUF file as a `LocalModel`, through llama.cpp's C API.

The facts of it that are used here are in llama.h (context, memory and state functions, `llama_set_abort_callback`).
`loading` loads what is run here.

All sequences share one cache ("unified"), in which rows of a table share the cells of what they have in common. A row
that waits for its next request is taken out of it and kept as a saved state: attention runs over all cells in use,
others' too, and the cache need not be larger than one context. Saving and restoring costs a thousandth of reading the
same tokens.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kaggle_magics.errors import DoesNotFit, EngineError
from kaggle_magics.models.engines.llama_cpp.batch import LlamaBatch
from kaggle_magics.models.engines.llama_cpp.library import last_words
from kaggle_magics.models.engines.llama_cpp.vocabulary import LlamaVocabulary
from kaggle_magics.models.engines.local_model import Interrupted, Row
from kaggle_magics.models.engines.protocol import EngineFacts
from kaggle_magics.models.engines.text import ByteDecoder

_ABORTED, _NO_ROOM = 2, 1
"""What `llama_decode` returns when the abort callback ended it, and when its memory is full."""


@dataclass(eq=False, slots=True)
class _Held:
    """Where a row is: in the cache as sequence `sequence`, or outside as `state`, or nowhere yet."""

    sequence: int | None = None
    state: ctypes.Array[ctypes.c_uint8] | None = None


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
        self._window = int(library.llama_model_n_swa(model))
        self.croppable = not (library.llama_model_is_recurrent(model) or library.llama_model_is_hybrid(model))
        self._batch = LlamaBatch(library, int(library.llama_n_batch(context)))
        self._sequences = list(reversed(range(int(library.llama_n_seq_max(context)))))
        """Numbers of sequences that are not in use."""
        self.facts = facts
        template = library.llama_model_chat_template(model, None)
        self.template: str | None = template.decode("utf-8", "replace") if template else None
        self.special_tokens: Mapping[str, str] = self._vocabulary.special_tokens
        self.size = self._vocabulary.size
        self.tokenizer = self._vocabulary.pointer

    def is_end(self, token: int) -> bool:
        return self._vocabulary.is_end(token)

    def token_text(self, token: int) -> str:
        return self._vocabulary.token_bytes(token).decode("utf-8", "replace")

    def token_bytes(self) -> list[bytes]:
        return [self._vocabulary.token_bytes(token) for token in range(self.size)]

    def token_name(self, token: int) -> str:
        return self._vocabulary.token_name(token)

    def encode(self, text: str, *, add_special: bool) -> list[int]:
        return self._vocabulary.encode(text, add_special=add_special)

    def decoder(self, prompt: Sequence[int]) -> ByteDecoder:
        return ByteDecoder(self._vocabulary.token_bytes)

    def begin(self) -> Row:
        return Row(memory=_Held())

    def crop(self, row: Row, length: int) -> None:
        if length >= len(row.tokens):
            return
        sequence = self._enter(row)
        del row.tokens[length:]
        if not (length and self._library.llama_memory_seq_rm(self._memory, sequence, length, -1)):
            self.drop(row)
        elif self._library.llama_memory_seq_pos_min(self._memory, sequence) > max(0, length - self._window):
            # A sliding window has dropped what the next token must still see (as llama-server checks it).
            self.drop(row)

    def fork(self, row: Row, length: int) -> Row:
        twin = self.begin()
        if length == 0 or not (self.croppable or length == len(row.tokens)):
            return twin
        twin.tokens = list(row.tokens)
        if row.memory.sequence is None:
            twin.memory.state = row.memory.state
        else:
            twin.memory.sequence = self._free_sequence()
            self._library.llama_memory_seq_cp(self._memory, row.memory.sequence, twin.memory.sequence, 0, -1)
        self.crop(twin, length)
        return twin

    def park(self, row: Row) -> None:
        held: _Held = row.memory
        if held.sequence is None:
            return
        size = self._library.llama_state_seq_get_size(self._context, held.sequence)
        state = (ctypes.c_uint8 * size)()
        written = self._library.llama_state_seq_get_data(self._context, state, size, held.sequence)
        self._leave(held)
        if written == 0:
            row.tokens = []
            return
        held.state = state

    def drop(self, row: Row) -> None:
        self._leave(row.memory)
        row.memory.state = None
        row.tokens = []

    def bytes_of(self, row: Row) -> int:
        held: _Held = row.memory
        if held.state is not None:
            return ctypes.sizeof(held.state)
        if held.sequence is None:
            return 0
        return int(self._library.llama_state_seq_get_size(self._context, held.sequence))

    def rows_at_once(self, shared: int, own: Sequence[int]) -> int:
        # The base that they are forked from holds a sequence too, but its cells are theirs.
        count, room = 0, self.facts.context_length - shared
        for tokens in own[: int(self._library.llama_n_seq_max(self._context)) - 1]:
            room -= tokens
            if count and room < 0:
                break
            count += 1
        return count

    def evaluate(
        self, rows: Sequence[Row], tails: Sequence[Sequence[int]], stop: threading.Event
    ) -> NDArray[np.float32]:
        batch = self._batch
        logits: list[NDArray[np.float32]] = []
        sequences = [self._enter(row) for row in rows]
        batch.clear()
        added: list[tuple[Row, Sequence[int]]] = []
        for row, sequence, tail in zip(rows, sequences, tails, strict=True):
            begin, position = 0, len(row.tokens)
            while begin < len(tail):
                if not batch.room:
                    logits.append(self._decode(added, stop))
                    added = []
                part = tail[begin : begin + batch.room]
                batch.add(sequence, position + begin, part, wanted=begin + len(part) == len(tail))
                added.append((row, part))
                begin += len(part)
        logits.append(self._decode(added, stop))
        return logits[0] if len(logits) == 1 else np.concatenate(logits)

    def close(self) -> None:
        if self._context is not None:
            self._library.llama_free(self._context)
        if self._model is not None:
            self._library.llama_model_free(self._model)
        self._context = self._model = None

    def _decode(self, added: Sequence[tuple[Row, Sequence[int]]], stop: threading.Event) -> NDArray[np.float32]:
        """Compute the batch: logits where they were wanted. Rows are as before when it fails."""
        library = self._library
        if stop.is_set():
            raise Interrupted
        self._stop = stop
        try:
            result = library.llama_decode(self._context, self._batch.for_library())
        finally:
            self._stop = None
        interrupt, self._interrupt = self._interrupt, None
        if result != 0 or interrupt is not None:
            for row, _ in added:
                self._cut_back(row)
            if interrupt is not None:
                raise interrupt
            if result == _ABORTED:
                raise Interrupted
            if result == _NO_ROOM:
                raise DoesNotFit(
                    "The model's context is full.", "Shorten the prompt, or load it with a longer context."
                )
            raise EngineError(f"llama.cpp failed (llama_decode returned {result}).", last_words())
        for row, part in added:
            row.tokens.extend(part)
        outputs = self._batch.outputs
        self._batch.clear()
        if not outputs:
            return np.empty((0, self.size), np.float32)
        # They lie one after the other, in the order of the batch.
        return np.ctypeslib.as_array(library.llama_get_logits(self._context), shape=(outputs, self.size)).copy()

    def _cut_back(self, row: Row) -> None:
        """Take what a pass that was broken off has left behind out of the cache."""
        if not self._library.llama_memory_seq_rm(self._memory, row.memory.sequence, len(row.tokens), -1):
            self.drop(row)

    def _enter(self, row: Row) -> int:
        """The row's sequence in the cache, restored if it was out."""
        held: _Held = row.memory
        if held.sequence is None:
            held.sequence = self._free_sequence()
            if held.state is not None:
                size = ctypes.sizeof(held.state)
                if not self._library.llama_state_seq_set_data(self._context, held.state, size, held.sequence):
                    self.drop(row)
                    return self._enter(row)
                held.state = None
        return held.sequence

    def _leave(self, held: _Held) -> None:
        if held.sequence is not None:
            self._library.llama_memory_seq_rm(self._memory, held.sequence, -1, -1)
            self._sequences.append(held.sequence)
            held.sequence = None

    def _free_sequence(self) -> int:
        if not self._sequences:
            raise EngineError("llama.cpp has no sequence left.")
        return self._sequences.pop()

    def _must_stop(self, _: Any) -> bool:
        """Asked by llama.cpp before every node of a computation."""
        try:
            return self._stop is not None and self._stop.is_set()
        except BaseException as error:
            # A KeyboardInterrupt lands here, where ctypes would drop it.
            self._interrupt = error
            return True
