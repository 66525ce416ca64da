"""Grouped heads are left to torch's kernel on CPUs, for the time of a pass and no longer."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.models.engines.protocol import Engine
from kaggle_magics.models.engines.transformers.grouped import VARIABLE, grouped_heads, takes_grouped_heads

torch: Any = pytest.importorskip("torch", reason="torch is not installed")
sdpa: Any = pytest.importorskip("transformers.integrations.sdpa_attention", reason="transformers is not installed")


@pytest.mark.parametrize("before", [None, "0"])
def test_the_variable_is_as_it_was_after_a_failure_too(before: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    if before is not None:
        monkeypatch.setenv(VARIABLE, before)
    with pytest.raises(ValueError), grouped_heads():
        assert os.environ[VARIABLE] == "1"
        raise ValueError
    assert os.environ.get(VARIABLE) == before


def test_only_where_the_kernel_can() -> None:
    class Older:
        bool, ones, zeros = torch.bool, staticmethod(torch.ones), staticmethod(torch.zeros)

    assert not takes_grouped_heads(torch, "cuda:0", torch.float16)
    assert not takes_grouped_heads(Older, "cpu", torch.float32)


def test_keys_are_not_copied_for_every_head(
    tiny_llama: Path, open_engine: Callable[..., Engine], ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not takes_grouped_heads(torch, "cpu", torch.float32) or not hasattr(sdpa, "use_gqa_in_sdpa"):
        pytest.skip("this torch or transformers has no grouped attention under a mask")
    copied: list[int] = []
    repeat = sdpa.repeat_kv

    def counted(states: Any, times: int) -> Any:
        copied.append(times)
        return repeat(states, times)

    monkeypatch.setattr(sdpa, "repeat_kv", counted)
    engine: Any = open_engine(tiny_llama)
    context = "The library opens at nine and closes at six, from Monday"
    ask(engine, context, max_tokens=1)
    ask(engine, context + " to Friday. And then?", max_tokens=4)
    assert copied == []
