"""Models are found in every layout, read without a library, and named so that a person can name them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.errors import CheckpointError, ModelNotFound
from kaggle_magics.models.checkpoint import read_checkpoint
from kaggle_magics.models.find import walk
from kaggle_magics.models.find.catalog import list_checkpoints
from kaggle_magics.models.find.reference import resolve
from kaggle_magics.models.find.walk import find_models

MakeFolder = Callable[..., Path]

pytestmark = pytest.mark.usefixtures("caches")


def names() -> list[str]:
    return [checkpoint.name for checkpoint in list_checkpoints()]


def test_a_folder_s_facts(tmp_path: Path, make_folder: MakeFolder) -> None:
    folder = make_folder(tmp_path / "small", parameters=500)
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{{ messages }}"}))
    checkpoint = read_checkpoint(folder)
    assert (checkpoint.name, checkpoint.format, checkpoint.architecture) == ("small", "safetensors", "LlamaForCausalLM")
    assert (checkpoint.parameters, checkpoint.dtype, checkpoint.context_length) == (500, "float16", 2048)
    assert checkpoint.has_chat_template and checkpoint.origin == "path" and checkpoint.handle is None
    assert checkpoint.bytes == (folder / "model.safetensors").stat().st_size
    size = checkpoint.dimensions
    assert (size.layers, size.kv_heads, size.head_dim, size.vocabulary) == (3, 2, 8, 100)


def test_a_sharded_folder_counts_all_parts_and_misses_none(tmp_path: Path, make_folder: MakeFolder) -> None:
    folder = make_folder(tmp_path / "big", name="model-00001-of-00002.safetensors")
    make_folder(folder, name="model-00002-of-00002.safetensors")
    parts = {f"w{part}": f"model-0000{part}-of-00002.safetensors" for part in (1, 2)}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": parts}))
    assert read_checkpoint(folder).parameters == 200
    (folder / parts["w2"]).unlink()
    with pytest.raises(CheckpointError, match=r"1 of 2 weight files are missing \(model-00002-of-00002"):
        read_checkpoint(folder)


def test_a_gguf_s_facts(tmp_path: Path, make_gguf: Callable[..., Path]) -> None:
    checkpoint = read_checkpoint(make_gguf(tmp_path / "some-Q4_K_M.gguf"))
    assert (checkpoint.name, checkpoint.format, checkpoint.dtype) == ("some-Q4_K_M", "gguf", "Q4_K_M")
    assert (checkpoint.architecture, checkpoint.parameters, checkpoint.context_length) == ("llama", 6, 4096)
    assert checkpoint.has_chat_template and checkpoint.dimensions.kv_heads == 4


def test_a_split_gguf_is_one_model(tmp_path: Path, make_gguf: Callable[..., Path]) -> None:
    parts = [make_gguf(tmp_path / f"big-0000{part}-of-00002.gguf") for part in (1, 2)]
    assert list(find_models(tmp_path)) == [parts[0]]
    checkpoint = read_checkpoint(parts[1])
    assert (checkpoint.name, checkpoint.path, checkpoint.parameters) == ("big", parts[0], 12)
    parts[1].unlink()
    with pytest.raises(CheckpointError, match="1 of 2 parts are missing"):
        read_checkpoint(parts[0])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: None, "no config.json"),
        (lambda folder: (folder / "config.json").write_text("{}"), "no weights"),
        (lambda folder: (folder / "config.json").write_text("{"), "not valid JSON"),
        (lambda folder: (folder / "config.json").write_text("[]"), "no JSON object"),
        (lambda folder: (folder / "config.json").write_bytes(b"\xff\xfe\x00"), "not valid JSON"),
    ],
)
def test_what_is_no_model_says_so(tmp_path: Path, make: Callable[[Path], Any], message: str) -> None:
    make(tmp_path)
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(tmp_path)


def test_pickles_are_recognised_and_adapters_are_none(tmp_path: Path, make_folder: MakeFolder) -> None:
    folder = make_folder(tmp_path / "old", torch_dtype="float16")
    (folder / "model.safetensors").rename(folder / "adapter_model.safetensors")
    with pytest.raises(CheckpointError, match="no weights"):
        read_checkpoint(folder)
    (folder / "pytorch_model.bin").write_bytes(b"1234")
    checkpoint = read_checkpoint(folder)
    assert (checkpoint.format, checkpoint.parameters, checkpoint.bytes) == ("pickle", None, 4)


LAYOUTS = [
    ("models/google/gemma/transformers/2b-it/2", "gemma-2b-it", "google/gemma/transformers/2b-it/2"),
    (
        "models/google/gemma-4/transformers/gemma-4-31b-it/1",
        "gemma-4-31b-it",
        "google/gemma-4/transformers/gemma-4-31b-it/1",
    ),
    ("models/some/coder-14b/pytorch/default/1", "coder-14b", "some/coder-14b/pytorch/default/1"),
    ("models/some/mini/transformers/default/1/all-MiniLM", "all-MiniLM", "some/mini/transformers/default/1"),
    ("m/google/gemma/transformers/2b-it/2", "gemma-2b-it", "google/gemma/transformers/2b-it/2"),
    ("qwen2.5/transformers/72b-instruct-awq/1", "qwen2.5-72b-instruct-awq", "qwen2.5/transformers/72b-instruct-awq/1"),
    ("datasets/ada/my-weights", "my-weights", "ada/my-weights"),
    ("datasets/ada/my-weights/inner/model-a", "model-a", "ada/my-weights"),
    ("my-dataset", "my-dataset", "my-dataset"),
    ("my-dataset/checkpoint", "checkpoint", "my-dataset"),
    ("notebooks/ada/training/output", "output", "ada/training"),
]


@pytest.mark.parametrize(("place", "name", "handle"), LAYOUTS)
def test_every_layout_of_the_input_tree(
    tree: Path, place: str, name: str, handle: str, make_folder: MakeFolder
) -> None:
    folder = make_folder(tree / place)
    [checkpoint] = list_checkpoints()
    assert (checkpoint.name, checkpoint.handle, checkpoint.origin, checkpoint.path) == (name, handle, "kaggle", folder)
    for reference in (name, handle, handle.upper(), str(folder)):
        assert resolve(reference).path == folder


@pytest.mark.parametrize("root", ["models/google/gemma/transformers/2b-it", "gemma/transformers/2b-it"])
def test_the_newest_version_wins_and_each_can_be_named(tree: Path, root: str, make_folder: MakeFolder) -> None:
    for version in (1, 2, 10):
        make_folder(tree / root / str(version))
    assert [checkpoint.path.name for checkpoint in list_checkpoints()] == ["10"]
    assert resolve("gemma-2b-it").path.name == "10"
    assert resolve("gemma/transformers/2b-it").path.name == "10"
    assert resolve("gemma/transformers/2b-it/2").path.name == "2"
    # As Kaggle's page writes the handle, though the old layout has no owner in its path.
    assert resolve("google/gemma/Transformers/2b-it/1").path.name == "1"


def test_a_part_that_names_one_model_is_enough_and_one_that_names_several_lists_them(
    tree: Path, make_folder: MakeFolder
) -> None:
    make_folder(tree / "models/google/gemma/transformers/2b-it/2")
    make_folder(tree / "models/google/gemma/transformers/7b-it/1")
    make_folder(tree / "gemma")
    assert resolve("7B-IT").path.parent.name == "7b-it"
    # The whole name of one goes before parts of others.
    assert resolve("gemma").path == tree / "gemma"
    with pytest.raises(
        ModelNotFound,
        match="names 2 models: google/gemma/transformers/2b-it, google/gemma/transformers/7b-it",
    ):
        resolve("google")


def test_several_ggufs_in_one_model(tree: Path, make_gguf: Callable[..., Path]) -> None:
    for kind in ("Q4_K_M", "Q8_0"):
        make_gguf(tree / f"models/some/llama/gguf/8b/1/llama-8b-{kind}.gguf")
    make_gguf(tree / "models/some/llama/gguf/8b/1/mmproj-f16.gguf", "clip")
    assert names() == ["llama-8b-Q4_K_M", "llama-8b-Q8_0"]
    assert resolve("llama-8b-q8_0.gguf").name == "llama-8b-Q8_0"
    with pytest.raises(ModelNotFound, match="names 2 models"):
        resolve("some/llama/gguf/8b/1")


def test_what_answers_nothing_is_not_listed_as_a_generator(
    tree: Path, make_gguf: Callable[..., Path], make_folder: MakeFolder
) -> None:
    (make_folder(tree / "embedder") / "modules.json").write_text("[]")
    make_folder(tree / "encoder", architectures=["BertForMaskedLM"])
    make_gguf(tree / "embed.gguf", "nomic-bert")
    assert names() == []


def test_a_damaged_model_is_left_out_of_the_list_and_tells_when_named(tree: Path, make_folder: MakeFolder) -> None:
    folder = make_folder(tree / "models/some/thing/transformers/1b/1")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-5])
    assert names() == []
    with pytest.raises(CheckpointError, match="cut short"):
        resolve("thing")


def test_the_walk_is_bounded(tree: Path, monkeypatch: pytest.MonkeyPatch, make_folder: MakeFolder) -> None:
    deep = tree / "a/b/c/d/e/f/g/h/i/j"
    make_folder(deep)
    (tree / "loop").symlink_to(tree, target_is_directory=True)
    assert list(find_models(tree)) == []
    assert list(find_models(tree / "a/b/c")) == [deep]


def test_much_data_does_not_hide_the_models(
    tree: Path, monkeypatch: pytest.MonkeyPatch, make_folder: MakeFolder
) -> None:
    monkeypatch.setattr(walk, "MAX_ENTRIES", 60)
    for number in range(30):
        (tree / f"data{number}" / "more" / "files").mkdir(parents=True)
    make_folder(tree / "models/some/thing/transformers/1b/1")
    make_folder(tree / "zzz/last/of/all")
    assert names() == ["thing-1b"]


def test_hugging_face_s_cache(caches: Path, make_gguf: Callable[..., Path], make_folder: MakeFolder) -> None:
    repository = caches / "hub/models--Qwen--Qwen2.5-0.5B-Instruct"
    old, new = make_folder(repository / "snapshots/aaa"), make_folder(repository / "snapshots/bbb")
    os.utime(old, (1, 1))
    assert resolve("qwen/qwen2.5-0.5b-instruct").path == new
    (repository / "refs").mkdir()
    (repository / "refs/main").write_text("aaa\n")
    checkpoint = resolve("Qwen2.5-0.5B")
    assert (checkpoint.path, checkpoint.origin, checkpoint.handle) == (old, "huggingface", "Qwen/Qwen2.5-0.5B-Instruct")
    make_gguf(caches / "hub/models--some--Thing-GGUF/snapshots/ccc/thing-Q4_K_M.gguf")
    assert resolve("some/thing-gguf").name == "thing-Q4_K_M"


def test_kagglehub_s_cache(caches: Path, make_folder: MakeFolder) -> None:
    make_folder(caches / "kagglehub/models/google/gemma/transformers/2b/3")
    checkpoint = resolve("google/gemma/transformers/2b")
    assert (checkpoint.handle, checkpoint.origin) == ("google/gemma/transformers/2b/3", "kaggle")


def test_the_bundled_model_is_the_last_resort(
    tree: Path, caches: Path, make_gguf: Callable[..., Path], make_folder: MakeFolder
) -> None:
    with pytest.raises(ModelNotFound, match=r"Add Input"):
        resolve()
    pocket = make_folder(caches / "pocket", parameters=10)
    make_gguf(pocket / "pocket-Q8_0.gguf")
    assert resolve().path == pocket and resolve("pocket").path == pocket
    assert resolve("pocket.gguf").path == pocket / "pocket-Q8_0.gguf"
    assert {checkpoint.origin for checkpoint in list_checkpoints()} == {"bundled"}
    small = make_folder(tree / "models/a/small/transformers/s/1", parameters=100)
    large = make_folder(tree / "models/a/large/transformers/l/1", parameters=1000)
    assert resolve().path == large
    # Far too large for any machine: the next one is taken.
    make_folder(large, num_hidden_layers=10**12)
    assert resolve().path == small


def test_a_wrong_name_gets_the_nearest_and_the_advice(tree: Path, make_folder: MakeFolder) -> None:
    make_folder(tree / "models/google/gemma/transformers/2b-it/2")
    with pytest.raises(ModelNotFound) as caught:
        resolve("gemna-2b-it")
    assert "Did you mean gemma-2b-it" in str(caught.value) and '"Add Input"' in str(caught.value)
    with pytest.raises(ModelNotFound, match="There is: google/gemma/transformers/2b-it"):
        resolve("xyzzy")


def test_a_gguf_that_does_not_exist_says_what_does(tree: Path, make_folder: MakeFolder) -> None:
    make_folder(tree / "cardputer", architectures=["GPTNeoForCausalLM"])
    with pytest.raises(ModelNotFound, match="has no GGUF file; load it as cardputer"):
        resolve("cardputer.gguf")


def test_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_folder: MakeFolder) -> None:
    folder = make_folder(tmp_path / "models/one")
    monkeypatch.chdir(tmp_path)
    assert resolve(folder) == resolve("./models/one") == resolve(str(folder))
    assert resolve("models").path == folder
    with pytest.raises(ModelNotFound, match="no file or folder"):
        resolve(tmp_path / "absent")
    with pytest.raises(ModelNotFound, match="no file or folder"):
        resolve("./absent")
    with pytest.raises(ModelNotFound, match="empty"):
        resolve("  ")
    odd_names = ("x" * 5000, "a\x00b", "~nobody-here/x", "a\nb", "../" * 50 + "nowhere", "<b>", "*", "[a-", "\ud83d")
    for odd in odd_names:
        with pytest.raises(ModelNotFound) as caught:
            resolve(odd)
        assert "\n" not in str(caught.value)
    make_folder(tmp_path / "models/two")
    with pytest.raises(ModelNotFound, match="holds 2 models"):
        resolve("./models")
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(CheckpointError, match="not a model"):
        resolve("./notes.txt")
    (tmp_path / "nothing").mkdir()
    with pytest.raises(CheckpointError, match="holds no model"):
        resolve("./nothing")


def test_nothing_heavy_is_imported(tmp_path: Path, make_folder: MakeFolder) -> None:
    folder = make_folder(tmp_path / "m")
    code = (
        "import sys; from kaggle_magics.models.find.reference import resolve;"
        "from kaggle_magics.models.find.listing import list_models;"
        f"resolve({str(folder)!r}); assert 'numpy' not in sys.modules; list_models();"
        "assert not {'torch', 'transformers', 'llama_cpp', 'huggingface_hub'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


def test_shared_models(shared: Path) -> None:
    facts = {path.name: read_checkpoint(path) for path in sorted((shared / "models").iterdir())}
    assert facts["stories260k"].parameters == 260_032 and facts["stories260k"].context_length == 512
    neo = facts["cardputer-chat-3m"]
    assert (neo.architecture, neo.dtype, neo.has_chat_template) == ("GPTNeoForCausalLM", "float16", True)
