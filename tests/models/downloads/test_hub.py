"""`hub:` references: what is fetched, how it goes on, and what is said when it cannot be had."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.errors import CheckpointError, KaggleMagicsError, ModelNotFound, OptionError
from kaggle_magics.models.find.catalog import list_checkpoints
from kaggle_magics.models.find.downloads import supervise
from kaggle_magics.models.find.downloads.supervise import Progress
from kaggle_magics.models.find.reference import resolve, resolve_adapter

Make = Callable[..., Path]


@pytest.fixture
def qwen(hub: Any, tmp_path: Path, make_folder: Make, make_repository: Any) -> Any:
    """A model of 40 kB on the hub, among files that nobody needs."""
    folder = make_folder(tmp_path / "source", parameters=20_000)
    for name in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"):
        (folder / name).write_text("{}")
    more = ("README.md", "pytorch_model.bin", "model.onnx", "run.py", "original/consolidated.pth", "onnx/config.json")
    return make_repository("Qwen/Qwen2.5-0.5B", folder, dict.fromkeys(more, b"not needed"))


@pytest.fixture
def make_repository(hub: Any) -> Any:
    """Put the files of a folder on the hub."""

    def make(name: str, folder: Path | None = None, more: dict[str, bytes] | None = None, **options: Any) -> Any:
        found = sorted(folder.rglob("*.*")) if folder else []
        files = {file.relative_to(folder).as_posix(): file.read_bytes() for file in found}  # type: ignore[arg-type]
        hub.repositories[name] = hub.repository({**files, **(more or {})}, **options)
        return hub.repositories[name]

    return make


def weights(repository: Any) -> bytes:
    data: bytes = repository.files["model.safetensors"]
    return data


def test_only_what_is_needed_comes_and_is_found_again_without_the_hub(hub: Any, qwen: Any, caches: Path) -> None:
    heard: list[Progress] = []
    checkpoint = resolve("hub:Qwen/Qwen2.5-0.5B", on_progress=heard.append)
    assert (checkpoint.name, checkpoint.handle, checkpoint.origin) == (
        "Qwen2.5-0.5B",
        "Qwen/Qwen2.5-0.5B",
        "huggingface",
    )
    assert sorted(file.name for file in checkpoint.path.iterdir()) == [
        "config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
    ]  # fmt: skip
    assert (checkpoint.path / "model.safetensors").read_bytes() == weights(qwen)
    total = sum(len(qwen.files[file.name]) for file in checkpoint.path.iterdir())
    assert heard[:2] == [Progress("Qwen/Qwen2.5-0.5B", 0, 0), Progress("Qwen/Qwen2.5-0.5B", 0, total)]
    assert [each.done for each in heard] == sorted(each.done for each in heard) and heard[-1].done <= total
    hub.status = 500
    assert resolve("hub:Qwen/Qwen2.5-0.5B").path == resolve("qwen/qwen2.5-0.5b").path == checkpoint.path
    assert [found.name for found in list_checkpoints()] == ["Qwen2.5-0.5B"]
    assert resolve("hub:Qwen/Qwen2.5-0.5B", download=False) == checkpoint


def test_without_download_nothing_is_asked(hub: Any, qwen: Any) -> None:
    with pytest.raises(ModelNotFound, match=r"not on this machine yet\. %llm_load downloads it"):
        resolve("hub:Qwen/Qwen2.5-0.5B", download=False)
    assert hub.asked == []


def test_an_interrupted_download_goes_on_where_it_was(hub: Any, qwen: Any, caches: Path) -> None:
    hub.silent, hub.stop_after = threading.Event(), 10_000
    started: list[Any] = []
    popen = subprocess.Popen

    def remember(*args: Any, **options: Any) -> Any:
        started.append(popen(*args, **options))
        return started[-1]

    def stop_button(progress: Progress) -> None:
        if progress.done >= 10_000:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "Popen", remember)
        with pytest.raises(KeyboardInterrupt):
            resolve("hub:Qwen/Qwen2.5-0.5B", on_progress=stop_button)
    assert [process.poll() is not None for process in started] == [True]
    [part] = (caches / "hub").rglob("*.partial")
    have = part.stat().st_size
    assert 10_000 <= have < len(weights(qwen)) and list_checkpoints() == []
    hub.silent.set()
    hub.silent, hub.stop_after = None, 0
    hub.asked_there.clear()
    heard: list[Progress] = []
    checkpoint = resolve("hub:Qwen/Qwen2.5-0.5B", on_progress=heard.append)
    assert hub.asked_there == [("model.safetensors", f"bytes={have}-", None)]
    assert (checkpoint.path / "model.safetensors").read_bytes() == weights(qwen)
    assert not list((caches / "hub").rglob("*.partial"))


def test_a_connection_that_breaks_is_taken_up_again(hub: Any, qwen: Any) -> None:
    hub.cut_after = [1000, 5000, 0]
    checkpoint = resolve("hub:Qwen/Qwen2.5-0.5B")
    assert (checkpoint.path / "model.safetensors").read_bytes() == weights(qwen)
    assert [asked for _, asked, _ in hub.asked_there] == ["bytes=0-", "bytes=1000-", "bytes=6000-", "bytes=6000-"]


def test_a_server_without_ranges_begins_anew(hub: Any, qwen: Any) -> None:
    hub.cut_after, hub.ranges = [1000], False
    checkpoint = resolve("hub:Qwen/Qwen2.5-0.5B")
    assert (checkpoint.path / "model.safetensors").read_bytes() == weights(qwen)


def test_what_comes_damaged_is_not_kept(hub: Any, qwen: Any, caches: Path) -> None:
    hub.damage = True
    with pytest.raises(ModelNotFound, match=r"model\.safetensors came damaged"):
        resolve("hub:Qwen/Qwen2.5-0.5B")
    assert not list((caches / "hub").rglob("*.partial"))
    hub.damage = False
    assert resolve("hub:Qwen/Qwen2.5-0.5B").parameters == 20_000


def test_a_stalled_download_is_given_up(hub: Any, qwen: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.silent, hub.stop_after = threading.Event(), 10_000
    monkeypatch.setattr(supervise, "STALL", 1.0)
    with pytest.raises(ModelNotFound, match=r"nothing came for 1 s\. What has come is kept"):
        resolve("hub:Qwen/Qwen2.5-0.5B")


def test_a_server_that_never_answers_and_one_that_takes_too_long(
    hub: Any, qwen: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.silent = threading.Event()
    monkeypatch.setattr(supervise, "ANSWER", 0.2)
    with pytest.raises(ModelNotFound, match="nothing came for 0 s"):
        resolve("hub:Qwen/Qwen2.5-0.5B")
    monkeypatch.setattr(supervise, "ANSWER", 30.0)
    monkeypatch.setattr(supervise, "LIMIT", 0.3)
    with pytest.raises(ModelNotFound, match="took more than 0 s"):
        resolve("hub:Qwen/Qwen2.5-0.5B")


def test_gated_models(hub: Any, qwen: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    qwen.gated = True
    with pytest.raises(ModelNotFound) as caught:
        resolve("hub:Qwen/Qwen2.5-0.5B")
    assert "is gated" in str(caught.value) and "https://huggingface.co/Qwen/Qwen2.5-0.5B" in str(caught.value)
    assert "HF_TOKEN" in str(caught.value)
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(ModelNotFound, match=r"401.*token is not valid") as caught:
        resolve("hub:Qwen/Qwen2.5-0.5B")
    assert "hf_wrong" not in str(caught.value)
    monkeypatch.setenv("HF_TOKEN", hub.token)
    assert resolve("hub:Qwen/Qwen2.5-0.5B").parameters == 20_000
    # The token goes to the hub, and not to the server that it names for large files.
    assert {given for _, _, given in hub.asked_there} == {None}


def test_the_token_of_a_kaggle_secret_is_asked_for_when_it_is_needed(
    hub: Any, qwen: Any, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_repository: Any
) -> None:
    (tmp_path / "site").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    asked = tmp_path / "asked"
    (tmp_path / "site" / "kaggle_secrets.py").write_text(
        "class UserSecretsClient:\n"
        "    def get_secret(self, label):\n"
        f"        open({str(asked)!r}, 'a').write(label)\n"
        f"        if label == 'HF_TOKEN': return {hub.token!r}\n"
        "        raise KeyError(label)\n"
    )
    assert resolve("hub:Qwen/Qwen2.5-0.5B").parameters == 20_000
    assert not asked.exists()
    make_repository("meta/gated", None, dict(qwen.files), gated=True)
    assert resolve("hub:meta/gated").parameters == 20_000
    assert asked.read_text() == "HF_TOKEN"


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("hub:Qwen/Nothing", "Hugging Face has no model Qwen/Nothing"),
        ("hub:Qwen/Qwen2.5-0.5B@v9", "has no revision 'v9'"),
        ("hub:Qwen/Qwen2.5-0.5B:Q4_K_M", "has no file 'Q4_K_M'. It has: .*model.safetensors"),
    ],
)
def test_what_is_not_there(hub: Any, qwen: Any, reference: str, message: str) -> None:
    with pytest.raises(ModelNotFound, match=message) as caught:
        resolve(reference)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("status", "message"), [(429, "too many requests"), (503, r"an error \(503\)"), (403, "403")])
def test_what_the_server_refuses(hub: Any, qwen: Any, status: int, message: str) -> None:
    hub.status = status
    with pytest.raises(ModelNotFound, match=message):
        resolve("hub:Qwen/Qwen2.5-0.5B")


def test_offline(hub: Any, qwen: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(ModelNotFound, match=r"Hugging Face cannot be reached from here.*Check the connection"):
        resolve("hub:Qwen/Qwen2.5-0.5B")
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    with pytest.raises(ModelNotFound, match=r"Switch Internet on.*Add Input"):
        resolve("hub:Qwen/Qwen2.5-0.5B")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelNotFound, match="HF_HUB_OFFLINE forbids"):
        resolve("hub:Qwen/Qwen2.5-0.5B")


def test_too_small_a_disk_is_told_before_and_a_full_one_in_the_middle(
    hub: Any, qwen: Any, caches: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        usage = shutil.disk_usage(caches)
        patch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
        with pytest.raises(OptionError, match=r"needs 0\.0 GB; 0\.0 GB are free.*HF_HOME"):
            resolve("hub:Qwen/Qwen2.5-0.5B")
    assert hub.asked_there == []
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    blobs = caches / "hub/models--Qwen--Qwen2.5-0.5B/blobs"
    blobs.mkdir(parents=True, exist_ok=True)
    etag = hashlib.sha256(weights(qwen)).hexdigest()
    os.symlink("/dev/full", blobs / f"{etag}.partial")
    with pytest.raises(KaggleMagicsError, match="disk became full"):
        resolve("hub:Qwen/Qwen2.5-0.5B")


def test_two_notebooks_do_not_write_one_file(hub: Any, qwen: Any, caches: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    part = caches / f"hub/models--Qwen--Qwen2.5-0.5B/blobs/{hashlib.sha256(weights(qwen)).hexdigest()}.partial"
    part.parent.mkdir(parents=True)
    with part.open("a+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(ModelNotFound, match="being downloaded already, in another notebook"):
            resolve("hub:Qwen/Qwen2.5-0.5B")
    assert resolve("hub:Qwen/Qwen2.5-0.5B").parameters == 20_000


def test_one_gguf_of_many(hub: Any, make_repository: Any, make_gguf: Make, tmp_path: Path) -> None:
    for kind in ("Q2_K", "Q4_K_M", "Q8_0"):
        make_gguf(tmp_path / f"some/some-{kind}.gguf")
    make_gguf(tmp_path / "some/mmproj-F16.gguf", "clip")
    make_repository("ada/some-GGUF", tmp_path / "some", {"README.md": b"x", "config.json": b"{}"})
    with pytest.raises(ModelNotFound, match=r"has 3 GGUF files: .*some-Q4_K_M.*hub:ada/some-GGUF:Q4_K_M"):
        resolve("hub:ada/some-GGUF")
    found = resolve("hub:ada/some-GGUF:q4_k_m")
    assert (found.name, found.format) == ("some-Q4_K_M", "gguf")
    assert [file.name for file in found.path.parent.iterdir()] == ["some-Q4_K_M.gguf"]
    assert resolve("hub:ada/some-GGUF:some-Q8_0.gguf").name == "some-Q8_0"
    hub.status = 500
    assert resolve("hub:ada/some-GGUF:*Q4*").path == found.path
    with pytest.raises(ModelNotFound, match="500"):
        resolve("hub:ada/some-GGUF:Q2_K")


def test_a_split_gguf_comes_whole(make_repository: Any, make_gguf: Make, tmp_path: Path) -> None:
    for part in (1, 2):
        make_gguf(tmp_path / f"big/Q4/big-Q4_K_M-0000{part}-of-00002.gguf")
    make_repository("ada/big", tmp_path / "big")
    found = resolve("hub:ada/big:Q4_K_M")
    assert (found.name, found.parameters) == ("big-Q4_K_M", 12)


def test_pickles_only_when_asked_for(make_repository: Any) -> None:
    config = b'{"architectures": ["OPTForCausalLM"]}'
    make_repository("ada/old", None, {"pytorch_model.bin": b"pickle", "config.json": config})
    with pytest.raises(CheckpointError, match=r"only pickled weights.*hub:ada/old:pytorch_model\.bin"):
        resolve("hub:ada/old")
    assert resolve("hub:ada/old:pytorch_model.bin").format == "pickle"


def test_a_repository_without_weights(make_repository: Any) -> None:
    make_repository("ada/empty", None, {"README.md": b"x", "config.json": b"{}"})
    with pytest.raises(CheckpointError, match="no weights that can be loaded"):
        resolve("hub:ada/empty")


def test_an_adapter(make_repository: Any, make_adapter: Make, tmp_path: Path) -> None:
    make_repository("ada/lora", make_adapter(tmp_path / "lora"), {"tokenizer.json": b"{}"})
    adapter = resolve_adapter("hub:ada/lora")
    assert (adapter.format, adapter.rank) == ("peft", 8)


ODD = ("hub:", "hub:../x", "hub:a/b/c", "hub:a b/c", "hub:a/b@../x", "hub:a/b:../x", "hub:a/b:/etc/x", "hub:a--b/c")


@pytest.mark.parametrize("odd", ODD)
def test_references_that_cannot_be(hub: Any, odd: str) -> None:
    with pytest.raises(OptionError) as caught:
        resolve(odd)
    assert "\n" not in str(caught.value) and hub.asked == []
