"""LoRA adapters change what a model says exactly as PEFT does, and one for another model is one clear line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.errors import CheckpointError, MissingExtra
from kaggle_magics.session import Session

peft = pytest.importorskip("peft", reason="peft is not installed")
torch = pytest.importorskip("torch")

PROMPT = "What is the capital of Peru?"


@pytest.fixture(scope="module")
def adapter(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PEFT adapter of random values for the tiny model."""
    return write_adapter(tiny_llama, tmp_path_factory.mktemp("adapters") / "tiny-lora")


def write_adapter(base: Path, folder: Path, **changes: Any) -> Path:
    from transformers import AutoModelForCausalLM

    with torch.random.fork_rng():
        torch.manual_seed(3)
        settings = {"r": 4, "lora_alpha": 16, "target_modules": ["v_proj", "o_proj", "down_proj"], **changes}
        config = peft.LoraConfig(task_type="CAUSAL_LM", init_lora_weights=False, **settings)
        model = peft.get_peft_model(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), config)
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.data.normal_(std=0.2)
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def gguf_adapter(adapter: Path, write_gguf: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same adapter as llama.cpp's converter lays it out (convert_lora_to_gguf.py)."""
    from safetensors.numpy import load_file

    names = {"self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "mlp.down_proj": "ffn_down"}
    tensors = {}
    for key, array in load_file(adapter / "adapter_model.safetensors").items():
        _, _, _, _, layer, *part, matrix, _ = key.split(".")
        tensors[f"blk.{layer}.{names['.'.join(part)]}.weight.{matrix.lower()}"] = array
    metadata = {
        "general.architecture": "llama",
        "general.type": "adapter",
        "general.file_type": 0,
        "adapter.type": "lora",
        "adapter.lora.alpha": 16.0,
    }
    file: Path = write_gguf(tmp_path_factory.mktemp("adapters") / "tiny-lora-F32.gguf", metadata, tensors)
    return file


@pytest.fixture
def session() -> Iterator[Session]:
    session = Session()
    yield session
    session.close()


def ask(session: Session, **options: Any) -> str:
    return session.prompt(PROMPT, template="none", max_tokens=16, **options).text


def reference(base: Path, adapter: Path) -> str:
    """What PEFT's own `generate` says, greedy."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    model = peft.PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), adapter)
    ids = tokenizer(PROMPT, return_tensors="pt")
    output = model.generate(**ids, max_new_tokens=16, do_sample=False, pad_token_id=0)
    return str(tokenizer.decode(output[0, ids["input_ids"].shape[1] :], skip_special_tokens=True))


def test_it_says_what_peft_says(session: Session, tiny_llama: Path, adapter: Path) -> None:
    session.load(tiny_llama, name="plain")
    plain = ask(session)
    model = session.load(tiny_llama, adapter=adapter)
    assert model.adapter == "tiny-lora" and session.prompt("a", max_tokens=1).card.adapter == str(adapter)
    tuned = ask(session)
    assert tuned == reference(tiny_llama, adapter) != plain
    # The weights on disk and the other model are as they were.
    assert ask(session, model="plain") == plain
    assert session.prompt("a", max_tokens=1, model="plain").card.adapter is None


def test_with_and_without_is_not_the_same_model(session: Session, tiny_llama: Path, adapter: Path) -> None:
    tuned = session.load(tiny_llama, adapter=adapter)
    assert session.load(tiny_llama, adapter=adapter) is tuned
    plain = session.load(tiny_llama)
    assert plain is not tuned and plain.adapter is None and list(session.loaded) == [plain.name]


@pytest.mark.gguf
def test_llama_cpp_says_the_same(
    session: Session, tiny_llama: Path, tiny_gguf: Path, adapter: Path, gguf_adapter: Path
) -> None:
    session.load(tiny_gguf)
    plain = ask(session)
    session.load(tiny_gguf, adapter=gguf_adapter)
    assert ask(session) == reference(tiny_llama, adapter) != plain
    session.load(tiny_gguf)
    assert ask(session) == plain


@pytest.mark.gguf
def test_each_format_takes_its_own_adapters(
    session: Session, tiny_llama: Path, tiny_gguf: Path, adapter: Path, gguf_adapter: Path
) -> None:
    with pytest.raises(CheckpointError, match=r"is a PEFT adapter, which a GGUF model cannot take.*convert_lora_to"):
        session.load(tiny_gguf, adapter=adapter)
    with pytest.raises(CheckpointError, match="is a GGUF adapter; tiny-llama is no GGUF file"):
        session.load(tiny_llama, adapter=gguf_adapter)


def other_base(tiny_llama: Path, folder: Path, **changes: Any) -> Path:
    from transformers import LlamaConfig, LlamaForCausalLM

    shutil.copytree(tiny_llama, folder)
    LlamaForCausalLM(LlamaConfig.from_pretrained(tiny_llama, **changes)).save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"hidden_size": 32, "head_dim": 16}, r"is \d+ x \d+, and the adapter was made for \d+ x \d+"),
        ({"num_hidden_layers": 1}, r"it changes model.layers.1.* which is not there"),
    ],
)
def test_an_adapter_of_another_model_is_told_before_anything_is_unloaded(
    session: Session, tiny_llama: Path, adapter: Path, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    base = other_base(tiny_llama, tmp_path / "other", **changes)
    model = session.load(tiny_llama)
    engine = model.engine
    with pytest.raises(CheckpointError, match=f"The adapter tiny-lora does not fit other: .*{said}") as caught:
        session.load(base, adapter=adapter, swap=True)
    assert "\n" not in str(caught.value) and model.engine is engine and session.current is model


def test_an_adapter_whose_layers_have_other_names_is_refused_by_peft(
    session: Session, tiny_llama: Path, adapter: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from safetensors.torch import load_file, save_file

    strange = Path(shutil.copytree(adapter, tmp_path / "strange"))
    weights = load_file(strange / "adapter_model.safetensors")
    renamed = {name.replace("model.layers", "transformer.h"): tensor for name, tensor in weights.items()}
    save_file(renamed, strange / "adapter_model.safetensors")
    with pytest.raises(CheckpointError, match="The adapter strange does not fit tiny-llama") as caught:
        session.load(tiny_llama, adapter=strange)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400
    config = strange / "adapter_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "target_modules": ["c_attn"]}))
    with pytest.raises(CheckpointError, match="The adapter strange does not fit tiny-llama"):
        session.load(tiny_llama, adapter=strange)
    assert capfd.readouterr().err == ""


def test_what_is_no_adapter(session: Session, tiny_llama: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is no adapter"):
        session.load(tiny_llama, adapter=tiny_llama)


def test_without_peft_it_says_what_to_install(
    session: Session, tiny_llama: Path, adapter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kaggle_magics import extras

    there = extras.installed
    monkeypatch.setattr(extras, "installed", lambda module: module != "peft" and there(module))
    with pytest.raises(MissingExtra, match=r"A LoRA adapter needs peft.*kaggle-magics\[adapters\]"):
        session.load(tiny_llama, adapter=adapter)
