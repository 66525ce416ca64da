"""A `llama_batch` on numpy arrays, filled anew for every pass."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np


class LlamaBatch:
    """Tokens of several sequences with their positions; llama.cpp reads the arrays where they lie."""

    def __init__(self, library: Any, capacity: int) -> None:
        self.capacity = capacity
        self.outputs = 0
        """Tokens whose logits were asked for."""
        self._tokens = np.zeros(capacity, np.int32)
        self._positions = np.zeros(capacity, np.int32)
        self._counts = np.ones(capacity, np.int32)
        self._sequences = np.zeros(capacity, np.int32)
        self._wanted = np.zeros(capacity, np.int8)
        pointer = ctypes.POINTER(library.llama_seq_id)
        size = self._sequences.itemsize
        self._pointers = (pointer * capacity)(
            *(ctypes.cast(self._sequences.ctypes.data + size * place, pointer) for place in range(capacity))
        )
        self._batch = library.llama_batch(
            0,
            self._tokens.ctypes.data_as(ctypes.POINTER(library.llama_token)),
            None,
            self._positions.ctypes.data_as(ctypes.POINTER(library.llama_pos)),
            self._counts.ctypes.data_as(ctypes.POINTER(ctypes.c_int32)),
            ctypes.cast(self._pointers, ctypes.POINTER(pointer)),
            self._wanted.ctypes.data_as(ctypes.POINTER(ctypes.c_int8)),
        )

    @property
    def room(self) -> int:
        return self.capacity - int(self._batch.n_tokens)

    def clear(self) -> None:
        self._batch.n_tokens, self.outputs = 0, 0

    def add(self, sequence: int, position: int, tokens: Sequence[int], *, wanted: bool) -> None:
        """Append tokens of a sequence from `position` on; `wanted`: the logits after the last one."""
        begin = self._batch.n_tokens
        end = begin + len(tokens)
        self._tokens[begin:end] = tokens
        self._positions[begin:end] = np.arange(position, position + len(tokens))
        self._sequences[begin:end] = sequence
        self._wanted[begin:end] = 0
        self._wanted[end - 1] = wanted
        self._batch.n_tokens = end
        self.outputs += wanted

    def for_library(self) -> Any:
        """The structure that `llama_decode` takes."""
        return self._batch
