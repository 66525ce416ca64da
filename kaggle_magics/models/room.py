"""Making room: loaded models that stand aside while another one runs, and come back as they were."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kaggle_magics import memory
from kaggle_magics.errors import DoesNotFit
from kaggle_magics.models.checkpoint import Checkpoint
from kaggle_magics.models.loaded import LoadedModel, LoadOptions
from kaggle_magics.models.pool import ModelPool, bring_back, machine_without, plan_for


def in_the_way(pool: ModelPool, checkpoint: Checkpoint, options: LoadOptions) -> list[LoadedModel]:
    """The loaded models that must stand aside so that a checkpoint fits, the largest first; as few as possible.

    None where it fits as it is, and none where it would not fit even alone: loading it says so. What the notebook lent
    us, or a server runs, cannot come back and stays.
    """
    movable = [model for model in pool.loaded.values() if model.plan is not None and any(model.private.values())]
    movable.sort(key=lambda model: sum(model.private.values()), reverse=True)
    for leaving in range(len(movable) + 1):
        try:
            plan_for(checkpoint, options, machine_without(movable[:leaving]) if leaving else None)
        except DoesNotFit:
            continue
        return movable[:leaving]
    return []


def stand_aside(pool: ModelPool, models: Iterable[LoadedModel]) -> None:
    """Free what models hold, each once its answer has ended; `come_back` brings the same objects back."""
    for model in models:
        with model.lock:
            pool.loaded.pop(model.name, None)
            model.engine.close()
    memory.forget_last_errors()
    memory.release()


def come_back(pool: ModelPool, models: Sequence[LoadedModel], order: Sequence[str]) -> dict[str, str]:
    """Load models that stood aside again, into their places in `order`; by name, why some could not be."""
    lost = bring_back(models)
    pool.loaded.update({model.name: model for model in models if model.name not in lost})
    names = [*(name for name in order if name in pool.loaded), *(name for name in pool.loaded if name not in order)]
    pool.loaded = {name: pool.loaded[name] for name in names}
    return lost
