"""What Hugging Face's and kagglehub's clients have fetched to this machine, found without importing them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path


def hugging_face_cache() -> Path:
    """`HF_HUB_CACHE`, else `HF_HOME`/hub, else ~/.cache/huggingface/hub (huggingface_hub, `constants`)."""
    given = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE")
    if given:
        return Path(given).expanduser()
    home = os.environ.get("HF_HOME")
    if home:
        return Path(home).expanduser() / "hub"
    return Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "huggingface" / "hub"


def kagglehub_cache() -> Path:
    """Where kagglehub keeps models: below `KAGGLEHUB_CACHE`, else ~/.cache/kagglehub (kagglehub, `config`)."""
    return Path(os.environ.get("KAGGLEHUB_CACHE", "~/.cache/kagglehub")).expanduser() / "models"


def repositories() -> Iterator[tuple[str, Path]]:
    """Hugging Face ids that are in the cache, with the snapshot that counts."""
    for folder in _folders(hugging_face_cache()):
        if folder.name.startswith("models--") and (found := snapshot(folder)) is not None:
            yield folder.name.removeprefix("models--").replace("--", "/"), found


def snapshot(folder: Path, revision: str = "main") -> Path | None:
    """The snapshot of a cached repository that a branch, tag or commit names.

    Where `main` is not known, the one fetched last; None where there is none.
    """
    try:
        commit = (folder / "refs" / revision).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        commit = revision
    named = folder / "snapshots" / commit
    if commit and named.is_dir():
        return named
    if revision != "main":
        return None
    return max(_folders(folder / "snapshots"), key=lambda path: path.stat().st_mtime, default=None)


def repository_folder(repository: str) -> Path:
    """Where the cache keeps a Hugging Face id (huggingface_hub, `repo_folder_name`)."""
    return hugging_face_cache() / f"models--{repository.replace('/', '--')}"


def _folders(root: Path) -> list[Path]:
    try:
        return sorted(path for path in root.iterdir() if path.is_dir())
    except OSError:
        return []
