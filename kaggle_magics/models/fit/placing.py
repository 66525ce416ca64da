"""Where a model's layers go: one GPU, several, a GPU and the CPU together, or the CPU; and what that takes on each."""

from __future__ import annotations

from dataclasses import dataclass, replace

from kaggle_magics.models.checkpoint import Checkpoint
from kaggle_magics.models.fit import speed
from kaggle_magics.models.fit.hardware import Speed
from kaggle_magics.models.fit.machine import Gpu, Machine
from kaggle_magics.models.fit.memory import Form, estimate

MARGIN = 1.1
"""Needed memory over estimated memory."""
_FEWEST_LAYERS = 1 / 8
"""Of the layers on a GPU for it to be worth sharing a model with the CPU."""


@dataclass(frozen=True, slots=True)
class Placement:
    """One way to lay a model out. `memory` is bytes by part, `by_device` the same bytes by device."""

    form: Form
    memory: dict[str, int]
    by_device: dict[str, int]
    gpu_layers: int | None = None
    split: dict[str, int] | None = None
    tokens_per_second: float | None = None
    prompt_tokens_per_second: float | None = None

    def fits(self, machine: Machine) -> bool:
        """Whether every device has room for its part, with a margin."""
        return all(taken * MARGIN <= room(machine, device) for device, taken in self.by_device.items())


def room(machine: Machine, device: str) -> int:
    """Bytes that are free on a device."""
    gpu = machine.gpu(device) if device != "cpu" else None
    return gpu.free if gpu is not None else machine.available


def on_cpu(checkpoint: Checkpoint, form: Form, machine: Machine) -> Placement:
    """All of it in main memory."""
    memory = estimate(checkpoint, form)
    return _timed(checkpoint, Placement(form, memory, {"cpu": sum(memory.values())}), {"cpu": 1.0}, machine)


def on_gpu(checkpoint: Checkpoint, form: Form, machine: Machine) -> Placement:
    """All of it on the GPU that `form.device` names."""
    memory = estimate(checkpoint, form)
    return _timed(checkpoint, Placement(form, memory, {form.device: sum(memory.values())}), {form.device: 1.0}, machine)


def over_gpus(checkpoint: Checkpoint, form: Form, machine: Machine, gpus: tuple[Gpu, ...]) -> Placement:
    """Layer by layer over several GPUs, evenly as far as each has room.

    The input table lies on the first, the output matrix on the last. Each computes its layers in turn, so that
    memory adds up and speed does not; each has compute buffers and a CUDA context of its own.
    """
    memory, layers = estimate(checkpoint, form), max(1, checkpoint.dimensions.layers)
    each = memory["fixed"] + memory["compute"]
    tables = _tables(checkpoint, memory["weights"])
    a_layer = (memory["weights"] - tables + memory["kv_cache"]) / layers
    rooms = [gpu.free / MARGIN - each for gpu in gpus]
    free = [left - (tables / 2 if at in (0, len(gpus) - 1) else 0) for at, left in enumerate(rooms)]
    taken = _shares(layers, [max(0, int(left / a_layer)) for left in free])
    by_device = {
        gpu.device: int(each + count * a_layer + (tables / 2 if at in (0, len(gpus) - 1) else 0))
        for at, (gpu, count) in enumerate(zip(gpus, taken, strict=True))
    }
    a_cache = memory["kv_cache"] / layers
    split = {
        gpu.device: max(1, int(left - count * a_cache)) for gpu, left, count in zip(gpus, rooms, taken, strict=True)
    }
    memory = {**memory, "fixed": memory["fixed"] * len(gpus), "compute": memory["compute"] * len(gpus)}
    placement = Placement(form, memory, by_device, split=split)
    return _timed(checkpoint, placement, {gpu.device: count / layers for gpu, count in zip(gpus, taken, strict=True)},
                  machine)  # fmt: skip


def partly_on_gpu(checkpoint: Checkpoint, form: Form, machine: Machine) -> Placement | None:
    """As many layers on the GPU as go there, the others in main memory (llama.cpp); None where hardly any go."""
    memory, layers = estimate(checkpoint, form), checkpoint.dimensions.layers
    host = estimate(checkpoint, replace(form, device="cpu"))
    if not layers:
        return None
    tables = _tables(checkpoint, memory["weights"])
    a_layer = (memory["weights"] - tables + memory["kv_cache"]) / layers
    left = room(machine, form.device) / MARGIN - memory["fixed"] - memory["compute"]
    count = min(layers - 1, int(left / a_layer))
    if count < max(1, layers * _FEWEST_LAYERS):
        return None
    on_card = int(memory["fixed"] + memory["compute"] + count * a_layer)
    in_ram = int(host["fixed"] + host["compute"] + (layers - count) * a_layer + tables)
    parts = {
        **memory,
        "compute": memory["compute"] + host["compute"],
        "fixed": memory["fixed"] + host["fixed"],
    }
    placement = Placement(form, parts, {form.device: on_card, "cpu": in_ram}, gpu_layers=count)
    share = count / layers
    return _timed(checkpoint, placement, {form.device: share, "cpu": 1 - share}, machine)


def _shares(layers: int, most: list[int]) -> list[int]:
    """Layers a device, as even as `most` allows; what goes nowhere is put on the last, which then does not fit."""
    shares, left = [0] * len(most), layers
    while left:
        open_ = [at for at, count in enumerate(shares) if count < most[at]]
        if not open_:
            shares[-1] += left
            break
        for at in open_[:left]:
            step = min(max(1, left // len(open_)), most[at] - shares[at], left)
            shares[at] += step
            left -= step
            if not left:
                break
    return shares


def _tables(checkpoint: Checkpoint, weights: int) -> int:
    """Bytes of embeddings and output matrix, which are no layer's."""
    size = checkpoint.dimensions
    tables = size.embedding * (1 if size.tied else 2)
    parameters = checkpoint.parameters or 0
    return int(weights * tables / parameters) if parameters and tables < parameters else 0


def _timed(checkpoint: Checkpoint, placement: Placement, shares: dict[str, float], machine: Machine) -> Placement:
    """The placement with the speeds to expect: each device computes its share of the layers in turn."""
    token = prompt = 0.0
    for device, share in shares.items():
        if not share:
            continue
        figures, form = _speed_of(machine, device), replace(placement.form, device=device)
        if figures is None:
            return placement
        seconds = speed.token_seconds(checkpoint, form, figures, slow_halves=not machine.bfloat16)
        rate = speed.prefill(checkpoint, form, figures, slow_halves=not machine.bfloat16)
        if not seconds or not rate:
            return placement
        token, prompt = token + share * seconds, prompt + share / rate
    if not token or not prompt:
        return placement
    return replace(placement, tokens_per_second=1 / token, prompt_tokens_per_second=1 / prompt)


def _speed_of(machine: Machine, device: str) -> Speed | None:
    if device == "cpu":
        return machine.speed
    gpu = machine.gpu(device)
    return gpu.speed if gpu is not None else None
