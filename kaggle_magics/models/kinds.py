"""What a checkpoint is for: text in, text out; or vectors, scores, transcripts; or a change to another model."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from kaggle_magics.models.headers.gguf import GgufHeader
from kaggle_magics.models.headers.json_file import read_json

Kind = Literal["generator", "embedder", "reranker", "speech", "adapter", "other"]

DOES = {
    "generator": "answers prompts",
    "embedder": "turns text into vectors and answers nothing",
    "reranker": "scores passages and answers nothing",
    "speech": "writes down speech and answers nothing",
    "adapter": "changes another model and is none by itself",
    "other": "is of a kind that nothing here runs",
}

MODULES = "modules.json"
"""The list of a sentence-transformers model's parts (sentence_transformers, `base/model.py`)."""

_SPEECH = {
    "whisper", "wav2vec2", "wav2vec2-bert", "wav2vec2-conformer", "hubert", "speech_to_text", "seamless_m4t",
    "seamless_m4t_v2", "moonshine", "unispeech", "unispeech-sat", "wavlm", "sew", "parakeet_ctc",
}  # fmt: skip
"""`model_type`s of transformers that recognise speech."""

_GGUF_EMBEDDERS = {
    "bert", "nomic-bert", "nomic-bert-moe", "neo-bert", "jina-bert-v2", "jina-bert-v3", "modern-bert", "eurobert",
    "gemma-embedding", "llama-embed", "t5encoder",
}  # fmt: skip
"""Encoders of llama.cpp (llama-arch.cpp, `LLM_ARCH_NAMES`)."""
_GGUF_PARTS = {"clip", "mmproj", "wavtokenizer-dec"}
"""What GGUF files hold beside a model: the eyes and ears of one, a decoder of sound."""
_POOLING_RANK = 4
"""`<arch>.pooling_type` of a reranker; 1 to 3 (mean, first, last) make an embedding, 0 none (llama.h)."""


def kind_of_folder(folder: Path, config: dict[str, Any], architecture: str) -> Kind:
    """What a folder in transformers' or sentence-transformers' layout is for, told from its JSON files."""
    if (folder / MODULES).is_file():
        saved = read_json(folder / "config_sentence_transformers.json")
        return "reranker" if saved.get("model_type") == "CrossEncoder" else "embedder"
    if str(config.get("model_type")) in _SPEECH:
        return "speech"
    if architecture.endswith("ForSequenceClassification"):
        labels = config.get("id2label")
        count = len(labels) if isinstance(labels, dict) else config.get("num_labels")
        # A cross-encoder has one output, the relevance; several are the classes of a classifier.
        return "reranker" if count == 1 or "sentence_transformers" in config else "other"
    if config.get("is_encoder_decoder") is True and not answers_from_an_encoder(config, architecture):
        return "other"
    if architecture.endswith(("ForCausalLM", "LMHeadModel", "ForConditionalGeneration", "MTModel")):
        return "generator"
    return "embedder" if architecture.endswith("Model") else "other"


def answers_from_an_encoder(config: dict[str, Any], architecture: str) -> bool:
    """Whether this is an encoder with a decoder that answers text with text: T5, BART, Marian and their like."""
    text_only = not any(key in config for key in ("vision_config", "audio_config", "encoder"))
    heads = ("ForConditionalGeneration", "MTModel")
    return config.get("is_encoder_decoder") is True and text_only and architecture.endswith(heads)


def kind_of_gguf(header: GgufHeader) -> Kind:
    """What a GGUF file is for, told from its metadata."""
    declared, architecture = header.metadata.get("general.type"), header.architecture
    if declared == "adapter":
        return "adapter"
    if declared in ("mmproj", "imatrix", "vocab") or architecture in _GGUF_PARTS:
        return "other"
    pooling = header.integer("pooling_type")
    if pooling == _POOLING_RANK:
        return "reranker"
    return "embedder" if pooling or architecture in _GGUF_EMBEDDERS else "generator"
