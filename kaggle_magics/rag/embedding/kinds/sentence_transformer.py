"""Embedders on sentence-transformers: its own folders, and bare encoders, of whose token vectors the mean is taken."""

from __future__ import annotations

import contextlib
import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kaggle_magics import memory
from kaggle_magics.errors import CheckpointError, DoesNotFit
from kaggle_magics.extras import require
from kaggle_magics.models.engines.transformers.quiet import LOADING
from kaggle_magics.models.headers.json_file import read_json
from kaggle_magics.models.kinds import DOES, kind_of_folder
from kaggle_magics.rag.embedding.batches import CPU_TOKENS, GPU_TOKENS, batches, padded
from kaggle_magics.rag.embedding.files.folder import ModelFolder, read_folder
from kaggle_magics.rag.embedding.kinds.folder_embedder import FolderEmbedder
from kaggle_magics.rag.embedding.protocol import Batch, Embedder, Vectors, unit

_INPUTS = {"input_ids", "attention_mask", "token_type_ids"}
_FEWEST_TOKENS = 256
"""A budget that is not halved any further when memory runs out."""
_PROBES = ("Straße naïve, x²?", "多言語の テキスト", "a")
"""Texts on which our tokens have to be the library's, or its own (slower) way is taken."""


def recognise(thing: Any, name: str | None = None) -> Embedder | None:
    """A folder with `modules.json`, or a bare encoder in transformers' layout."""
    if not isinstance(thing, Path) or not thing.is_dir():
        return None
    facts = read_folder(thing, name or thing.resolve().name)
    if facts.modules:
        if kind_of_folder(thing, {}, "") != "embedder":
            raise CheckpointError(f"{facts.name} {DOES['reranker']}.", "Name an embedding model.")
        return SentenceTransformerEmbedder(facts)
    if not (thing / "config.json").is_file():
        return None
    config = read_json(thing / "config.json")
    architecture = next(iter(config.get("architectures") or []), "")
    kind = kind_of_folder(thing, config, architecture)
    if kind == "embedder" or architecture.endswith(("ForMaskedLM", "ForPreTraining")) or not architecture:
        return SentenceTransformerEmbedder(facts)
    raise CheckpointError(
        f"{facts.name} is no embedding model: it {DOES[kind]}.",
        "Name an embedding model with --embedder, or leave it out.",
    )


class SentenceTransformerEmbedder(FolderEmbedder):
    """Batches of about equal lengths through the model's modules, in float32 on a CPU and float16 on a GPU.

    The vectors are those of `SentenceTransformer.encode` with the prompts of the folder. Raises `MissingExtra` without
    sentence-transformers, `CheckpointError` when the folder cannot be loaded and `DoesNotFit` when memory runs out.
    """

    libraries = ("sentence_transformers",)

    def __init__(self, facts: ModelFolder) -> None:
        super().__init__(facts)
        self._budget = 0
        self._inputs: frozenset[str] = frozenset()
        """What the model takes; empty where only the library itself can prepare it."""

    @property
    def notes(self) -> tuple[str, ...]:
        if self.facts.modules or self.facts.pooling_is_known:
            return super().notes
        return (
            *super().notes,
            f"{self.name} is a bare encoder: the mean of its token vectors is taken.",
        )

    def _stream(self, texts: Sequence[str], *, is_query: bool) -> Iterator[Batch]:
        model = self._loaded()
        if not self._inputs:
            yield from self._by_library(model, texts, is_query=is_query)
            return
        rows = self.tokens.encode(texts, self.max_tokens)
        waiting = list(batches([len(row) for row in rows], self._budget))
        while waiting:
            places = waiting.pop(0)
            try:
                vectors = self._run(model, [rows[place] for place in places], is_query=is_query)
            except RuntimeError as error:
                if not memory.is_out_of_memory(error):
                    raise
                waiting = self._smaller([places, *waiting], rows, error)
                continue
            yield places, vectors

    def _run(self, model: Any, rows: list[list[int]], *, is_query: bool) -> Vectors:
        import torch

        ids, mask = padded(rows, self.tokens.filler, left=self.tokens.pads_left)
        features = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
        if "token_type_ids" in self._inputs:
            features["token_type_ids"] = torch.zeros_like(features["input_ids"])
        with torch.inference_mode():
            features = {name: value.to(model.device) for name, value in features.items()}
            vectors = model(features)["sentence_embedding"].float().cpu().numpy()
        if not np.isfinite(vectors).all() and next(model.parameters()).dtype != torch.float32:
            # The model does not bear float16.
            model.float()
            return self._run(model, rows, is_query=is_query)
        return unit(vectors[:, : self.facts.truncate])

    def embed_tokens(self, texts: Sequence[str]) -> list[tuple[list[tuple[int, int]], Vectors]] | None:
        """Of each text the tokens: (start, end) in it, and their unit vectors, shape (n, d), special ones left out.

        None where the model has no vector for each token in its context.
        """
        model = self._loaded()
        if not self._inputs:
            return None
        found: list[tuple[list[tuple[int, int]], Vectors]] = [([], np.zeros((0, 0), np.float32))] * len(texts)
        placed = [self.tokens.placed(text, self.max_tokens) for text in texts]
        for places in batches([len(ids) for ids, _ in placed], self._budget):
            run = self._token_vectors(model, [placed[place][0] for place in places])
            for place, vectors in zip(places, run, strict=True):
                spans = placed[place][1]
                own = [at for at, (low, high) in enumerate(spans) if low < high]
                found[place] = ([spans[at] for at in own], unit(vectors[own]))
        return found

    def _token_vectors(self, model: Any, rows: list[list[int]]) -> list[Vectors]:
        import torch

        ids, mask = padded(rows, self.tokens.filler)
        features = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
        if "token_type_ids" in self._inputs:
            features["token_type_ids"] = torch.zeros_like(features["input_ids"])
        with torch.inference_mode():
            features = {name: value.to(model.device) for name, value in features.items()}
            vectors = model[0](features)["token_embeddings"].float().cpu().numpy()
        return [row[: len(own)] for row, own in zip(vectors, rows, strict=True)]

    def _by_library(self, model: Any, texts: Sequence[str], *, is_query: bool) -> Iterator[Batch]:
        """Models with parts of their own (routers, prompts left out of the mean, chat templates)."""
        prompts = self.facts.prompts
        prompt = prompts.query if is_query else prompts.document
        bare = [text[len(prompt) :] for text in texts]
        encode = model.encode_query if is_query else model.encode_document
        for places in batches([len(text) // 3 for text in bare], self._budget):
            vectors = encode(
                [bare[place] for place in places],
                prompt=prompt or None,
                batch_size=len(places),
                show_progress_bar=False,
                convert_to_numpy=True,
            )
            yield places, unit(np.asarray(vectors, np.float32)[:, : self.facts.truncate])

    def _smaller(self, left: list[list[int]], rows: list[list[int]], error: RuntimeError) -> list[list[int]]:
        """The same texts in batches half as large, after memory ran out."""
        memory.release()
        if self._budget <= _FEWEST_TOKENS or len(left[0]) == 1:
            raise DoesNotFit(
                f"Memory ran out while {self.name} embedded a text of {len(rows[left[0][0]])} tokens.",
                "Free some with: %llm_unload",
            ) from error
        self._budget //= 2
        places = [place for batch in left for place in batch]
        lengths = [len(rows[place]) for place in places]
        return [[places[at] for at in batch] for batch in batches(lengths, self._budget)]

    def _measured_dimension(self) -> int:
        model = self._loaded()
        measure = getattr(model, "get_embedding_dimension", None) or model.get_sentence_embedding_dimension
        return int(self.facts.truncate or measure())

    def _load(self) -> Any:
        library = require("sentence_transformers", "Embedding text")
        with LOADING, _quiet():
            try:
                model = library.SentenceTransformer(str(self.folder), local_files_only=True)
                model.eval()
                on_gpu = model.device.type == "cuda"
                if on_gpu:
                    model.half()
            except (OSError, ValueError, RuntimeError, KeyError, ImportError, AttributeError, TypeError) as error:
                reason = str(error).strip().split("\n")[0][:200]
                raise CheckpointError(
                    f"The embedding model in {self.folder} cannot be loaded: {reason}",
                    "Attach or name another one with --embedder.",
                ) from error
        model.max_seq_length = self.max_tokens
        self._budget = GPU_TOKENS if on_gpu else CPU_TOKENS
        self._inputs = self._plain_inputs(model)
        return model

    def _plain_inputs(self, model: Any) -> frozenset[str]:
        """The inputs that we can prepare as the library does; empty where it does more than to tokenise."""
        plain = {"Transformer", "Pooling", "Normalize", "Dense", "Dropout", "LayerNorm"}
        parts = [type(module).__name__ for module in model]
        if not parts or parts[0] != "Transformer" or not plain.issuperset(parts):
            return frozenset()
        excludes = any(getattr(module, "include_prompt", True) is False for module in model)
        if excludes and (self.facts.prompts.query or self.facts.prompts.document):
            return frozenset()
        prepare = getattr(model, "preprocess", None) or model.tokenize
        try:
            theirs = prepare(list(_PROBES))
            ours = self.tokens.encode(_PROBES, self.max_tokens)
            ids, mask = padded(ours, self.tokens.filler, left=self.tokens.pads_left)
            same = np.array_equal(theirs["input_ids"].numpy() * mask, ids * mask)
            same = same and np.array_equal(theirs["attention_mask"].numpy(), mask)
            same = same and not ("token_type_ids" in theirs and theirs["token_type_ids"].any())
        except (KeyError, ValueError, TypeError, AttributeError, CheckpointError):
            return frozenset()
        return frozenset(_INPUTS & set(theirs)) if same else frozenset()


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
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
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
