"""Chains: every step's answer in view, its prompt folded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from kaggle_magics.display import escape
from kaggle_magics.display.answers import answer_view
from kaggle_magics.display.bundle import View, fold, join, note, title

if TYPE_CHECKING:
    from kaggle_magics.chains.run import ChainResult, StepResult


def chain_view(result: ChainResult) -> View:
    """All steps that ran; a chain that did not come to its end says so."""
    return join("chain", [*map(step_view, result.steps.values()), unfinished(result)])


def chains_view(results: Sequence[ChainResult]) -> View:
    """A chain that ran over several inputs, one below the other, each under what it was given."""
    views: list[View] = []
    for number, result in enumerate(results, start=1):
        views += [row_title(number, len(results), result.inputs), chain_view(result)]
    return join("chains", views)


def row_title(number: int, rows: int, inputs: Mapping[str, object]) -> View:
    """What stands over one run of several."""
    given = ", ".join(f"{name} = {value}" for name, value in inputs.items())
    return title(f"{number} of {rows}: {given}")


def step_view(step: StepResult) -> View:
    """One step: its name, its prompt folded, and its answer or why there is none."""
    prompt = View("prompt", fold("Prompt", f"<pre>{escape.code(step.prompt)}</pre>"), "", "")
    outcome = answer_view(step.answer) if step.answer else None
    if step.error:
        outcome = note(f"Step {step.name} failed: {step.error}", warn=True)
    return join("step", [title(step.name), prompt, outcome])


def unfinished(result: ChainResult) -> View | None:
    """The note below a chain that did not come to its end."""
    if result.complete:
        return None
    return note("The chain ended early; the steps above are kept.", warn=True)
