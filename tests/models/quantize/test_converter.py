"""Where the converter comes from: our cache, a wheelhouse, the index; and what is said when it is nowhere."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from kaggle_magics.errors import CheckpointError, MissingExtra
from kaggle_magics.models.quantize import converter as module
from kaggle_magics.models.quantize.child import ChildFailed

VERSION = "0.3.36"
FILES = {
    "vendor/llama.cpp/convert_hf_to_gguf.py": "print('converter')",
    "vendor/llama.cpp/conversion/__init__.py": "",
    "vendor/llama.cpp/conversion/base.py": "",
    "vendor/llama.cpp/gguf-py/gguf/__init__.py": "",
    "vendor/llama.cpp/src/llama.cpp": "int main() {}",
    "PKG-INFO": f"Metadata-Version: 2.1\nName: llama_cpp_python\nVersion: {VERSION}\n",
}


def write_archive(folder: Path, version: str = VERSION, **more: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"llama_cpp_python-{version}.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name, text in {**FILES, **more}.items():
            member = tarfile.TarInfo(name if name.startswith(("/", "..")) else f"llama_cpp_python-{version}/{name}")
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
        link = tarfile.TarInfo(f"llama_cpp_python-{version}/vendor/llama.cpp/conversion/link.py")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    return path


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """llama-cpp-python is installed, no folder is named, and there is no index."""
    monkeypatch.setattr(module, "installed_version", lambda: VERSION)
    monkeypatch.setattr(module, "_links_of_pip_config", list)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.delenv(module.WHEELHOUSE, raising=False)

    def no_index(*words: object, **options: object) -> None:
        raise ChildFailed(1, ["ERROR: No matching distribution found"])

    monkeypatch.setattr(module, "run_child", no_index)


def test_nowhere_it_is_said_what_to_attach_and_what_to_run() -> None:
    with pytest.raises(MissingExtra) as error:
        module.converter()
    said = str(error.value)
    for words in (f"llama-cpp-python=={VERSION}", "pip download", "attach", module.WHEELHOUSE, "internet"):
        assert words in said
    assert "\n" not in said


@pytest.mark.parametrize("how", ["variable", "attached", "find-links"])
def test_an_archive_in_a_wheelhouse_is_taken_and_kept(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "räder"
    if how == "variable":
        monkeypatch.setenv(module.WHEELHOUSE, str(folder))
    elif how == "find-links":
        monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    else:
        folder = Path(os.environ["KAGGLE_MAGICS_INPUT"]) / "datasets" / "me" / "wheels" / "deep"
    archive = write_archive(folder)
    kept = module.converter()
    assert (kept / module.SCRIPT).read_text() == "print('converter')"
    assert kept.is_relative_to(os.environ["KAGGLE_MAGICS_CACHE"])
    # Only what is needed, and no links.
    assert sorted(file.name for file in kept.iterdir()) == ["conversion", module.SCRIPT, "gguf-py"]
    assert not (kept / "conversion" / "link.py").exists()
    archive.unlink()
    assert module.converter() == kept


def test_an_archive_that_kaggle_unpacked_is_taken() -> None:
    root = (
        Path(os.environ["KAGGLE_MAGICS_INPUT"]) / "wheels" / f"llama_cpp_python-{VERSION}.tar.gz" / "llama_cpp_python"
    )
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    kept = module.converter()
    assert (kept / "gguf-py" / "gguf" / "__init__.py").is_file() and not (kept / "src").exists()


def test_another_version_is_not_taken_but_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(module.WHEELHOUSE, str(tmp_path))
    write_archive(tmp_path, "0.3.30")
    with pytest.raises(MissingExtra, match=r"found only that of 0\.3\.30"):
        module.converter()


def test_an_archive_writes_nothing_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(module.WHEELHOUSE, str(tmp_path / "wheels"))
    evil = {
        "../../../../evil.py": "x",
        "/evil.py": "x",
        "vendor/llama.cpp/conversion/../../../../../evil.py": "x",
    }
    write_archive(tmp_path / "wheels", **evil)
    module.converter()
    assert not list(tmp_path.rglob("evil.py")) and not list(Path(os.environ["KAGGLE_MAGICS_CACHE"]).rglob("evil.py"))


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(module.WHEELHOUSE, str(tmp_path))
    monkeypatch.setattr(module, "_MOST_BYTES", 1000)
    write_archive(tmp_path, **{"vendor/llama.cpp/conversion/big.py": "#" * 2000})
    with pytest.raises(CheckpointError, match="damaged"):
        module.converter()
    assert not (Path(os.environ["KAGGLE_MAGICS_CACHE"]) / "converter" / VERSION).exists()


def test_a_damaged_archive_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(module.WHEELHOUSE, str(tmp_path))
    archive = write_archive(tmp_path)
    archive.write_bytes(archive.read_bytes()[:200])
    with pytest.raises(CheckpointError, match="damaged"):
        module.converter()
    (tmp_path / archive.name).write_bytes(b"no archive")
    with pytest.raises(CheckpointError, match="damaged"):
        module.converter()


def test_an_archive_without_a_converter_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(module.WHEELHOUSE, str(tmp_path))
    with tarfile.open(tmp_path / f"llama_cpp_python-{VERSION}.tar.gz", "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("llama_cpp_python/README.md"), io.BytesIO())
    with pytest.raises(CheckpointError, match="no converter"):
        module.converter()


def test_the_index_is_asked_for_exactly_this_version(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def fetch(command: list[str], **options: object) -> None:
        asked.append(command)
        write_archive(Path(command[command.index("--dest") + 1]))

    monkeypatch.setattr(module, "run_child", fetch)
    told: list[str] = []
    assert (module.converter(told.append) / module.SCRIPT).is_file()
    assert f"llama-cpp-python=={VERSION}" in asked[0] and "--no-deps" in asked[0] and "--no-binary" in asked[0]
    assert told and "pip" in told[0]
    module.converter()
    assert len(asked) == 1


def test_an_index_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(command: list[str], *, seconds: float, **options: object) -> None:
        assert seconds <= 600
        raise TimeoutError

    monkeypatch.setattr(module, "run_child", hang)
    with pytest.raises(MissingExtra, match="pip download"):
        module.converter()
