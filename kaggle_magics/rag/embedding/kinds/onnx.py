"""ONNX embedders: the graph by onnxruntime, tokens by the tokenizers library, pooling in numpy as the folder says.

Layout (sentence-transformers' and optimum's): `onnx/model.onnx` below the model's folder, quantised variants beside it
(`model_qint8_avx512_vnni.onnx`, `model_O3.onnx`); or the graph in the folder itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kaggle_magics.errors import CheckpointError
from kaggle_magics.extras import installed, require
from kaggle_magics.rag.embedding.batches import CPU_TOKENS, GPU_TOKENS, batches, padded
from kaggle_magics.rag.embedding.files.folder import ModelFolder, read_folder
from kaggle_magics.rag.embedding.kinds.dense import Dense, read_dense
from kaggle_magics.rag.embedding.kinds.folder_embedder import FolderEmbedder
from kaggle_magics.rag.embedding.protocol import Batch, Embedder, Vectors, unit

_PARTS = {"Transformer", "Pooling", "Normalize", "Dense"}
_WEIGHTS = ("*.safetensors", "pytorch_model*.bin")


def recognise(thing: Any, name: str | None = None) -> Embedder | None:
    """A `.onnx` file, its folder, or a model's folder with one; where torch's weights lie there too, those go first
    as long as sentence-transformers is installed."""
    if not isinstance(thing, Path):
        return None
    if thing.is_file():
        return _embedder(thing, name) if thing.suffix.lower() == ".onnx" else None
    if not thing.is_dir():
        return None
    graph = next((path for path in (thing / "onnx/model.onnx", thing / "model.onnx") if path.is_file()), None)
    if graph is None:
        graphs = sorted([*thing.glob("*.onnx"), *thing.glob("onnx/*.onnx")])
        graph = graphs[0] if len(graphs) == 1 else None
        if len(graphs) > 1 and not _has_weights(thing):
            names = ", ".join(str(path) for path in graphs[:6])
            raise CheckpointError(f"{thing} holds {len(graphs)} ONNX graphs.", f"Name one of them: {names}.")
    if graph is None or (_has_weights(thing) and installed("sentence_transformers")):
        return None
    return _embedder(graph, name)


def _has_weights(folder: Path) -> bool:
    return any(next(folder.glob(pattern), None) is not None for pattern in _WEIGHTS)


def _embedder(graph: Path, name: str | None) -> Embedder:
    folder = next((path for path in graph.parents[:2] if (path / "tokenizer.json").is_file()), None)
    if folder is None:
        raise CheckpointError(f"There is no tokenizer.json beside {graph}.", "It belongs to the model: attach it too.")
    facts = read_folder(folder, name or folder.resolve().name)
    if not _PARTS.issuperset(facts.kinds):
        raise CheckpointError(
            f"{facts.name} has parts that are not run from ONNX: {', '.join(set(facts.kinds) - _PARTS)}.",
            "Use its other weights with sentence-transformers.",
        )
    return OnnxEmbedder(facts, graph)


class OnnxEmbedder(FolderEmbedder):
    """One graph. Raises `MissingExtra` without onnxruntime, `CheckpointError` when the graph cannot be run."""

    libraries = ("onnxruntime", "tokenizers")

    def __init__(self, facts: ModelFolder, graph: Path) -> None:
        super().__init__(facts)
        self.graph = graph
        self._dense: list[Dense] = []

    @property
    def name(self) -> str:
        kind = self.graph.stem.removeprefix("model").strip("_")
        return f"{self.facts.name} (ONNX{' ' if kind else ''}{kind})"

    @property
    def reference(self) -> str:
        return str(self.graph)

    @property
    def notes(self) -> tuple[str, ...]:
        if self.facts.pooling_is_known:
            return super().notes
        return (
            *super().notes,
            f"The files of {self.facts.name} do not say how it is pooled: the mean of its token vectors is taken.",
        )

    def _more_identity(self) -> str:
        return f"{self.graph.name}\0{'+'.join(self.facts.pooling)}"

    def _stream(self, texts: Sequence[str], *, is_query: bool) -> Iterator[Batch]:
        session = self._loaded()
        takes = {each.name for each in session.get_inputs()}
        budget = GPU_TOKENS if "CUDAExecutionProvider" in session.get_providers() else CPU_TOKENS
        rows = self.tokens.encode(texts, self.max_tokens)
        for places in batches([len(row) for row in rows], budget):
            ids, mask = padded([rows[place] for place in places], self.tokens.filler, left=self.tokens.pads_left)
            given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
            given["position_ids"] = np.maximum(mask.cumsum(axis=1) - 1, 0)
            yield places, self._run(session, {name: given[name] for name in takes & given.keys()}, mask)

    def _run(self, session: Any, given: Mapping[str, NDArray[np.int64]], mask: NDArray[np.int64]) -> Vectors:
        names = [each.name for each in session.get_outputs()]
        wanted = "sentence_embedding" if "sentence_embedding" in names else names[0]
        try:
            output = np.asarray(session.run([wanted], dict(given))[0], np.float32)
        except Exception as error:  # onnxruntime's own errors have no common class
            raise CheckpointError(
                f"{self.graph} cannot be run: {str(error)[:160]}", "Name another graph, or the model's other weights."
            ) from error
        if output.ndim == 3:
            output = np.concatenate([POOLING[mode](output, mask) for mode in self.facts.pooling], axis=1)
            for layer in self._dense:
                output = layer(output)
        return unit(output[:, : self.facts.truncate])

    def _load(self) -> Any:
        library = require("onnxruntime", "Running an ONNX model")
        if unknown := [mode for mode in self.facts.pooling if mode not in POOLING]:
            raise CheckpointError(f"{self.name} is pooled by {unknown[0]}, which is not known here.")
        self._dense = [read_dense(module.folder) for module in self.facts.modules if module.kind == "Dense"]
        options = library.SessionOptions()
        options.intra_op_num_threads = _threads()
        options.log_severity_level = 3
        there = set(library.get_available_providers())
        providers = [name for name in ("CUDAExecutionProvider", "CPUExecutionProvider") if name in there]
        try:
            return library.InferenceSession(str(self.graph), options, providers=providers)
        except Exception as error:
            raise CheckpointError(
                f"onnxruntime cannot load {self.graph}: {str(error)[:160]}", "Attach or download the model again."
            ) from error

    def _measured_dimension(self) -> int:
        return int(self.embed_query("a").shape[0])


def _threads() -> int:
    """Physical cores this process may use, or what OMP_NUM_THREADS says: onnxruntime itself does not read it."""
    from kaggle_magics.models.fit.machine import this_machine

    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isdecimal() and int(asked) > 0 else this_machine().cores


def _mean(tokens: Vectors, mask: NDArray[np.int64]) -> Vectors:
    return _weighted(tokens, mask, mask.sum(axis=1))


def _mean_by_root(tokens: Vectors, mask: NDArray[np.int64]) -> Vectors:
    return _weighted(tokens, mask, np.sqrt(mask.sum(axis=1)))


def _weighted_mean(tokens: Vectors, mask: NDArray[np.int64]) -> Vectors:
    weights = mask * mask.cumsum(axis=1)
    return _weighted(tokens, weights, weights.sum(axis=1))


def _weighted(tokens: Vectors, weights: NDArray[np.int64], total: Any) -> Vectors:
    summed = np.einsum("nld,nl->nd", tokens, weights.astype(np.float32))
    return np.asarray(summed / np.maximum(total, 1)[:, None], np.float32)


def _first(tokens: Vectors, mask: NDArray[np.int64]) -> Vectors:
    return np.asarray(tokens[np.arange(len(tokens)), mask.argmax(axis=1)])


def _last(tokens: Vectors, mask: NDArray[np.int64]) -> Vectors:
    return np.asarray(tokens[np.arange(len(tokens)), mask.shape[1] - 1 - mask[:, ::-1].argmax(axis=1)])


def _most(tokens: Vectors, mask: NDArray[np.int64]) -> Vectors:
    return np.asarray(np.where(mask[:, :, None] > 0, tokens, -np.inf).max(axis=1), np.float32)


POOLING: dict[str, Callable[[Vectors, NDArray[np.int64]], Vectors]] = {
    "mean": _mean,
    "cls": _first,
    "lasttoken": _last,
    "max": _most,
    "mean_sqrt_len_tokens": _mean_by_root,
    "weightedmean": _weighted_mean,
}
"""Token vectors (n, length, d) and their mask (n, length) into one vector each (n, d), by the names of
sentence-transformers' pooling modes."""
