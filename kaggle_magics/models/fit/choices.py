"""Every way to run a model on this machine, side by side, and which of them "auto" takes.

The rule of "auto", quality first, then speed:
1. As stored, in the dtype that suits the device, where a GPU holds it whole: nothing is lost, and 16 bits
   are quick there. On a CPU only where that is already faster than anybody reads.
2. Else the fastest of those that lose little (at most 1 % of perplexity: `q4_k_m` and better, `nf4`); of two that are
   nearly as fast, the better one. On a CPU that is a GGUF, which is many times faster than float32 or NF4.
3. Else, the one that loses least of what fits.
What is not installed is not taken. A GGUF file of the same model that is attached saves the conversion.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kaggle_magics.errors import OptionError
from kaggle_magics.extras import install_line, installed
from kaggle_magics.models.checkpoint import DTYPE_BYTES, Checkpoint
from kaggle_magics.models.fit import speed
from kaggle_magics.models.fit.machine import BFLOAT16_CAPABILITY, Machine, this_machine
from kaggle_magics.models.fit.plan import ENGINES, Plan, candidates, lacking
from kaggle_magics.models.fit.quants import BITSANDBYTES, GGUF_TYPES, LITTLE, checked
from kaggle_magics.models.quantize.converter import at_hand

FAST_ENOUGH = 100.0
"""Tokens a second: from here on speed is no reason to give up any quality."""
NEARLY_AS_FAST = 0.9
_USUAL = (200, 200)
"""Tokens of a prompt and of its answer, by which ways are compared."""

_FILE_LOSS = {"F32": 0.0, "F16": 0.0, "BF16": 0.0, "Q5_0": 0.6, "Q5_1": 0.5, "Q4_1": 3.0, "Q3_K_L": 2.6, "Q3_K_S": 8.5,
              "IQ4_NL": 1.5, "IQ4_XS": 1.6, "IQ3_M": 5.0}  # fmt: skip
"""Of GGUF types that are only met, not made; see `quants`."""
_WORST = 30.0


@dataclass(frozen=True, slots=True)
class Choice:
    """One way. `loss` is the rise of perplexity to expect in percent, 0 for the weights as stored."""

    name: str
    """ "as stored", a dtype, a quantisation, or the name of a GGUF file that is there."""
    command: str
    """The line that takes it."""
    plan: Plan
    fits: bool
    why: str
    loss: float = 0.0
    missing: str = ""
    """The line that installs what it needs; empty where all is there."""
    seconds_to_convert: float | None = None
    taken: bool = False
    """Whether loading with the options that were given would take this one."""


def choices(
    checkpoint: Checkpoint,
    *,
    machine: Machine | None = None,
    dtype: str | None = None,
    context: int | None = None,
    device: str | None = None,
    quant: str | None = None,
    adapter: Path | None = None,
    siblings: Sequence[Checkpoint] = (),
) -> list[Choice]:
    """Every way to run `checkpoint` with a LoRA adapter, the one that `quant` and `dtype` take being marked; best
    quality first.

    None is marked where what was asked for does not fit. Raises as `plan.make_plan` for options that cannot be.
    """
    machine = machine or this_machine()
    ways = [way for way in _ways(checkpoint, machine, context, device, siblings) if takes(way.plan, adapter)]
    taken = _taken(ways, checkpoint, machine, dtype, context, device, quant)
    if taken is None or not takes(taken, adapter):
        return ways
    known = [replace(way, taken=_same(way.plan, taken)) for way in ways]
    if not any(way.taken for way in known):
        known.insert(0, _choice(taken.quant or taken.convert_to or taken.dtype, taken, machine, taken=True))
    return known


def with_options(ways: Sequence[Choice], *, adapter: Path | None, allow_pickle: bool) -> list[Choice]:
    """The ways with these options in their plans and lines.

    Pickled weights are taken by none before they are allowed, and each line says how.
    """
    left = []
    for way in ways:
        words, plan, why, taken = [way.command], replace(way.plan, adapter=adapter), way.why, way.taken
        if adapter is not None:
            words.append(f'--adapter "{adapter}"' if " " in str(adapter) else f"--adapter {adapter}")
        if plan.checkpoint.format == "pickle":
            words.append("--allow-pickle")
            if not allow_pickle:
                taken, why = False, "; ".join(part for part in (why, "reads pickles, which can run any code") if part)
        left.append(replace(way, command=" ".join(words), plan=plan, why=why, taken=taken))
    return left


def takes(plan: Plan, adapter: Path | None) -> bool:
    """Whether an adapter is for the engine that a plan runs on: llama.cpp takes GGUF files, transformers the rest."""
    return adapter is None or (adapter.suffix.lower() == ".gguf") == (plan.engine == "llama.cpp")


def _taken(
    ways: Sequence[Choice],
    checkpoint: Checkpoint,
    machine: Machine,
    dtype: str | None,
    context: int | None,
    device: str | None,
    quant: str | None,
) -> Plan | None:
    quant = checked(quant)
    if quant == "auto":
        usable = [way for way in ways if way.fits and not way.missing]
        return _ranked(usable)[0].plan if usable else None
    plans = candidates(checkpoint, machine, dtype=dtype, context=context, device=device, quant=quant)
    return next((plan for plan in plans if lacking(plan, machine) is None), None)


def best(
    checkpoint: Checkpoint,
    *,
    machine: Machine,
    dtype: str | None = None,
    context: int | None = None,
    device: str | None = None,
    allow_pickle: bool = False,
    adapter: Path | None = None,
    siblings: Sequence[Checkpoint] = (),
) -> Plan:
    """What "auto" takes; see the rule above. Raises `DoesNotFit` when nothing fits, `OptionError` beside a dtype."""
    if dtype not in (None, "auto"):
        raise OptionError(f"quant auto and dtype {dtype} exclude each other.", "Leave one of them out.")
    known = _ways(checkpoint, machine, context, device, siblings)
    ways = [way for way in known if way.fits and not way.missing and takes(way.plan, adapter)]
    if not ways:
        # Says what would fit.
        from kaggle_magics.models.fit.plan import make_plan

        return make_plan(checkpoint, machine=machine, context=context, device=device, allow_pickle=allow_pickle,
                         siblings=siblings)  # fmt: skip
    return _ranked(ways)[0].plan


def gguf_siblings(checkpoint: Checkpoint, others: Sequence[Checkpoint]) -> list[Checkpoint]:
    """Files of the same model in another form: as many layers of the same width, about as many parameters, one name."""
    return [
        other
        for other in others
        if other.path != checkpoint.path
        # What was made here is found by what it was made of, so that it is never that of earlier weights.
        and other.origin != "quantized"
        and "gguf" in (other.format, checkpoint.format)
        and other.kind == checkpoint.kind
        and _same_shape(other, checkpoint)
        and _stem(other.name)[:4] == _stem(checkpoint.name)[:4]
    ]


def _ranked(ways: Sequence[Choice]) -> list[Choice]:
    stored = [way for way in ways if way.name == "as stored"]
    for way in stored:
        on_one_gpu = way.plan.device != "cpu" and way.plan.gpu_layers is None
        if on_one_gpu or (way.plan.tokens_per_second or 0.0) >= FAST_ENOUGH:
            return [way]
    good = [way for way in ways if way.loss <= LITTLE]
    if not good:
        return sorted(ways, key=lambda way: (way.loss, -_pace(way.plan)))
    fastest = max(_pace(way.plan) for way in good)
    near = [way for way in good if _pace(way.plan) >= NEARLY_AS_FAST * fastest]
    # A file that is there goes before one that has to be made.
    return sorted(near, key=lambda way: (way.loss, way.plan.disk > 0, -_pace(way.plan)))


def _pace(plan: Plan) -> float:
    """Answers a second of a usual size; 0 where that is not known."""
    if not plan.tokens_per_second or not plan.prompt_tokens_per_second:
        return 0.0
    prompt, answer = _USUAL
    return 1 / (prompt / plan.prompt_tokens_per_second + answer / plan.tokens_per_second)


def _ways(
    checkpoint: Checkpoint, machine: Machine, context: int | None, device: str | None, siblings: Sequence[Checkpoint]
) -> Iterator[Choice]:
    def way(name: str, found: Checkpoint = checkpoint, **options: str | None) -> Choice | None:
        try:
            plans = candidates(found, machine, context=context, device=device, **options)
        except OptionError:
            return None  # This device, or this dtype, is not for it.
        plan = next((plan for plan in plans if lacking(plan, machine) is None), plans[0])
        return _choice(name, plan, machine)

    stored = way("as stored")
    found = [stored]
    if checkpoint.format != "gguf":
        others = [each for each in _dtypes(machine, device) if stored is None or each != stored.plan.dtype]
        found += [way(each, dtype=each) for each in others]
        found += [way(each, quant=each) for each in BITSANDBYTES]
    if checkpoint.format == "safetensors":
        found += [way(each, quant=each) for each in GGUF_TYPES]
    found += [way(other.name, other) for other in gguf_siblings(checkpoint, siblings)]
    yield from (each for each in found if each is not None)


def _choice(name: str, plan: Plan, machine: Machine, *, taken: bool = False) -> Choice:
    lacks = lacking(plan, machine)
    missing = _missing(plan)
    why = [lacks or "", plan.why]
    seconds = None
    if plan.convert_to:
        seconds = speed.conversion_seconds(plan.checkpoint, plan.convert_to, machine.cores)
    if missing:
        why.append(f"needs: {missing}")
    return Choice(
        name=name,
        command=command(plan, name),
        plan=plan,
        fits=lacks is None,
        why="; ".join(part for part in why if part),
        loss=_loss(plan),
        missing=missing,
        seconds_to_convert=seconds,
        taken=taken,
    )


def command(plan: Plan, name: str = "", *, context: int | None = None, device: str | None = None) -> str:
    """The line a person types to load a model in this way."""
    words = [f"%llm_load {typed(plan.checkpoint)}"]
    if plan.quant or plan.convert_to:
        words.append(f"--quant {plan.quant or plan.convert_to}")
    elif name in DTYPE_BYTES:
        words.append(f"--dtype {name}")
    if context:
        words.append(f"--context {context}")
    if device:
        words.append(f"--device {device}")
    return " ".join(words)


def typed(checkpoint: Checkpoint) -> str:
    """A reference that names this checkpoint, as one word of a line."""
    text = checkpoint.name
    if checkpoint.origin == "path":
        text = str(checkpoint.path)
    elif checkpoint.handle and checkpoint.format != "gguf":
        text = checkpoint.handle
    return f'"{text}"' if re.search(r"[\s'\"$&|;()<>*?]", text) else text


def _missing(plan: Plan) -> str:
    """What a plan lacks, as the line that installs it; empty where all is there."""
    needed = [ENGINES["gguf" if plan.engine == "llama.cpp" else "safetensors"][1]]
    if plan.quant:
        needed.append("bitsandbytes")
    lacks = next((install_line(module) for module in needed if not installed(module)), "")
    if not lacks and plan.convert_to and not at_hand():
        return "llama.cpp's converter; %llm_quantize says where it comes from"
    return lacks


def _loss(plan: Plan) -> float:
    if plan.quant:
        return BITSANDBYTES[plan.quant].loss
    kind = plan.convert_to or (plan.dtype if plan.engine == "llama.cpp" else "")
    if not kind:
        return 0.0
    if kind.lower() in GGUF_TYPES:
        return GGUF_TYPES[kind.lower()].loss
    return _FILE_LOSS.get(kind.upper(), _WORST)


def _dtypes(machine: Machine, device: str | None) -> tuple[str, ...]:
    """The dtypes that make sense beside the one that is taken by default."""
    cards = [gpu for gpu in machine.gpus if gpu.usable and device != "cpu"]
    if not cards:
        return ("float32", "bfloat16")
    modern = all(gpu.capability >= BFLOAT16_CAPABILITY for gpu in cards)
    return ("float32", "float16", "bfloat16") if modern else ("float32", "float16")


def _same(one: Plan, other: Plan) -> bool:
    return (one.checkpoint.path, one.engine, one.dtype, one.quant, one.convert_to) == (
        other.checkpoint.path, other.engine, other.dtype, other.quant, other.convert_to)  # fmt: skip


def _same_shape(one: Checkpoint, other: Checkpoint) -> bool:
    mine, its = one.dimensions, other.dimensions
    if (mine.layers, mine.hidden) != (its.layers, its.hidden) or not mine.layers:
        return False
    # Padding of the vocabulary, and a tied output matrix that is stored twice.
    sizes = [found.parameters or 0 for found in (one, other)]
    tables = max(mine.embedding, its.embedding)
    return abs(sizes[0] - sizes[1]) <= max(0.02 * max(sizes), 1.05 * tables)


def _stem(name: str) -> str:
    """A model's name without separators, letter case, and words for a form: what its files have in common."""
    words = re.split(r"[^a-z0-9]+", name.lower())
    form = re.compile(r"^(gguf|hf|[iq]+\d\w*|k|m|s|l|0|1|f16|f32|bf16|fp16|float\d+|bfloat16)$")
    return "".join(word for word in words if word and not form.match(word))
