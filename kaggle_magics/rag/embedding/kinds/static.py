"""Static embedders: a vector for each token of the vocabulary, and a text's is the mean of its tokens'.

`StaticEmbedding` folders of sentence-transformers and folders of model2vec hold the same: `tokenizer.json` and a
matrix in `model.safetensors`, named `embedding.weight` or `embeddings`; model2vec may add `mapping` (a row for each
token) and `weights` (a factor for each token). numpy does all of it: neither torch nor either library is needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kaggle_magics.errors import CheckpointError
from kaggle_magics.extras import require
from kaggle_magics.models.headers.json_file import read_json
from kaggle_magics.rag.embedding.files.folder import ModelFolder, read_folder
from kaggle_magics.rag.embedding.kinds.folder_embedder import FolderEmbedder
from kaggle_magics.rag.embedding.protocol import Batch, Embedder, Vectors, unit

_PARTS = {"StaticEmbedding", "Normalize"}
_MODEL2VEC = "model2vec"
_MODEL2VEC_TOKENS = 512
"""What model2vec reads of a text by default (`StaticModel.encode`)."""
_NO_LIMIT = 1 << 20
_AT_ONCE = 1024


def recognise(thing: Any, name: str | None = None) -> Embedder | None:
    """A folder of model2vec, or one whose modules are a `StaticEmbedding` and at most its normalisation."""
    if not isinstance(thing, Path) or not thing.is_dir():
        return None
    is_model2vec = not (thing / "modules.json").is_file() and _is_model2vec(thing)
    if not is_model2vec and not (thing / "modules.json").is_file():
        return None
    facts = read_folder(thing, name or thing.resolve().name)
    if is_model2vec or (facts.module("StaticEmbedding") is not None and _PARTS.issuperset(facts.kinds)):
        return StaticEmbedder(facts, is_model2vec=is_model2vec)
    return None


def _is_model2vec(folder: Path) -> bool:
    config = read_json(folder / "config.json")
    return config.get("model_type") == _MODEL2VEC or config.get("architectures") == ["StaticModel"]


class StaticEmbedder(FolderEmbedder):
    """Means of token vectors. Raises `CheckpointError` when the matrix is not there, or not one of this vocabulary."""

    libraries = ("tokenizers", "safetensors")

    def __init__(self, facts: ModelFolder, *, is_model2vec: bool) -> None:
        super().__init__(facts, special=False)
        self._is_model2vec = is_model2vec
        first = facts.module("StaticEmbedding")
        self._weights = (first.folder if first is not None else facts.path) / "model.safetensors"

    @property
    def max_tokens(self) -> int:
        return _MODEL2VEC_TOKENS if self._is_model2vec else self.tokens.saved_limit or _NO_LIMIT

    def _stream(self, texts: Sequence[str], *, is_query: bool) -> Iterator[Batch]:
        matrix = self._loaded()
        unknown = self.tokens.unknown if self._is_model2vec else None
        for start in range(0, len(texts), _AT_ONCE):
            some = range(start, min(start + _AT_ONCE, len(texts)))
            longest = None if self._is_model2vec else self.tokens.saved_limit
            rows = self.tokens.encode([texts[place] for place in some], longest)
            if self._is_model2vec:
                rows = [[token for token in row if token != unknown][:_MODEL2VEC_TOKENS] for row in rows]
            yield some, unit(np.stack([_mean(matrix, row) for row in rows])[:, : self.facts.truncate])

    def _load(self) -> Any:
        library = require("safetensors", "Reading a static embedding model")
        from safetensors.numpy import load_file

        try:
            tensors = load_file(self._weights)
        except (OSError, ValueError, TypeError, library.SafetensorError) as error:
            raise CheckpointError(
                f"{self._weights} cannot be read ({str(error)[:120]}).", "Attach or download the model again."
            ) from error
        matrix = next((tensors[key] for key in ("embedding.weight", "embeddings") if key in tensors), None)
        if matrix is None or matrix.ndim != 2:
            raise CheckpointError(f"{self._weights} holds no matrix of embeddings.", "Name another model.")
        matrix = np.asarray(matrix, np.float32)
        if "mapping" in tensors:
            matrix = matrix[np.asarray(tensors["mapping"], np.int64)]
        if "weights" in tensors:
            matrix = matrix * np.asarray(tensors["weights"], np.float32)[:, None]
        if self.tokens.size > len(matrix):
            raise CheckpointError(
                f"{self.name} has {len(matrix)} vectors for {self.tokens.size} tokens.", "Download the model again."
            )
        return matrix

    def _measured_dimension(self) -> int:
        return int(self.facts.truncate or self._loaded().shape[1])


def _mean(matrix: Any, row: list[int]) -> Vectors:
    mean: Vectors = matrix[row].mean(axis=0) if row else np.zeros(matrix.shape[1], np.float32)
    return mean
