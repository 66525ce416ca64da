"""The table of ways to run a model knows of an adapter and of pickled weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.errors import CheckpointError, OptionError
from kaggle_magics.models.checkpoint import read_checkpoint
from kaggle_magics.models.loaded import LoadOptions
from kaggle_magics.models.pool import ModelPool

pytestmark = pytest.mark.usefixtures("caches")


def test_an_adapter_leaves_the_ways_of_its_own_engine(
    tmp_path: Path, make_folder: Callable[..., Path], make_adapter: Callable[..., Path]
) -> None:
    model, adapter = read_checkpoint(make_folder(tmp_path / "little")), make_adapter(tmp_path / "adapter")
    plain = ModelPool().choices(model, LoadOptions())
    assert "llama.cpp" in {way.plan.engine for way in plain} and not any("--adapter" in way.command for way in plain)
    ways = ModelPool().choices(model, LoadOptions(adapter=adapter))
    assert {way.plan.engine for way in ways} == {"transformers"} and [way.taken for way in ways].count(True) == 1
    assert all(way.command.endswith(f"--adapter {adapter}") and way.plan.adapter == adapter for way in ways)
    with pytest.raises(CheckpointError, match="GGUF adapter"):
        ModelPool().choices(model, LoadOptions(adapter=gguf_adapter(tmp_path)))


@pytest.mark.gguf
def test_auto_takes_a_way_that_takes_the_adapter(
    tmp_path: Path, make_folder: Callable[..., Path], make_adapter: Callable[..., Path]
) -> None:
    """Else a model would be converted first, and the adapter refused after it."""
    # Too slow as stored on a CPU: "auto" converts it.
    folder = make_folder(tmp_path / "slow", parameters=3_000_000, num_hidden_layers=400, hidden_size=2048)
    model, adapter = read_checkpoint(folder), make_adapter(tmp_path / "adapter")
    auto, with_adapter = LoadOptions("auto", device="cpu"), LoadOptions("auto", device="cpu", adapter=adapter)
    assert [way.plan.engine for way in ModelPool().choices(model, auto) if way.taken] == ["llama.cpp"]
    assert [way.plan.engine for way in ModelPool().choices(model, with_adapter) if way.taken] == ["transformers"]
    assert ModelPool().plan(model, with_adapter).engine == "transformers"
    asked = LoadOptions("q4_k_m", device="cpu", adapter=adapter)
    assert not any(way.taken for way in ModelPool().choices(model, asked))
    with pytest.raises(OptionError, match=r"PEFT adapter.*cannot take"):
        ModelPool().plan(model, asked)


def gguf_adapter(folder: Path) -> Path:
    import gguf
    import numpy as np

    path = folder / "adapter.gguf"
    writer: Any = gguf.GGUFWriter(str(path), "llama")
    writer.add_string("general.type", "adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_tensor("blk.0.attn_q.weight.lora_a", np.zeros((8, 8), np.float32))
    for write in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_tensors_to_file):
        write()
    writer.close()
    return path


def test_pickled_weights_are_taken_only_when_they_are_allowed(tmp_path: Path, make_folder: Callable[..., Path]) -> None:
    folder = make_folder(tmp_path / "old")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    model = read_checkpoint(folder)
    refused, allowed = (ModelPool().choices(model, LoadOptions(allow_pickle=allow)) for allow in (False, True))
    assert refused and all("--allow-pickle" in way.command for way in refused + allowed)
    assert not any(way.taken for way in refused) and any(way.taken for way in allowed)
    assert all("can run any code" in way.why for way in refused) and not any("any code" in way.why for way in allowed)
