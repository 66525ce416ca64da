"""The small JSON files of a checkpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kaggle_magics.errors import CheckpointError
from kaggle_magics.models.headers.safetensors import LFS_POINTER

LARGEST = 64 * 2**20
"""Bytes; a tokenizer.json of 260,000 tokens has 33 MB, everything else is far smaller."""


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file of a checkpoint; `{}` when the file is absent. Raises `CheckpointError`."""
    try:
        if not path.is_file():
            return {}
        size = path.stat().st_size
        data = path.read_bytes() if size <= LARGEST else b""
    except OSError as error:
        raise CheckpointError(f"{path.name} cannot be read: {error.strerror or error}.") from error
    again = "Attach or download it again."
    if size > LARGEST:
        raise CheckpointError(f"{path.name} is no file of a model: it has {size:,} bytes.", again)
    if data.startswith(LFS_POINTER):
        raise CheckpointError(f"{path.name} is only a Git LFS pointer.", "Fetch the file with `git lfs pull`.")
    try:
        value = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        what = "it is empty" if not data.strip() else "it is not valid JSON"
        raise CheckpointError(f"{path.name} is damaged: {what}.", again) from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path.name} is damaged: it holds no JSON object.", again)
    return value
