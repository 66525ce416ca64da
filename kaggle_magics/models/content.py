"""A model's content hash: equal for equal bytes, wherever they lie and whatever their folder is called.

SHA-256 over the files that decide what a model says: weights, configuration, tokenizer, chat template, its own Python
code. Files of up to 64 MiB are read whole. Of larger ones go in: the size, the first and last MiB (in safetensors and
GGUF the first holds the names and shapes of the tensors), and 16 KiB of every 4 MiB between. A matrix of 4 MiB or more
that was trained on is therefore always noticed; a change of single bytes in a large file is not. That reads 0.4 % of
the weights, where all of them would take a minute for 15 GB.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from kaggle_magics.errors import CheckpointError
from kaggle_magics.models.checkpoint import gguf_parts

VERSION = "km1"
"""Goes before each hash: another way of computing it gets another one."""
WHOLE = 64 * 2**20
"""Bytes of the largest file that is read whole."""
END = 2**20
STRIDE = 4 * 2**20
BLOCK = 16 * 2**10

_PATTERNS = (
    "*.safetensors",
    "pytorch_model*.bin",
    "*.pt",
    "*.pth",
    "*config.json",
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.*",
    "merges.txt",
    "*.model",
    "chat_template.*",
    "*.py",
)


def content_hash(path: Path) -> str | None:
    """The hash of a model's or an adapter's folder, or of a `.gguf` file with all its parts; None if it is unreadable.

    Names count within a folder; a `.gguf` file may be renamed.
    """
    total = hashlib.sha256()
    try:
        for name, file in _files(path):
            total.update(f"{name}\0{file_hash(file)}\n".encode("utf-8", "surrogateescape"))
    except (OSError, CheckpointError):
        return None
    return f"{VERSION}:{total.hexdigest()}"


def file_hash(file: Path) -> str:
    """The hash of one file, in hexadecimal digits; see the module for what of it is read."""
    found = hashlib.sha256()
    with open(file, "rb", buffering=0) as stream:
        size = os.fstat(stream.fileno()).st_size
        found.update(f"{size}\n".encode())
        for start, length in _blocks(size):
            stream.seek(start)
            left = length
            while left > 0 and (block := stream.read(min(left, END))):
                found.update(block)
                left -= len(block)
    return found.hexdigest()


def _blocks(size: int) -> Iterator[tuple[int, int]]:
    """Start and length of what is read of a file of `size` bytes."""
    if size <= WHOLE:
        yield 0, size
        return
    yield 0, END
    for start in range(STRIDE, size - END, STRIDE):
        yield start, BLOCK
    yield size - END, END


def _files(path: Path) -> Iterator[tuple[str, Path]]:
    if not path.is_dir():
        for number, part in enumerate(gguf_parts(path)):
            yield str(number), part
        return
    found = {file for pattern in _PATTERNS for file in path.glob(pattern) if file.is_file()}
    # An adapter, or a model of sentence-transformers, may keep its weights one level below.
    found = found or {file for pattern in _PATTERNS for file in path.glob(f"*/{pattern}") if file.is_file()}
    for file in sorted(found):
        yield file.relative_to(path).as_posix(), file
