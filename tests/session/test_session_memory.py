"""Memory that runs out while a model answers: everything is let go, and the same session answers again."""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.errors import DoesNotFit
from kaggle_magics.session import Session

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("transformers", reason="transformers is not installed")


@pytest.fixture
def session() -> Iterator[Session]:
    session = Session()
    yield session
    session.close()


@pytest.mark.parametrize(
    "error",
    [
        torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] . DefaultCPUAllocator: can't allocate memory: you tried to"),
        MemoryError("Unable to allocate 2.00 GiB for an array"),
    ],
    ids=["cuda", "cpu", "numpy"],
)
def test_out_of_memory_inside_a_layer(
    session: Session, tiny_llama: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    model = session.load(tiny_llama)
    expected = session.prompt("Hello", max_tokens=6).text
    taken: list[weakref.ref[Any]] = []

    def fail(*_: Any, **__: Any) -> Any:
        activations = torch.ones(1000)
        taken.append(weakref.ref(activations))
        raise error

    layer: Any = model.engine._model._model.model.layers[1].mlp  # type: ignore[attr-defined]
    monkeypatch.setattr(layer, "forward", fail)
    with pytest.raises(DoesNotFit) as caught:
        session.prompt("What is the capital of Peru?", max_tokens=6)
    gc.collect()
    assert taken and taken[0]() is None, "the error keeps what it was working on"
    assert "\n" not in str(caught.value) and caught.value.hint
    assert getattr(model.engine, "context_bytes", 0) == 0
    monkeypatch.undo()
    assert session.prompt("Hello", max_tokens=6).text == expected and session.current is model


LIMITED = """
import resource, sys
from kaggle_magics.errors import DoesNotFit
from kaggle_magics.models import pool
from kaggle_magics.session import Session
first, big = sys.argv[1:]
session = Session()
earlier = session.load(first)
said = session.prompt("Hello", max_tokens=4).text
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + (48 << 20), size + (48 << 20)))
for swap in (False, True):
    try:
        session.load(big, swap=swap)
    except DoesNotFit as error:
        print("refused:", error)
    else:
        print("it was loaded")
    assert session.current is earlier and session.prompt("Hello", max_tokens=4).text == said
print("answers again")
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS")
def test_a_model_that_is_really_too_big_leaves_the_earlier_one(tiny_llama: Path, tmp_path: Path) -> None:
    """The plan is told of nothing: the limit is met while the weights are read."""
    import os
    import shutil
    import subprocess

    from transformers import LlamaConfig, LlamaForCausalLM

    big = Path(shutil.copytree(tiny_llama, tmp_path / "big"))
    config = LlamaConfig.from_pretrained(tiny_llama, hidden_size=512, intermediate_size=4096, num_hidden_layers=8)
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(big)
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tiny_llama), str(big)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert [line.startswith("refused: big") for line in lines[:2]] == [True, True], lines
    assert lines[2] == "answers again"
