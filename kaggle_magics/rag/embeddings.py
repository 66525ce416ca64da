"""Texts to unit vectors: the embedder protocol and the one on sentence-transformers."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from kaggle_magics.errors import CheckpointError
from kaggle_magics.extras import require
from kaggle_magics.models.engines.transformers.quiet import LOADING

Vectors = NDArray[np.float32]
"""Unit vectors, shape (n, d), or (d,) for one; float32."""


@runtime_checkable
class Embedder(Protocol):
    """What turns text into vectors. `identity` changes whenever the same text would get another vector."""

    @property
    def name(self) -> str: ...

    @property
    def identity(self) -> str: ...

    @property
    def dimension(self) -> int: ...

    @property
    def max_tokens(self) -> int:
        """Tokens of a text that count; what is longer is cut off."""
        ...

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors of passages, shape (len(texts), dimension), float32."""
        ...

    def embed_query(self, text: str) -> Vectors:
        """The unit vector of a question, shape (dimension,), float32."""
        ...


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


def unit(vectors: Any) -> Vectors:
    """Rows scaled to length 1 in float32; a zero row stays zero."""
    array = np.asarray(vectors, dtype=np.float32)
    length = np.linalg.norm(array, axis=-1, keepdims=True)
    scaled: Vectors = np.divide(array, length, out=np.zeros_like(array), where=length > 0)
    return scaled


def fingerprint(folder: Path) -> str:
    """16 hex digits that change with the model: its small files whole, sixteen samples of each large one.

    Reading all of the weights would take as long as loading them; two models that differ only between the samples
    (64 KiB each) do not occur in practice, since training changes every layer.
    """
    digest = hashlib.blake2b(digest_size=8)
    wanted = {".json", ".txt", ".model", ".safetensors", ".bin", ".onnx"}
    for path in sorted(path for path in folder.rglob("*") if path.suffix in wanted and path.is_file()):
        size = path.stat().st_size
        digest.update(f"{path.relative_to(folder).as_posix()}:{size}".encode())
        with path.open("rb") as file:
            if size <= 1 << 20:
                digest.update(file.read())
                continue
            for part in range(16):
                file.seek((size - 65536) * part // 15)
                digest.update(file.read(65536))
    return digest.hexdigest()


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
