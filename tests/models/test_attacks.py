"""Odd names, odd trees and odd files: each is found, passed over, or told about in one line."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kaggle_magics.errors import CheckpointError, KaggleMagicsError, ModelNotFound
from kaggle_magics.models.checkpoint import read_checkpoint
from kaggle_magics.models.find import catalog, missing
from kaggle_magics.models.find.catalog import list_checkpoints
from kaggle_magics.models.find.listing import list_models
from kaggle_magics.models.find.naming import to_type
from kaggle_magics.models.find.reference import resolve

Make = Callable[..., Path]

pytestmark = pytest.mark.usefixtures("caches")


NAMES = (
    "my model", "модель", "模型", "a'b", 'say "hi"', "back\\slash",
    "dots..and..more", "x" * 200, "100%", "-dash", "[z]", "$x",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_odd_names_are_found_by_what_the_list_says(tree: Path, make_folder: Make, name: str) -> None:
    folder = make_folder(tree / "datasets" / "ada" / name)
    make_folder(tree / "datasets" / "ada" / "other")
    assert resolve(name).path == resolve(str(folder)).path == folder
    [listed] = [model for model in list_models() if model.path == folder]
    [typed] = shlex.split(listed.reference)
    assert resolve(typed).path == folder


def test_a_name_that_is_no_text_is_found(tree: Path, make_folder: Make) -> None:
    folder = make_folder(tree / os.fsdecode(b"bad-\xff-name"))
    assert [checkpoint.path for checkpoint in list_checkpoints()] == [folder]
    assert resolve("bad-").path == folder


def test_slug_clashes_are_listed_with_what_to_type(tree: Path, make_folder: Make) -> None:
    places = [
        "datasets/ada/gemma",
        "notebooks/ada/gemma",
        "models/google/gemma/transformers/2b/1",
        "competitions/gemma",
    ]
    folders = [make_folder(tree / place) for place in places]
    with pytest.raises(ModelNotFound) as caught:
        resolve("ada/gemma")
    for folder in folders[:2]:
        assert str(folder) in str(caught.value) and resolve(str(folder)).path == folder
    locations = catalog.locations()
    for location in locations:
        assert resolve(to_type(location, locations)).path == location.path


def test_a_folder_goes_before_the_files_in_it(tree: Path, make_folder: Make, make_gguf: Make) -> None:
    folder = make_folder(tree / "models/qwen-lm/qwen2.5/transformers/0.5b/1")
    file = make_gguf(folder / "qwen-Q8_0.gguf")
    for reference in ("qwen-lm/qwen2.5/transformers/0.5b", "qwen2.5/transformers/0.5b", "transformers/0.5b/1"):
        assert resolve(reference).path == folder
    assert resolve("qwen-Q8_0").path == resolve("qwen-q8_0.gguf").path == file
    with pytest.raises(ModelNotFound, match="names 2 models"):
        resolve("qwen2.5/transformers")


def test_one_version_mounted_twice_is_one_model(tree: Path, make_folder: Make) -> None:
    first = make_folder(tree / "models/google/gemma/transformers/2b/1")
    make_folder(tree / "m/google/gemma/transformers/2b/1")
    assert resolve("google/gemma/transformers/2b/1").path == resolve("gemma").path == first
    assert len(list_checkpoints()) == 1


def test_the_choice_among_versions_is_told(tree: Path, make_folder: Make) -> None:
    for version in (1, 3, 12):
        make_folder(tree / f"models/google/gemma/transformers/2b/{version}")
    assert (resolve("gemma").versions, resolve("gemma").handle) == ((1, 3, 12), "google/gemma/transformers/2b/12")
    assert resolve("google/gemma/transformers/2b/3").versions == (1, 3, 12)
    assert [model.versions for model in list_models()] == [(1, 3, 12)]


def test_loops_broken_links_and_special_files_are_passed_over(tree: Path, make_folder: Make) -> None:
    folder = make_folder(tree / "models/ada/m/transformers/v/1")
    (tree / "loop").symlink_to(tree, target_is_directory=True)
    (tree / "models" / "up").symlink_to("..", target_is_directory=True)
    (tree / "gone").symlink_to(tree / "nowhere")
    (tree / "gone.gguf").symlink_to(tree / "nowhere.gguf")
    (tree / "self.gguf").symlink_to("self.gguf")
    os.mkfifo(tree / "pipe")
    (tree / "folder.gguf").mkdir()
    assert [checkpoint.path for checkpoint in list_checkpoints()] == [folder]
    for name in ("gone.gguf", "self.gguf", "pipe"):
        with pytest.raises(KaggleMagicsError) as caught:
            resolve(tree / name)
        assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_passed_over(tree: Path, make_folder: Make) -> None:
    make_folder(tree / "open")
    closed = make_folder(tree / "closed")
    closed.chmod(0)
    try:
        assert [checkpoint.name for checkpoint in list_checkpoints()] == ["open"]
        assert catalog.mounts() == ["closed", "open"]
    finally:
        closed.chmod(0o755)


def test_a_folder_that_the_system_will_not_list(tree: Path, make_folder: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    make_folder(tree / "open")
    make_folder(tree / "closed")
    scandir = os.scandir

    def refuse(path: Any) -> Any:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert [checkpoint.name for checkpoint in list_checkpoints()] == ["open"]


CONFIGS: tuple[bytes, ...] = (
    b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"architectures": "x"}', b'{"architectures": [null]}',
    b'{"hidden_size": "64", "num_attention_heads": true, "num_hidden_layers": -3, "vocab_size": 1e400}',
    b'{"text_config": [1], "model_type": {"a": 1}}',
    b'{"id2label": 3, "architectures": ["XForSequenceClassification"]}',
    b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
)  # fmt: skip


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config[:20].decode("latin-1") or "empty")
def test_odd_configs(tree: Path, make_folder: Make, config: bytes) -> None:
    folder = make_folder(tree / "odd")
    (folder / "config.json").write_bytes(config)
    list_models()
    try:
        read_checkpoint(folder)
    except CheckpointError as error:
        assert "\n" not in str(error) and "config.json" in str(error)


INDEXES: tuple[Any, ...] = (
    {"weight_map": {"w": "../../secret.safetensors"}},
    {"weight_map": {"w": "/etc/passwd"}},
    {"weight_map": {}},
    {"weight_map": [1]},
    {"weight_map": {"w": None}},
)


@pytest.mark.parametrize("index", INDEXES, ids=str)
def test_odd_indexes(tmp_path: Path, make_folder: Make, index: Any) -> None:
    folder = make_folder(tmp_path / "m", name="model-00001-of-00002.safetensors")
    with pytest.raises(CheckpointError, match=r"model\.safetensors\.index\.json, which tells its parts, is missing"):
        read_checkpoint(folder)
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match=r"damaged|missing"):
        read_checkpoint(folder)


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 7, b"\0" * 8, b"\xff" * 40, b"GGUF", b"PK\x03\x04" + b"\0" * 100], ids=len
)
def test_files_that_are_no_weights(tree: Path, make_folder: Make, data: bytes) -> None:
    folder = make_folder(tree / "models/ada/bad/transformers/v/1")
    (folder / "model.safetensors").write_bytes(data)
    (tree / "bad.gguf").write_bytes(data)
    problems = [model.problem for model in list_models()]
    assert len(problems) == 2 and all(problems) and not any("\n" in problem for problem in problems)


def test_a_gguf_with_another_model_s_vocabulary(tmp_path: Path, make_gguf: Make) -> None:
    path = make_gguf(tmp_path / "m.gguf", tensors={"token_embd.weight": np.zeros((5, 8), "f4")})
    with pytest.raises(CheckpointError, match="a vocabulary of 2 tokens, and weights for 5"):
        read_checkpoint(path)
    make_gguf(path, tensors={"token_embd.weight": np.zeros((2, 8), "f4")})
    assert read_checkpoint(path).dimensions.vocabulary == 2


def test_a_model_of_which_only_the_tokenizer_is_there_says_so(tree: Path) -> None:
    folder = tree / "models/ada/half/transformers/v/1"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"architectures": ["LlamaForCausalLM"]}')
    (folder / "tokenizer.json").write_text("{}")
    assert "holds a config.json but no weights" in list_models()[0].problem
    with pytest.raises(CheckpointError, match="no weights"):
        resolve("half")


def test_parts_of_an_image_pipeline_are_no_models(tree: Path, make_folder: Make) -> None:
    make_folder(tree / "sdxl/text_encoder", architectures=["CLIPTextModel"])
    (tree / "sdxl/model_index.json").write_text("{}")
    assert list_checkpoints(kind=None) == []


def test_what_is_attached_but_cannot_be_loaded_here_is_named(tree: Path) -> None:
    (tree / "models/google/gemma/keras/2b/1").mkdir(parents=True)
    (tree / "gemma-old/tensorflow2/7b/3").mkdir(parents=True)
    (tree / "datasets/ada/titanic").mkdir(parents=True)
    assert catalog.mounts() == ["google/gemma/keras/2b/1", "ada/titanic", "gemma-old/tensorflow2/7b/3"]
    with pytest.raises(ModelNotFound, match=r"Attached is google/gemma/keras/2b/1, and keras cannot.*'gemma'"):
        resolve("gemma")
    with pytest.raises(ModelNotFound, match=r"Attached are google/gemma/keras/2b/1, ada/titanic.*no model is in them"):
        resolve("qwen")


@pytest.mark.parametrize(
    ("reference", "advice"),
    [
        ("google/gemma-3/transformers/4b-it", "search for 'gemma-3', framework Transformers, variation 4b-it"),
        ("qwen2.5-7b-instruct-Q4_K_M.gguf", "search for 'qwen2.5-7b-instruct', framework GGUF"),
        ("Qwen/Qwen3-4B", "search for 'Qwen3-4B', framework Transformers or GGUF"),
        ("google/gemma/keras/2b", "search for 'gemma', framework Transformers or GGUF;"),
    ],
)
def test_what_to_attach(tree: Path, reference: str, advice: str) -> None:
    with pytest.raises(ModelNotFound) as caught:
        resolve(reference)
    assert advice in str(caught.value)


def test_what_to_download_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(missing.environment, "on_kaggle", lambda: False)
    with pytest.raises(ModelNotFound, match="%llm_load hub:Qwen/Qwen3-4B"):
        resolve("Qwen/Qwen3-4B")
    with pytest.raises(ModelNotFound, match="%llm_load kaggle:google/gemma/transformers/2b"):
        resolve("google/gemma/transformers/2b")


def test_many_models_are_read_once(tree: Path, make_folder: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = [make_folder(tree / f"models/ada/m{number}/transformers/v/1") for number in range(100)]
    assert len(list_models()) == 100
    read: list[Path] = []
    monkeypatch.setattr(catalog, "read_checkpoint", lambda path, **_: read.append(path) or read_checkpoint(path, **_))
    assert len(list_models("m9")) == 11 and read == []
    make_folder(folders[7], parameters=500)
    assert max(model.parameters or 0 for model in list_models()) == 500 and read == [folders[7]]
