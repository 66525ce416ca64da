"""Weights in 4 and 8 bits through bitsandbytes: smaller, answering alike, refused where there are no kernels."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kaggle_magics.errors import MissingExtra, OptionError
from kaggle_magics.models.checkpoint import read_checkpoint
from kaggle_magics.models.engines.transformers import bitsandbytes
from kaggle_magics.models.fit.plan import Plan, make_plan


@pytest.fixture(scope="module")
def wide_llama(tmp_path_factory: pytest.TempPathFactory, tiny_llama: Path) -> Path:
    """A random Llama whose weights outweigh its vocabulary, with the tiny one's tokenizer."""
    torch = pytest.importorskip("torch")
    from transformers import LlamaConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("models") / "wide-llama"
    config = json.loads((tiny_llama / "config.json").read_text())
    size = {"hidden_size": 256, "intermediate_size": 1024, "num_hidden_layers": 4, "initializer_range": 0.05}
    with torch.random.fork_rng():
        torch.manual_seed(5)
        model = LlamaForCausalLM(LlamaConfig(**{**config, "head_dim": 64, **size}))
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes((tiny_llama / name).read_bytes())
    return folder


def plan_of(folder: Path, quant: str | None) -> Plan:
    return replace(make_plan(read_checkpoint(folder), device="cpu"), quant=quant)


def loaded(plan: Plan) -> Any:
    """The transformers model of a plan."""
    import torch
    import transformers

    from kaggle_magics.models.engines.transformers.loading import load_weights

    return load_weights(plan, transformers, torch)


def bytes_of(model: Any) -> int:
    return sum(each.untyped_storage().nbytes() for each in (*model.parameters(), *model.buffers()))


def answers(model: Any) -> Any:
    import torch

    with torch.inference_mode():
        logits = model(input_ids=torch.arange(10, 60)[None]).logits[0].double()
    return torch.log_softmax(logits, -1).numpy()


@pytest.mark.slow
@pytest.mark.parametrize(("quant", "most_bytes", "most_kl"), [("nf4", 0.25, 0.2), ("int8", 0.35, 0.02)])
def test_weights_are_smaller_and_answer_alike(
    wide_llama: Path, quant: str, most_bytes: float, most_kl: float, caplog: Any, capfd: Any
) -> None:
    pytest.importorskip("bitsandbytes")
    whole = loaded(plan_of(wide_llama, None))
    small = loaded(plan_of(wide_llama, quant))
    assert bytes_of(small) < most_bytes * bytes_of(whole)
    theirs, ours = answers(whole), answers(small)
    divergence = (np.exp(theirs) * (theirs - ours)).sum(-1).mean()
    unrelated = (np.exp(theirs) * (theirs - np.roll(theirs, 20, axis=0))).sum(-1).mean()
    assert divergence < most_kl * unrelated
    assert not [record for record in caplog.records if "bitsandbytes" in record.name]
    assert "cast" not in capfd.readouterr().err


@pytest.mark.slow
def test_nf4_is_doubly_quantised_computes_in_the_plans_dtype_and_answers(wide_llama: Path, ask: Any) -> None:
    library = pytest.importorskip("bitsandbytes")
    import torch

    from kaggle_magics.models.engines.registry import load_engine

    plan = plan_of(wide_llama, "nf4")
    engine: Any = load_engine(plan)
    try:
        assert engine.facts.dtype == "nf4" and engine.facts.device == "cpu"
        text, last = ask(engine, "The capital of Peru", max_tokens=5, temperature=0.0)
        assert last.usage.generated_tokens >= 1 or last.stop_reason == "end"
        assert (text, last.stop_reason) == (lambda again: (again[0], again[1].stop_reason))(
            ask(engine, "The capital of Peru", max_tokens=5, temperature=0.0)
        )
    finally:
        engine.close()
    layers = [each for each in loaded(plan).modules() if isinstance(each, library.nn.Linear4bit)]
    assert layers
    for layer in layers:
        assert layer.weight.quant_state.nested and layer.weight.quant_type == "nf4"
        assert layer.compute_dtype == torch.float32


@pytest.mark.slow
def test_a_checkpoint_that_was_saved_quantised_loads_and_computes_here_as_suits_here(
    wide_llama: Path, tmp_path: Path
) -> None:
    library = pytest.importorskip("bitsandbytes")
    import torch
    import transformers

    settings = transformers.BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16
    )
    saved = transformers.AutoModelForCausalLM.from_pretrained(
        wide_llama, quantization_config=settings, device_map={"": "cpu"}
    )
    saved.save_pretrained(tmp_path)
    assert bitsandbytes.stored_quantisation(tmp_path) == "nf4"
    plan = replace(plan_of(wide_llama, None), checkpoint=read_checkpoint(tmp_path))
    again = loaded(plan)
    layers = [each for each in again.modules() if isinstance(each, library.nn.Linear4bit)]
    assert layers and all(each.compute_dtype == torch.float32 for each in layers)
    assert np.allclose(answers(again), answers(saved), atol=0.2)


def test_nothing_is_fetched_while_the_library_is_imported() -> None:
    pytest.importorskip("bitsandbytes")
    program = (
        "import sys, types\n"
        "from kaggle_magics.models.engines.transformers.bitsandbytes import import_bitsandbytes\n"
        "hub = types.ModuleType('kernels')\n"
        "def get_kernel(*words, **options):\n"
        "    raise SystemExit('the hub was asked')\n"
        "hub.get_kernel = get_kernel\n"
        "sys.modules['kernels'] = hub\n"
        "library = import_bitsandbytes()\n"
        "assert sys.modules['kernels'] is hub\n"
        "print(library.__name__)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout.split() == ["bitsandbytes"], done.stderr


def test_kernels_cannot_be_imported_inside_and_can_again_after(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "kernels", raising=False)
    with bitsandbytes._without("kernels"), pytest.raises(ImportError):
        import kernels  # noqa: F401
    assert "kernels" not in sys.modules
    log = logging.getLogger("some.log")
    with bitsandbytes._silent("some.log"):
        assert not log.isEnabledFor(logging.CRITICAL)
    assert log.isEnabledFor(logging.WARNING)


@pytest.mark.parametrize(
    ("quant", "capability", "remedy"),
    [("int8", (7, 0), "--quant nf4"), ("int8", (5, 2), "--quant q4_k_m"), ("nf4", (5, 2), "--quant q4_k_m")],
)
def test_cards_without_kernels_are_refused_with_the_remedy(
    quant: str, capability: tuple[int, int], remedy: str
) -> None:
    with pytest.raises(OptionError, match="compute capability") as error:
        bitsandbytes.check_capability(quant, capability, "Old Card")
    assert remedy in str(error.value) and "Old Card" in str(error.value)


def test_cards_with_kernels_are_taken() -> None:
    bitsandbytes.check_capability("int8", (7, 5), "T4")
    bitsandbytes.check_capability("nf4", (6, 0), "P100")


@pytest.mark.parametrize("absent", ["bitsandbytes", "accelerate"])
def test_a_missing_library_is_named_with_its_extra(
    wide_llama: Path, absent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import kaggle_magics.extras as extras

    pytest.importorskip("bitsandbytes")
    if absent == "bitsandbytes":
        monkeypatch.delitem(sys.modules, "bitsandbytes", raising=False)
    found = extras.installed
    monkeypatch.setattr(extras, "installed", lambda module: module != absent and found(module))
    with pytest.raises(MissingExtra, match=rf"{absent}.*kaggle-magics\[quantize\]"):
        bitsandbytes.loading_options(plan_of(wide_llama, "nf4"), None, None)


def test_on_a_cpu_it_is_said_that_gguf_is_faster(tiny_llama: Path) -> None:
    plan = make_plan(read_checkpoint(tiny_llama), device="cpu")
    note = bitsandbytes.cpu_note(replace(plan, quant="nf4"))
    assert note and "GGUF" in note and f"%llm_load {tiny_llama} --quant q4_k_m" in note and "\n" not in note
    assert bitsandbytes.cpu_note(plan) is None
    assert bitsandbytes.cpu_note(replace(plan, quant="nf4", device="cuda:0")) is None
    assert bitsandbytes.loading_options(plan, None, None) == {}
