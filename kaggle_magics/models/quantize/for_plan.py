"""The conversion that a plan asks for, before llama.cpp loads what comes of it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from kaggle_magics.models.checkpoint import Checkpoint
from kaggle_magics.models.fit.plan import Plan
from kaggle_magics.models.quantize.quantize import quantize, read_result


def convert_for(
    plan: Plan, on_progress: Callable[[str], None] | None = None, stop: threading.Event | None = None
) -> Checkpoint:
    """The GGUF checkpoint of the type `plan.convert_to`, made from `plan.checkpoint` or found in the cache.

    It keeps the name and the origin of the checkpoint it was made from. Where the plan asks for no conversion
    its own checkpoint is returned. Raises `OptionError`, `CheckpointError`, `MissingExtra`, `NoSpace`; `Stopped` when
    `stop` is set.
    """
    if plan.convert_to is None:
        return plan.checkpoint
    result = quantize(
        plan.checkpoint,
        plan.convert_to,
        # A plan for pickled weights is only made where they were allowed.
        allow_pickle=plan.checkpoint.format == "pickle",
        trust_remote_code=plan.trust_remote_code,
        on_progress=on_progress,
        stop=stop,
    )
    return read_result(result, plan.checkpoint)
