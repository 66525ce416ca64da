"""A cross-encoder reads question and passage together: slower than either leg, and mostly better."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from kaggle_magics.errors import ModelNotFound
from kaggle_magics.extras import require

CANDIDATES = 50
"""Passages that are read at most, unless more are to be found."""
_BATCH = 16


class Reranker(Protocol):
    """Scores of texts for a question, larger is nearer; raw, as the model gives them."""

    def scores(self, question: str, texts: Sequence[str]) -> list[float]: ...

    def close(self) -> None: ...


class CrossEncoderReranker:
    """A sentence-transformers `CrossEncoder`: a folder, a model that is attached or cached, or a name on the Hub."""

    def __init__(self, reference: str) -> None:
        library = require("sentence_transformers", "A reranker")
        path = _folder(reference)
        try:
            # No activation: the sigmoid that many ask for makes all good passages look alike.
            import torch

            self._model: Any = library.CrossEncoder(
                path, activation_fn=torch.nn.Identity(), local_files_only=not _may_fetch(path)
            )
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            raise ModelNotFound(
                f"There is no cross-encoder {reference!r} to load ({str(error).splitlines()[0][:120]}).",
                "Give the folder of one, or attach cross-encoder/ms-marco-MiniLM-L6-v2.",
            ) from error

    def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        """One score a text. A model with several outputs gives the last one's: "relevant"."""
        pairs = [(question, text) for text in texts]
        found = self._model.predict(pairs, batch_size=_BATCH, show_progress_bar=False)
        return [float(score if getattr(score, "ndim", 0) == 0 else score[-1]) for score in found]

    def close(self) -> None:
        self._model = None


def _may_fetch(reference: str) -> bool:
    """Whether the hub has it: the library itself retries for most of a minute where there is no network."""
    from kaggle_magics.rag.embedding.places import on_hub

    return not os.path.isdir(reference) and on_hub(reference, "config.json")


def _folder(reference: str) -> str:
    """A folder that a reference means, or the reference itself, which is then a name on the Hub."""
    path = Path(os.path.expanduser(reference))
    if path.is_dir():
        return str(path)
    from kaggle_magics.models.find import catalog

    wanted = reference.casefold()
    for location in catalog.newest(list(catalog.locations())):
        folder = Path(location.path)
        if folder.is_dir() and wanted in (location.name.casefold(), folder.name.casefold()):
            return str(folder)
    return reference
