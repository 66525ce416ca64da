"""GGUF embedding models by llama.cpp: many texts in one pass, pooled as the file says.

A context made with `embeddings` pools each sequence by itself (llama.h, `llama_get_embeddings_seq`); all tokens of a
pass have to fit into one physical batch (`n_ubatch`), because attention runs in both directions.
"""

from __future__ import annotations

import hashlib
import threading
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kaggle_magics.errors import CheckpointError, DoesNotFit, EngineError
from kaggle_magics.models.checkpoint import gguf_name
from kaggle_magics.models.headers.gguf import GgufHeader, read_header
from kaggle_magics.models.kinds import DOES, kind_of_gguf
from kaggle_magics.rag.embedding.batches import CPU_TOKENS, batches
from kaggle_magics.rag.embedding.files.fingerprint import fingerprint
from kaggle_magics.rag.embedding.files.prompts import Prompts, family_of
from kaggle_magics.rag.embedding.protocol import Batch, Embedder, Vectors, gather, unit

MOST_TOKENS = 2048
"""Of a text: the memory of a pass grows with the square of what one text may have."""
_MOST_TEXTS = 256
_POOLED = {1: "mean", 2: "cls", 3: "lasttoken"}
"""`llama_pooling_type` (llama.h) by sentence-transformers' names."""


def recognise(thing: Any, name: str | None = None) -> Embedder | None:
    """A `.gguf` file that is an embedding model; another kind of model is refused with what it does."""
    if not isinstance(thing, Path) or thing.suffix.lower() != ".gguf" or not thing.is_file():
        return None
    header, called = read_header(thing), name or gguf_name(thing)
    kind = kind_of_gguf(header)
    if kind != "embedder" and family_of(called) is None:
        raise CheckpointError(
            f"{called} is no embedding model: it {DOES[kind]}.",
            "Name an embedding model with --embedder, or leave it out.",
        )
    return GgufEmbedder(thing, called, header)


class GgufEmbedder:
    """One GGUF file. Calls from several threads take turns, as a context computes one thing at a time.

    Raises `MissingExtra` without llama-cpp-python, `CheckpointError` when the file cannot be run, `DoesNotFit`.
    """

    libraries = ("llama_cpp",)

    def __init__(self, path: Path, name: str, header: GgufHeader) -> None:
        self.path, self._name = path, name
        self._trained = header.integer("context_length") or 512
        self._dimension = header.integer("embedding_length_out") or header.integer("embedding_length") or 0
        self._pooling = header.integer("pooling_type") or 0
        self._identity: str | None = None
        self._guard = threading.RLock()
        self._vocabulary: Any = None
        self._context: Any = None
        self._library: Any = None

    @property
    def name(self) -> str:
        return self._name

    @property
    def reference(self) -> str:
        return str(self.path)

    @property
    def prompts(self) -> Prompts:
        family = family_of(self._name)
        return family.prompts if family is not None else Prompts()

    @property
    def pooling(self) -> str:
        """How token vectors become one: as the file says, else as its family does, else their mean."""
        family = family_of(self._name)
        return _POOLED.get(self._pooling) or (family.pooling if family is not None else "mean")

    @property
    def notes(self) -> tuple[str, ...]:
        notes = []
        if self.prompts.source:
            notes.append(f"{self.name} gets its family's prompts, {self.prompts.source}.")
        if self._pooling not in _POOLED:
            notes.append(f"The file of {self.name} does not say how it is pooled: {self.pooling} is taken.")
        if self._trained > MOST_TOKENS:
            notes.append(f"Of a text, {self.name} reads the first {MOST_TOKENS} tokens.")
        return tuple(notes)

    @property
    def identity(self) -> str:
        if self._identity is None:
            more = f"{self.prompts.key}\0{self.pooling}\0{self.max_tokens}"
            suffix = hashlib.blake2b(more.encode(), digest_size=4).hexdigest()
            self._identity = f"{self._name}@{fingerprint(self.path)}+{suffix}"
        return self._identity

    @property
    def dimension(self) -> int:
        return self._dimension

    @property
    def max_tokens(self) -> int:
        return min(self._trained, MOST_TOKENS)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        with self._guard:
            return [len(self._tokens(self.prompts.document + text)) for text in texts]

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        return gather(self.stream_documents(texts), len(texts), self.dimension)

    def embed_query(self, text: str) -> Vectors:
        vectors: Vectors = gather(self._stream([self.prompts.query + text]), 1, self.dimension)[0]
        return vectors

    def stream_documents(self, texts: Sequence[str]) -> Iterator[Batch]:
        return self._stream([self.prompts.document + text for text in texts])

    def _stream(self, texts: Sequence[str]) -> Iterator[Batch]:
        with self._guard:
            self._load()
            rows = [self._cut(self._tokens(text)) for text in texts]
        for together in batches([len(row) for row in rows], max(CPU_TOKENS, self.max_tokens)):
            for start in range(0, len(together), _MOST_TEXTS):
                places = together[start : start + _MOST_TEXTS]
                with self._guard:
                    vectors = self._run([rows[place] for place in places])
                yield places, vectors

    def _run(self, rows: list[list[int]]) -> Vectors:
        library, context = self._library, self._context
        vectors = np.zeros((len(rows), self._dimension), np.float32)
        library.llama_memory_clear(library.llama_get_memory(context), True)
        self._batch.clear()
        filled = [row for row in range(len(rows)) if rows[row]]
        for sequence, row in enumerate(filled):
            self._batch.add(sequence, 0, rows[row], wanted=True)
        code = library.llama_decode(context, self._batch.for_library()) if filled else 0
        if code != 0:
            raise EngineError(f"llama.cpp could not embed {len(rows)} texts with {self.name} ({code}).")
        for sequence, row in enumerate(filled):
            found = library.llama_get_embeddings_seq(context, sequence)
            if not found:
                raise EngineError(f"llama.cpp gave no embedding with {self.name}.")
            vectors[row] = np.ctypeslib.as_array(found, shape=(self._dimension,))
        return unit(vectors)

    def _tokens(self, text: str) -> list[int]:
        if self._vocabulary is None:
            self._vocabulary = self._read_vocabulary()
        tokens: list[int] = self._vocabulary.encode(text, add_special=True)
        return tokens

    def _cut(self, tokens: list[int]) -> list[int]:
        """At most `max_tokens`, the token that ends every text kept."""
        if len(tokens) <= self.max_tokens:
            return tokens
        ends = self._vocabulary.encode("", add_special=True)[-1:]
        return tokens[: self.max_tokens - 1] + tokens[-1:] if ends == tokens[-1:] else tokens[: self.max_tokens]

    def _read_vocabulary(self) -> Any:
        """The tokenizer alone: no weights are read."""
        from kaggle_magics.models.engines.llama_cpp.library import llama_library
        from kaggle_magics.models.engines.llama_cpp.vocabulary import LlamaVocabulary

        library = llama_library()
        model = self._model(library, vocab_only=True)
        weakref.finalize(self, library.llama_model_free, model)
        if library.llama_vocab_type(library.llama_model_get_vocab(model)) == library.LLAMA_VOCAB_TYPE_NONE:
            raise CheckpointError(f"{self.name} has no tokenizer in it.", "Use a complete GGUF file of it.")
        return LlamaVocabulary(library, model)

    def _model(self, library: Any, *, vocab_only: bool) -> Any:
        from kaggle_magics.models.engines.llama_cpp.library import forget_log, last_words

        forget_log()
        parameters = library.llama_model_default_params()
        parameters.vocab_only = vocab_only
        parameters.n_gpu_layers = 999 if library.llama_supports_gpu_offload() else 0
        model = library.llama_model_load_from_file(str(self.path).encode(), parameters)
        if not model:
            raise CheckpointError(
                f"llama.cpp cannot load {self.path.name}.", last_words() or "The file may be damaged, or too new."
            )
        return model

    def _load(self) -> None:
        if self._context is not None:
            return
        from kaggle_magics.models.engines.llama_cpp.batch import LlamaBatch
        from kaggle_magics.models.engines.llama_cpp.library import last_words, llama_library
        from kaggle_magics.models.fit.machine import this_machine

        library = llama_library()
        model = self._model(library, vocab_only=False)
        weakref.finalize(self, library.llama_model_free, model)
        size = max(CPU_TOKENS, self.max_tokens)
        parameters = library.llama_context_default_params()
        parameters.embeddings = True
        parameters.pooling_type = {name: number for number, name in _POOLED.items()}[self.pooling]
        parameters.n_ctx = parameters.n_batch = parameters.n_ubatch = size
        parameters.n_seq_max = min(_MOST_TEXTS, int(library.llama_max_parallel_sequences()))
        parameters.kv_unified = True
        parameters.n_threads = parameters.n_threads_batch = this_machine().cores
        context = library.llama_init_from_model(model, parameters)
        if not context:
            raise DoesNotFit(f"llama.cpp cannot make a context for {self.name}.", last_words() or "Free some memory.")
        # Finalizers run in reverse order of their making: the context goes before the model.
        weakref.finalize(self, library.llama_free, context)
        measure = getattr(library, "llama_model_n_embd_out", library.llama_model_n_embd)
        self._dimension = int(measure(model))
        self._library, self._context, self._batch = library, context, LlamaBatch(library, size)
