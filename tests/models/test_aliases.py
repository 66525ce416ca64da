"""Names of a person's own lead to one model, or say in one line why not."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.errors import ModelNotFound, OptionError
from kaggle_magics.models.find.reference import resolve, resolve_adapter

Make = Callable[..., Path]

pytestmark = pytest.mark.usefixtures("caches")


def test_an_alias_goes_before_a_model_of_its_name(tree: Path, make_folder: Make, make_adapter: Make) -> None:
    qwen = make_folder(tree / "models/qwen-lm/qwen2.5/transformers/0.5b/1")
    make_folder(tree / "tiny")
    lora = make_adapter(tree / "models/ada/my-lora/transformers/default/1")
    aliases = {"tiny": "qwen2.5/transformers/0.5b", "style": "ada/my-lora", "here": str(qwen)}
    assert resolve("tiny", aliases=aliases).path == qwen and resolve("tiny").path == tree / "tiny"
    assert resolve(" here ", aliases=aliases).path == qwen
    assert resolve_adapter("style", aliases=aliases).path == lora
    # A path is a path.
    assert resolve(tree / "tiny", aliases=aliases).path == tree / "tiny"


def test_what_an_alias_cannot_be(tree: Path) -> None:
    aliases: dict[str, Any] = {"a": "b", "b": "pocket", "self": "self", "gone": "no-such-model", "none": "", "odd": 3}
    for name in ("a", "self"):
        with pytest.raises(OptionError, match=f"The alias '{name}' stands for another alias"):
            resolve(name, aliases=aliases)
    with pytest.raises(ModelNotFound, match=r"The alias 'gone' stands for 'no-such-model'\. No model is called"):
        resolve("gone", aliases=aliases)
    for name in ("none", "odd"):
        with pytest.raises(OptionError, match="names no model"):
            resolve(name, aliases=aliases)


@pytest.mark.parametrize("odd", [3, b"pocket", ["pocket"], object()])
def test_what_is_no_reference(odd: Any) -> None:
    with pytest.raises(OptionError, match="named by text or a path"):
        resolve(odd)


def test_bytes_paths_are_refused(tmp_path: Path) -> None:
    class Odd(os.PathLike):  # type: ignore[type-arg]
        def __fspath__(self) -> bytes:
            return b"/tmp"

    with pytest.raises(OptionError, match="named by text or a path"):
        resolve(Odd())


def test_a_server_s_address_is_left_alone() -> None:
    with pytest.raises(OptionError, match="a server's address, not a model on this machine"):
        resolve("openai:http://127.0.0.1:8000/v1#qwen")
