"""The models in memory by name, which of them is current, and what loading and unloading does to memory."""

from __future__ import annotations

import time

from kaggle_magics import memory
from kaggle_magics.errors import ModelNotLoaded, did_you_mean
from kaggle_magics.models.checkpoint import Checkpoint
from kaggle_magics.models.engines.protocol import Engine
from kaggle_magics.models.engines.registry import load_engine
from kaggle_magics.models.loaded import LoadedModel
from kaggle_magics.models.plan import Plan


class ModelPool:
    """Loaded models by name. `session.Session` has one and hands its calls on."""

    def __init__(self) -> None:
        self.loaded: dict[str, LoadedModel] = {}
        self._current: str | None = None

    @property
    def current(self) -> LoadedModel | None:
        """The model that answers when none is named."""
        return self.loaded.get(self._current) if self._current else None

    def get(self, name: str | None = None) -> LoadedModel:
        """The loaded model of that name, or the current one; `ModelNotLoaded` where there is none."""
        name = name or self._current
        if name in self.loaded:
            return self.loaded[name]
        if name is None:
            raise ModelNotLoaded("No model is loaded.", "Load one with %llm_load; %llm_models lists what is there.")
        raise ModelNotLoaded(
            f"No model named {name!r} is loaded.", did_you_mean(name, self.loaded) or f"Load it with: %llm_load {name}"
        )

    def use(self, name: str) -> LoadedModel:
        """Make a loaded model the current one."""
        model = self.get(name)
        self._current = model.name
        return model

    def load(self, plan: Plan, *, name: str | None = None) -> LoadedModel:
        """Load and warm a plan's checkpoint and make it the current one.

        What is loaded already, in the same way, is only made current; in another way it is replaced. Raises
        `DoesNotFit`, `CheckpointError` or `MissingExtra`.
        """
        name = name or self._free_name(plan.checkpoint)
        before = self.loaded.get(name)
        if before and before.plan and _same_run(before.plan, plan):
            return self.use(name)
        if before:
            self.unload(name)
        started, held = time.perf_counter(), memory.process_bytes()
        engine = load_engine(plan)
        self.loaded[name] = LoadedModel(
            name,
            engine,
            plan.checkpoint,
            plan,
            seconds=time.perf_counter() - started,
            bytes_taken=max(0, memory.process_bytes() - held),
        )
        return self.use(name)

    def adopt(self, engine: Engine, *, name: str) -> LoadedModel:
        """Make an engine that was built elsewhere the current model; one of the same name is unloaded first."""
        if name in self.loaded:
            self.unload(name)
        self.loaded[name] = LoadedModel(name, engine)
        return self.use(name)

    def unload(self, name: str | None = None) -> int:
        """Free a model (the current one by default), once its answer has ended; bytes given back, measured."""
        model = self.get(name)
        held = memory.process_bytes()
        with model.lock:
            del self.loaded[model.name]
            model.engine.close()
        if self._current == model.name:
            self._current = next(reversed(self.loaded), None)
        memory.release()
        return max(0, held - memory.process_bytes())

    def _free_name(self, checkpoint: Checkpoint) -> str:
        """The checkpoint's name; with a number behind it when another checkpoint is loaded under that name."""
        name, number = checkpoint.name, 2
        while name in self.loaded and self.loaded[name].source != str(checkpoint.path):
            name, number = f"{checkpoint.name}-{number}", number + 1
        return name


def _same_run(one: Plan, other: Plan) -> bool:
    """Whether two plans run the same weights in the same way (their memory is an estimate of the moment)."""
    first, second = (
        (plan.checkpoint.path, plan.engine, plan.device, plan.dtype, plan.context_length) for plan in (one, other)
    )
    return first == second
