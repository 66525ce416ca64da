"""What the tests share: isolated folders, a fresh session, a tiny random model, and material beside the repository."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
LOOPBACK = {"127.0.0.1", "::1", "localhost"}

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<|{{ message['role'] }}|>\n{{ message['content'] }}{{ eos_token }}\n"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
TOKENIZER_TEXT = (
    "What is the capital of Peru? The capital of Peru is Lima.",
    "There are three apples; the cook takes two of them and gives one away. How many are left?",
    "def area(radius):\n    return math.pi * radius ** 2",
    "The library opens at nine and closes at six, from Monday to Friday [1].",
)


def pytest_configure(config: pytest.Config) -> None:
    """Keep this machine's own models and caches out of the tests. Before any import, as libraries read these once."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # As a shell's job in the background this process would ignore the stop button that tests press.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    home = Path(tempfile.mkdtemp(prefix="kaggle-magics-tests-"))
    config.add_cleanup(lambda: shutil.rmtree(home, ignore_errors=True))
    for name in [name for name in os.environ if name.startswith(("KAGGLE_", "HF_"))]:
        if name not in ("KAGGLE_MAGICS_SHARED", "KAGGLE_MAGICS_ALL_KILLS"):
            del os.environ[name]
    os.environ["HF_HOME"] = str(home / "huggingface")
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["IPYTHONDIR"] = str(home / "ipython")
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    # What a test asks twice it wants computed twice; the tests of the cache switch it on.
    os.environ["KAGGLE_MAGICS_ANSWERS"] = "off"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if importlib.util.find_spec("llama_cpp") is None:
        for item in items:
            if item.get_closest_marker("gguf"):
                item.add_marker(pytest.mark.skip(reason="llama-cpp-python is not installed"))


@pytest.fixture(autouse=True)
def isolated(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Empty cache and input folders, no network but this machine, and no session left over from another test."""
    monkeypatch.setenv("KAGGLE_MAGICS_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("KAGGLE_MAGICS_INPUT", str(tmp_path_factory.mktemp("input")))
    connect = socket.socket.connect

    def connect_here(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and address[0] not in LOOPBACK:
            raise OSError(f"A test tried to reach {address[0]}.")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_here)
    yield
    module = sys.modules.get("kaggle_magics.session")
    if module is not None and module._session is not None:
        module._session.close()
        module._session = None


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """Models and documents that lie beside the repository (`KAGGLE_MAGICS_SHARED`, else ../shared)."""
    path = Path(os.environ.get("KAGGLE_MAGICS_SHARED", ROOT.parent / "shared"))
    if not path.is_dir():
        pytest.skip(f"needs models and documents in {path}")
    return path


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a two-layer Llama of random weights (the same every time) and a byte-level BPE tokenizer.

    What it says means nothing; that it loads, samples, streams and stops is real. Context length 2048, 64 dimensions,
    grouped-query attention (4 heads, 2 for keys), a chat template with role marks.
    """
    pytest.importorskip("transformers", reason="transformers is not installed")
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("models") / "tiny-llama"
    folder.mkdir()
    vocabulary = write_tokenizer(folder)
    with torch.random.fork_rng():
        torch.manual_seed(20)
        model = LlamaForCausalLM(
            LlamaConfig(
                vocab_size=vocabulary,
                hidden_size=64,
                intermediate_size=128,
                num_hidden_layers=2,
                num_attention_heads=4,
                num_key_value_heads=2,
                max_position_embeddings=2048,
                bos_token_id=1,
                eos_token_id=2,
                pad_token_id=0,
                # Default weights are so small that every next token is nearly as likely as any other, and a change
                # of one in the seventh digit would change greedy text.
                initializer_range=0.2,
            )
        )
    model.save_pretrained(folder)
    return folder


def write_tokenizer(folder: Path) -> int:
    """Train a byte-level BPE on a few lines and write it as transformers stores it; gives the vocabulary's size."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<pad>", "<s>", "</s>"]
    trainer = trainers.BpeTrainer(
        vocab_size=512,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TOKENIZER_TEXT, trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    facts = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": special[0],
        "bos_token": special[1],
        "eos_token": special[2],
        "model_max_length": 2048,
        "clean_up_tokenization_spaces": False,
        "chat_template": CHAT_TEMPLATE,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(facts), encoding="utf-8")
    return int(tokenizer.get_vocab_size())


MODEL_CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 64,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "num_hidden_layers": 3,
    "vocab_size": 100,
    "max_position_embeddings": 2048,
}


def write_zeros(path: Path, parameters: int) -> Path:
    """A safetensors file of one float16 tensor."""
    header = {"w": {"dtype": "F16", "shape": [parameters], "data_offsets": [0, 2 * parameters]}}
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(2 * parameters))
    return path


@pytest.fixture(scope="session")
def make_folder() -> Callable[..., Path]:
    """Write a model's folder with real headers and zeros for weights; further options go into its config.json."""

    def make(folder: Path, *, parameters: int = 100, name: str = "model.safetensors", **config: Any) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps({**MODEL_CONFIG, **config}))
        write_zeros(folder / name, parameters)
        return folder

    return make


@pytest.fixture(scope="session")
def make_adapter() -> Callable[..., Path]:
    """Write a LoRA adapter as PEFT stores it, of rank 8 with zeros for weights."""

    def make(folder: Path, *, base: str = "meta-llama/Llama-2-7b-hf", **config: Any) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        facts = {"peft_type": "LORA", "base_model_name_or_path": base, "r": 8, "lora_alpha": 16, **config}
        (folder / "adapter_config.json").write_text(json.dumps(facts))
        write_zeros(folder / "adapter_model.safetensors", 64)
        return folder

    return make


@pytest.fixture
def tree(isolated: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The input tree, on Kaggle."""
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    return Path(os.environ["KAGGLE_MAGICS_INPUT"])


@pytest.fixture
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that holds the caches of Hugging Face (hub) and kagglehub, and no bundled model."""
    from kaggle_magics.models.find import catalog

    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "kagglehub"))
    monkeypatch.setattr(catalog, "POCKET", tmp_path / "pocket")
    return tmp_path
