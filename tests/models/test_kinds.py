"""What answers nothing is recognised for what it is, and never offered as a model that answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kaggle_magics.errors import CheckpointError, ModelNotFound
from kaggle_magics.models.checkpoint import read_checkpoint
from kaggle_magics.models.find.catalog import list_checkpoints, read_all
from kaggle_magics.models.find.reference import resolve, resolve_adapter

Make = Callable[..., Path]

pytestmark = pytest.mark.usefixtures("caches")


@pytest.mark.parametrize(
    ("architecture", "config", "kind"),
    [
        ("LlamaForCausalLM", {}, "generator"),
        ("GPT2LMHeadModel", {}, "generator"),
        ("Gemma3ForConditionalGeneration", {"model_type": "gemma3"}, "generator"),
        ("BertModel", {"model_type": "bert"}, "embedder"),
        ("BertForSequenceClassification", {"id2label": {"0": "LABEL_0"}}, "reranker"),
        ("BertForSequenceClassification", {"id2label": {"0": "no", "1": "yes"}}, "other"),
        ("ModernBertForSequenceClassification", {"num_labels": 1}, "reranker"),
        ("BertForMaskedLM", {"model_type": "bert"}, "other"),
        ("WhisperForConditionalGeneration", {"model_type": "whisper", "is_encoder_decoder": True}, "speech"),
        ("Wav2Vec2ForCTC", {"model_type": "wav2vec2"}, "speech"),
        ("T5ForConditionalGeneration", {"model_type": "t5", "is_encoder_decoder": True}, "generator"),
        ("MarianMTModel", {"model_type": "marian", "is_encoder_decoder": True}, "generator"),
        ("VisionEncoderDecoderModel", {"encoder": {}, "is_encoder_decoder": True}, "other"),
        ("T5Model", {"model_type": "t5", "is_encoder_decoder": True}, "other"),
    ],
)
def test_kinds_of_folders(tmp_path: Path, make_folder: Make, architecture: str, config: Any, kind: str) -> None:
    assert read_checkpoint(make_folder(tmp_path / "m", architectures=[architecture], **config)).kind == kind


def test_sentence_transformers_folders(tmp_path: Path, make_folder: Make) -> None:
    folder = make_folder(tmp_path / "qwen3-embedding", architectures=["Qwen3ForCausalLM"])
    (folder / "modules.json").write_text("[]")
    assert read_checkpoint(folder).kind == "embedder"
    (folder / "config_sentence_transformers.json").write_text(json.dumps({"model_type": "CrossEncoder"}))
    assert read_checkpoint(folder).kind == "reranker"
    # The older layout keeps the weights in the folder of the first part.
    make_folder(tmp_path / "old" / "0_Transformer", architectures=["BertModel"], parameters=70)
    (tmp_path / "old" / "modules.json").write_text("[]")
    old = read_checkpoint(tmp_path / "old")
    assert (old.kind, old.parameters, old.path) == ("embedder", 70, tmp_path / "old")


@pytest.mark.parametrize(
    ("architecture", "metadata", "kind"),
    [
        ("llama", {}, "generator"),
        ("nomic-bert", {}, "embedder"),
        ("qwen3", {"qwen3__pooling_type": 3}, "embedder"),
        ("qwen3", {"qwen3__pooling_type": 4}, "reranker"),
        ("bert", {"bert__pooling_type": 4}, "reranker"),
        ("llama", {"llama__pooling_type": 0}, "generator"),
        ("clip", {}, "other"),
        ("llama", {"general__type": "mmproj"}, "other"),
    ],
)
def test_kinds_of_ggufs(tmp_path: Path, make_gguf: Make, architecture: str, metadata: Any, kind: str) -> None:
    assert read_checkpoint(make_gguf(tmp_path / "m.gguf", architecture, **metadata)).kind == kind


def test_all_kinds_are_found_by_kind_and_only_generators_are_offered(
    tree: Path, make_folder: Make, make_adapter: Make, make_gguf: Make
) -> None:
    make_folder(tree / "models/qwen-lm/qwen2.5/transformers/0.5b/1")
    make_folder(tree / "models/openai/whisper/transformers/tiny/1", model_type="whisper")
    make_folder(tree / "datasets/ada/rerank", architectures=["BertForSequenceClassification"], num_labels=1)
    (make_folder(tree / "datasets/ada/minilm") / "modules.json").write_text("[]")
    make_adapter(tree / "models/ada/my-lora/pytorch/default/1")
    kinds = {"generator": "qwen2.5-0.5b", "embedder": "minilm", "reranker": "rerank", "speech": "whisper-tiny"}
    for kind, name in {**kinds, "adapter": "my-lora"}.items():
        assert [checkpoint.name for checkpoint in list_checkpoints(kind)] == [name]  # type: ignore[arg-type]
        assert resolve(name, kind=kind).kind == kind  # type: ignore[arg-type]
    assert len(list_checkpoints(kind=None)) == 5
    assert resolve().name == "qwen2.5-0.5b"
    with pytest.raises(CheckpointError, match="whisper-tiny writes down speech and answers nothing"):
        resolve("whisper")
    with pytest.raises(CheckpointError, match=r"minilm turns text into vectors.*%rag_ingest PATH --embedder"):
        resolve("ada/minilm")


def test_a_peft_adapter(tree: Path, make_folder: Make, make_adapter: Make) -> None:
    folder = make_adapter(tree / "models/ada/my-lora/pytorch/default/1", rank_pattern={"q_proj": 32})
    checkpoint = list_checkpoints("adapter")[0]
    assert (checkpoint.base_model, checkpoint.architecture) == ("meta-llama/Llama-2-7b-hf", "LORA")
    for reference in ("my-lora", "ada/my-lora/pytorch/default", str(folder), folder):
        adapter = resolve_adapter(reference)
        assert (adapter.path, adapter.format, adapter.rank) == (folder, "peft", 32)
        assert adapter.base_model == "meta-llama/Llama-2-7b-hf" and adapter.bytes == checkpoint.bytes > 0
    with pytest.raises(CheckpointError, match=r"%llm_load meta-llama/Llama-2-7b-hf --adapter"):
        resolve("my-lora")
    make_folder(tree / "models/ada/whole/pytorch/default/1")
    with pytest.raises(CheckpointError, match="whole is no adapter: it answers prompts"):
        resolve_adapter("whole")
    with pytest.raises(ModelNotFound, match="Did you mean my-lora"):
        resolve_adapter("my-lara")


def test_a_config_of_the_base_model_beside_an_adapter_makes_no_model_of_it(tmp_path: Path, make_adapter: Make) -> None:
    folder = make_adapter(tmp_path / "lora")
    (folder / "config.json").write_text(json.dumps({"architectures": ["LlamaForCausalLM"]}))
    assert read_checkpoint(folder).kind == "adapter"
    assert resolve_adapter(folder).base_model == "meta-llama/Llama-2-7b-hf"


def test_a_whole_model_and_an_adapter_of_one_name(tree: Path, make_folder: Make, make_adapter: Make) -> None:
    model = make_folder(tree / "models/google/gemma/transformers/2b/1")
    adapter = make_adapter(tree / "models/ada/gemma-lora/transformers/default/1")
    assert resolve("gemma").path == model
    assert resolve_adapter("gemma").path == adapter


def test_a_gguf_adapter(tmp_path: Path, make_gguf: Make) -> None:
    path = make_gguf(
        tmp_path / "lora.gguf",
        tensors={"blk.0.attn_q.weight.lora_a": np.zeros((4, 8), "f4"), "blk.0.attn_q.weight.lora_b": np.zeros((8, 4))},
        general__type="adapter",
        adapter__type="lora",
        general__base_model__0__name="Llama 2 7b",
        general__base_model__0__repo_url="https://huggingface.co/meta-llama/Llama-2-7b-hf",
    )
    adapter = resolve_adapter(path)
    assert (adapter.format, adapter.rank, adapter.base_model) == ("gguf", 4, "meta-llama/Llama-2-7b-hf")
    assert read_checkpoint(path).kind == "adapter"


def test_adapters_that_cannot_be_used(tree: Path, make_adapter: Make) -> None:
    folder = make_adapter(tree / "pickled")
    (folder / "adapter_model.safetensors").rename(folder / "adapter_model.bin")
    with pytest.raises(CheckpointError, match="only pickled weights"):
        resolve_adapter("pickled")
    (make_adapter(tree / "empty") / "adapter_model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="incomplete: it has no adapter_model"):
        resolve_adapter("empty")
    assert {location.name: isinstance(found, CheckpointError) for location, found in read_all()} == {
        "pickled": True,
        "empty": True,
    }
