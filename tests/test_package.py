"""What is published: what the package asks for, and what its wheel holds."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_base_needs_only_what_kaggle_has() -> None:
    names = {re.split(r"[<>=!~\[; ]", line)[0] for line in PROJECT["dependencies"]}
    assert names == {"ipython", "numpy", "markdown-it-py", "platformdirs"}


def test_nothing_caps_or_pins_a_version() -> None:
    extras = PROJECT["optional-dependencies"]
    for line in [*PROJECT["dependencies"], *(line for lines in extras.values() for line in lines)]:
        assert not re.search(r"[<~]|==|!=", line), line


def test_all_is_everything_a_person_can_use() -> None:
    extras = PROJECT["optional-dependencies"]
    usable = set(extras) - {"all", "demo", "dev", "bench", "browser", "servers"}
    named = next(line for line in extras["all"] if line.startswith("kaggle-magics["))
    assert set(named[len("kaggle-magics[") : -1].split(",")) == usable


def test_every_optional_library_is_in_the_extra_that_its_error_names() -> None:
    from kaggle_magics.extras import EXTRA_OF

    brings = importlib.metadata.packages_distributions()
    for module, extra in EXTRA_OF.items():
        lines = " ".join(PROJECT["optional-dependencies"][extra]).lower()
        names = {name.lower().replace("_", "-") for name in brings.get(module, [module])} | {module.replace("_", "-")}
        names |= {"llama-cpp-python"} if module == "llama_cpp" else set()
        assert any(re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", lines) for name in names), (module, extra)


def test_torch_is_pinned_for_development_only() -> None:
    constraints = (ROOT / "constraints" / "dev.txt").read_text(encoding="utf-8")
    assert re.search(r"^torch==", constraints, re.MULTILINE)


@pytest.mark.slow
def test_the_wheel_holds_the_model_and_no_training(tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="hatchling is not installed")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name.endswith("-py3-none-any.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name.split("/")[0] for name in names if "dist-info" not in name} == {"kaggle_magics"}
    assert "kaggle_magics/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    model = {name.rpartition("/")[2] for name in names if name.startswith("kaggle_magics/models/pocket/")}
    assert {"config.json", "model.safetensors", "tokenizer.json", "README.md"} <= model
    assert any(name.endswith(".gguf") for name in model)
    # Small enough to carry: the model is at most 25 MB of it.
    assert wheel.stat().st_size < 30e6
