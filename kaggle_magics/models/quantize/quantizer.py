"""llama.cpp's own quantiser: from one GGUF file to another of a smaller type, or to the size that would have."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from kaggle_magics.errors import CheckpointError, KaggleMagicsError, OptionError
from kaggle_magics.extras import require
from kaggle_magics.models.fit.machine import this_machine
from kaggle_magics.models.headers.gguf import BLOCKS, GgufHeader, read_header
from kaggle_magics.models.quantize.child import ChildFailed, progress_of, python_child, run_child
from kaggle_magics.models.quantize.disk import out_of_space
from kaggle_magics.models.quantize.gguf_types import FLOATS, NUMBERS, needs_matrix
from kaggle_magics.models.quantize.quantize_child import KEY_LENGTH, PROVENANCE

OnShare = Callable[[float], None]

_CHILD = "kaggle_magics.models.quantize.quantize_child"
_KEPT = re.compile(r"\[\s*\d+/\s*\d+\] (?P<name>\S+)")
_CHANGED = re.compile(r"-> +[\d.]+ MiB \((?P<type>\w+)\)")
_WIDTHS = {name.lower(): (block, width) for name, block, width in BLOCKS.values()}
_ALIGNMENT = 32
_PART = re.compile(r"(?P<stem>.*)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf$")
_VERSION = "general.quantization_version"


def quantize_gguf(
    source: Path,
    output: Path,
    to: str,
    *,
    key: str = "",
    requantize: bool = False,
    on_share: OnShare | None = None,
    stop: threading.Event | None = None,
) -> None:
    """Write `source` as the type `to` into `output`; `key` goes into its metadata.

    Raises `OptionError` for a type that needs an importance matrix or for quantising what is quantised, and
    `CheckpointError` when llama.cpp cannot do it. The output is whole or an error was raised; the file is the caller's.
    """

    def on_line(line: str) -> None:
        share = progress_of(line)
        if share is not None and on_share is not None:
            on_share(share)

    try:
        run_child(_command(source, output, to, key, requantize, dry_run=False), on_line=on_line, stop=stop)
        # llama.cpp does not notice a write that fails because the disk is full.
        read_header(output)
    except ChildFailed as error:
        raise _explained(error, source, to) from error
    except CheckpointError as error:
        raise out_of_space(output.parent) if output.is_file() else error from error


def quantized_bytes(source: Path, to: str, *, requantize: bool = False, stop: threading.Event | None = None) -> int:
    """The size of the file that `quantize_gguf` would write, up to a few bytes of metadata; nothing is written.

    Every tensor's type is llama.cpp's own decision (its dry run). Same errors.
    """
    header, size = read_parts(source)
    types = {name: tensor.dtype.lower() for name, tensor in header.tensors.items()}
    now, wants_matrix = "", False

    def on_line(line: str) -> None:
        nonlocal now, wants_matrix
        if step := _KEPT.search(line):
            now = step["name"]
        if (changed := _CHANGED.search(line)) and now in types:
            types[now] = changed["type"].lower()
        wants_matrix = wants_matrix or "will require an imatrix" in line

    try:
        run_child(_command(source, Path(), to, "", requantize, dry_run=True), on_line=on_line, stop=stop)
    except ChildFailed as error:
        raise _explained(error, source, to) from error
    if wants_matrix:
        raise needs_matrix(to)
    before = {name: tensor.dtype.lower() for name, tensor in header.tensors.items()}
    head = size - _stored(header, before) + _added(header)
    return head + -head % _ALIGNMENT + _stored(header, types)


def parts_of(source: Path) -> list[Path]:
    """All files of a GGUF; `source` is its first part where it is split."""
    part = _PART.match(source.name)
    if part is None:
        return [source]
    count = int(part["count"])
    return [source.with_name(f"{part['stem']}-{number:05d}-of-{part['count']}.gguf") for number in range(1, count + 1)]


def read_parts(source: Path) -> tuple[GgufHeader, int]:
    """The header with the tensors of all parts, and the bytes of the one file that the parts would make."""
    header, *others = [read_header(part) for part in parts_of(source)]
    size, tensors = source.stat().st_size, dict(header.tensors)
    for other in others:
        # Of a further part only the tensors and their lines in the table count.
        size += _stored(other, {name: tensor.dtype.lower() for name, tensor in other.tensors.items()})
        size += sum(8 + len(name.encode()) + 4 + 8 * len(tensor.shape) + 12 for name, tensor in other.tensors.items())
        tensors |= other.tensors
    return replace(header, tensors=tensors), size


def is_quantized(header: GgufHeader) -> bool:
    """Whether weights of a file are of a quantised type."""
    return any(tensor.dtype.lower() not in FLOATS for tensor in header.tensors.values() if len(tensor.shape) > 1)


def _added(header: GgufHeader) -> int:
    """Bytes of the metadata that the quantiser and we add: a key and its length, a type, a value."""
    version = 0 if _VERSION in header.metadata else 8 + len(_VERSION) + 4 + 4
    return version + (0 if PROVENANCE in header.metadata else 8 + len(PROVENANCE) + 4 + 8 + KEY_LENGTH)


def _stored(header: GgufHeader, types: dict[str, str]) -> int:
    total = 0
    for name, tensor in header.tensors.items():
        block, width = _WIDTHS[types[name]]
        size = tensor.elements // block * width
        total += size + -size % _ALIGNMENT
    return total


def _command(source: Path, output: Path, to: str, key: str, requantize: bool, *, dry_run: bool) -> list[str]:
    require("llama_cpp", "Quantising to GGUF")
    job = {
        "source": str(source),
        "output": str(output),
        "type": NUMBERS[to],
        "threads": this_machine().cores,
        "requantize": requantize,
        "key": key,
        "dry_run": dry_run,
    }
    return python_child(_CHILD, [json.dumps(job)])


def _explained(error: ChildFailed, source: Path, to: str) -> KaggleMagicsError:
    text = error.text
    if "imatrix" in text or "importance matrix" in text.lower():
        return needs_matrix(to)
    if "requantizing from type" in text:
        return OptionError(f"{source.name} is quantised already.", "Quantise the original, or add --requantize.")
    if "unknown model architecture" in text:
        return CheckpointError(f"The installed llama.cpp does not know the architecture of {source.name}.")
    why = next((line for line in reversed(error.lines) if "failed to quantize" in line or "error" in line.lower()), "")
    if "basic_ios::clear" in why or "iostream error" in why or "No space left" in text:
        return out_of_space(None)
    said = why.partition("failed to quantize:")[2].strip() or why.strip() or f"exit code {error.code}"
    return CheckpointError(f"llama.cpp cannot quantise {source.name}: {said[:200]}.", "The file may be damaged.")
