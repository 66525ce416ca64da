"""Models: what is there, how one would run, what is loaded."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kaggle_magics.display.bundle import View, count, facts, join, note, seconds, size, table
from kaggle_magics.display.collections import collections_view
from kaggle_magics.display.conversations import threads_view
from kaggle_magics.display.results import Collections
from kaggle_magics.models.engines.recorded import RecordedEngine
from kaggle_magics.models.engines.transformers.bitsandbytes import cpu_note

if TYPE_CHECKING:
    from kaggle_magics.models.checkpoint import Checkpoint
    from kaggle_magics.models.loaded import LoadedModel
    from kaggle_magics.session import SessionStatus

ORIGINS = {
    "bundled": "comes with this package",
    "kaggle": "attached to this notebook",
    "huggingface": "Hugging Face cache",
    "quantized": "made here by quantising",
    "path": "given path",
}


def checkpoint_view(checkpoint: Checkpoint) -> View:
    """The facts of one model on disk."""
    return facts(checkpoint.name, checkpoint_rows(checkpoint))


def loaded_view(model: LoadedModel) -> View:
    """What was loaded, from where, how it runs, what it took."""
    engine = model.facts
    rows = checkpoint_rows(model.checkpoint) if model.checkpoint else [("from", model.source)]
    if model.adopted and model.checkpoint:
        rows.append(("adopted", model.adopted))
    rows += run_rows(f"{engine.engine} ({engine.library})", engine.device, engine.dtype, engine.context_length)
    if model.template != "auto":
        rows.append(("template", model.template))
    if model.plan and model.plan.adapter:
        rows.append(("adapter", os.path.normpath(model.plan.adapter)))
    if model.plan and (quant := model.plan.quant or model.plan.convert_to):
        rows.append(("quantised to", quant))
    if model.plan:
        rows.append(("memory, estimated", size(model.plan.bytes)))
    rows += [("memory, measured growth", size(model.bytes_taken)), ("loaded in", seconds(model.seconds))]
    views = [facts(f"Loaded {model.name}", rows)]
    if model.plan and (slow := cpu_note(model.plan)):
        views.append(note(slow, warn=True))
    if isinstance(model.engine, RecordedEngine):
        views.append(note("This is a replay: nothing was loaded, and answers are those that were recorded."))
    if model.checkpoint and model.checkpoint.origin == "bundled":
        views.append(
            note(
                "This is the small model that comes with the package. A real one is one line away: "
                "%llm_load REF, see %llm_models."
            )
        )
    return join("loaded", views)


def status_view(status: SessionStatus) -> View:
    """What the session holds right now."""
    rows = [
        (
            f"{model.name} (current)" if model.name == status.current else model.name,
            model.facts.engine,
            model.facts.device,
            model.facts.dtype,
            model.facts.context_length,
            size(model.bytes_taken),
            size(kept) if (kept := getattr(model.engine, "context_bytes", None)) else None,
            _remarks(model),
        )
        for model in status.models
    ]
    columns = ("model", "engine", "device", "dtype", "context", "memory", "kept contexts", "")
    models = (
        table("Loaded models", columns, rows, numbers=("context", "memory", "kept contexts"))
        if rows
        else note("No model is loaded. Load one with: %llm_load")
    )
    return join(
        "status",
        [
            models,
            collections_view(Collections(status.collections)),
            threads_view(status.threads) if status.threads else None,
            note(f"This process uses {size(status.process_bytes)} of memory."),
        ],
    )


def _remarks(model: LoadedModel) -> str | None:
    """What is special about how it runs."""
    said = [f"adapter {model.adapter}"] if model.adapter else []
    if model.plan and (quant := model.plan.quant or model.plan.convert_to):
        said.append(f"quantised to {quant}")
    if model.adopted:
        said.append(f"adopted: {model.adopted}")
    return ", ".join(said) or None


def checkpoint_rows(found: Checkpoint) -> list[tuple[str, str]]:
    parameters = f", {count(found.parameters)} parameters" if found.parameters else ""
    versions = ", ".join(map(str, found.versions))
    rows = [("version", f"{found.handle} (at hand: {versions})")] if versions else []
    return [
        *rows,
        ("from", f"{os.path.normpath(found.path)} ({ORIGINS.get(found.origin, found.origin)})"),
        ("format", f"{found.format}, {found.dtype}, {size(found.bytes)}"),
        ("architecture", f"{found.architecture}{parameters}"),
        ("chat template", "yes" if found.has_chat_template else "no: text goes to the model as it is"),
    ]


def run_rows(engine: str, device: str, dtype: str, context_length: int) -> list[tuple[str, str]]:
    return [("engine", engine), ("runs on", f"{device}, {dtype}"), ("context", f"{context_length} tokens")]
