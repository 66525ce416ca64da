"""Models of every usual shape become GGUF files that llama.cpp runs and that answer as transformers does."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.models.checkpoint import read_checkpoint
from kaggle_magics.models.engines.registry import load_engine
from kaggle_magics.models.fit.plan import make_plan
from kaggle_magics.models.headers.gguf import read_header
from kaggle_magics.models.quantize.agreement import agreement, answers_of_transformers
from kaggle_magics.models.quantize.convert import convert_folder, unquantized_type
from kaggle_magics.models.quantize.quantizer import quantize_gguf, quantized_bytes

pytestmark = [pytest.mark.gguf, pytest.mark.slow]


def test_a_shape_is_converted_quantised_and_answers_alike(
    shape: Path, converter_here: Path, tmp_path: Path, ask: Any
) -> None:
    checkpoint = read_checkpoint(shape)
    whole, answers = tmp_path / "whole.gguf", tmp_path / "answers.npz"
    convert_folder(checkpoint, whole, unquantized_type(checkpoint, "q8_0"), converter=converter_here, reference=answers)
    source = answers_of_transformers(answers)
    assert len(source.tokens) == 64
    found = agreement(whole, "f16", source)
    # bfloat16 holds 8 bits of a figure, which llama.cpp rounds activations to as well.
    assert found.kl < 0.02 * found.unrelated_kl and found.same_sure == 1.0, found
    for to, most in (("q8_0", 0.1), ("q4_k_m", 0.5)):
        result = tmp_path / f"{to}.gguf"
        quantize_gguf(whole, result, to, key="0" * 32)
        assert 0 <= quantized_bytes(whole, to) - result.stat().st_size < 64
        found = agreement(result, to, source)
        assert found.kl < most * found.unrelated_kl, found
        assert read_header(result).quantisation == to.upper()
    engine = load_engine(replace(make_plan(read_checkpoint(tmp_path / "q8_0.gguf")), threads=1))
    try:
        _, last = ask(engine, "The library opens", max_tokens=4, temperature=0.0)
        assert last.usage.generated_tokens >= 1 or last.stop_reason == "end"
    finally:
        engine.close()
    template = json.loads((shape / "tokenizer_config.json").read_text()).get("chat_template")
    assert read_header(whole).metadata.get("tokenizer.chat_template") == template
