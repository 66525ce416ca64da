"""Encoders with a decoder, small and random: greedy text is that of `generate`, and our own options hold."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.errors import OptionError
from kaggle_magics.models.checkpoint import read_checkpoint
from kaggle_magics.models.engines.protocol import Engine
from kaggle_magics.models.fit.choices import choices
from kaggle_magics.models.fit.plan import make_plan
from kaggle_magics.models.request import Request, Sampling

pytest.importorskip("transformers", reason="transformers is not installed")

COMMON: dict[str, Any] = {
    "vocab_size": 512,
    "d_model": 32,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
    "decoder_start_token_id": 0,
}
SHAPES: dict[str, dict[str, Any]] = {
    "T5": {"d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4, "initializer_factor": 4.0, "n_positions": 128},
    "Bart": {
        "encoder_layers": 2,
        "decoder_layers": 2,
        "encoder_attention_heads": 4,
        "decoder_attention_heads": 4,
        "encoder_ffn_dim": 64,
        "decoder_ffn_dim": 64,
        "max_position_embeddings": 128,
        "init_std": 0.3,
        "forced_bos_token_id": 1,
        "forced_eos_token_id": 2,
    },
}
PROMPT = "translate: The library opens at nine"


@pytest.fixture(scope="module")
def model_of(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    made: dict[str, Path] = {}

    def make(name: str) -> Path:
        import torch
        import transformers

        if name not in made:
            folder = tmp_path_factory.mktemp("encoder-decoder") / name.lower()
            with torch.random.fork_rng():
                torch.manual_seed(5)
                config = getattr(transformers, f"{name}Config")(**COMMON, **SHAPES[name])
                model = getattr(transformers, f"{name}ForConditionalGeneration")(config)
                # The library's own habit, which must not come through: a search over several beams.
                model.generation_config.num_beams = 3
                model.generation_config.early_stopping = True
                model.generation_config.max_length = 20
                model.save_pretrained(folder)
            for file in ("tokenizer.json", "tokenizer_config.json"):
                shutil.copy(tiny_llama / file, folder)
            made[name] = folder
        return made[name]

    return make


def library_answer(folder: Path, prompt: str, tokens: int) -> str:
    import torch
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float32)
    ids = tokenizer(prompt, return_tensors="pt")["input_ids"]
    output = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, num_beams=1,
                            max_new_tokens=tokens + 1)[0]  # fmt: skip
    return str(tokenizer.decode(output[: tokens + 1], skip_special_tokens=True))


@pytest.mark.parametrize("name", SHAPES)
def test_greedy_text_is_that_of_generate(
    name: str, model_of: Callable[[str], Path], open_engine: Callable[..., Engine], ask: Any
) -> None:
    path = model_of(name)
    for prompt in (PROMPT, "a", PROMPT + " and closes at six"):
        text, last = ask(open_engine(path), prompt, max_tokens=12)
        assert text == library_answer(path, prompt, 12)
        assert last.stop_reason in ("length", "end") and 0 < last.usage.generated_tokens <= 12
        assert last.usage.reused_tokens == 0 and last.usage.prompt_tokens == open_engine(path).count_tokens(prompt)


@pytest.mark.parametrize("name", SHAPES)
def test_our_own_options_hold(
    name: str, model_of: Callable[[str], Path], open_engine: Callable[..., Engine], ask: Any
) -> None:
    engine = open_engine(model_of(name))
    whole, last = ask(engine, PROMPT, max_tokens=30)
    assert last.stop_reason == "length" and last.usage.generated_tokens == 30
    # Words as stop strings, found wherever they stand.
    stop = whole[len(whole) // 2 :][:3]
    text, last = ask(engine, PROMPT, max_tokens=30, stop=(stop,))
    assert last.stop_reason == "stop_sequence" and text == whole[: whole.index(stop)]
    drawn = [ask(engine, PROMPT, max_tokens=12, temperature=1.5, seed=seed)[0] for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    pieces = list(engine.stream(Request.ask(PROMPT, sampling=Sampling(max_tokens=5), logprobs=2), threading.Event()))
    told = [token for piece in pieces for token in piece.tokens]
    assert len(told) == 5 and all(one.logprob <= 0.0 and len(one.top) == 2 for one in told)


def test_it_streams_and_stops_within_a_token(
    model_of: Callable[[str], Path], open_engine: Callable[..., Engine]
) -> None:
    engine, stop, pieces = open_engine(model_of("T5")), threading.Event(), []
    for piece in engine.stream(Request.ask(PROMPT, sampling=Sampling(max_tokens=100)), stop):
        pieces.append(piece)
        stop.set()
    assert pieces[-1].stop_reason == "interrupted"
    assert pieces[-1].usage is not None and pieces[-1].usage.generated_tokens < 50
    # Told before it began, and left by whoever was listening: it goes on working, and no thread stays behind.
    [only] = engine.stream(Request.ask(PROMPT), stop)
    assert only.stop_reason == "interrupted"
    abandoned = engine.stream(Request.ask(PROMPT, sampling=Sampling(max_tokens=100)), threading.Event())
    next(iter(abandoned))
    abandoned.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name == "generate"]


def test_it_says_nothing_of_its_own(
    model_of: Callable[[str], Path], open_engine: Callable[..., Engine], ask: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    engine = open_engine(model_of("Bart"))
    capfd.readouterr()
    ask(engine, PROMPT, max_tokens=25)
    assert capfd.readouterr() == ("", "")


def test_a_table_is_answered_in_turn_and_errors_stay_with_their_row(
    model_of: Callable[[str], Path], open_engine: Callable[..., Engine], ask: Any
) -> None:
    engine = open_engine(model_of("Bart"))
    prompts = [PROMPT, "long " * 200, "a"]
    rows: dict[int, tuple[str, str | None]] = {}
    requests = [Request.ask(prompt, template="none", sampling=Sampling(max_tokens=6)) for prompt in prompts]
    for index, piece in engine.stream_many(requests, threading.Event()):
        rows[index] = (rows.get(index, ("", None))[0] + piece.text, piece.stop_reason)
    assert rows[1][1] == "error" and "encoder takes 128" in rows[1][0]
    assert [rows[index][0] for index in (0, 2)] == [ask(engine, prompts[index], max_tokens=6)[0] for index in (0, 2)]
    with pytest.raises(OptionError, match="encoder takes 128"):
        ask(engine, prompts[1])


def test_it_is_planned_for_transformers_alone(model_of: Callable[[str], Path]) -> None:
    checkpoint = read_checkpoint(model_of("T5"))
    assert checkpoint.kind == "generator" and checkpoint.encoder_decoder
    assert {choice.plan.engine for choice in choices(checkpoint)} == {"transformers"}
    with pytest.raises(OptionError, match="not as GGUF"):
        make_plan(checkpoint, quant="q4_k_m")
    assert make_plan(checkpoint, quant="auto").engine == "transformers"


def test_weights_that_are_missing(model_of: Callable[[str], Path], tmp_path: Path) -> None:
    from kaggle_magics.errors import CheckpointError
    from kaggle_magics.models.engines.registry import load_engine

    folder = tmp_path / "deeper"
    shutil.copytree(model_of("Bart"), folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "decoder_layers": 3}))
    with pytest.raises(CheckpointError, match="lacks"):
        load_engine(make_plan(read_checkpoint(folder)))
