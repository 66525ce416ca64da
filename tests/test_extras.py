"""Optional libraries: a missing one is one line with its remedy, a present one comes quietly."""

from __future__ import annotations

import signal
import sys
import warnings
from pathlib import Path

import pytest

from kaggle_magics.errors import MissingExtra
from kaggle_magics.extras import EXTRA_OF, install_line, require


def test_a_missing_library_is_one_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EXTRA_OF, "no_such_library", "gguf")
    with pytest.raises(MissingExtra, match=r"no_such_library, which is not installed.*kaggle-magics\[gguf\]") as caught:
        require("no_such_library", "Running a GGUF file")
    assert "\n" not in str(caught.value)
    assert install_line("some_other") == "%pip install some_other"


def test_tqdm_does_not_ask_for_widgets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "loud_library.py").write_text('import warnings\nwarnings.warn("IProgress not found. Please update")\n')
    monkeypatch.syspath_prepend(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert require("loud_library", "A test").__name__ == "loud_library"


def test_a_library_that_breaks_while_it_is_imported_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_library.py").write_text("import no_such_library_either\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingExtra, match="installed but cannot be imported"):
        require("broken_library", "A test")


def test_the_stop_button_waits_for_the_end_of_a_first_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """torch cannot be imported again after an import that was cut off."""
    text = "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nfor _ in range(1000): pass\nwhole = True\n"
    (tmp_path / "pressed_library.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        require("pressed_library", "A test")
    assert sys.modules["pressed_library"].whole and signal.getsignal(signal.SIGINT) is before
    assert require("pressed_library", "A test").whole
