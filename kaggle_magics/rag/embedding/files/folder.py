"""What the small files of an embedding model's folder say; no weights are read and nothing heavy is imported.

Layout: `modules.json` lists the parts of a sentence-transformers model, each with its class and its folder;
`sentence_bert_config.json` limits the tokens; `1_Pooling/config.json` says how token vectors become one
(sentence_transformers, `base/model.py`, `modules/pooling.py`). A folder without `modules.json` is a bare encoder.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kaggle_magics.errors import CheckpointError
from kaggle_magics.models.headers.json_file import read_json
from kaggle_magics.models.kinds import MODULES
from kaggle_magics.rag.embedding.files.prompts import Prompts, family_of, prompts_of

DEFAULT_TOKENS = 512
_MOST_TOKENS = 1 << 20
"""A limit beyond it is transformers' way to say that there is none."""
_SHIFTED = {"roberta", "xlm-roberta", "camembert", "mpnet", "longformer", "xlm-roberta-xl"}
"""`model_type`s whose positions begin after the padding token's: two fewer tokens fit than there are positions."""
_POOLING_FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
"""How pooling modes were saved before sentence-transformers 6, in the order in which they are joined."""


@dataclass(frozen=True, slots=True)
class Module:
    """One part of a sentence-transformers model."""

    kind: str
    """The last part of its class: Transformer, Pooling, Normalize, Dense, StaticEmbedding..."""
    folder: Path


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """The facts of a folder."""

    path: Path
    name: str
    modules: tuple[Module, ...]
    """Empty for a bare encoder."""
    config: Mapping[str, Any]
    prompts: Prompts
    max_tokens: int
    pooling: tuple[str, ...]
    """How token vectors become one; several are joined."""
    pooling_is_known: bool
    """Whether the files, or the model's family, say so; mean otherwise."""
    truncate: int | None
    """How many of the first components count, where the files say so (Matryoshka)."""
    lower_case: bool

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(module.kind for module in self.modules)

    def module(self, kind: str) -> Module | None:
        return next((module for module in self.modules if module.kind == kind), None)

    @property
    def tokenizer_folder(self) -> Path:
        """Where the tokenizer lies: with the first module."""
        first = self.modules[0].folder if self.modules else self.path
        return first if (first / "tokenizer.json").is_file() else self.path

    @property
    def dimension(self) -> int | None:
        """Components of a vector, where the small files tell."""
        if self.truncate is not None:
            return self.truncate
        for module in reversed(self.modules):
            saved = read_json(module.folder / "config.json") if module.kind in ("Dense", "Pooling") else {}
            if module.kind == "Dense":
                return _positive(saved.get("out_features"))
            if module.kind == "Pooling":
                width = _positive(saved.get("embedding_dimension")) or _positive(saved.get("word_embedding_dimension"))
                return width * len(self.pooling) if width else None
            if module.kind != "Normalize":
                break
        width = _positive(self.config.get("hidden_size")) or _positive(self.config.get("dim"))
        return width * len(self.pooling) if width and not self.modules else None


def read_folder(path: Path, name: str) -> ModelFolder:
    """Read a folder's JSON files; those that are missing say nothing. Raises `CheckpointError` for a damaged one."""
    modules = tuple(_modules(path))
    saved = read_json(path / "config_sentence_transformers.json")
    first = modules[0].folder if modules else path
    config = read_json(first / "config.json") or read_json(path / "config.json")
    limits = read_json(first / "sentence_bert_config.json")
    pooling = next((_pooling(read_json(module.folder / "config.json")) for module in modules if _pools(module)), ())
    family = family_of(name)
    return ModelFolder(
        path=path,
        name=name,
        modules=modules,
        config=config,
        prompts=prompts_of(saved, name),
        max_tokens=_limit(limits, read_json(first / "tokenizer_config.json"), config),
        pooling=pooling or ((family.pooling,) if family is not None else ("mean",)),
        pooling_is_known=bool(pooling) or family is not None,
        truncate=_positive(saved.get("truncate_dim")),
        lower_case=limits.get("do_lower_case") is True,
    )


def _modules(path: Path) -> Iterator[Module]:
    if not (path / MODULES).is_file():
        return
    try:
        listed = json.loads((path / MODULES).read_text(encoding="utf-8"))
        for entry in listed:
            yield Module(str(entry["type"]).rpartition(".")[2], path / str(entry.get("path") or ""))
    except (OSError, ValueError, RecursionError, TypeError, KeyError, AttributeError) as error:
        raise CheckpointError(f"{path / MODULES} is damaged.", "Attach or download it again.") from error


def _pools(module: Module) -> bool:
    return module.kind == "Pooling"


def _pooling(saved: Mapping[str, Any]) -> tuple[str, ...]:
    mode = saved.get("pooling_mode")
    if isinstance(mode, str):
        return (mode,)
    if isinstance(mode, list):
        return tuple(map(str, mode))
    return tuple(name for flag, name in _POOLING_FLAGS.items() if saved.get(flag) is True)


def _limit(limits: Mapping[str, Any], tokenizer: Mapping[str, Any], config: Mapping[str, Any]) -> int:
    """Tokens that count, as sentence-transformers finds them: its own limit, else the smaller of the tokenizer's and
    the model's positions."""
    if own := _positive(limits.get("max_seq_length")):
        return own
    positions = _positive(config.get("max_position_embeddings"))
    if positions and config.get("model_type") in _SHIFTED:
        positions -= 2
    known = [found for found in (_positive(tokenizer.get("model_max_length")), positions) if found]
    return min(known, default=DEFAULT_TOKENS)


def _positive(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < _MOST_TOKENS:
        return None
    return int(value)
