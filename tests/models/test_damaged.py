"""Files that are damaged, incomplete, or of another model: one line that says which, and nothing on the screen."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.errors import CheckpointError, KaggleMagicsError
from kaggle_magics.models.checkpoint import read_checkpoint
from kaggle_magics.models.engines.registry import load_engine
from kaggle_magics.models.fit.plan import make_plan

pytest.importorskip("transformers", reason="transformers is not installed")
torch = pytest.importorskip("torch")


def load(path: Path, **changes: Any) -> str:
    """Load what lies there; the error's one line."""
    from dataclasses import replace

    with pytest.raises(KaggleMagicsError) as caught:
        plan = make_plan(read_checkpoint(path), allow_pickle=changes.pop("allow_pickle", False))
        load_engine(replace(plan, **changes)).close()
    line = str(caught.value)
    assert "\n" not in line and len(line) < 500
    return line


@pytest.fixture
def folder(tiny_llama: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_llama, tmp_path / "broken"))


def change_config(folder: Path, **changes: Any) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def change_weights(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def drop_norm(weights: dict[str, Any]) -> None:
    del weights["model.norm.weight"]


def spoil(weights: dict[str, Any]) -> None:
    weights["model.norm.weight"].fill_(float("nan"))


def remove_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


def break_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").write_text('{"model": {}')


def enlarge_tokenizer(folder: Path) -> None:
    file = folder / "tokenizer.json"
    state = json.loads(file.read_text())
    known = state["model"]["vocab"]
    for number in range(100):
        known[f"another{number}"] = len(known)
    file.write_text(json.dumps(state))


def lie_about_offsets(folder: Path) -> None:
    file = folder / "model.safetensors"
    data = file.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    entry = header["model.norm.weight"]
    entry["data_offsets"] = [offset + 10**9 for offset in entry["data_offsets"]]
    text = json.dumps(header).encode()
    file.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length :])


def name_files_that_are_not_there(folder: Path) -> None:
    shards = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors").rename(folder / shards["a"])
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": shards}))


def cut(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


DAMAGE: dict[str, tuple[Callable[[Path], None], str]] = {
    "tokenizer missing": (remove_tokenizer, "broken has no tokenizer: none of tokenizer.json"),
    "tokenizer damaged": (break_tokenizer, "tokenizer"),
    "tokenizer of another model": (enlarge_tokenizer, "tokens and the model"),
    "unknown architecture": (
        lambda folder: change_config(folder, model_type="mystery", architectures=["MysteryForCausalLM"]),
        "does not know the MysteryForCausalLM of broken",
    ),
    "weights missing": (lambda folder: change_weights(folder, drop_norm), "lacks 1 of the weights"),
    "more layers than weights": (
        lambda folder: change_config(folder, num_hidden_layers=3),
        "of the weights its config",
    ),
    "other shapes": (
        lambda folder: change_config(folder, intermediate_size=96),
        "6 of the weights of broken have another shape than its config.json asks for",
    ),
    "not a number": (lambda folder: change_weights(folder, spoil), "not numbers"),
    "offsets": (lie_about_offsets, "model.safetensors"),
    "shard missing": (name_files_that_are_not_there, "1 of 2 weight files are missing"),
    "cut": (cut, "cut short"),
    "config damaged": (lambda folder: (folder / "config.json").write_text("{"), "config.json is damaged"),  # type: ignore[dict-item,return-value]
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_one_line(kind: str, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    damage, said = DAMAGE[kind]
    damage(folder)
    capfd.readouterr()
    line = load(folder)
    assert said in line, line
    assert capfd.readouterr() == ("", ""), "a library wrote on the screen"


def test_a_padded_vocabulary_is_no_damage(folder: Path) -> None:
    def pad(weights: dict[str, Any]) -> None:
        for name in ("model.embed_tokens.weight", "lm_head.weight"):
            weights[name] = torch.nn.functional.pad(weights[name], (0, 0, 0, 64))

    change_weights(folder, pad)
    rows = json.loads((folder / "config.json").read_text())["vocab_size"]
    change_config(folder, vocab_size=rows + 64)
    load_engine(make_plan(read_checkpoint(folder))).close()


def to_pickle(folder: Path, weights: Any) -> None:
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")


def test_pickles_load_when_allowed_and_answer_the_same(folder: Path, tiny_llama: Path, ask: Any) -> None:
    from safetensors.torch import load_file

    to_pickle(folder, load_file(folder / "model.safetensors"))
    assert "--allow-pickle" in load(folder)
    engine = load_engine(make_plan(read_checkpoint(folder), allow_pickle=True))
    plain = load_engine(make_plan(read_checkpoint(tiny_llama)))
    assert ask(engine, "Hello", max_tokens=8)[0] == ask(plain, "Hello", max_tokens=8)[0]
    engine.close()
    plain.close()


class Attack:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return (Path.touch, (self.target,))


def test_a_pickle_that_would_run_code_does_not_run_it(folder: Path, tmp_path: Path) -> None:
    to_pickle(folder, {"model.norm.weight": Attack(tmp_path / "attacked")})
    assert "it holds more than tensors" in load(folder, allow_pickle=True)
    assert not (tmp_path / "attacked").exists()


CODE = """
from transformers import LlamaConfig, LlamaForCausalLM
class OddConfig(LlamaConfig):
    model_type = "odd"
class OddForCausalLM(LlamaForCausalLM):
    config_class = OddConfig
"""


def test_code_of_the_checkpoint_runs_only_when_it_is_trusted(folder: Path) -> None:
    from dataclasses import replace

    (folder / "odd.py").write_text(CODE)
    change_config(
        folder,
        model_type="odd",
        architectures=["OddForCausalLM"],
        auto_map={"AutoConfig": "odd.OddConfig", "AutoModelForCausalLM": "odd.OddForCausalLM"},
    )
    line = load(folder)
    assert "Python code of its own" in line and "--trust-remote-code" in line
    plan = replace(make_plan(read_checkpoint(folder)), trust_remote_code=True)
    load_engine(plan).close()


@pytest.mark.gguf
def test_a_gguf_without_a_tokenizer(tmp_path: Path, tiny_gguf: Path, write_gguf: Any) -> None:
    np = pytest.importorskip("numpy")
    plain = {
        "general.architecture": "llama",
        "llama.context_length": 64,
        "llama.embedding_length": 32,
        "llama.block_count": 1,
        "llama.feed_forward_length": 32,
        "llama.attention.head_count": 2,
        "llama.attention.head_count_kv": 2,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.vocab_size": 64,
        "tokenizer.ggml.model": "no_vocab",
    }
    square = {f"blk.0.attn_{part}.weight": (32, 32) for part in ("q", "k", "v", "output")}
    sides = {
        "token_embd.weight": (64, 32),
        "output_norm.weight": (32,),
        "blk.0.attn_norm.weight": (32,),
        "blk.0.ffn_norm.weight": (32,),
        **{f"blk.0.ffn_{part}.weight": (32, 32) for part in ("gate", "up", "down")},
        **square,
    }
    file = write_gguf(tmp_path / "mute.gguf", plain, {name: np.ones(shape) for name, shape in sides.items()})
    line = load(file)
    assert "mute has no tokenizer in it" in line, line


@pytest.mark.gguf
def test_a_gguf_with_weights_that_are_not_numbers(tmp_path: Path, tiny_gguf: Path) -> None:
    from kaggle_magics.models.headers import gguf

    data = bytearray(tiny_gguf.read_bytes())
    norm = gguf.read_header(tiny_gguf).tensors["output_norm.weight"]
    assert norm.bytes
    np = pytest.importorskip("numpy")
    ones = np.ones(norm.bytes // 4, "<f4").tobytes()
    at = bytes(data).find(ones)
    assert at > 0
    data[at : at + len(ones)] = np.full(norm.bytes // 4, np.nan, "<f4").tobytes()
    (tmp_path / "spoilt.gguf").write_bytes(data)
    assert "not numbers" in load(tmp_path / "spoilt.gguf")


def test_a_checkpoint_error_is_raised_for_what_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "notes.gguf").write_text("Not a model at all, only some text that is long enough to be a header.")
    assert "notes.gguf" in load(tmp_path / "notes.gguf")
    with pytest.raises(CheckpointError):
        read_checkpoint(tmp_path / "nothing")
