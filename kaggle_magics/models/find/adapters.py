"""LoRA adapters: small files that change a model which lies elsewhere, and are none by themselves.

PEFT writes a folder with `adapter_config.json` and `adapter_model.safetensors`; llama.cpp's converter makes a GGUF file
of it whose `general.type` is "adapter" (convert_lora_to_gguf.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from kaggle_magics.errors import CheckpointError
from kaggle_magics.models.headers import gguf, safetensors
from kaggle_magics.models.headers.json_file import read_json

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"


@dataclass(frozen=True, slots=True)
class Adapter:
    """A LoRA adapter on disk."""

    name: str
    path: Path
    """The PEFT folder, or the `.gguf` file."""
    format: Literal["peft", "gguf"]
    base_model: str
    """As the adapter names it: a Hugging Face id, a path of where it was trained, or ""."""
    rank: int
    """The largest of its matrices; 0 where the files do not tell."""
    bytes: int
    parameters: int
    architecture: str
    """The kind of adapter, "LORA" (PEFT); the base model's architecture (GGUF)."""
    dtype: str
    """As safetensors names it; a GGUF's quantisation."""


def read_adapter(path: Path, name: str | None = None) -> Adapter:
    """The facts of a PEFT folder or a GGUF adapter, from headers only. Raises `CheckpointError`."""
    path = path.absolute()
    if path.is_dir():
        return _peft(path, name or path.resolve().name)
    header = gguf.read_header(path)
    if header.metadata.get("general.type") != "adapter":
        raise CheckpointError(f"{path.name} is no adapter: it is a model of its own.", "Leave --adapter out.")
    return adapter_of_gguf(path, name or path.stem, header)


def adapter_of_gguf(path: Path, name: str, header: gguf.GgufHeader) -> Adapter:
    """The facts of a GGUF adapter whose header was read."""
    # A pair of matrices takes the place of one of n x m: lora_a is r x m, and GGUF writes the sides in reverse.
    ranks = [t.shape[1] for key, t in header.tensors.items() if key.endswith(".lora_a") and len(t.shape) > 1]
    if not ranks:
        raise CheckpointError(f"{path.name} is damaged: an adapter without LoRA matrices.", "Convert it again.")
    base = _text(header.metadata.get("general.base_model.0.name"))
    owner = _text(header.metadata.get("general.base_model.0.organization"))
    url = _text(header.metadata.get("general.base_model.0.repo_url"))
    if url.startswith("https://huggingface.co/"):
        base = url.removeprefix("https://huggingface.co/").strip("/")
    elif base and owner and "/" not in base:
        base = f"{owner}/{base}"
    return Adapter(
        name=name,
        path=path,
        format="gguf",
        base_model=base,
        rank=max(ranks),
        bytes=path.stat().st_size,
        parameters=sum(tensor.elements for tensor in header.tensors.values()),
        architecture=header.architecture,
        dtype=header.quantisation,
    )


def _peft(folder: Path, name: str) -> Adapter:
    if not (folder / CONFIG).is_file():
        raise CheckpointError(
            f"{folder} holds no adapter: it has no {CONFIG}.", "Name an adapter's folder or a .gguf file of one."
        )
    config = read_json(folder / CONFIG)
    weights = folder / WEIGHTS
    if not weights.is_file():
        if any(True for _ in folder.glob("adapter_model*.bin")):
            raise CheckpointError(
                f"{name} has only pickled weights (adapter_model.bin), which can run any code when they are read.",
                "Save it as safetensors where you trust it.",
            )
        raise CheckpointError(f"{name} is incomplete: it has no {WEIGHTS}.", "Attach or download the whole adapter.")
    tensors = safetensors.read_header(weights)
    sizes: dict[str, int] = {}
    for tensor in tensors.values():
        sizes[tensor.dtype] = sizes.get(tensor.dtype, 0) + tensor.bytes
    return Adapter(
        name=name,
        path=folder,
        format="peft",
        base_model=_text(config.get("base_model_name_or_path")),
        rank=_rank(config),
        bytes=weights.stat().st_size,
        parameters=sum(tensor.elements for tensor in tensors.values()),
        architecture=_text(config.get("peft_type")) or "LORA",
        dtype=max(sizes, key=lambda dtype: sizes[dtype], default="unknown"),
    )


def _rank(config: dict[str, Any]) -> int:
    pattern = config.get("rank_pattern")
    ranks = [config.get("r"), *(pattern.values() if isinstance(pattern, dict) else ())]
    return max((rank for rank in ranks if isinstance(rank, int)), default=0)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
