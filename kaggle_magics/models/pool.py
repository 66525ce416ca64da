"""The models in memory by name, which of them is current, and what loading and unloading does to memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from kaggle_magics import memory
from kaggle_magics.errors import DoesNotFit, KaggleMagicsError, ModelNotLoaded, OptionError, did_you_mean
from kaggle_magics.extras import require
from kaggle_magics.models.adapter_fit import check_adapter
from kaggle_magics.models.adopt import adopt
from kaggle_magics.models.checkpoint import Checkpoint
from kaggle_magics.models.engines.protocol import Engine
from kaggle_magics.models.engines.registry import load_engine
from kaggle_magics.models.find.catalog import list_checkpoints
from kaggle_magics.models.fit.choices import Choice, choices, takes, with_options
from kaggle_magics.models.fit.machine import Machine, this_machine
from kaggle_magics.models.fit.plan import ENGINES, Plan, make_plan
from kaggle_magics.models.fit.remedies import explained
from kaggle_magics.models.fit.speed import conversion_seconds
from kaggle_magics.models.loaded import LoadedModel, LoadOptions, Wanted

OnProgress = Callable[[str], None]
"""Gets one line that says how far something long has come."""


class ModelPool:
    """Loaded models by name. `session.Session` has one and hands its calls on."""

    def __init__(self) -> None:
        self.loaded: dict[str, LoadedModel] = {}
        self._current: str | None = None
        self._changing = threading.RLock()

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

    def plan(
        self, checkpoint: Checkpoint, options: LoadOptions, *, name: str | None = None, swap: bool = False
    ) -> Plan:
        """How a checkpoint would run, with the memory that the models give back which loading it would unload."""
        leaving = self._leaving(self._name(name, checkpoint), swap)
        with self._offers(leaving):
            return plan_for(checkpoint, options, machine_without(leaving) if leaving else None)

    def choices(self, checkpoint: Checkpoint, options: LoadOptions, *, name: str | None = None) -> list[Choice]:
        """Every way to run a checkpoint, with the memory that the model of this name gives back."""
        leaving = self._leaving(self._name(name, checkpoint), swap=False)
        if options.adapter is not None:
            check_adapter(options.adapter, checkpoint)
        ways = choices(
            checkpoint,
            machine=machine_without(leaving) if leaving else None,
            dtype=options.dtype,
            context=options.context,
            device=options.device,
            quant=options.quant,
            adapter=options.adapter,
            siblings=list_checkpoints(),
        )
        return with_options(ways, adapter=options.adapter, allow_pickle=options.allow_pickle)

    def load(
        self,
        checkpoint: Checkpoint,
        options: LoadOptions,
        *,
        name: str | None = None,
        swap: bool = False,
        by_default: bool = False,
        on_progress: OnProgress | None = None,
    ) -> LoadedModel:
        """Load and warm a checkpoint and make it the current model.

        What is loaded already, in the same way, is only made current; in another way it is replaced. `swap` unloads the
        current model, too. What is replaced is unloaded first, so that there are never both in memory; when the new one
        cannot be loaded, or an interrupt ends it, it is loaded again. Raises `DoesNotFit`, `CheckpointError`,
        `OptionError` or `MissingExtra`.
        """
        with self._changing:
            name = self._name(name, checkpoint)
            wanted = Wanted.of(checkpoint, options)
            there = self.loaded.get(name)
            leaving = self._leaving(name, swap)
            if there and there.wanted == wanted:
                return self._only_switch(there, leaving)
            with self._offers(leaving):
                plan = plan_for(checkpoint, options, machine_without(leaving) if leaving else None)
            if there and there.plan and there.wanted and _same_run(there, plan, wanted):
                return self._only_switch(there, leaving)
            if plan.convert_to:
                # While the earlier model still stands: if it fails or is stopped, nothing has happened.
                _to_run(plan, on_progress)
            if on_progress is not None:
                on_progress(f"Loading {name} ({plan.memory['weights'] / 1e6:,.0f} MB, {plan.engine}, {plan.device})")
            # What is not installed shows before anything is unloaded; and a model is not measured with its library.
            _import_library(plan)
            try:
                model = self._replace(leaving, lambda: _start(name, plan))
            except DoesNotFit as error:
                error.plan = error.plan or plan
                explained(error, held=self._held(without=leaving), others=list_checkpoints(), tried=True)
                raise
            model.wanted, model.by_default = wanted, by_default
            return model

    def adopt(self, things: tuple[Any, ...], *, name: str | None = None, context: int | None = None) -> LoadedModel:
        """Make live objects the current model, see `adopt.adopt`; a model of the same name is unloaded first.

        The same objects again are only made current. Raises `OptionError`, and leaves everything as it was.
        """
        with self._changing:
            there = next((model for model in self.loaded.values() if _same_things(model, things, name, context)), None)
            if there is not None:
                return self.use(there.name)
            if name is not None:
                self._checked(name)
            started = time.perf_counter()
            adopted = adopt(things, name=name, context=context)
            if adopted.name in self.loaded and self.loaded[adopted.name].engine is not adopted.engine:
                self.unload(adopted.name)
            model = LoadedModel(adopted.name, adopted.engine, adopted.checkpoint, adopted=adopted.lent)
            model.seconds = time.perf_counter() - started
            if adopted.lent is not None:
                model.things, model.wanted_context = things, context
            self.loaded[model.name] = model
            return self.use(model.name)

    def connect(
        self, reference: str, *, name: str | None = None, context: int | None = None, swap: bool = False
    ) -> LoadedModel:
        """Make a model on a server (`openai:URL#model`) the current one. Errors as `endpoint.connect`.

        The same model of the same server again is only made current.
        """
        from kaggle_magics.models.engines import endpoint

        with self._changing:
            server = endpoint.parse(reference)
            if server is None:
                raise OptionError(f"{reference!r} names no server.", "Write openai:URL#model.")
            started = time.perf_counter()
            engine = endpoint.connect(server, context=context)
            name = self._free_name(engine.reference.name, engine.facts.library) if name is None else self._checked(name)
            there, leaving = self.loaded.get(name), self._leaving(name, swap)
            if there is not None and there.facts == engine.facts:
                return self._only_switch(there, leaving)
            seconds = time.perf_counter() - started
            return self._replace(leaving, lambda: LoadedModel(name, engine, seconds=seconds))

    def put(self, model: LoadedModel, *, swap: bool = False) -> LoadedModel:
        """Make a model that takes no memory the current one, in place of one of its name."""
        with self._changing:
            model.name = self._free_name(model.name, model.source)
            return self._replace(self._leaving(model.name, swap), lambda: model)

    def unload(self, name: str | None = None) -> int:
        """Free a model (the current one by default), once its answer has ended; bytes given back, measured."""
        with self._changing:
            model = self.get(name)
            held = memory.process_bytes()
            with model.lock:
                del self.loaded[model.name]
                model.engine.close()
                model.things = None
            if self._current == model.name:
                self._current = next(reversed(self.loaded), None)
            memory.forget_last_errors()
            memory.release()
            return max(0, held - memory.process_bytes())

    def out_of_memory(self, model: LoadedModel, error: DoesNotFit) -> DoesNotFit:
        """The error for an answer that ran out of memory: what was held is freed, what would fit is named."""
        memory.let_go(error)
        # What earlier prompts left in the cache goes first: it only makes the next answer faster.
        getattr(model.engine, "forget", lambda: None)()
        memory.release()
        fresh = DoesNotFit(error.message, error.hint)
        fresh.plan = model.plan
        return explained(fresh, held=self._held(without=[model]), others=list_checkpoints(), tried=True)

    @contextmanager
    def _offers(self, leaving: Sequence[LoadedModel]) -> Iterator[None]:
        """What does not fit says what would, counting what other loaded models hold and what else is attached."""
        try:
            yield
        except DoesNotFit as error:
            explained(error, held=self._held(without=leaving), others=list_checkpoints())
            raise

    def _held(self, without: Sequence[LoadedModel]) -> dict[str, Mapping[str, int]]:
        """What unloading each model gives back: name -> device -> bytes."""
        return {name: model.private for name, model in self.loaded.items() if model not in without and model.private}

    def default_checkpoint(self) -> Checkpoint | None:
        """The checkpoint that was chosen when no reference was given, while it is loaded."""
        return next((model.checkpoint for model in self.loaded.values() if model.by_default), None)

    def _name(self, name: str | None, checkpoint: Checkpoint) -> str:
        return self._free_name(checkpoint.name, str(checkpoint.path)) if name is None else self._checked(name)

    def _checked(self, name: str) -> str:
        if not isinstance(name, str) or not name.strip():
            raise OptionError(f"name must be text that is not empty, not {name!r}.")
        return name

    def _free_name(self, wanted: str, source: str) -> str:
        """The name; with a number behind it when a model from elsewhere is loaded under that name."""
        name, number = wanted, 2
        while name in self.loaded and self.loaded[name].source != source:
            name, number = f"{wanted}-{number}", number + 1
        return name

    def _leaving(self, name: str, swap: bool) -> list[LoadedModel]:
        """The models that loading one under `name` unloads."""
        current = self.current if swap else None
        leaving = [model for model in (self.loaded.get(name), current) if model is not None]
        return list(dict.fromkeys(leaving))

    def _only_switch(self, there: LoadedModel, leaving: Iterable[LoadedModel]) -> LoadedModel:
        for model in leaving:
            if model is not there:
                self.unload(model.name)
        return self.use(there.name)

    def _replace(self, leaving: list[LoadedModel], start: Callable[[], LoadedModel]) -> LoadedModel:
        """Take models out, start another in their place; when that fails, everything is as before."""
        before, order = self._current, dict(self.loaded)
        trouble: BaseException | None = None
        try:
            for model in leaving:
                with model.lock:
                    self.loaded.pop(model.name, None)
                    if _can_come_back(model):
                        model.engine.close()
            memory.forget_last_errors()
            memory.release()
            fresh = start()
        except BaseException as error:
            trouble = _explained(error)
        if trouble is None:
            for model in leaving:
                model.engine.close()
                model.things = None
            self.loaded[fresh.name] = fresh
            return self.use(fresh.name)
        try:
            # Outside the handler: a half-loaded model lives no longer than its frames.
            memory.let_go(trouble)
            memory.release()
            lost = bring_back(leaving)
            self.loaded = {name: model for name, model in order.items() if name not in lost}
            self._current = before if before in self.loaded else next(reversed(self.loaded), None)
            if lost and isinstance(trouble, KaggleMagicsError):
                trouble.hint = f"{trouble.hint or ''} {' '.join(lost.values())}".strip()
            raise trouble
        finally:
            del trouble


def _same_things(model: LoadedModel, things: tuple[Any, ...], name: str | None, context: int | None) -> bool:
    if model.things is None or model.wanted_context != context or name not in (None, model.name):
        return False
    return len(model.things) == len(things) and all(a is b for a, b in zip(model.things, things, strict=True))


def plan_for(checkpoint: Checkpoint, options: LoadOptions, machine: Machine | None = None) -> Plan:
    """How a checkpoint would run on a machine, this one by default; errors as `make_plan`."""
    plan = make_plan(
        checkpoint,
        machine=machine,
        dtype=options.dtype,
        context=options.context,
        device=options.device,
        quant=options.quant,
        allow_pickle=options.allow_pickle,
        adapter=options.adapter,
        siblings=list_checkpoints() if options.quant == "auto" else (),
    )
    if options.adapter is not None:
        check_adapter(options.adapter, checkpoint)
        if not takes(plan, options.adapter):
            # Before anything is converted for it.
            raise OptionError(
                f"{options.adapter.name} is a PEFT adapter, which a conversion to {plan.convert_to or plan.dtype} "
                "cannot take.",
                "Leave --quant out, or take --quant nf4.",
            )
    return replace(plan, adapter=options.adapter, trust_remote_code=options.trust_remote_code)


def _start(name: str, plan: Plan) -> LoadedModel:
    started, held, private = time.perf_counter(), memory.process_bytes(), memory.private_bytes()
    engine = _engine(plan)
    now = memory.private_bytes()
    return LoadedModel(
        name,
        engine,
        plan.checkpoint,
        plan,
        seconds=time.perf_counter() - started,
        bytes_taken=max(0, memory.process_bytes() - held),
        private={device: max(0, taken - private.get(device, 0)) for device, taken in now.items()},
    )


def _engine(plan: Plan) -> Engine:
    plan = _to_run(plan)
    with memory.apart():
        return load_engine(plan)


def _import_library(plan: Plan) -> None:
    """Raises `MissingExtra`."""
    name = {engine: library for engine, library in ENGINES.values()}.get(plan.engine)
    if name is not None:
        library = require(name, f"Running {plan.checkpoint.name}")
        for lazy in ("AutoModelForCausalLM", "AutoTokenizer"):
            getattr(library, lazy, None)


def _to_run(plan: Plan, on_progress: OnProgress | None = None) -> Plan:
    """The plan with the file it runs: converted first where it says so, or found where that was done before."""
    if plan.convert_to is None:
        return plan
    from kaggle_magics.models.quantize.for_plan import convert_for

    if on_progress is not None:
        seconds = conversion_seconds(plan.checkpoint, plan.convert_to, plan.threads)
        on_progress(
            f"Unless it was made before, {plan.checkpoint.name} is converted to {plan.convert_to} first: "
            f"about {seconds:,.0f} s and {plan.disk / 1e6:,.0f} MB of disk."
        )
    return replace(plan, checkpoint=convert_for(plan, on_progress))


def _can_come_back(model: LoadedModel) -> bool:
    """Whether a model can be closed and loaded again; what the notebook lent us, or a server runs, cannot."""
    return model.plan is not None


def bring_back(models: Iterable[LoadedModel]) -> dict[str, str]:
    """Load closed models again; by name, why some are lost."""
    lost: dict[str, str] = {}
    for model in models:
        if model.plan is None:
            continue
        try:
            model.engine = _engine(model.plan)
        except KaggleMagicsError as error:
            lost[model.name] = f"{model.name}, which was loaded before, is unloaded now ({error.message})"
            memory.let_go(error)
    return lost


def machine_without(models: Iterable[LoadedModel]) -> Machine:
    """This machine as it will be once these models are unloaded."""
    machine = this_machine()
    for model in models:
        back: Mapping[str, int] = model.private
        gpus = tuple(
            replace(gpu, free=min(gpu.memory, gpu.free + back.get(gpu.device, 0))) if gpu.usable else gpu
            for gpu in machine.gpus
        )
        available = min(machine.memory, machine.available + back.get("cpu", 0))
        machine = replace(machine, available=available, gpus=gpus)
    return machine


def _explained(error: BaseException) -> BaseException:
    """The same trouble as one of our errors where it is about memory; anything else passes unchanged."""
    if isinstance(error, KaggleMagicsError) or not memory.is_out_of_memory(error):
        return error
    full = DoesNotFit("The memory ran out while the model was loaded.", "Load a smaller one, or unload another.")
    full.__cause__ = error
    return full


def _same_run(there: LoadedModel, plan: Plan, wanted: Wanted) -> bool:
    """Whether a loaded model runs the same files in the same way (a plan's memory is an estimate of the moment)."""
    assert there.plan is not None and there.wanted is not None
    return there.wanted.stamp == wanted.stamp and _way(there.plan) == _way(plan)


def _way(plan: Plan) -> tuple[object, ...]:
    """What decides how weights run."""
    return (
        plan.checkpoint.path,
        plan.engine,
        plan.device,
        plan.dtype,
        plan.context_length,
        plan.quant,
        plan.convert_to,
        plan.adapter,
        plan.trust_remote_code,
        plan.gpu_layers,
        tuple(plan.split or ()),
    )
