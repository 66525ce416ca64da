"""A linear layer after pooling, as sentence-transformers saves it (`modules/dense.py`), in numpy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kaggle_magics.errors import CheckpointError
from kaggle_magics.extras import require
from kaggle_magics.models.headers.json_file import read_json
from kaggle_magics.rag.embedding.protocol import Vectors

_ACTIVATIONS = {"Identity": np.asarray, "Tanh": np.tanh, "ReLU": lambda rows: np.maximum(rows, 0)}


@dataclass(frozen=True, slots=True)
class Dense:
    """`activation(rows @ weight.T + bias)`."""

    weight: Vectors
    bias: Vectors | None
    activation: Any

    def __call__(self, rows: Vectors) -> Vectors:
        """Rows of shape (n, in) to (n, out)."""
        out = rows @ self.weight.T
        return np.asarray(self.activation(out if self.bias is None else out + self.bias), np.float32)


def read_dense(folder: Path) -> Dense:
    """The layer in a module's folder. Raises `CheckpointError` for one that is not simple, or not in safetensors."""
    require("safetensors", "Reading a layer of an embedding model")
    from safetensors.numpy import load_file

    config = read_json(folder / "config.json")
    name = str(config.get("activation_function", "Tanh")).rpartition(".")[2]
    path = folder / "model.safetensors"
    if name not in _ACTIVATIONS or config.get("use_residual") or not path.is_file():
        raise CheckpointError(f"The layer in {folder} is not run from ONNX.", "Use the model's other weights.")
    tensors = load_file(path)
    bias = tensors.get("linear.bias")
    weight = np.asarray(tensors["linear.weight"], np.float32)
    return Dense(weight, None if bias is None else np.asarray(bias, np.float32), _ACTIVATIONS[name])
