"""Random models of the shapes people attach, each with its kind of tokenizer, and the converter they are tried with."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
WHEELHOUSE = os.environ.get("TEST_WHEELHOUSE", str(ROOT / "build" / "wheels"))
"""A folder with llama-cpp-python's source package (`pip download --no-deps --no-binary llama-cpp-python ...`)."""

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA_3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
    r"\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN_2 = LLAMA_3.replace(r"\p{N}{1,3}", r"\p{N}")

SIZES = {
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    # So that some tokens are likelier than others, and an error in the weights changes what comes out.
    "initializer_range": 0.1,
}
CONVERTER: dict[str, Path] = {}


@pytest.fixture
def converter_here(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """llama.cpp's converter, unpacked from the source package; skips where that is not at hand."""
    from kaggle_magics.errors import MissingExtra
    from kaggle_magics.models.quantize import converter

    pytest.importorskip("llama_cpp")
    if "there" not in CONVERTER:
        with monkeypatch.context() as patch:
            patch.setenv("KAGGLE_MAGICS_CACHE", str(tmp_path_factory.mktemp("converter")))
            patch.setenv(converter.WHEELHOUSE, WHEELHOUSE)
            patch.setattr(converter, "_download", lambda *words: None)
            try:
                CONVERTER["there"] = converter.converter()
            except MissingExtra:
                pytest.skip(f"needs llama-cpp-python's source package in {WHEELHOUSE}")
    return CONVERTER["there"]


@pytest.fixture
def with_converter(converter_here: Path) -> Path:
    """The converter lies in the cache of this test, where `quantize` looks for it."""
    from kaggle_magics.models.quantize.converter import installed_version

    kept = Path(os.environ["KAGGLE_MAGICS_CACHE"]) / "converter" / installed_version()
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.symlink_to(converter_here)
    return kept


@pytest.fixture(scope="session")
def training_text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What tokenizers are trained on: prose and code."""
    from kaggle_magics.models.quantize.text import CHECK_TEXT, measure_text

    file = tmp_path_factory.mktemp("text") / "text.txt"
    # A text of its own: with another text come other tokenizers, and random models that agree more or less well.
    code = Path(__file__).with_name("code.txt").read_text(encoding="utf-8")
    file.write_text("\n".join([measure_text(), CHECK_TEXT, code]), encoding="utf-8")
    return file


def write_sentencepiece(
    folder: Path, text: Path, *, kind: str = "bpe", added: tuple[str, ...] = (), gemma: bool = False
) -> int:
    """tokenizer.model as SentencePiece writes it, and tokenizer.json as transformers does; the vocabulary's size."""
    spm = pytest.importorskip("sentencepiece")
    import transformers

    spm.SentencePieceTrainer.train(
        input=str(text),
        model_prefix=str(folder / "tokenizer"),
        vocab_size=500,
        hard_vocab_limit=False,
        model_type=kind,
        byte_fallback=True,
        split_digits=True,
        add_dummy_prefix=not gemma,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        unk_id=0,
        bos_id=1,
        eos_id=2,
        minloglevel=2,
        num_threads=1,
    )
    (folder / "tokenizer.vocab").unlink()
    settings = {
        "tokenizer_class": "GemmaTokenizer" if gemma else "LlamaTokenizer",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "add_bos_token": True,
        "add_eos_token": False,
        "legacy": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    if added:
        tokenizer.add_tokens(list(added), special_tokens=True)
    tokenizer.save_pretrained(folder)
    return len(tokenizer)


def write_byte_level(
    folder: Path, text: Path, regex: str | None, *, added: tuple[str, ...] = (), template: str = ""
) -> int:
    """tokenizer.json of a byte-level BPE that splits by `regex` (None: GPT-2's own); the vocabulary's size."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=regex is None)
    split = [pre_tokenizers.Split(Regex(regex), "isolated")] if regex else []
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*split, level]) if split else level
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train([str(text)], trainer)
    tokenizer.add_special_tokens(["<|endoftext|>", *added])
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|endoftext|>",
                "clean_up_tokenization_spaces": False}  # fmt: skip
    if template:
        settings["chat_template"] = template
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return int(tokenizer.get_vocab_size())


@pytest.fixture(scope="session")
def make_shape(tmp_path_factory: pytest.TempPathFactory, training_text: Path) -> Callable[[str], Path]:
    """A random model of a named shape, made once a session."""
    made: dict[str, Path] = {}

    def make(name: str) -> Path:
        if name not in made:
            made[name] = SHAPES[name](tmp_path_factory.mktemp("shapes") / name, training_text)
        return made[name]

    return make


def save(folder: Path, kind: str, vocabulary: int, *, dtype: str = "float32", shard: str = "1GB", **more: Any) -> Path:
    """A random model of the configuration class `kind`, as `save_pretrained` writes it."""
    import torch
    import transformers

    options = {**SIZES, "vocab_size": vocabulary, **more}
    config = getattr(transformers, f"{kind}Config")(**options)
    with torch.random.fork_rng():
        torch.manual_seed(11)
        model = transformers.AutoModelForCausalLM.from_config(config).to(getattr(torch, dtype))
        for key, weights in model.named_parameters():
            if "norm" in key and weights.dim() == 1:
                # Ones would hide a norm that is left out or applied twice.
                weights.data += 0.2 * torch.randn_like(weights)
            elif key.endswith("bias"):
                weights.data += 0.1 * torch.randn_like(weights)
    model.save_pretrained(folder, max_shard_size=shard)
    return folder


def llama_2(folder: Path, text: Path) -> Path:
    folder.mkdir()
    size = write_sentencepiece(folder, text)
    return save(folder, "Llama", size, dtype="float16", num_key_value_heads=4, bos_token_id=1, eos_token_id=2)


def mistral(folder: Path, text: Path) -> Path:
    """Sharded, in bfloat16, and config.json says nothing of the dtype."""
    folder.mkdir()
    size = write_sentencepiece(folder, text)
    save(folder, "Mistral", size, dtype="bfloat16", shard="1MB", sliding_window=None, bos_token_id=1, eos_token_id=2)
    config = json.loads((folder / "config.json").read_text())
    config.pop("dtype", None)
    config.pop("torch_dtype", None)
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def code_llama(folder: Path, text: Path) -> Path:
    """Four tokens were added behind the vocabulary."""
    folder.mkdir()
    size = write_sentencepiece(folder, text, added=("<PRE>", "<SUF>", "<MID>", "<EOT>"))
    return save(folder, "Llama", size, dtype="bfloat16", rope_theta=1e6, bos_token_id=1, eos_token_id=2)


def llama_unigram(folder: Path, text: Path) -> Path:
    folder.mkdir()
    size = write_sentencepiece(folder, text, kind="unigram")
    return save(folder, "Llama", size, bos_token_id=1, eos_token_id=2)


def llama_fast_only(folder: Path, text: Path) -> Path:
    """As fine-tunes often come: no tokenizer.model."""
    folder.mkdir()
    size = write_sentencepiece(folder, text)
    (folder / "tokenizer.model").unlink(missing_ok=True)
    return save(folder, "Llama", size, bos_token_id=1, eos_token_id=2)


def llama_3(folder: Path, text: Path) -> Path:
    folder.mkdir()
    size = write_byte_level(folder, text, LLAMA_3, added=("<|begin_of_text|>", "<|eot_id|>"))
    scaling = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
               "original_max_position_embeddings": 128, "rope_theta": 500000.0}  # fmt: skip
    return save(
        folder, "Llama", size, dtype="bfloat16", rope_parameters=scaling, eos_token_id=size - 3, bos_token_id=None
    )


def qwen_2(folder: Path, text: Path) -> Path:
    """Tied embeddings, a padded vocabulary, a chat template, biases on queries, keys and values."""
    folder.mkdir()
    size = write_byte_level(folder, text, QWEN_2, added=("<|im_start|>", "<|im_end|>"), template=CHATML)
    return save(folder, "Qwen2", size + 10, dtype="bfloat16", tie_word_embeddings=True, eos_token_id=size - 1)


def qwen_3(folder: Path, text: Path) -> Path:
    folder.mkdir()
    size = write_byte_level(folder, text, QWEN_2, added=("<|im_start|>", "<|im_end|>"), template=CHATML)
    return save(folder, "Qwen3", size, dtype="bfloat16", head_dim=32, tie_word_embeddings=True, eos_token_id=size - 1)


def gemma_2(folder: Path, text: Path) -> Path:
    folder.mkdir()
    size = write_sentencepiece(folder, text, gemma=True)
    return save(
        folder, "Gemma2", size, dtype="bfloat16", head_dim=64, sliding_window=64, query_pre_attn_scalar=64,
        bos_token_id=1, eos_token_id=2, pad_token_id=0,
    )  # fmt: skip


def gemma_3(folder: Path, text: Path) -> Path:
    folder.mkdir()
    size = write_sentencepiece(folder, text, gemma=True)
    return save(
        folder, "Gemma3Text", size, dtype="bfloat16", head_dim=64, sliding_window=64, query_pre_attn_scalar=64,
        bos_token_id=1, eos_token_id=2, pad_token_id=0,
    )  # fmt: skip


def phi_2(folder: Path, text: Path) -> Path:
    folder.mkdir()
    size = write_byte_level(folder, text, None)
    return save(
        folder, "Phi", size, intermediate_size=1024, num_key_value_heads=4, eos_token_id=size - 1, bos_token_id=size - 1
    )


def phi_3(folder: Path, text: Path) -> Path:
    folder.mkdir()
    size = write_sentencepiece(folder, text)
    return save(folder, "Phi3", size, dtype="bfloat16", bos_token_id=1, eos_token_id=2, pad_token_id=2)


def gpt_2(folder: Path, text: Path) -> Path:
    folder.mkdir()
    size = write_byte_level(folder, text, None)
    return save(folder, "GPT2", size, bos_token_id=size - 1, eos_token_id=size - 1)


SHAPES: dict[str, Callable[[Path, Path], Path]] = {
    shape.__name__: shape
    for shape in (
        llama_2, mistral, code_llama, llama_unigram, llama_fast_only, llama_3, qwen_2, qwen_3, gemma_2, gemma_3,
        phi_2, phi_3, gpt_2,
    )
}  # fmt: skip


@pytest.fixture(scope="session", params=list(SHAPES))
def shape(request: pytest.FixtureRequest, make_shape: Callable[[str], Path]) -> Path:
    """Each of the shapes in turn."""
    return make_shape(request.param)
