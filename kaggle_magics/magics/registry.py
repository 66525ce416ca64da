"""All magics, in the order the overview shows them. A new magic is one new file and one line here."""

from __future__ import annotations

import importlib

from kaggle_magics.magics.command import COMMANDS, Command

_MODULES = (
    "llm_load",
    "prompt",
    "chain",
    "codegen",
    "rag_ingest",
    "ask",
    "llm_models",
    "llm_life",
    "llm_history",
    "llm_prompts",
    "llm_quantize",
    "compare",
    "expect",
    "llm_verify",
    "rag_search",
    "rag_life",
    "rag_move",
    "rag_eval",
    "overview",
)


def commands() -> dict[str, Command]:
    """Every magic by name."""
    for module in _MODULES:
        importlib.import_module(f"kaggle_magics.magics.{module}")
    return COMMANDS
