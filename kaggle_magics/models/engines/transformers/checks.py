"""What can be wrong with a checkpoint that transformers would load all the same, or explain at length."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kaggle_magics.errors import CheckpointError
from kaggle_magics.models.checkpoint import Checkpoint

_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model")
"""A file of these is what a tokenizer is made of; the settings beside it are not enough."""
_PADDING = 1024
"""Rows a model may have beyond its tokenizer's words whatever its size: vocabularies are padded for speed."""


def check_tokenizer_files(checkpoint: Checkpoint, *, trust_remote_code: bool = False) -> None:
    """transformers makes an empty tokenizer where the files are missing; this raises `CheckpointError`."""
    folder = checkpoint.path
    if not folder.is_dir():
        raise CheckpointError(f"{checkpoint.name} cannot be loaded: {folder} is gone.", "Attach or download it again.")
    if any((folder / name).is_file() for name in _TOKENIZERS) or any(_tiktoken(folder)):
        return
    if trust_remote_code and any(folder.glob("tokeniz*.py")):
        return
    raise CheckpointError(
        f"{checkpoint.name} has no tokenizer: none of {', '.join(_TOKENIZERS[:3])} is in its folder.",
        "Attach or download the whole model.",
    )


def check_tokenizer(name: str, tokenizer: Any, model: Any) -> None:
    """Raise `CheckpointError` for a tokenizer of another model: more words than the model has, or far fewer."""
    words, rows = len(tokenizer), int(model.get_input_embeddings().weight.shape[0])
    if words > rows or (rows - words > _PADDING and words < 0.8 * rows):
        raise CheckpointError(
            f"The tokenizer of {name} knows {words:,} tokens and the model {rows:,}: it belongs to another model.",
            "Attach or download the whole model again.",
        )


def check_report(checkpoint: Checkpoint, report: Mapping[str, Any]) -> None:
    """Raise `CheckpointError` when weights are missing or of another shape than config.json says."""
    if mismatched := sorted(report.get("mismatched_keys", ()), key=lambda entry: str(entry[0])):
        name, stored, wanted = mismatched[0]
        raise CheckpointError(
            f"{len(mismatched)} of the weights of {checkpoint.name} have another shape than its config.json asks for: "
            f"{name} is {_sides(stored)}, not {_sides(wanted)}.",
            "config.json may belong to another model; attach or download it again.",
        )
    if missing := sorted(report.get("missing_keys", ())):
        raise CheckpointError(
            f"{checkpoint.name} lacks {len(missing)} of the weights its config.json asks for, such as {missing[0]}.",
            "Attach or download the whole model.",
        )


def _tiktoken(folder: Path) -> list[Path]:
    return [*folder.glob("*.tiktoken"), *folder.glob("tekken.json")]


def _sides(shape: Any) -> str:
    return " x ".join(str(side) for side in shape)
