"""Which function describes what: by the class's package and name, so that nothing is imported before it is there.

A new kind of thing is one function `(value, room) -> Words` and one line here. `room` is in characters.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from kaggle_magics.errors import KaggleMagicsError
from kaggle_magics.generation.attachments.description import Words, class_key
from kaggle_magics.generation.attachments.values import describe_object

DESCRIBERS = {
    "pandas.DataFrame": "frames.describe_frame",
    "pandas.Series": "frames.describe_series",
    "numpy.ndarray": "arrays.describe_array",
    "torch.Tensor": "arrays.describe_tensor",
    "matplotlib.Figure": "figures.describe_figure",
    "matplotlib._AxesBase": "figures.describe_axes",
    "pathlib.Path": "files.describe_file",
    "os._Environ": "values.describe_environment",
    "collections.Mapping": "values.describe_container",
    "builtins.dict": "values.describe_container",
    "builtins.list": "values.describe_container",
    "builtins.tuple": "values.describe_container",
    "builtins.set": "values.describe_container",
    "builtins.frozenset": "values.describe_container",
    "builtins.str": "values.describe_text",
    "builtins.bytes": "values.describe_bytes",
    "builtins.bytearray": "values.describe_bytes",
    "builtins.int": "values.describe_number",
    "builtins.float": "values.describe_number",
    "builtins.complex": "values.describe_number",
    "builtins.NoneType": "values.describe_number",
    "builtins.BaseException": "values.describe_exception",
    "builtins.function": "sources.describe_source",
    "builtins.builtin_function_or_method": "sources.describe_source",
    "builtins.method": "sources.describe_source",
    "builtins.type": "sources.describe_source",
    "builtins.module": "sources.describe_source",
}
"""Top package and name of a class -> the function of this folder that describes it and what is derived from it."""


def describer_of(value: object) -> Callable[[Any, int], Words]:
    """The describer of a value's class, or of the nearest class it is derived from."""
    for kind in type(value).__mro__:
        found = DESCRIBERS.get(class_key(kind))
        if found is not None:
            module, _, name = found.rpartition(".")
            describe: Callable[[Any, int], Words] = getattr(importlib.import_module(f"{__package__}.{module}"), name)
            return describe
    return describe_object


def describe(value: object, room: int) -> Words:
    """A value in words of about `room` characters. What fails while it is looked at is told, not raised, except where
    the value is a file: there the person can do something about it."""
    try:
        return describer_of(value)(value, room)
    except KaggleMagicsError:
        raise
    except Exception as error:  # a person's own objects may raise anything
        kind = type(value)
        return Words(
            f"an object of class {kind.__module__}.{kind.__qualname__}, which cannot be looked into"
            f" ({type(error).__name__})"
        )
