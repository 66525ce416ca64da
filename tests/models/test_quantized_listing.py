"""What quantising has made is listed and loaded by its name, and stands in nobody's way."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from kaggle_magics import environment
from kaggle_magics.errors import ModelNotFound
from kaggle_magics.models.find.listing import list_models
from kaggle_magics.models.find.reference import resolve
from kaggle_magics.models.fit.choices import gguf_siblings

pytestmark = pytest.mark.usefixtures("caches")


@pytest.fixture
def made(make_gguf: Callable[..., Path]) -> Callable[[str, str], Path]:
    """A result of quantising as it is kept: a folder named by what it was made of, with notes beside it."""

    def make(key: str, name: str) -> Path:
        folder = environment.cache_dir() / "quantized" / key
        folder.mkdir(parents=True)
        (folder / "notes.json").write_text("{}")
        return make_gguf(folder / name)

    return make


def test_it_is_listed_and_named(made: Callable[[str, str], Path]) -> None:
    file = made("0123", "little-Q4_K_M.gguf")
    (listed,) = list_models()
    assert (listed.name, listed.reference, listed.origin) == ("little-Q4_K_M", "little-Q4_K_M", "quantized")
    assert listed.path == file and listed.format == "gguf"
    assert resolve("little-Q4_K_M").path == file == resolve("little").path
    assert list_models("q4_k_m quantised") == [] and len(list_models("little")) == 1


def test_the_model_it_was_made_of_keeps_its_name(
    tmp_path: Path, made: Callable[[str, str], Path], make_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLE_MAGICS_INPUT", str(tmp_path / "input"))
    folder = make_folder(environment.input_root() / "datasets" / "someone" / "little")
    made("0123", "little-Q4_K_M.gguf")
    assert resolve("little").path == folder and resolve("little-Q4").format == "gguf"
    with pytest.raises(ModelNotFound):
        resolve("little-Q8")


def test_of_results_of_one_name_the_latest_counts(made: Callable[[str, str], Path]) -> None:
    older, newer = made("0123", "little-Q4_K_M.gguf"), made("4567", "little-Q4_K_M.gguf")
    os.utime(older, (1, 1))
    assert [listed.path for listed in list_models()] == [newer] and resolve("little").path == newer


def test_auto_does_not_take_it_for_an_attached_file(made: Callable[[str, str], Path]) -> None:
    made("0123", "little-Q4_K_M.gguf")
    found = resolve("little")
    other = replace(found, path=Path("elsewhere"), origin="kaggle")
    assert gguf_siblings(other, [found]) == []
    assert gguf_siblings(other, [replace(found, origin="kaggle")]) != []
