"""Headers are read right, fast, and tell when a file is not whole."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kaggle_magics.errors import CheckpointError
from kaggle_magics.models.headers import gguf, safetensors

WriteGguf = Callable[[Path, dict[str, Any], dict[str, Any]], Path]


def write_safetensors(path: Path, header: dict[str, Any], data: int) -> Path:
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(data))
    return path


@pytest.fixture
def small_safetensors(tmp_path: Path) -> Path:
    header = {
        "__metadata__": {"format": "pt"},
        "a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
        "b": {"dtype": "BF16", "shape": [], "data_offsets": [24, 26]},
    }
    return write_safetensors(tmp_path / "model.safetensors", header, 26)


@pytest.fixture
def small_gguf(tmp_path: Path, write_gguf: WriteGguf) -> Path:
    metadata = {
        "general.architecture": "llama",
        "llama.context_length": 128,
        "llama.attention.head_count_kv": [2, 4],
        "tokenizer.ggml.tokens": ["one", "zwei", "三"],
        "tokenizer.chat_template": "{{ messages }}",
        "tokenizer.ggml.add_bos_token": True,
    }
    return write_gguf(tmp_path / "small.gguf", metadata, {"w": np.zeros((4, 8), "f4"), "v": np.zeros(3, "f4")})


def test_safetensors_tells_shapes_types_and_bytes(small_safetensors: Path) -> None:
    tensors = safetensors.read_header(small_safetensors)
    assert tensors["a"].elements == 6 and tensors["a"].bytes == 24
    assert (tensors["b"].dtype, tensors["b"].elements) == ("BF16", 1)
    assert set(tensors) == {"a", "b"}


def test_gguf_tells_metadata_tensors_and_lengths(small_gguf: Path) -> None:
    header = gguf.read_header(small_gguf)
    assert header.architecture == "llama"
    assert header.integer("context_length") == 128
    assert header.integer("attention.head_count_kv") == 4
    assert header.integer("absent") is None
    assert header.lengths["tokenizer.ggml.tokens"] == 3 and header.metadata["tokenizer.ggml.tokens"] is None
    assert header.tensors["w"].shape == (8, 4) and header.tensors["w"].bytes == 128
    assert header.quantisation == "F32"


@pytest.mark.parametrize("which", ["small_safetensors", "small_gguf"])
def test_every_shorter_file_is_found_out(which: str, request: pytest.FixtureRequest) -> None:
    path: Path = request.getfixturevalue(which)
    read = gguf.read_header if path.suffix == ".gguf" else safetensors.read_header
    whole = path.read_bytes()
    # The GGUF's last tensor (12 bytes) is followed by 20 bytes of padding that hold nothing.
    needed = len(whole) - (20 if path.suffix == ".gguf" else 0)
    for length in range(needed):
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError) as caught:
            read(path)
        assert "\n" not in str(caught.value) and path.name in str(caught.value)
    path.write_bytes(whole[:needed])
    assert read(path)


def test_no_flipped_byte_brings_another_error(small_gguf: Path, small_safetensors: Path) -> None:
    for path in (small_gguf, small_safetensors):
        read = gguf.read_header if path.suffix == ".gguf" else safetensors.read_header
        whole = path.read_bytes()
        for place in range(len(whole)):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
            try:
                read(path)
            except CheckpointError as error:
                assert "\n" not in str(error)


def test_an_lfs_pointer_is_named(tmp_path: Path) -> None:
    for name, read in (("a.gguf", gguf.read_header), ("a.safetensors", safetensors.read_header)):
        path = tmp_path / name
        path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 123\n")
        with pytest.raises(CheckpointError, match="Git LFS pointer"):
            read(path)


def test_other_versions_of_gguf_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "old.gguf"
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 1, 0, 0))
    with pytest.raises(CheckpointError, match="version 1"):
        gguf.read_header(path)


def test_a_large_vocabulary_takes_tens_of_milliseconds(tmp_path: Path, write_gguf: WriteGguf) -> None:
    metadata = {
        "general.architecture": "qwen2",
        "tokenizer.ggml.tokens": [f"token{number}" for number in range(150_000)],
        "tokenizer.ggml.scores": [0.0] * 150_000,
        "tokenizer.ggml.merges": [f"a b{number}" for number in range(150_000)],
    }
    path = write_gguf(tmp_path / "large.gguf", metadata, {})
    times = []
    for _ in range(3):
        start = time.process_time()
        header = gguf.read_header(path)
        times.append(time.process_time() - start)
    assert header.lengths["tokenizer.ggml.merges"] == 150_000
    assert min(times) < 0.25


def test_agrees_with_the_format_s_own_reader(shared: Path) -> None:
    reader = pytest.importorskip("gguf")
    for path in sorted((shared / "models").rglob("*.gguf")):
        ours, theirs = gguf.read_header(path), reader.GGUFReader(path)
        assert {tensor.name: tensor.n_bytes for tensor in theirs.tensors} == {
            name: tensor.bytes for name, tensor in ours.tensors.items()
        }
        assert {field for field in theirs.fields if not field.startswith("GGUF.")} == set(ours.metadata)


def test_block_sizes_are_ggml_s() -> None:
    constants = pytest.importorskip("gguf.constants")
    known = {int(kind): (kind.name, *sizes) for kind, sizes in constants.GGML_QUANT_SIZES.items()}
    assert {kind: known[kind] for kind in gguf.BLOCKS if kind in known} == {
        kind: block for kind, block in gguf.BLOCKS.items() if kind in known
    }
