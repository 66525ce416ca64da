"""The header of a GGUF file, and whether the file is whole.

Format (ggml-org/ggml, docs/gguf.md, versions 2 and 3): magic `GGUF`, version u32, tensor count u64, metadata count u64;
the metadata (key, value type u32, value); the tensor table (name, dimension count u32, dimensions u64 each, type u32,
offset u64); padding to `general.alignment`; the tensors' bytes. Strings are a u64 length and UTF-8.

The vocabulary lies in the metadata as arrays of 30k to 260k strings. Nobody needs them here: they are stepped over, so
that a header takes tens of milliseconds to read.
"""

from __future__ import annotations

import math
import mmap
import struct
from dataclasses import dataclass
from pathlib import Path

from kaggle_magics import memory
from kaggle_magics.errors import CheckpointError, DoesNotFit
from kaggle_magics.models.headers.safetensors import LFS_POINTER, cut_short

_SCALARS = {
    0: struct.Struct("<B"), 1: struct.Struct("<b"), 2: struct.Struct("<H"), 3: struct.Struct("<h"),
    4: struct.Struct("<I"), 5: struct.Struct("<i"), 6: struct.Struct("<f"), 7: struct.Struct("<?"),
    10: struct.Struct("<Q"), 11: struct.Struct("<q"), 12: struct.Struct("<d"),
}  # fmt: skip
_STRING, _ARRAY = 8, 9
_U32, _U64 = struct.Struct("<I"), struct.Struct("<Q")

BLOCKS = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 9: ("Q8_1", 32, 40), 10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1), 25: ("I16", 1, 2), 26: ("I32", 1, 4), 27: ("I64", 1, 8), 28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56), 30: ("BF16", 1, 2), 34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66),
    39: ("MXFP4", 32, 17), 40: ("NVFP4", 64, 36), 41: ("Q1_0", 128, 18),
}  # fmt: skip
"""Tensor type -> name, elements a block, bytes a block (ggml.h `ggml_type`; gguf-py `GGML_QUANT_SIZES`)."""

FILE_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S", 12: "Q3_K_M",
    13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS",
    21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S",
    29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4_MOE", 39: "NVFP4",
    40: "Q1_0",
}  # fmt: skip
"""`general.file_type` -> the quantisation's usual name (llama.h `llama_ftype`)."""

KEPT_ARRAY = 4096
"""Numeric arrays up to this length are read (per-layer head counts); longer ones and all strings are stepped over."""

Scalar = int | float | bool | str
Value = Scalar | tuple[int | float | bool, ...] | None
"""A metadata value; None stands for an array that was stepped over."""


@dataclass(frozen=True, slots=True)
class GgufTensor:
    """One tensor of the table; `bytes` is None for a type this reader does not know."""

    dtype: str
    shape: tuple[int, ...]
    bytes: int | None

    @property
    def elements(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """Metadata by key, tensors by name, and the lengths of the arrays that were stepped over."""

    metadata: dict[str, Value]
    tensors: dict[str, GgufTensor]
    lengths: dict[str, int]

    @property
    def architecture(self) -> str:
        return str(self.metadata.get("general.architecture", ""))

    def integer(self, key: str) -> int | None:
        """`<architecture>.<key>` as an integer; the largest where the file gives one a layer; None where absent."""
        value = self.metadata.get(f"{self.architecture}.{key}")
        if isinstance(value, tuple):
            return int(max(value, default=0))
        return int(value) if isinstance(value, int | float) else None

    @property
    def quantisation(self) -> str:
        """The file's declared type, else the type that most of the tensors' bytes have."""
        declared = self.metadata.get("general.file_type")
        if isinstance(declared, int) and declared in FILE_TYPES:
            return FILE_TYPES[declared]
        sizes: dict[str, int] = {}
        for tensor in self.tensors.values():
            sizes[tensor.dtype] = sizes.get(tensor.dtype, 0) + (tensor.bytes or 0)
        return max(sizes, key=lambda name: sizes[name], default="unknown")


def read_header(path: Path) -> GgufHeader:
    """Metadata and tensor table of a GGUF file. Raises `CheckpointError` when it is damaged or cut short."""
    try:
        size = path.stat().st_size
        if size < 24:
            raise CheckpointError(f"{path.name} is cut short: it has {size} bytes.", "Attach or download it again.")
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _Reader(data, path, size).header()
    except (OSError, ValueError) as error:
        if memory.is_out_of_memory(error):
            raise DoesNotFit(f"There is not even memory to read {path.name}.", "Free some with: %llm_unload") from error
        raise CheckpointError(f"{path.name} cannot be read: {error}.") from error


class _Reader:
    """Steps through the bytes of one file."""

    def __init__(self, data: mmap.mmap, path: Path, size: int) -> None:
        self.data, self.path, self.size, self.at = data, path, size, 0

    def header(self) -> GgufHeader:
        self._check_magic()
        try:
            tensor_count, metadata_count = self._u64(), self._u64()
            metadata: dict[str, Value] = {}
            lengths: dict[str, int] = {}
            for _ in range(metadata_count):
                key = self._string()
                kind = self._u32()
                if kind == _ARRAY:
                    metadata[key], lengths[key] = self._array()
                else:
                    metadata[key] = self._scalar(kind)
            tensors: dict[str, GgufTensor] = {}
            end = 0
            for _ in range(tensor_count):
                name, tensor, offset = self._tensor()
                tensors[name] = tensor
                end = max(end, offset + (tensor.bytes or 0))
        except (struct.error, UnicodeDecodeError, KeyError, OverflowError, MemoryError) as error:
            raise CheckpointError(
                f"{self.path.name} is damaged or cut short: its header ends or breaks at byte {self.at:,}.",
                "Attach or download it again.",
            ) from error
        alignment = metadata.get("general.alignment", 32)
        step = alignment if isinstance(alignment, int) and alignment > 0 else 32
        declared = (math.ceil(self.at / step) * step + end) if tensors else self.at
        if declared > self.size:
            raise cut_short(self.path, declared=declared, size=self.size)
        return GgufHeader(metadata, tensors, lengths)

    def _check_magic(self) -> None:
        start = self.data[:32]
        if start.startswith(LFS_POINTER):
            raise CheckpointError(
                f"{self.path.name} is only a Git LFS pointer, not the weights.", "Fetch it with `git lfs pull`."
            )
        if start[:4] != b"GGUF":
            raise CheckpointError(f"{self.path.name} is not a GGUF file: it does not begin with GGUF.")
        self.at = 4
        version = self._u32()
        if version not in (2, 3):
            raise CheckpointError(
                f"{self.path.name} is GGUF version {version} (or of a big-endian machine); versions 2 and 3 are read.",
                "Convert it again with a current llama.cpp.",
            )

    def _u32(self) -> int:
        value: int = _U32.unpack_from(self.data, self.at)[0]
        self.at += 4
        return value

    def _u64(self) -> int:
        value: int = _U64.unpack_from(self.data, self.at)[0]
        self.at += 8
        return value

    def _string(self) -> str:
        length = self._u64()
        self._must_hold(length)
        text = self.data[self.at : self.at + length].decode("utf-8")
        self.at += length
        return text

    def _must_hold(self, length: int) -> None:
        if length > self.size - self.at:
            raise struct.error("a length points past the end of the file")

    def _scalar(self, kind: int) -> Scalar:
        if kind == _STRING:
            return self._string()
        shape = _SCALARS[kind]
        value: Scalar = shape.unpack_from(self.data, self.at)[0]
        self.at += shape.size
        return value

    def _array(self) -> tuple[Value, int]:
        kind, length = self._u32(), self._u64()
        if kind == _STRING:
            self._skip_strings(length)
            return None, length
        if kind == _ARRAY:
            for _ in range(length):
                self._array()
            return None, length
        shape = _SCALARS[kind]
        self._must_hold(length * shape.size)
        values: Value = None
        if length <= KEPT_ARRAY:
            values = struct.unpack_from(f"<{length}{shape.format[1:]}", self.data, self.at)
        self.at += length * shape.size
        return values, length

    def _skip_strings(self, count: int) -> None:
        data, at, read = self.data, self.at, _U64.unpack_from
        for _ in range(count):
            at += 8 + read(data, at)[0]
        self.at = at

    def _tensor(self) -> tuple[str, GgufTensor, int]:
        name = self._string()
        dimensions = self._u32()
        if dimensions > 8:
            raise struct.error("no tensor has so many dimensions")
        shape = tuple(self._u64() for _ in range(dimensions))
        kind, offset = self._u32(), self._u64()
        dtype, block, width = BLOCKS.get(kind, (f"type {kind}", 0, 0))
        elements = math.prod(shape)
        return name, GgufTensor(dtype, shape, elements // block * width if block else None), offset
