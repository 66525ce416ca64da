"""Folders in Hugging Face's layout, whole way: converted, quantised, checked, measured; and what cannot be."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from kaggle_magics.errors import CheckpointError, OptionError
from kaggle_magics.models.checkpoint import read_checkpoint
from kaggle_magics.models.quantize.asked import quantize_as_asked
from kaggle_magics.models.quantize.child import Stopped
from kaggle_magics.models.quantize.measure import measure_types
from kaggle_magics.models.quantize.pretokenizers import merge_scores, pretokenizer_name
from kaggle_magics.models.quantize.quantize import estimate, quantize

pytestmark = pytest.mark.gguf


@pytest.mark.slow
def test_a_folder_is_estimated_made_and_checked_against_transformers(tiny_llama: Path, with_converter: Path) -> None:
    checkpoint = read_checkpoint(tiny_llama)
    expected = estimate(checkpoint, "q8_0")
    made = quantize(checkpoint, "q8_0")
    assert 0 <= expected.bytes - made.bytes < 64
    assert made.agreement and made.agreement.against == "transformers" and made.agreement.kl < 0.05
    assert made.seconds_to_convert > 0 and read_checkpoint(made.path).has_chat_template
    assert quantize(checkpoint, "q8_0").found


@pytest.mark.slow
def test_stopped_while_it_is_converted_nothing_is_left(tiny_llama: Path, with_converter: Path, tmp_path: Path) -> None:
    stop = threading.Event()

    def on_progress(line: str) -> None:
        if line.startswith("Converting"):
            stop.set()

    with pytest.raises(Stopped):
        quantize(read_checkpoint(tiny_llama), "q8_0", path=tmp_path, on_progress=on_progress, stop=stop)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_what_the_converter_refuses_is_one_line(
    tiny_llama: Path, with_converter: Path, tmp_path: Path, make_folder: Callable[..., Path]
) -> None:
    unknown = make_folder(tmp_path / "unbekannt", architectures=["NoSuchForCausalLM"], model_type="nosuch")
    with pytest.raises(CheckpointError, match="does not know NoSuchForCausalLM") as error:
        quantize(read_checkpoint(unknown), "q8_0", path=tmp_path / "out")
    assert "\n" not in str(error.value)
    odd = tmp_path / "odd"
    shutil.copytree(tiny_llama, odd)
    tokenizer = json.loads((odd / "tokenizer.json").read_text())
    tokenizer["pre_tokenizer"] = {
        "type": "Sequence",
        "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": "[aeiou]"}, "behavior": "Isolated", "invert": False},
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False},
        ],
    }
    (odd / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(CheckpointError, match="how the tokenizer of odd splits text"):
        quantize(read_checkpoint(odd), "q8_0", path=tmp_path / "out")
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


def test_types_are_measured_against_the_original(tiny_gguf: Path) -> None:
    found = measure_types(read_checkpoint(tiny_gguf), ["q8_0", "q5_1", "q8_0"])
    original, q8, q5 = found
    assert [each.type for each in found] == ["f32", "q8_0", "q5_1"]
    assert original.kl == 0 and original.same_greedy == 1 and original.path == tiny_gguf
    assert 0 < q8.kl < q5.kl <= q5.kl_99 and q8.same_greedy > q5.same_greedy
    assert original.bytes > q8.bytes > q5.bytes
    assert all(each.decode_tokens_per_second > 0 and each.prefill_tokens_per_second > 0 for each in found)
    assert all(each.perplexity > 1 and each.tokens == original.tokens for each in found)
    assert abs(q8.perplexity / original.perplexity - 1) < 0.1
    with pytest.raises(OptionError, match="at least 16"):
        measure_types(read_checkpoint(tiny_gguf), ["q8_0"], text="short")


def test_the_call_takes_only_what_goes_together(tiny_gguf: Path) -> None:
    checkpoint = read_checkpoint(tiny_gguf)
    for options, words in (
        ({"to": "q8_0", "measure": True, "path": "x"}, "--path"),
        ({"to": "q8_0", "measure": True, "dry_run": True}, "--dry-run"),
        ({"to": "q8_0", "text": "x"}, "--measure only"),
        ({"to": "q8_0,q4_0"}, "not 2"),
        ({"to": []}, "not 0"),
        ({"to": [], "measure": True}, "no type"),
        ({"to": "q9"}, "no type 'q9'"),
    ):
        with pytest.raises(OptionError, match=words):
            quantize_as_asked(checkpoint, **options)  # type: ignore[arg-type]


def test_pretokenizers_are_told_by_what_they_do_exactly() -> None:
    level = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
    bare = {**level, "use_regex": False}
    words = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+"
    qwen = words + r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"

    def named(*steps: dict[str, object], **more: object) -> str | None:
        return pretokenizer_name({"pre_tokenizer": {"type": "Sequence", "pretokenizers": list(steps)}, **more})

    def split(regex: str, behavior: str = "Isolated") -> dict[str, object]:
        return {"type": "Split", "pattern": {"Regex": regex}, "behavior": behavior, "invert": False}

    assert pretokenizer_name({"pre_tokenizer": level}) == "gpt-2"
    assert named(split(qwen), bare) == "qwen2"
    assert named(split(qwen.replace(r"\p{N}|", r"\p{N}{1,3}|")), bare) == "llama-bpe"
    assert named({"type": "Digits", "individual_digits": True}, level) == "starcoder"
    assert named(split(qwen), bare, normalizer={"type": "NFC"}) == "qwen2"
    for unknown in (
        named(split(qwen + "|x"), bare),
        named(split(qwen, "Removed"), bare),
        named(split(qwen), level),
        named(split(qwen), split(qwen), bare),
        named(bare),
        named(split(qwen), bare, normalizer={"type": "Lowercase"}),
        named(split(qwen), {**bare, "add_prefix_space": True}),
        pretokenizer_name({"pre_tokenizer": None}),
        pretokenizer_name({}),
    ):
        assert unknown is None


def test_scores_follow_the_merges() -> None:
    model = {"vocab": {"a": 0, "b": 1, "ab": 2, "abb": 3}, "merges": [["a", "b"], "ab b", ["a", "bb"]]}
    assert merge_scores({"model": model}) == {2: 0.0, 3: -1.0}


@pytest.mark.slow
def test_a_split_file_is_one_source(tiny_llama: Path, converter_here: Path, tmp_path: Path) -> None:
    words = [str(converter_here / "convert_hf_to_gguf.py"), str(tiny_llama), "--split-max-tensors", "6"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    program = "import sys, runpy; from transformers import AutoTokenizer; sys.argv.pop(0); "
    # The pre-tokenizer of a toy vocabulary is not one of those that the converter recognises.
    program += "sys.path.insert(0, __import__('os').path.dirname(sys.argv[0])); import conversion.base as base; "
    program += "base.TextModel.get_vocab_base_pre = lambda *words: 'gpt-2'; "
    program += "runpy.run_path(sys.argv[0], run_name='__main__')"
    subprocess.run(
        [sys.executable, "-c", program, *words, "--outfile", str(tmp_path / "m.gguf"), "--outtype", "f16"],
        env={**environment, "PYTHONPATH": str(converter_here / "gguf-py")},
        check=True,
        capture_output=True,
    )
    first, *rest = sorted(tmp_path.glob("m-*.gguf"))
    assert rest
    checkpoint = read_checkpoint(first)
    expected, made = estimate(checkpoint, "q8_0"), quantize(checkpoint, "q8_0")
    assert 0 <= expected.bytes - made.bytes < 256 and made.agreement
    os.utime(rest[0], ns=(1, 1))
    assert not quantize(read_checkpoint(first), "q8_0").found
