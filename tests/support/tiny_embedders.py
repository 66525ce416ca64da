"""Embedding models of random weights, the same every time, in every form that is read.

What they say means nothing; that two forms of one model say the same does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

TEXT = (
    "The library lends books for fourteen days, and longer to those who ask.",
    "A passage is a piece of a document with exact offsets; naïve words and Straße too.",
    "Vectors of equal texts are equal: 1, 2, 3 and 40 of them.",
    "多言語の テキスト と 図書館",
)
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WIDTH = 32


def texts() -> list[str]:
    """Of all lengths, beyond the model's limit too, one empty, some in no vocabulary."""
    words = " ".join(TEXT).split()
    found = [" ".join(words[start : start + size]) for start in range(0, 12, 3) for size in (1, 2, 5, 17, 40)]
    return [*found, "", "☃", "word " * 300, *TEXT]


def write_tokenizer(folder: Path, *, most: int = 64, saved: int | None = 5) -> int:
    """A WordPiece vocabulary of `TEXT`; gives its size. `saved` is the length to cut at in tokenizer.json."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator(
        TEXT, trainers.WordPieceTrainer(vocab_size=200, special_tokens=SPECIAL, show_progress=False)
    )
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    # As many are saved: for another length, which must not count (it does for static models, which have no other).
    if saved is not None:
        tokenizer.enable_truncation(saved)
    tokenizer.enable_padding(length=5)
    tokenizer.save(str(folder / "tokenizer.json"))
    vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda pair: pair[1])
    (folder / "vocab.txt").write_text("\n".join(token for token, _ in vocabulary), encoding="utf-8")
    names = {"pad": 0, "unk": 1, "cls": 2, "sep": 3, "mask": 4}
    facts = {f"{name}_token": SPECIAL[number] for name, number in names.items()}
    facts |= {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": most}
    (folder / "tokenizer_config.json").write_text(json.dumps(facts))
    return len(vocabulary)


def bert(folder: Path, *, seed: int = 1, most: int = 64, **extra: Any) -> Path:
    """A bare two-layer encoder in transformers' layout."""
    import torch
    from transformers import BertConfig, BertModel

    folder.mkdir(parents=True, exist_ok=True)
    size = write_tokenizer(folder, most=most)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = BertConfig(
            vocab_size=size,
            hidden_size=WIDTH,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=most,
            initializer_range=0.5,
            **extra,
        )
        BertModel(config).eval().save_pretrained(folder)
    return folder


def sentence_transformer(
    folder: Path, *, seed: int = 1, pooling: str = "mean", limit: int | None = 24, prompts: dict[str, str] | None = None
) -> Path:
    """The same as a sentence-transformers folder."""
    bert(folder, seed=seed)
    parts = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    modules = [
        {"idx": at, "name": str(at), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for at, (path, kind) in enumerate(parts)
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "2_Normalize").mkdir(exist_ok=True)
    (folder / "1_Pooling").mkdir(exist_ok=True)
    flags = {"mean": "mean_tokens", "cls": "cls_token", "max": "max_tokens", "lasttoken": "lasttoken"}
    saved = {f"pooling_mode_{flag}": mode == pooling for mode, flag in flags.items()}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"word_embedding_dimension": WIDTH, **saved}))
    limits = {"max_seq_length": limit, "do_lower_case": False} if limit else {}
    (folder / "sentence_bert_config.json").write_text(json.dumps(limits))
    if prompts is not None:
        (folder / "config_sentence_transformers.json").write_text(json.dumps({"prompts": prompts}))
    return folder


def static(folder: Path, *, model2vec: bool = False, seed: int = 2, saved: int | None = 5) -> Path:
    """A matrix and a tokenizer that cuts at `saved` tokens, as sentence-transformers or model2vec save them."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    size = write_tokenizer(folder, saved=saved)
    matrix = np.random.default_rng(seed).normal(size=(size, WIDTH)).astype(np.float32)
    if model2vec:
        # Half as many rows as tokens, each with a factor, as vocabulary quantisation makes it.
        mapping = (np.arange(size) // 2).astype(np.int64)
        weights = np.linspace(0.5, 2, size).astype(np.float32)
        tensors = {"embeddings": matrix[: size // 2 + 1], "mapping": mapping, "weights": weights}
        (folder / "config.json").write_text(json.dumps({"model_type": "model2vec", "normalize": True}))
    else:
        tensors = {"embedding.weight": matrix}
        kind = "sentence_transformers.models.StaticEmbedding"
        (folder / "modules.json").write_text(json.dumps([{"idx": 0, "name": "0", "path": "", "type": kind}]))
    save_file(tensors, folder / "model.safetensors")
    return folder


def to_onnx(folder: Path, graph: str = "onnx/model.onnx") -> Path:
    """The encoder in `folder` as a graph below it."""
    import warnings

    import torch
    from transformers import AutoModel

    class Encoder(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = AutoModel.from_pretrained(folder).eval()

        def forward(self, input_ids: Any, attention_mask: Any, token_type_ids: Any) -> Any:
            return self.model(input_ids, attention_mask, token_type_ids).last_hidden_state

    names = ["input_ids", "attention_mask", "token_type_ids"]
    example = tuple(torch.ones((2, 7), dtype=torch.long) for _ in names)
    path = folder / graph
    path.parent.mkdir(exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Encoder(),
            example,
            str(path),
            input_names=names,
            output_names=["last_hidden_state"],
            dynamic_axes={name: {0: "batch", 1: "length"} for name in [*names, "last_hidden_state"]},
            opset_version=17,
            dynamo=False,
        )
    return path


def to_gguf(folder: Path, path: Path, *, pooling: int | None = 1) -> Path:
    """A BERT in transformers' layout as a GGUF file in float32, as llama.cpp's converter writes it."""
    import gguf
    from safetensors.numpy import load_file

    config = json.loads((folder / "config.json").read_text())
    tokens = (folder / "vocab.txt").read_text(encoding="utf-8").split("\n")
    tokens = [token for token in tokens if token]
    writer = gguf.GGUFWriter(path, "bert")
    writer.add_name(path.stem)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_causal_attention(False)
    writer.add_file_type(0)
    if pooling is not None:
        writer.add_pooling_type(gguf.PoolingType(pooling))
    writer.add_tokenizer_model("bert")
    writer.add_token_type_count(2)
    special = {token for token in tokens if token.startswith("[") and token.endswith("]")}
    writer.add_token_list([_phantom(token) if token not in special else token for token in tokens])
    writer.add_token_types([3 if token in special else 1 for token in tokens])
    for add, name in (
        (writer.add_bos_token_id, "[CLS]"),
        (writer.add_sep_token_id, "[SEP]"),
        (writer.add_eos_token_id, "[SEP]"),
        (writer.add_pad_token_id, "[PAD]"),
        (writer.add_unk_token_id, "[UNK]"),
        (writer.add_mask_token_id, "[MASK]"),
    ):
        add(tokens.index(name))
    for name, tensor in load_file(folder / "model.safetensors").items():
        if (called := _gguf_name(name)) is not None:
            writer.add_tensor(called, np.ascontiguousarray(tensor, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _phantom(token: str) -> str:
    return token[2:] if token.startswith("##") else f"▁{token}"


_PARTS = {
    "embeddings.word_embeddings": "token_embd",
    "embeddings.position_embeddings": "position_embd",
    "embeddings.token_type_embeddings": "token_types",
    "embeddings.LayerNorm": "token_embd_norm",
    "attention.self.query": "attn_q",
    "attention.self.key": "attn_k",
    "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down",
    "output.LayerNorm": "layer_output_norm",
}


def _gguf_name(name: str) -> str | None:
    part, _, kind = name.rpartition(".")
    part = part.removeprefix("bert.")
    if part.startswith("encoder.layer."):
        number, _, part = part.removeprefix("encoder.layer.").partition(".")
        return f"blk.{number}.{_PARTS[part]}.{kind}"
    return f"{_PARTS[part]}.{kind}" if part in _PARTS else None
