"""Names of a person's own for models: `%config KaggleMagics.aliases = {"tiny": "qwen2.5/transformers/0.5b"}`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TypeVar

from kaggle_magics.errors import ModelNotFound, OptionError

Aliases = Mapping[str, str]
Found = TypeVar("Found")


def follow(
    reference: str | os.PathLike[str], aliases: Aliases, find: Callable[[str | os.PathLike[str]], Found]
) -> Found:
    """`find` of the reference, or of what it is an alias of.

    An alias goes before a model of the same name. Raises `OptionError` for an alias of an alias and for what is no
    reference, `ModelNotFound` for an alias that leads nowhere.
    """
    if not isinstance(reference, str | os.PathLike) or not isinstance(os.fspath(reference), str):
        raise OptionError(f"A model is named by text or a path, not by {type(reference).__name__}.")
    if not isinstance(reference, str) or (target := aliases.get(reference.strip())) is None:
        return find(reference)
    name = reference.strip()
    if not isinstance(target, str) or not target.strip():
        raise OptionError(f"The alias {name!r} stands for {target!r}, which names no model.", _set(name))
    if target.strip() in aliases:
        raise OptionError(f"The alias {name!r} stands for another alias, {target.strip()!r}.", _set(name))
    try:
        return find(target)
    except ModelNotFound as error:
        raise ModelNotFound(f"The alias {name!r} stands for {target!r}. {error.message}", error.hint) from error


def _set(name: str) -> str:
    return f'Let it stand for a model: %config KaggleMagics.aliases = {{"{name}": "..."}}'
