"""Which files of a repository a model needs: weights once, in one safe format, with tokenizer and configuration."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from kaggle_magics.errors import CheckpointError, ModelNotFound, OptionError
from kaggle_magics.models.find.downloads.remote import Remote

_PART = re.compile(r"-\d{5}-of-\d{5}(?=\.\w+$)")
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_SMALL = ("*.json", "*.model", "*.jinja", "*.tiktoken", "vocab.txt", "merges.txt", "*/config.json", "*/*_config.json")
"""Configuration and tokenizer; in folders only what sentence-transformers keeps there (`1_Pooling/config.json`)."""
_NOT_NEEDED = (
    "pytorch_model*.json",
    "tf_model*",
    "flax_model*",
    "onnx/*",
    "openvino/*",
    "original/*",
    "trainer_state.json",
)
_SHOWN = 12


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file on the server; `bytes` is 0 where it does not tell."""

    name: str
    bytes: int


def needed(remote: Remote, files: Sequence[RemoteFile]) -> list[RemoteFile]:
    """The files to fetch, small ones first, so that weights which are there are never without their tokenizer.

    Raises `ModelNotFound` when no file has the wanted name, or several GGUF files could be meant, and
    `CheckpointError` where there are only pickled weights, which are fetched only when they are asked for by name.
    """
    weights = _asked_for(remote, files) if remote.files else _safetensors(files) or _one_gguf(remote, files)
    if not weights:
        pickles = [file for file in files if file.name.endswith(_PICKLES)]
        if pickles:
            raise CheckpointError(
                f"{remote.name} has only pickled weights, which can run any code when they are read.",
                f"If you trust where they come from, ask for them by name: {remote.reference}:{pickles[0].name}",
            )
        raise CheckpointError(f"{remote.name} holds no weights that can be loaded here.", f"See {remote.page}")
    beside = [] if _gguf(weights) else [file for file in files if _is_small(file.name) and file not in weights]
    return sorted([*beside, *weights], key=lambda file: (file in weights, file.bytes, file.name))


def _asked_for(remote: Remote, files: Sequence[RemoteFile]) -> list[RemoteFile]:
    wanted = remote.files
    found = [file for file in files if wanted in (file.name, PurePosixPath(file.name).name)]
    if not found and any(mark in wanted for mark in "*?["):
        found = [file for file in files if fnmatchcase(file.name.casefold(), wanted.casefold())]
    if not found:
        # A quantisation's name as a whole word: Q4_K, and not Q4_K_M.
        word = re.compile(rf"(?<![A-Za-z0-9]){re.escape(wanted)}(?![A-Za-z0-9_])", re.I)
        found = [file for file in files if word.search(file.name) and _is_weights(file.name)]
    if not found:
        weights = [file for file in files if _is_weights(file.name)]
        raise ModelNotFound(f"{remote.name} has no file {wanted!r}.", f"It has: {_listed(weights) or 'no weights'}.")
    if _gguf(found) and len(groups := _groups(found)) > 1:
        raise ModelNotFound(f"{wanted!r} names {len(groups)} files of {remote.name}: {_listed(found)}.", "Name one.")
    return _with_other_parts(found, files)


def _safetensors(files: Sequence[RemoteFile]) -> list[RemoteFile]:
    found = [file for file in files if file.name.endswith(".safetensors")]
    top = [file for file in found if "/" not in file.name]
    if any(file.name == "adapter_config.json" for file in files) and not any(
        file.name.startswith("model") for file in top
    ):
        return [file for file in top if file.name == "adapter_model.safetensors"]
    # Mistral's repositories hold the same weights twice, as "consolidated" for another program.
    named = [file for file in top if file.name.startswith("model")]
    whole = [file for file in named if file.name == "model.safetensors"]
    if whole or named:
        # sentence-transformers keeps the weights of later parts in numbered folders.
        return [*(whole or named), *(file for file in found if re.match(r"\d+_\w+/model\.safetensors$", file.name))]
    return top or [file for file in found if re.match(r"0_\w+/model", file.name)]


def _one_gguf(remote: Remote, files: Sequence[RemoteFile]) -> list[RemoteFile]:
    found = [file for file in _only_gguf(files) if not PurePosixPath(file.name).name.lower().startswith("mmproj")]
    groups = _groups(found)
    if len(groups) > 1:
        first = min(groups, key=lambda name: abs(_bits_of(name) - 4.8))
        raise ModelNotFound(
            f"{remote.name} has {len(groups)} GGUF files: {_listed(found)}.",
            f"Name one, as in {remote.reference}:{_short(first)}",
        )
    return found


def _bits_of(name: str) -> float:
    """Roughly, for an example: Q4_K_M is what most people take."""
    match = re.search(r"(?:I?Q|F|BF)(\d+)(_K_M)?", name, re.I)
    return int(match[1]) + (0.8 if match[2] else 0.0) if match else 99.0


def _short(name: str) -> str:
    match = re.search(r"(?<![A-Za-z0-9])(I?Q\d\w*|F16|BF16|F32)(?=\.|-\d{5})", name, re.I)
    return match[1] if match else name


def _groups(files: Iterable[RemoteFile]) -> dict[str, int]:
    """Whole files and split ones, each once, with their bytes."""
    groups: dict[str, int] = {}
    for file in files:
        name = _PART.sub("", file.name)
        groups[name] = groups.get(name, 0) + file.bytes
    return groups


def _with_other_parts(found: Sequence[RemoteFile], files: Sequence[RemoteFile]) -> list[RemoteFile]:
    stems = {_PART.sub("", file.name) for file in found if _PART.search(file.name)}
    return [file for file in files if file in found or (_PART.search(file.name) and _PART.sub("", file.name) in stems)]


def _listed(files: Sequence[RemoteFile]) -> str:
    groups = _groups(files)
    shown = [f"{name} ({size / 1e9:.1f} GB)" if size >= 5e7 else name for name, size in list(groups.items())[:_SHOWN]]
    more = f" and {len(groups) - _SHOWN} more" if len(groups) > _SHOWN else ""
    return ", ".join(shown) + more


def _is_small(name: str) -> bool:
    if any(fnmatchcase(name, pattern) for pattern in _NOT_NEEDED):
        return False
    return any(fnmatchcase(name, pattern) and name.count("/") == pattern.count("/") for pattern in _SMALL)


def _is_weights(name: str) -> bool:
    return name.endswith((".safetensors", ".gguf", *_PICKLES))


def _only_gguf(files: Iterable[RemoteFile]) -> list[RemoteFile]:
    return [file for file in files if file.name.lower().endswith(".gguf")]


def _gguf(files: Sequence[RemoteFile]) -> bool:
    return bool(files) and len(_only_gguf(files)) == len(files)


def check_room(remote: Remote, missing: int, free: int, folder: object) -> None:
    """Raise `OptionError` when the files would not fit on the disk."""
    if missing > free:
        raise OptionError(
            f"{remote.name} needs {missing / 1e9:.1f} GB; {free / 1e9:.1f} GB are free in {folder}.",
            "Free some, or choose another place: %env HF_HOME=/a/folder/with/room",
        )
