"""The one call that makes, estimates or measures, as it was asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from kaggle_magics.errors import OptionError
from kaggle_magics.models.checkpoint import Checkpoint
from kaggle_magics.models.quantize.measure import Measurement, measure_types
from kaggle_magics.models.quantize.quantize import estimate, quantize
from kaggle_magics.models.quantize.results import Quantized, QuantizeEstimate


def quantize_as_asked(
    checkpoint: Checkpoint,
    to: str | Iterable[str],
    *,
    path: str | os.PathLike[str] | None = None,
    dry_run: bool = False,
    measure: bool = False,
    text: str | None = None,
    check: bool = True,
    requantize: bool = False,
    overwrite: bool = False,
    allow_pickle: bool = False,
    trust_remote_code: bool = False,
    on_progress: Callable[[str], None] | None = None,
) -> Quantized | QuantizeEstimate | list[Measurement]:
    """A GGUF file of the type `to` (see `quantize.quantize`); it can be loaded as a path is.

    With `dry_run` only what it would be. With `measure` a table of one or several types (a list, or with commas between
    them) against the original, on `text` or on a short text of ours. Raises `OptionError` for what does not go
    together, and what these raise.
    """
    if measure and (path is not None or dry_run):
        raise OptionError(
            f"--measure makes no file of its own: {'--dry-run' if dry_run else '--path'} does not go with it.",
            "Leave one of them out.",
        )
    if text is not None and not measure:
        raise OptionError("A text goes with --measure only.", "Add --measure, or leave --text out.")
    allow: dict[str, Any] = {
        "requantize": requantize,
        "allow_pickle": allow_pickle,
        "trust_remote_code": trust_remote_code,
    }
    types = [name.strip() for name in to.split(",") if name.strip()] if isinstance(to, str) else list(to)
    if measure:
        return measure_types(checkpoint, types, text=text, on_progress=on_progress, **allow)
    if len(types) != 1:
        raise OptionError(f"One type is made at a time, not {len(types)}.", "Name one, or add --measure.")
    if dry_run:
        return estimate(checkpoint, types[0], path=path, on_progress=on_progress, **allow)
    return quantize(checkpoint, types[0], path=path, check=check, overwrite=overwrite, on_progress=on_progress, **allow)
