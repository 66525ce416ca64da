"""What would fit where something did not: as lines to type, the cheapest change first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from kaggle_magics.errors import DoesNotFit, KaggleMagicsError
from kaggle_magics.models.checkpoint import DTYPE_BYTES, Checkpoint
from kaggle_magics.models.fit.choices import choices, command, gguf_siblings, typed
from kaggle_magics.models.fit.machine import Machine, this_machine
from kaggle_magics.models.fit.placing import MARGIN
from kaggle_magics.models.fit.plan import Plan, candidates, fits
from kaggle_magics.models.fit.quants import LITTLE

_STEP = 256
"""Contexts are offered in multiples of this."""
_SMALLEST = 512
"""A context below this is of no use."""
SHOWN = 3


@dataclass(frozen=True, slots=True)
class Remedy:
    """One thing to do. `command` is what to type, `effect` what it changes, in a few words."""

    kind: str
    """ "context", "unload", "quant", "device" or "model"."""
    command: str
    effect: str


def remedies(
    plan: Plan,
    machine: Machine | None = None,
    *,
    held: Mapping[str, Mapping[str, int]] | None = None,
    others: Sequence[Checkpoint] = (),
    tried: bool = False,
) -> list[Remedy]:
    """What would make room for a plan that does not fit, or that ran out of memory while it answered.

    `held` are the other loaded models: name -> device -> bytes that unloading gives back. `others` are checkpoints that
    are attached. `tried` says that memory ran out although the plan should fit: then what takes as much is not offered.
    """
    machine = machine or this_machine()
    limit = plan.bytes if tried else None
    steps = (
        _shorter_context(plan, machine, limit),
        _unloading(plan, machine, held or {}, limit),
        *_quantised(plan, machine, others, limit),
        _other_device(plan, machine),
        _smaller_model(plan, machine, others, limit),
    )
    return [step for step in steps if step is not None]


def as_hint(found: Sequence[Remedy], shown: int = SHOWN) -> str:
    """The first few as one sentence; empty where there is none."""
    if not found:
        return ""
    return "What would fit: " + "; or ".join(f"{step.command} ({step.effect})" for step in found[:shown]) + "."


def explained(
    error: DoesNotFit,
    *,
    machine: Machine | None = None,
    held: Mapping[str, Mapping[str, int]] | None = None,
    others: Sequence[Checkpoint] = (),
    tried: bool = False,
) -> DoesNotFit:
    """The same error, its hint made of what would fit where its plan is known; see `remedies`."""
    if isinstance(error.plan, Plan):
        error.hint = as_hint(remedies(error.plan, machine, held=held, others=others, tried=tried)) or error.hint
    return error


def _shorter_context(plan: Plan, machine: Machine, limit: int | None) -> Remedy | None:
    """The longest context, at most half of the plan's where that was tried, with which everything else stays."""
    low, high = _SMALLEST // _STEP, (plan.context_length // 2 if limit else plan.context_length - 1) // _STEP
    found = None
    while low <= high:
        middle = (low + high) // 2
        shorter = _again(plan, machine, context=middle * _STEP)
        if shorter is not None and _goes(shorter, machine, limit):
            found, low = shorter, middle + 1
        else:
            high = middle - 1
    if found is None:
        return None
    tokens = found.context_length
    return Remedy("context", command(plan, context=tokens), f"a context of {tokens} tokens")


def _unloading(plan: Plan, machine: Machine, held: Mapping[str, Mapping[str, int]], limit: int | None) -> Remedy | None:
    """The one loaded model whose memory is enough, the smallest first; else all of them, if that is enough."""
    by_size = sorted(held, key=lambda name: sum(held[name].values()))
    for names in [(name,) for name in by_size] + ([tuple(by_size)] if len(by_size) > 1 else []):
        freed: dict[str, int] = {}
        for name in names:
            for device, size in held[name].items():
                freed[device] = freed.get(device, 0) + size
        if sum(freed.values()) > 0 and (limit is not None or fits(plan, _with(machine, freed))):
            lines = " and ".join(f"%llm_unload {name}" for name in names)
            return Remedy("unload", lines, f"gives back {sum(freed.values()) / 1e9:.1f} GB")
    return None


def _quantised(plan: Plan, machine: Machine, others: Sequence[Checkpoint], limit: int | None) -> list[Remedy]:
    """The same model in fewer bits, least loss first: at most two."""
    try:
        ways = choices(plan.checkpoint, machine=machine, context=plan.context_length, siblings=others)
    except KaggleMagicsError:
        return []
    now = plan.memory["weights"]
    smaller = [
        way
        for way in ways
        if way.fits and not way.missing and way.plan.memory["weights"] < now and _goes(way.plan, machine, limit)
    ]
    # 16-bit floats lose nothing, and make a CPU without instructions for them read prompts six times slower.
    smaller.sort(key=lambda way: (way.loss > LITTLE, way.plan.device == "cpu" and way.name in DTYPE_BYTES, way.loss))
    return [Remedy("quant", way.command, f"{way.plan.bytes / 1e9:.1f} GB on {way.plan.device}") for way in smaller[:2]]


def _other_device(plan: Plan, machine: Machine) -> Remedy | None:
    for device in [gpu.device for gpu in machine.gpus] + ["cpu"]:
        if device in plan.bytes_on:
            continue
        moved = _again(plan, machine, device=device)
        if moved is not None and fits(moved, machine):
            pace = f", about {moved.tokens_per_second:.0f} tokens/s" if moved.tokens_per_second else ""
            return Remedy("device", command(plan, device=device), f"on {device}{pace}")
    return None


def _smaller_model(plan: Plan, machine: Machine, others: Sequence[Checkpoint], limit: int | None) -> Remedy | None:
    """The largest attached model of the same kind that fits as it is stored."""
    same = {other.path for other in gguf_siblings(plan.checkpoint, others)} | {plan.checkpoint.path}
    for other in sorted(others, key=lambda other: -other.bytes):
        if other.path in same or other.kind != plan.checkpoint.kind or other.format == "pickle":
            continue
        if (other.parameters or 0) >= (plan.checkpoint.parameters or 0) > 0:
            continue
        found = next((each for each in candidates(other, machine) if fits(each, machine)), None)
        if found is not None and _goes(found, machine, limit):
            return Remedy("model", f"%llm_load {typed(other)}", f"{found.bytes / 1e9:.1f} GB on {found.device}")
    return None


def _again(plan: Plan, machine: Machine, *, context: int | None = None, device: str | None = None) -> Plan | None:
    """The same plan with one thing changed; None where that cannot be."""
    try:
        plans = candidates(
            plan.checkpoint,
            machine,
            dtype=None if plan.convert_to or plan.checkpoint.format == "gguf" or device else plan.dtype,
            context=context or plan.context_length,
            device=device or (None if plan.split else plan.device),
            quant=plan.quant or plan.convert_to,
        )
    except KaggleMagicsError:
        return None
    return next((each for each in plans if fits(each, machine)), plans[0])


def _goes(plan: Plan, machine: Machine, limit: int | None) -> bool:
    return fits(plan, machine) and (limit is None or plan.bytes * MARGIN <= limit)


def _with(machine: Machine, freed: Mapping[str, int]) -> Machine:
    """The machine with memory given back on its devices."""
    gpus = tuple(replace(gpu, free=gpu.free + freed.get(gpu.device, 0)) for gpu in machine.gpus)
    return replace(machine, available=machine.available + freed.get("cpu", 0), gpus=gpus)
