"""A GGUF file's answers to a given text: the logits at every place, by llama.cpp; and what is computed from them."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kaggle_magics.errors import CheckpointError
from kaggle_magics.models.engines.llama_cpp.library import forget_log, last_words, llama_library, log_text
from kaggle_magics.models.engines.llama_cpp.vocabulary import LlamaVocabulary
from kaggle_magics.models.fit.machine import this_machine
from kaggle_magics.models.quantize.child import Stopped

Logits = npt.NDArray[np.float32]

_BATCH = 64
"""Tokens that are computed at once: logits of each are copied, and a stop is noticed in between."""


class Scorer:
    """A GGUF file in memory (mapped from disk), on the CPU, with one sequence."""

    def __init__(self, library: Any, model: Any, context: Any) -> None:
        self._library, self._model, self._context = library, model, context
        self._vocabulary = LlamaVocabulary(library, model)
        self._held = 0

    def tokens(self, text: str) -> list[int]:
        """A text's tokens, with what the tokenizer puts before it."""
        return self._vocabulary.encode(text, add_special=True)

    def forget(self) -> None:
        """Begin a new sequence."""
        library = self._library
        library.llama_memory_clear(library.llama_get_memory(self._context), True)

    def logits(self, tokens: Sequence[int], stop: threading.Event | None = None, *, all_of_them: bool = True) -> Logits:
        """What follows each of `tokens`, after what was read before: shape (n, vocabulary); or only the last, (1, ...).

        Raises `CheckpointError` when llama.cpp cannot compute it, `Stopped`.
        """
        library, found = self._library, []
        for begin in range(0, len(tokens), _BATCH):
            if stop is not None and stop.is_set():
                raise Stopped("It was stopped; nothing of it is left.")
            part = tokens[begin : begin + _BATCH]
            batch = library.llama_batch_init(len(part), 0, 1)
            try:
                batch.n_tokens = len(part)
                for place, token in enumerate(part):
                    batch.token[place] = token
                    batch.pos[place] = self._next(place)
                    batch.n_seq_id[place] = 1
                    batch.seq_id[place][0] = 0
                    batch.logits[place] = all_of_them or begin + place == len(tokens) - 1
                if code := library.llama_decode(self._context, batch):
                    raise CheckpointError(f"llama.cpp cannot run it (llama_decode returned {code}).", last_words())
                wanted = [place for place in range(len(part)) if batch.logits[place]]
                size = self._vocabulary.size
                found += [
                    np.ctypeslib.as_array(library.llama_get_logits_ith(self._context, place), shape=(size,)).copy()
                    for place in wanted
                ]
            finally:
                library.llama_batch_free(batch)
        return np.stack(found)

    def _next(self, place: int) -> int:
        """The position of a batch's token, after all that is in memory."""
        if place == 0:
            library = self._library
            self._held = library.llama_memory_seq_pos_max(library.llama_get_memory(self._context), 0) + 1
        return self._held + place


@contextmanager
def scorer(path: Path, context: int, *, threads: int | None = None) -> Iterator[Scorer]:
    """Open a GGUF file for scoring with room for `context` tokens. Raises `CheckpointError` when it does not load."""
    library = llama_library()
    forget_log()
    parameters = library.llama_model_default_params()
    parameters.n_gpu_layers = 0
    model = library.llama_model_load_from_file(os.fsencode(path), parameters)
    if not model:
        why = re.search(r"error loading model: (.*)", log_text())
        raise CheckpointError(
            f"llama.cpp cannot load {path.name}{f': {why[1][:200]}' if why else ''}.", "The file may be damaged."
        )
    made = None
    try:
        settings = library.llama_context_default_params()
        settings.n_ctx = context
        settings.n_batch = settings.n_ubatch = _BATCH
        settings.n_seq_max = 1
        settings.n_threads = settings.n_threads_batch = threads or this_machine().cores
        made = library.llama_init_from_model(model, settings)
        if not made:
            raise CheckpointError(f"llama.cpp cannot run {path.name}.", last_words())
        yield Scorer(library, model, made)
    finally:
        if made:
            library.llama_free(made)
        library.llama_model_free(model)


def log_probabilities(logits: Logits) -> Logits:
    """Natural logarithms of the probabilities, row by row."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    result: Logits = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result


def divergence(one: Logits, other: Logits) -> npt.NDArray[np.float64]:
    """Kullback-Leibler divergence of each row, KL(one || other), in nats; both are log probabilities."""
    result: npt.NDArray[np.float64] = (np.exp(one) * (one - other)).sum(axis=-1, dtype=np.float64)
    return np.maximum(result, 0.0)
