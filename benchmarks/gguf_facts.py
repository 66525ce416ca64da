"""How long the facts of a GGUF file take: its header read by this package, against `gguf.GGUFReader`.

    python benchmarks/gguf_facts.py --vocabulary 150000 --runs 3

The file is made here: a Llama's metadata, a vocabulary with scores, types and merges, and the tensor table of 32
layers with tiny tensors (their bytes are not read by either side). The facts of both must be equal. Target: 100 times
faster. GGUFReader is what a fit check would otherwise use; it makes an array of every token, which is what takes long.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from timing import Result, show, take_turns

from kaggle_magics.models.checkpoint import read_checkpoint
from kaggle_magics.models.headers.gguf import read_header

TARGET = 100.0
LAYERS = 32


def make_file(path: Path, vocabulary: int) -> None:
    """A GGUF as llama.cpp's converter lays it out, of `vocabulary` tokens."""
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_name("facts")
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_context_length(32768)
    writer.add_embedding_length(3584)
    writer.add_block_count(LAYERS)
    writer.add_head_count(28)
    writer.add_head_count_kv(4)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list([f"token{number}" for number in range(vocabulary)])
    writer.add_token_scores([0.0] * vocabulary)
    writer.add_token_types([1] * vocabulary)
    writer.add_token_merges([f"to ken{number}" for number in range(vocabulary)])
    writer.add_chat_template("{% for message in messages %}{{ message.content }}{% endfor %}")
    for layer in range(LAYERS):
        for part in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
            writer.add_tensor(f"blk.{layer}.{part}.weight", np.zeros((8, 32), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def theirs(path: Path) -> dict[str, Any]:
    """The facts of a plan, from GGUFReader."""
    reader = gguf.GGUFReader(path)

    def value(key: str) -> Any:
        field = reader.get_field(key)
        return field.contents() if field is not None else None

    architecture = value("general.architecture")
    tokens = reader.get_field("tokenizer.ggml.tokens")
    return {
        "architecture": architecture,
        "context": value(f"{architecture}.context_length"),
        "layers": value(f"{architecture}.block_count"),
        "hidden": value(f"{architecture}.embedding_length"),
        "kv_heads": value(f"{architecture}.attention.head_count_kv"),
        "vocabulary": len(tokens.data) if tokens is not None else 0,
        "chat template": bool(value("tokenizer.chat_template")),
        "parameters": sum(int(tensor.n_elements) for tensor in reader.tensors),
        "tensors": {tensor.name: int(tensor.n_bytes) for tensor in reader.tensors},
    }


def ours(path: Path) -> dict[str, Any]:
    """The same from this package: all that a listing and a plan need."""
    found = read_checkpoint(path)
    return {
        "architecture": found.architecture,
        "context": found.context_length,
        "layers": found.dimensions.layers,
        "hidden": found.dimensions.hidden,
        "kv_heads": found.dimensions.kv_heads,
        "vocabulary": found.dimensions.vocabulary,
        "chat template": found.has_chat_template,
        "parameters": found.parameters,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vocabulary", type=int, default=150_000, help="tokens (default: 150000)")
    parser.add_argument("--runs", type=int, default=3, help="rounds that count (default: 3)")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "facts.gguf"
        make_file(path, options.vocabulary)
        expected = theirs(path)
        tensors = expected.pop("tensors")
        assert ours(path) == expected, (ours(path), expected)
        assert {name: tensor.bytes for name, tensor in read_header(path).tensors.items()} == tensors

        def read_ours() -> None:
            ours(path)

        def read_theirs() -> None:
            theirs(path)

        # The page cache is warm for both; GGUFReader's first opening has just warmed it.
        taken = take_turns({"theirs": read_theirs, "ours": read_ours}, options.runs, warm=0)
        megabytes = path.stat().st_size / 1e6
    show(
        f"Facts of a GGUF file with {options.vocabulary:,} tokens",
        [Result("all facts of the header", 1000 * taken["theirs"], 1000 * taken["ours"], TARGET)],
        notes=(f"The file has {megabytes:.1f} MB; facts asserted equal: {', '.join([*expected, 'tensors'])}.",),
    )


if __name__ == "__main__":
    main()
