"""The first token of a model that was just loaded: what is slow or wrong the first time shows while loading."""

from __future__ import annotations

from kaggle_magics.errors import CheckpointError, EngineError
from kaggle_magics.models.engines.decoding import LocalEngine
from kaggle_magics.models.fit.plan import Plan


def warm_up(engine: LocalEngine, plan: Plan) -> None:
    """Run one token; close the engine when that fails. Raises `CheckpointError` for weights that are not numbers."""
    try:
        engine.warm_up()
    except EngineError as error:
        # In float16 a number may only have been too large; the error says so.
        if "not a number" in error.message and plan.dtype != "float16":
            raise CheckpointError(
                f"The weights of {plan.checkpoint.name} are damaged: what it computes are not numbers.",
                "Attach or download it again.",
            ) from error
        raise
