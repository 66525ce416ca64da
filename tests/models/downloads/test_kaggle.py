"""`kaggle:` references, through a stand-in for kagglehub that does what the real one does to the disk, or raises."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.errors import MissingExtra, ModelNotFound, OptionError
from kaggle_magics.models.find.downloads import fetch, supervise
from kaggle_magics.models.find.downloads.supervise import Progress
from kaggle_magics.models.find.reference import resolve

Make = Callable[..., Path]
HANDLE = "google/gemma/transformers/2b-it"


@pytest.fixture
def kagglehub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caches: Path) -> Callable[[str], Path]:
    """Install a module whose `model_download(handle, path=None)` has the given body; it notes what it was asked."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setattr(fetch, "require", lambda module, purpose: None)
    asked = tmp_path / "asked"
    asked.touch()

    def install(body: str) -> Path:
        lines = [
            "import os, pathlib, shutil, time",
            f"CACHE = pathlib.Path({str(caches / 'kagglehub/models')!r})",
            f"SOURCE = pathlib.Path({str(tmp_path / 'source')!r})",
            f"INPUT = pathlib.Path({os.environ['KAGGLE_MAGICS_INPUT']!r})",
            "print('kagglehub prints to standard output')",
            "class BackendError(Exception): pass",
            "class UnauthenticatedError(Exception): pass",
            "def model_download(handle, path=None):",
            f"    with open({str(asked)!r}, 'a') as file: file.write(f'{{handle}} {{path}}\\n')",
            *(f"    {line}" for line in body.splitlines()),
        ]
        (site / "kagglehub.py").write_text("\n".join(lines))
        return asked

    return install


DOWNLOADS = """to = CACHE / handle / '3'
shutil.copytree(SOURCE, to)
return str(to)"""


def test_what_is_downloaded_is_found_again(kagglehub: Any, make_folder: Make, tmp_path: Path) -> None:
    asked = kagglehub(DOWNLOADS)
    make_folder(tmp_path / "source", parameters=500)
    heard: list[Progress] = []
    found = resolve(f"kaggle:{HANDLE}", on_progress=heard.append)
    assert (found.handle, found.parameters, found.origin) == (f"{HANDLE}/3", 500, "kaggle")
    assert heard[0].name == HANDLE
    for reference in (f"kaggle:{HANDLE}", f"kaggle:{HANDLE.upper()}/3", HANDLE, "gemma"):
        assert resolve(reference).path == found.path
    assert resolve(f"kaggle:https://www.kaggle.com/models/{HANDLE}").path == found.path
    assert asked.read_text() == f"{HANDLE} None\n"


def test_what_is_attached_needs_no_client(tree: Path, make_folder: Make, kagglehub: Any) -> None:
    asked = kagglehub("raise AssertionError('asked')")
    new = make_folder(tree / f"models/{HANDLE}/2")
    assert resolve(f"kaggle:{HANDLE}").path == new
    old = make_folder(tree / "qwen/transformers/0.5b/1")
    assert resolve("kaggle:qwen-lm/qwen/transformers/0.5b").path == old
    assert asked.read_text() == ""
    with pytest.raises(ModelNotFound, match="not on this machine yet"):
        resolve(f"kaggle:{HANDLE}/1", download=False)


def test_kaggle_mounts_what_is_asked_for(tree: Path, make_folder: Make, kagglehub: Any, tmp_path: Path) -> None:
    kagglehub("to = INPUT / 'models' / handle / '3'\nshutil.copytree(SOURCE, to)\nreturn str(to)")
    make_folder(tmp_path / "source")
    assert resolve(f"kaggle:{HANDLE}").path == tree / f"models/{HANDLE}/3"


def test_one_file(kagglehub: Any, make_folder: Make, make_gguf: Make, tmp_path: Path) -> None:
    asked = kagglehub(
        "to = CACHE / handle / '1'\nto.mkdir(parents=True)\nshutil.copy(SOURCE / path, to)\nreturn str(to / path)"
    )
    for kind in ("Q4_K_M", "Q8_0"):
        make_gguf(tmp_path / f"source/gemma-{kind}.gguf")
    found = resolve("kaggle:google/gemma/gguf/2b:gemma-Q4_K_M.gguf")
    assert (found.name, asked.read_text()) == ("gemma-Q4_K_M", "google/gemma/gguf/2b gemma-Q4_K_M.gguf\n")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("raise BackendError('New Models cannot be attached in non-interactive sessions')", 'saved run.*"Add Input"'),
        ("raise UnauthenticatedError()", "KAGGLE_USERNAME and KAGGLE_KEY"),
        ("raise ConnectionError('no route')", "Kaggle cannot be reached from here"),
        ("raise ValueError('404 Client Error.\\n\\nResource not found')", "Kaggle has no model google/gemma"),
        ("raise OSError(28, 'No space left on device')", "disk became full"),
        ("os._exit(3)", "could not be downloaded"),
        ("raise RuntimeError('a\\nb')", "RuntimeError: a b"),
    ],
)
def test_what_goes_wrong(kagglehub: Any, body: str, message: str) -> None:
    kagglehub(body.replace("\n", "\\n"))
    with pytest.raises(Exception, match=message) as caught:
        resolve(f"kaggle:{HANDLE}")
    assert "\n" not in str(caught.value)


def test_a_mount_that_never_comes_is_given_up(tree: Path, kagglehub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kagglehub("while True: time.sleep(0.1)")
    monkeypatch.setattr(fetch, "ATTACH", 0.5)
    started = time.monotonic()
    with pytest.raises(ModelNotFound, match="given up: nothing came"):
        resolve(f"kaggle:{HANDLE}")
    assert time.monotonic() - started < supervise.STALL


def test_without_kagglehub(monkeypatch: pytest.MonkeyPatch, caches: Path) -> None:
    def absent(module: str, purpose: str) -> None:
        raise MissingExtra(f"{purpose} needs {module}.", f"Run: %pip install {module}")

    monkeypatch.setattr(fetch, "require", absent)
    with pytest.raises(MissingExtra, match="%pip install kagglehub"):
        resolve(f"kaggle:{HANDLE}")


@pytest.mark.parametrize("odd", ["kaggle:", "kaggle:gemma", "kaggle:a/b/c", "kaggle:a/b/c/d/e", "kaggle:../../etc/x/1"])
def test_handles_that_cannot_be(odd: str, caches: Path) -> None:
    with pytest.raises(OptionError, match="owner/model/framework/variation"):
        resolve(odd)
