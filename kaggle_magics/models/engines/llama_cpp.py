"""Answers from a GGUF file, with llama.cpp through llama-cpp-python's C API.

Its high-level `Llama` is left aside: it makes no use of half the cores, leaves flash attention off, redirects the
process's stdout to be quiet, and cannot be stopped within a prompt. The facts of its API that are used here are in
llama.h (context and memory functions, `llama_set_abort_callback`).
"""

from __future__ import annotations

import ctypes
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from kaggle_magics.errors import CheckpointError, DoesNotFit, EngineError, MissingExtra
from kaggle_magics.extras import install_line, require
from kaggle_magics.models.engines.decoding import Interrupted, LocalEngine
from kaggle_magics.models.engines.protocol import EngineFacts
from kaggle_magics.models.engines.sampling import Logits
from kaggle_magics.models.engines.text import ByteDecoder
from kaggle_magics.models.plan import PREFILL_CHUNK, Plan

_ABORTED, _NO_ROOM = 2, 1
"""What `llama_decode` returns when the abort callback ended it, and when its memory is full."""

_log: deque[str] = deque(maxlen=50)
"""llama.cpp's last log lines; it reports why something failed only there."""
_callbacks: list[Any] = []
"""The log callback; llama.cpp keeps its address, so it must never be collected."""


def load(plan: Plan) -> LocalEngine:
    """Load and warm a plan's GGUF file. Raises `MissingExtra`, `CheckpointError`, `DoesNotFit`."""
    library: Any = require("llama_cpp", "Running a GGUF file")
    if not hasattr(library, "llama_get_memory") or not hasattr(library, "LLAMA_FLASH_ATTN_TYPE_ENABLED"):
        raise MissingExtra(
            f"llama-cpp-python {library.__version__} is too old for this engine.",
            f"Run: {install_line('llama_cpp')} -U",
        )
    if not _callbacks:
        _callbacks.append(
            library.llama_log_callback(lambda level, text, data: _log.append(text.decode("utf-8", "replace")))
        )
        library.llama_log_set(_callbacks[0], ctypes.c_void_p(0))
        library.llama_backend_init()
    _log.clear()
    engine = LocalEngine(_LlamaModel(library, plan))
    engine.warm_up()
    return engine


class _LlamaModel:
    """See `LocalModel`."""

    def __init__(self, library: Any, plan: Plan) -> None:
        self._library, self._plan = library, plan
        self._context: Any = None
        self._stop: threading.Event | None = None
        self._interrupt: BaseException | None = None
        # Kept here because llama.cpp holds only the address.
        self._abort = library.ggml_abort_callback(self._must_stop)
        self._model = self._load_model()
        try:
            self._context = self._new_context()
        except BaseException:
            self.close()
            raise
        self._memory = library.llama_get_memory(self._context)
        self._vocab = library.llama_model_get_vocab(self._model)
        self._vocabulary = library.llama_vocab_n_tokens(self._vocab)
        self.facts = EngineFacts(
            engine=plan.engine,
            library=f"llama-cpp-python {library.__version__}",
            device=plan.device,
            dtype=plan.dtype,
            context_length=plan.context_length,
        )
        self._vocabulary_gaps = _gaps(library, self._vocab, self._vocabulary)
        template = library.llama_model_chat_template(self._model, None)
        self.template: str | None = template.decode("utf-8", "replace") if template else None
        self.special_tokens: Mapping[str, str] = {
            name: library.llama_vocab_get_text(self._vocab, token).decode("utf-8", "replace")
            for name, token in (
                ("bos_token", library.llama_vocab_bos(self._vocab)),
                ("eos_token", library.llama_vocab_eos(self._vocab)),
            )
            if token >= 0
        }

    def is_end(self, token: int) -> bool:
        return bool(self._library.llama_vocab_is_eog(self._vocab, token))

    def encode(self, text: str, *, add_special: bool) -> list[int]:
        data = (self._vocabulary_gaps.fill(text) if self._vocabulary_gaps else text).encode("utf-8")
        # Never more tokens than bytes, and a few special ones.
        tokens = (self._library.llama_token * (len(data) + 8))()
        count = self._library.llama_tokenize(self._vocab, data, len(data), tokens, len(tokens), add_special, True)
        if count < 0:
            raise EngineError("llama.cpp could not turn the prompt into tokens.")
        return list(tokens[:count])

    def decoder(self, prompt: Sequence[int]) -> ByteDecoder:
        return ByteDecoder(self._token_bytes)

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
            raise EngineError(f"llama.cpp failed (llama_decode returned {result}).", _last_words())
        logits = np.ctypeslib.as_array(library.llama_get_logits_ith(self._context, -1), shape=(self._vocabulary,))
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

    def _token_bytes(self, token: int) -> bytes:
        size = 64
        buffer = ctypes.create_string_buffer(size)
        count = self._library.llama_token_to_piece(self._vocab, token, buffer, size, 0, False)
        if count < 0:
            size = -count
            buffer = ctypes.create_string_buffer(size)
            count = self._library.llama_token_to_piece(self._vocab, token, buffer, size, 0, False)
        return buffer.raw[: max(count, 0)]

    def _load_model(self) -> Any:
        library, checkpoint = self._library, self._plan.checkpoint
        parameters = library.llama_model_default_params()
        on_gpu = self._plan.device != "cpu"
        parameters.n_gpu_layers = 999 if on_gpu else 0
        if on_gpu:
            parameters.split_mode = library.LLAMA_SPLIT_MODE_NONE
            parameters.main_gpu = int(self._plan.device.partition(":")[2] or 0)
        model = library.llama_model_load_from_file(str(checkpoint.path).encode(), parameters)
        if model:
            return model
        log = "".join(_log)
        if "unknown model architecture" in log:
            raise CheckpointError(
                f"The installed llama.cpp does not know {checkpoint.architecture!r}, which {checkpoint.name} is.",
                "Load a safetensors version of it, or update llama-cpp-python.",
            )
        if "unable to allocate" in log or "failed to allocate" in log:
            raise DoesNotFit(
                f"{checkpoint.name} does not fit on {self._plan.device}.", "Load a smaller quantisation of it."
            )
        raise CheckpointError(f"llama.cpp cannot load {checkpoint.name}.", _last_words() or "The file may be damaged.")

    def _new_context(self) -> Any:
        library, plan = self._library, self._plan
        parameters = library.llama_context_default_params()
        parameters.n_ctx = plan.context_length
        parameters.n_batch = parameters.n_ubatch = min(PREFILL_CHUNK, plan.context_length)
        parameters.n_seq_max = 1
        parameters.n_threads = parameters.n_threads_batch = plan.threads
        for attention in (library.LLAMA_FLASH_ATTN_TYPE_ENABLED, library.LLAMA_FLASH_ATTN_TYPE_AUTO):
            parameters.flash_attn_type = attention
            context = library.llama_init_from_model(self._model, parameters)
            if context:
                library.llama_set_abort_callback(context, self._abort, None)
                return context
        raise DoesNotFit(
            f"llama.cpp cannot make a context of {plan.context_length} tokens for {plan.checkpoint.name}.",
            _last_words() or "Load it with a smaller context.",
        )


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


def _last_words() -> str | None:
    """The last line of llama.cpp's log that tells of an error."""
    for line in reversed("".join(_log).splitlines()):
        if "error" in line.lower() or "fail" in line.lower():
            return f"It says: {line.strip()[:200]}"
    return None
