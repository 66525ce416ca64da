"""The header of a safetensors file, and whether the file is whole.

Format (huggingface/safetensors, README "Format"): 8 bytes N, unsigned little-endian; N bytes of JSON that map a
tensor's name to `dtype`, `shape` and `data_offsets` [begin, end) counted from the byte after the header; then the
tensors' bytes.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kaggle_magics.errors import CheckpointError

BITS = {
    "F64": 64, "I64": 64, "U64": 64, "C64": 64, "F32": 32, "I32": 32, "U32": 32, "F16": 16, "BF16": 16, "I16": 16,
    "U16": 16, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "I8": 8, "U8": 8, "BOOL": 8, "F6_E2M3": 6, "F6_E3M2": 6,
    "F4": 4,
}  # fmt: skip
"""Element type -> bits an element."""

MAX_HEADER = 100_000_000
"""The format's own limit of the JSON, in bytes."""

LFS_POINTER = b"version https://git-lfs"
"""How the small text begins that stands for a file which Git LFS did not fetch."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor as the header declares it; `bytes` are those of its data."""

    dtype: str
    shape: tuple[int, ...]
    bytes: int

    @property
    def elements(self) -> int:
        return math.prod(self.shape)


def read_header(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file by name. Raises `CheckpointError` when it is damaged or cut short."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(8)
            length = int.from_bytes(start, "little")
            if len(start) < 8 or length > min(MAX_HEADER, size - 8):
                raise _unreadable(path, size, start + file.read(32))
            text = file.read(length)
    except OSError as error:
        raise CheckpointError(f"{path.name} cannot be read: {error.strerror or error}.") from error
    try:
        header = json.loads(text)
        tensors = {name: _tensor(entry) for name, entry in header.items() if name != "__metadata__"}
        end = max((entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"), default=0)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise CheckpointError(f"{path.name} is damaged: its header is not that of a safetensors file.") from error
    if 8 + length + end > size:
        raise cut_short(path, declared=8 + length + end, size=size)
    return tensors


def cut_short(path: Path, *, declared: int, size: int) -> CheckpointError:
    """The error for a file that is smaller than its header says."""
    return CheckpointError(
        f"{path.name} is cut short: its header declares {declared:,} bytes, the file has {size:,}.",
        "Attach or download it again.",
    )


def _tensor(entry: dict[str, Any]) -> Tensor:
    begin, end = entry["data_offsets"]
    tensor = Tensor(entry["dtype"], tuple(int(side) for side in entry["shape"]), end - begin)
    bits = BITS.get(tensor.dtype)
    if begin < 0 or end < begin or (bits is not None and tensor.elements * bits != tensor.bytes * 8):
        raise ValueError("a tensor's extent and shape do not agree")
    return tensor


def _unreadable(path: Path, size: int, start: bytes) -> CheckpointError:
    if start.startswith(LFS_POINTER):
        return CheckpointError(
            f"{path.name} is only a Git LFS pointer, not the weights.", "Fetch the file with `git lfs pull`."
        )
    if size < 8:
        return CheckpointError(f"{path.name} is cut short: it has {size} bytes.", "Attach or download it again.")
    return CheckpointError(
        f"{path.name} is damaged or cut short: its header does not fit into the file.", "Attach or download it again."
    )
