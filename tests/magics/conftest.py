"""A real shell with the extension loaded, and a scripted model in its session."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import kaggle_magics
from kaggle_magics.session import Session
from kaggle_magics.testing import ScriptedEngine


class TestingShell(InteractiveShell):
    """A shell whose `run_cell` raises what a cell raised, and that keeps what was shown."""

    __test__ = False

    def run(self, cell: str) -> str:
        """Run a cell and give what it wrote to standard output; errors are raised."""
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            result = self.run_cell(cell)
        result.raise_error()
        return out.getvalue()


def make_shell() -> TestingShell:
    config = Config()
    config.HistoryManager.enabled = False
    return TestingShell(config=config)


@pytest.fixture
def bare_shell() -> Iterator[TestingShell]:
    """A shell without the extension."""
    shell = make_shell()
    yield shell
    if "kaggle_magics" in shell.extension_manager.loaded:
        shell.run_line_magic("unload_ext", "kaggle_magics")


@pytest.fixture
def shell(bare_shell: TestingShell) -> TestingShell:
    """A shell with the extension loaded."""
    bare_shell.run_line_magic("load_ext", "kaggle_magics")
    return bare_shell


@pytest.fixture
def session(shell: TestingShell) -> Session:
    return kaggle_magics.get_session()


@pytest.fixture
def script(session: Session) -> Callable[..., ScriptedEngine]:
    """`script("first answer", "second answer")` makes a model that says these the current one."""

    def adopt(*answers: Any, name: str = "scripted", **options: Any) -> ScriptedEngine:
        engine = ScriptedEngine(answers, **options)
        session.adopt(engine, name=name)
        return engine

    return adopt


class Outputs(list[dict[str, str]]):
    """What a notebook's cell would show: an update replaces the output that it names."""

    def __init__(self) -> None:
        super().__init__()
        self.updates = 0
        self._places: dict[str, int] = {}

    def publish(self, data: dict[str, str], transient: dict[str, str], update: bool, **_: Any) -> None:
        if update:
            self[self._places[transient["display_id"]]] = data
            self.updates += 1
        else:
            self._places[transient["display_id"]] = len(self)
            self.append(data)

    @property
    def html(self) -> str:
        """All of it, without the style sheets."""
        return "".join(re.sub(r"<style>.*?</style>", "", output["text/html"], flags=re.S) for output in self)


@pytest.fixture
def outputs(shell: TestingShell, monkeypatch: pytest.MonkeyPatch) -> Outputs:
    """The shell shows as a notebook's kernel does, into this list."""
    shown = Outputs()
    monkeypatch.setattr(shell, "kernel", object(), raising=False)
    monkeypatch.setattr(shell.display_pub, "publish", shown.publish)
    return shown


@pytest.fixture
def run_python() -> Callable[[str], str]:
    """Run a program in a fresh interpreter and give what it printed."""

    def run(program: str) -> str:
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def no_embedder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Collections are searched by words only, whatever is installed."""
    monkeypatch.setattr("kaggle_magics.rag.embedding.models.installed", lambda module: False)
