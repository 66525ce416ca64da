"""Whether a LoRA adapter was made for a model, told from the two files' headers before anything is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kaggle_magics.errors import CheckpointError
from kaggle_magics.models.checkpoint import Checkpoint
from kaggle_magics.models.find.adapters import Adapter, read_adapter
from kaggle_magics.models.headers import gguf, safetensors

Shape = tuple[int, ...]

_PEFT_PREFIX = "base_model.model."
"""What PEFT puts before the name of every module it changes (peft, `PeftModel`)."""


def check_adapter(path: Path, checkpoint: Checkpoint) -> None:
    """Raise `CheckpointError` for an adapter of another format, architecture or shape than the model's.

    A matrix A of an adapter is rank x inputs and B outputs x rank, where the model's weight is outputs x inputs. Where
    names cannot be compared, as libraries rename some when they load them, nothing is said here: the engine will see.
    """
    adapter = read_adapter(path)
    if checkpoint.format == "gguf" and adapter.format != "gguf":
        raise CheckpointError(
            f"{adapter.name} is a PEFT adapter, which a GGUF model cannot take.",
            f"Convert it with llama.cpp's convert_lora_to_gguf.py, or load the safetensors version of "
            f"{checkpoint.name}.",
        )
    if checkpoint.format != "gguf" and adapter.format == "gguf":
        raise CheckpointError(
            f"{adapter.name} is a GGUF adapter; {checkpoint.name} is no GGUF file.",
            "Name the PEFT folder it was made from, or load a GGUF file of the model.",
        )
    if adapter.format == "gguf":
        header = gguf.read_header(checkpoint.path)
        if adapter.architecture != header.architecture:
            raise _other(adapter, checkpoint, f"it changes a {adapter.architecture}, not a {header.architecture}")
        changed = _pairs(_reversed(gguf.read_header(path).tensors), ".weight.lora_a", ".weight.lora_b")
        weights = _reversed(header.tensors)
        known = {name.removesuffix(".weight"): shape for name, shape in weights.items() if name.endswith(".weight")}
    elif checkpoint.format == "safetensors":
        tensors = safetensors.read_header(path / "adapter_model.safetensors")
        named = {name.removeprefix(_PEFT_PREFIX): tensor.shape for name, tensor in tensors.items()}
        changed = _pairs(named, ".lora_A.weight", ".lora_B.weight")
        known = {
            name.removesuffix(".weight"): tensor.shape
            for file in sorted(checkpoint.path.glob("*.safetensors"))
            if not file.name.startswith("adapter_")
            for name, tensor in safetensors.read_header(file).items()
            if name.endswith(".weight")
        }
    else:
        return
    _compare(adapter, checkpoint, changed, known)


def _compare(
    adapter: Adapter, checkpoint: Checkpoint, changed: Mapping[str, tuple[Shape, Shape]], known: Mapping[str, Shape]
) -> None:
    shared = [name for name in changed if name in known]
    for name in shared:
        first, second = changed[name]
        if len(first) == len(second) == len(known[name]) == 2 and (second[0], first[1]) != known[name]:
            made_for, there = f"{second[0]} x {first[1]}", " x ".join(map(str, known[name]))
            raise _other(adapter, checkpoint, f"{name} is {there}, and the adapter was made for {made_for}")
    if shared and len(shared) < len(changed):
        name = next(name for name in changed if name not in known)
        raise _other(adapter, checkpoint, f"it changes {name}, which is not there")


def _pairs(shapes: Mapping[str, Shape], first: str, second: str) -> dict[str, tuple[Shape, Shape]]:
    """Module -> the shapes of its two matrices."""
    stems = [name.removesuffix(first) for name in shapes if name.endswith(first)]
    return {stem: (shapes[stem + first], shapes[stem + second]) for stem in stems if stem + second in shapes}


def _reversed(tensors: Mapping[str, gguf.GgufTensor]) -> dict[str, Shape]:
    """GGUF writes the sides of a tensor in reverse."""
    return {name: tuple(reversed(tensor.shape)) for name, tensor in tensors.items()}


def _other(adapter: Adapter, checkpoint: Checkpoint, reason: str) -> CheckpointError:
    base = f"It was made for {adapter.base_model}." if adapter.base_model else "Name the model it was made for."
    return CheckpointError(f"The adapter {adapter.name} does not fit {checkpoint.name}: {reason}.", base)
