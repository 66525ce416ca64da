"""Weights that bitsandbytes holds in 4 or 8 bits: quantised while they are loaded, or stored so in the checkpoint.

NF4 with double quantisation (Dettmers et al. 2023, "QLoRA", section 3) and LLM.int8() (Dettmers et al. 2022). The
library's facts: its documentation, "Installation" (which GPUs), and transformers' "Bitsandbytes".
"""

from __future__ import annotations

import importlib
import logging
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kaggle_magics.errors import OptionError
from kaggle_magics.extras import require
from kaggle_magics.models.fit.devices import INT8_CAPABILITY, NF4_CAPABILITY
from kaggle_magics.models.fit.plan import Plan
from kaggle_magics.models.headers.json_file import read_json

_PURPOSE = "Loading in 4 or 8 bits"
_LEAST = {"nf4": NF4_CAPABILITY, "fp4": NF4_CAPABILITY, "int8": INT8_CAPABILITY}


def quantisation_of(plan: Plan) -> str | None:
    """ "nf4", "fp4" or "int8" where bitsandbytes holds the weights: as the plan asks for, or as they are stored."""
    return plan.quant or stored_quantisation(plan.checkpoint.path)


def stored_quantisation(folder: Path) -> str | None:
    """How a checkpoint was quantised by bitsandbytes before it was saved; None where it was not."""
    if not folder.is_dir():
        return None
    stored = read_json(folder / "config.json").get("quantization_config")
    if not isinstance(stored, dict):
        return None
    if stored.get("load_in_8bit"):
        return "int8"
    return str(stored.get("bnb_4bit_quant_type", "fp4")) if stored.get("load_in_4bit") else None


def cpu_note(plan: Plan) -> str | None:
    """What a person should know who runs this on a CPU."""
    quant = quantisation_of(plan)
    if quant is None or plan.device != "cpu":
        return None
    found = plan.checkpoint
    named = shlex.quote(str(found.path)) if found.origin == "path" else found.handle or found.name
    # 116 M parameters, one thread of an AVX2 CPU: NF4 7.7 tokens a second, q4_k_m 116.
    return (
        f"On a CPU {quant} saves memory but is slow. A GGUF of the same size is many times faster: "
        f"%llm_load {named} --quant q4_k_m"
    )


def loading_options(plan: Plan, transformers: Any, torch: Any) -> dict[str, Any]:
    """What `from_pretrained` gets beside the rest; {} where bitsandbytes has nothing to do with it.

    Computing is in the plan's dtype: float16 on GPUs below compute capability 8.0, bfloat16 from there, float32 on a
    CPU. Raises `MissingExtra`, and `OptionError` for a GPU that bitsandbytes has no kernels for.
    """
    quant = quantisation_of(plan)
    if quant is None:
        return {}
    import_bitsandbytes()
    require("accelerate", _PURPOSE)
    if plan.device != "cpu":
        check_capability(quant, torch.cuda.get_device_capability(plan.device), torch.cuda.get_device_name(plan.device))
    # Of the loaded model nothing can be moved.
    placed: dict[str, Any] = {} if plan.split else {"device_map": {"": plan.device}}
    if plan.quant is None:
        return placed
    return {"quantization_config": _configuration(quant, plan.dtype, transformers, torch), **placed}


def check_capability(quant: str, capability: tuple[int, int], name: str) -> None:
    """Raise `OptionError` for a GPU on which this quantisation does not run."""
    least = _LEAST[quant]
    if capability >= least:
        return
    other = "nf4" if quant == "int8" and capability >= NF4_CAPABILITY else "q4_k_m"
    raise OptionError(
        f"{quant} needs a GPU of compute capability {least[0]}.{least[1]}; {name} has {capability[0]}.{capability[1]}.",
        f"Load it with --quant {other}.",
    )


def compute_in(model: Any, dtype: Any) -> None:
    """Let a checkpoint that was stored quantised compute in this dtype, whatever was chosen where it was saved."""
    layer = import_bitsandbytes().nn.Linear4bit
    for module in model.modules():
        if isinstance(module, layer):
            module.compute_dtype = dtype
            module.compute_type_is_set = True


def import_bitsandbytes() -> Any:
    """The library. While it is imported it must not look for kernels on the Hugging Face hub, as it does on CPUs with
    AVX512_BF16 (bitsandbytes/backends/cpu/ops.py); it has some of its own."""
    # int8 otherwise says for every layer, whenever it runs, that its inputs are cast.
    logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)
    if "bitsandbytes" in sys.modules:
        return importlib.import_module("bitsandbytes")
    with _without("kernels"), _silent("bitsandbytes.backends.cpu.ops"):
        return require("bitsandbytes", _PURPOSE)


def _configuration(quant: str, dtype: str, transformers: Any, torch: Any) -> Any:
    if quant == "int8":
        return transformers.BitsAndBytesConfig(load_in_8bit=True)
    return transformers.BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=getattr(torch, dtype),
    )


@contextmanager
def _without(name: str) -> Iterator[None]:
    """Inside, `import name` fails as if it were not installed."""
    modules: dict[str, Any] = sys.modules
    missing = object()
    before = modules.get(name, missing)
    modules[name] = None
    try:
        yield
    finally:
        if before is missing:
            del modules[name]
        else:
            modules[name] = before


@contextmanager
def _silent(logger: str) -> Iterator[None]:
    log = logging.getLogger(logger)
    level = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        log.setLevel(level)
