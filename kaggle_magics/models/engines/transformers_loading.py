"""Loads a checkpoint in Hugging Face's layout with transformers and torch.

From local safetensors only: no download, no pickles, no code from the checkpoint.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kaggle_magics.errors import CheckpointError, DoesNotFit, KaggleMagicsError
from kaggle_magics.extras import require
from kaggle_magics.models.engines.decoding import LocalEngine
from kaggle_magics.models.engines.protocol import EngineFacts
from kaggle_magics.models.engines.transformers import TransformersModel, first_line, free
from kaggle_magics.models.plan import Plan
from kaggle_magics.models.templates import template_of


def load(plan: Plan) -> LocalEngine:
    """Load and warm a plan's checkpoint. Raises `MissingExtra`, `CheckpointError`, `DoesNotFit`."""
    transformers: Any = require("transformers", "Running a safetensors model")
    torch: Any = require("torch", "Running a safetensors model")
    try:
        with _quiet(transformers):
            tokenizer = load_tokenizer(plan, transformers)
            model = load_weights(plan, transformers, torch)
        facts = EngineFacts(
            engine=plan.engine,
            library=f"transformers {transformers.__version__}, torch {torch.__version__}",
            device=plan.device,
            dtype=str(model.dtype).removeprefix("torch."),
            context_length=plan.context_length,
        )
        local = TransformersModel(model, tokenizer, facts=facts, template=template_of(plan.checkpoint.path))
        engine = LocalEngine(local)
        engine.warm_up()
        return engine
    except KaggleMagicsError:
        raise
    except Exception as error:
        raise _loading_error(error, plan, torch) from error


def load_tokenizer(plan: Plan, transformers: Any) -> Any:
    """The checkpoint's tokenizer."""
    return transformers.AutoTokenizer.from_pretrained(
        plan.checkpoint.path, local_files_only=True, trust_remote_code=False
    )


def load_weights(plan: Plan, transformers: Any, torch: Any) -> Any:
    """The checkpoint's model on its device, ready to answer. Raises `CheckpointError` when weights are missing."""
    # The attention is left to the library: torch's own ("sdpa") where the architecture has it.
    model, report = transformers.AutoModelForCausalLM.from_pretrained(
        plan.checkpoint.path,
        dtype=getattr(torch, plan.dtype),
        local_files_only=True,
        trust_remote_code=False,
        use_safetensors=True,
        output_loading_info=True,
        **_placement(plan),
    )
    if missing := sorted(report.get("missing_keys", ())):
        raise CheckpointError(
            f"{plan.checkpoint.name} lacks {len(missing)} of the weights its config.json asks for, "
            f"such as {missing[0]}."
        )
    return (model if plan.split else model.to(plan.device)).eval()


def _placement(plan: Plan) -> dict[str, Any]:
    """Where the layers go, for a plan that splits them over devices (through accelerate)."""
    if not plan.split:
        return {}
    require("accelerate", "A model on several devices")
    room = {device if device == "cpu" else int(device.partition(":")[2] or 0): n for device, n in plan.split.items()}
    return {"device_map": "auto", "max_memory": room}


@contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """No progress bars, warnings or log lines of the libraries on the user's screen while loading."""
    log = transformers.utils.logging
    level, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity(logging.CRITICAL)
    log.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.set_verbosity(level)
        if bars:
            log.enable_progress_bar()


def _loading_error(error: Exception, plan: Plan, torch: Any) -> KaggleMagicsError:
    checkpoint, line = plan.checkpoint, first_line(error)
    if isinstance(error, torch.cuda.OutOfMemoryError | MemoryError):
        free(torch)
        return DoesNotFit(
            f"{checkpoint.name} does not fit on {plan.device}.", "Load a smaller model, or unload another one."
        )
    if "trust_remote_code" in str(error) or "custom code" in str(error):
        return CheckpointError(
            f"{checkpoint.name} needs Python code of its own to run, which is never executed here.",
            "Use a version that transformers supports itself, or a GGUF file of it.",
        )
    if "does not recognize this architecture" in str(error):
        return CheckpointError(
            f"The installed transformers does not know the {checkpoint.architecture} of {checkpoint.name}.",
            "Run: %pip install -U transformers",
        )
    return CheckpointError(
        f"{checkpoint.name} cannot be loaded: {line}.", "Its folder may be incomplete; attach or download it again."
    )
