"""Tokens a second to expect: what must be read from memory for one, over how fast this machine reads.

A token needs every weight once (of experts only those used), so one answer cannot be faster than bandwidth over bytes.
What is lost on the way was measured: on a CPU with Llamas of 27M and 116M parameters; on GPUs from published runs of
transformers and llama.cpp on a T4. A prompt is bounded by arithmetic: two operations a parameter and token.
"""

from __future__ import annotations

from dataclasses import replace

from kaggle_magics.models.checkpoint import Checkpoint
from kaggle_magics.models.fit.hardware import Speed
from kaggle_magics.models.fit.memory import Form, weights

_OF_BANDWIDTH = {
    ("transformers", "cpu"): 0.85,
    ("llama.cpp", "cpu"): 0.95,
    ("transformers", "cuda"): 0.8,
    ("llama.cpp", "cuda"): 0.6,
}
_A_LAYER = {
    ("transformers", "cpu"): 0.5e-3,
    ("llama.cpp", "cpu"): 0.02e-3,
    ("transformers", "cuda"): 0.85e-3,
    ("llama.cpp", "cuda"): 0.12e-3,
}
"""Seconds a layer costs whatever its size: Python, launching kernels, waking threads."""
_A_PASS = {("transformers", "cpu"): 1.4e-3}
"""Seconds that a pass through the library costs beside its layers (masks, positions, Python around them). Measured
with two layers and 2 million parameters, 3.1 ms a token in all; with llama.cpp 0.5 ms."""
_A_TOKEN = 0.2e-3
"""Seconds that choosing a token, its text and its way to the screen take in any local engine, measured."""
_A_LAYER_QUANTISED = {"nf4": 1.6e-3, "int8": 4.5e-3}
"""The same with bitsandbytes on a GPU."""
_FLOPS_A_WEIGHT_CPU = {"nf4": 90.0, "int8": 90.0}
"""Without a kernel for it a CPU unpacks every weight for each token, as slow as so many operations of a product."""
_OF_FLOPS = {"cpu": 0.75, "cuda": 0.35}
_CONVERSION = 20.0
"""Seconds a conversion takes whatever the model's size."""
_SLOW_DTYPE_CPU = 6.0
"""How much slower a CPU without instructions for it computes prompts in float16 and bfloat16."""


def token_seconds(checkpoint: Checkpoint, form: Form, speed: Speed, *, slow_halves: bool = True) -> float | None:
    """Seconds a token of one answer takes in a short context on one device; None where the files do not tell enough.

    `slow_halves`: this CPU has no instructions for 16-bit floats, so that they gain nothing over float32.
    """
    size = checkpoint.dimensions
    if not size.layers:
        return None
    kind = "cpu" if form.device == "cpu" else "cuda"
    key = (form.engine, kind)
    if kind == "cpu" and slow_halves and form.engine == "transformers" and form.dtype in ("float16", "bfloat16"):
        form = replace(form, dtype="float32")
    read = weights(checkpoint, form) * size.read
    every = size.layers * _A_LAYER[key] + _A_PASS.get(key, 0.0) + _A_TOKEN
    if form.quant:
        linear = size.linear or (checkpoint.parameters or 0)
        if kind == "cpu":
            return (
                linear * _FLOPS_A_WEIGHT_CPU[form.quant] / speed.flops
                + max(0.0, read - linear) / (speed.bandwidth * _OF_BANDWIDTH[key])
                + every
            )
        return read / (speed.bandwidth * _OF_BANDWIDTH[key]) + size.layers * _A_LAYER_QUANTISED[form.quant] + _A_TOKEN
    return read / (speed.bandwidth * _OF_BANDWIDTH[key]) + every


def prefill(checkpoint: Checkpoint, form: Form, speed: Speed, *, slow_halves: bool = True) -> float | None:
    """Tokens of a prompt a second; `slow_halves` as for `token_seconds`."""
    size = checkpoint.dimensions
    parameters = (size.linear or (checkpoint.parameters or 0) - size.embedding) * size.read
    if parameters <= 0:
        return None
    kind = "cpu" if form.device == "cpu" else "cuda"
    rate = speed.flops * _OF_FLOPS[kind] / (2 * parameters)
    if kind == "cpu" and slow_halves and form.engine == "transformers" and form.dtype in ("float16", "bfloat16"):
        rate /= _SLOW_DTYPE_CPU
    return rate


def conversion_seconds(checkpoint: Checkpoint, kind: str, cores: int) -> float:
    """Seconds to write a GGUF of this type from a checkpoint: float16 first, then llama.cpp's quantiser.

    Measured on one core: 14 million weights a second to a K-quant, 90 million to Q8_0; 200 MB/s of files. Before and
    after it the converter's libraries are imported and the result is checked: 20 s for a model of 2.6 million weights.
    """
    parameters = checkpoint.parameters or checkpoint.bytes // 2
    rate = 90e6 if kind.startswith("q8") else 14e6
    return _CONVERSION + (checkpoint.bytes + 2 * 2 * parameters) / 200e6 + parameters / (rate * max(1, cores))
