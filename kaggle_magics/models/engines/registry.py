"""Which module loads which engine. A new engine is one file with `load(plan)` and one line here."""

from __future__ import annotations

import importlib

from kaggle_magics.errors import OptionError
from kaggle_magics.models.engines.protocol import Engine
from kaggle_magics.models.fit.plan import Plan

LOADERS = {
    "transformers": "kaggle_magics.models.engines.transformers.loading",
    "llama.cpp": "kaggle_magics.models.engines.llama_cpp.loading",
}
"""Engine -> the module whose `load(plan)` gives one."""


def load_engine(plan: Plan) -> Engine:
    """Load a plan's checkpoint. Raises `MissingExtra`, `CheckpointError`, `DoesNotFit`."""
    if plan.engine not in LOADERS:
        raise OptionError(f"There is no engine {plan.engine!r}.", f"There are: {', '.join(LOADERS)}.")
    engine: Engine = importlib.import_module(LOADERS[plan.engine]).load(plan)
    return engine
