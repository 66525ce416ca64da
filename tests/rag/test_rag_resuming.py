"""Killed at any moment and run again: no loss, no duplicate, the same as an ingest in one go. See `killing.py`."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forks of itself")
needs_chroma = pytest.mark.skipif(importlib.util.find_spec("chromadb") is None, reason="chromadb is not installed")
thorough = pytest.mark.skipif(
    os.environ.get("KAGGLE_MAGICS_ALL_KILLS") != "1", reason="two minutes: set KAGGLE_MAGICS_ALL_KILLS=1"
)


@pytest.mark.parametrize(
    ("store", "how", "least"),
    [
        ("numpy", "points:8", 8),
        pytest.param("numpy", "times:8", 8, marks=pytest.mark.slow),
        pytest.param("chroma", "points:6", 6, marks=[pytest.mark.slow, needs_chroma]),
        pytest.param("numpy", "points:all", 40, marks=[pytest.mark.slow, thorough]),
        pytest.param("numpy", "times:60", 60, marks=[pytest.mark.slow, thorough]),
        pytest.param("chroma", "points:all", 40, marks=[pytest.mark.slow, thorough, needs_chroma]),
        pytest.param("chroma", "times:30", 30, marks=[pytest.mark.slow, thorough, needs_chroma]),
    ],
)
def test_killed_anywhere_it_goes_on_to_the_same_collection(
    tmp_path: Path, root: Path, store: str, how: str, least: int
) -> None:
    environment = {**os.environ, "PYTHONPATH": str(root)}
    command = [sys.executable, str(root / "tests/rag/killing.py"), store, how, str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=1500, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    # A kill by the clock may come after the end; one at a point may be at a writing of the cache that did not come.
    assert told["tried"] >= least and told["killed"] >= 0.5 * least
