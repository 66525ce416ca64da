"""The embedder on sentence-transformers."""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kaggle_magics.errors import CheckpointError
from kaggle_magics.extras import require
from kaggle_magics.models.engines.transformers.quiet import LOADING
from kaggle_magics.rag.embedding.fingerprint import fingerprint
from kaggle_magics.rag.embedding.protocol import Vectors, unit


class SentenceTransformerEmbedder:
    """A sentence-transformers model folder; the weights are loaded when the first text comes.

    Prompts named "query" and "document" in the model's configuration are used. Raises `MissingExtra` without
    sentence-transformers and `CheckpointError` when the folder cannot be loaded.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self._name = name
        self._identity: str | None = None
        self._model: Any = None

    @property
    def name(self) -> str:
        return self._name

    @property
    def identity(self) -> str:
        if self._identity is None:
            self._identity = f"{self._name}@{fingerprint(self.folder)}"
        return self._identity

    @property
    def dimension(self) -> int:
        if self._model is None:
            pooling = self.folder / "1_Pooling" / "config.json"
            with contextlib.suppress(OSError, ValueError):
                modules = json.loads((self.folder / "modules.json").read_text(encoding="utf-8"))
                if not any("Dense" in module["type"] for module in modules):
                    return int(json.loads(pooling.read_text(encoding="utf-8"))["word_embedding_dimension"])
        model = self._loaded()
        measure = getattr(model, "get_embedding_dimension", None) or model.get_sentence_embedding_dimension
        return int(measure())

    @property
    def max_tokens(self) -> int:
        return int(self._loaded().max_seq_length or 512)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        if not texts:
            return []
        tokenizer = self._loaded().tokenizer
        encoded = tokenizer(list(texts), add_special_tokens=True, truncation=False, padding=False, verbose=False)
        return [len(ids) for ids in encoded["input_ids"]]

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.zeros((0, self.dimension), np.float32)
        return self._encode(list(texts), "document")

    def embed_query(self, text: str) -> Vectors:
        vector: Vectors = self._encode([text], "query")[0]
        return vector

    def _encode(self, texts: list[str], role: str) -> Vectors:
        model = self._loaded()
        prompts = getattr(model, "prompts", None) or {}
        vectors = model.encode(
            texts,
            prompt_name=role if prompts.get(role) else None,
            normalize_embeddings=True,
            show_progress_bar=False,
            convert_to_numpy=True,
        )
        return unit(vectors)

    def _loaded(self) -> Any:
        if self._model is None:
            library = require("sentence_transformers", "Embedding text")
            with LOADING, _quiet():
                try:
                    self._model = library.SentenceTransformer(str(self.folder), local_files_only=True)
                except (OSError, ValueError, RuntimeError, KeyError) as error:
                    reason = str(error).strip().split("\n")[0][:200]
                    raise CheckpointError(
                        f"The embedding model in {self.folder} cannot be loaded: {reason}",
                        "Attach or name another one with --embedder.",
                    ) from error
        return self._model


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars and no reports on standard output while weights are loaded."""
    restore: list[Any] = []
    loggers = [logging.getLogger(name) for name in ("sentence_transformers", "transformers")]
    levels = [log.level for log in loggers]
    bars = os.environ.get("HF_HUB_DISABLE_PROGRESS_BARS")
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    with contextlib.suppress(ImportError, AttributeError):
        from transformers.utils import logging as progress

        if progress.is_progress_bar_enabled():
            progress.disable_progress_bar()
            restore.append(progress.enable_progress_bar)
    for log in loggers:
        log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for log, level in zip(loggers, levels, strict=True):
            log.setLevel(level)
        for undo in restore:
            undo()
        if bars is None:
            os.environ.pop("HF_HUB_DISABLE_PROGRESS_BARS", None)
        else:
            os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = bars
