"""Run a chain: fill each step's fields, ask, keep the answer under the step's name."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kaggle_magics.chains.parse import Step
from kaggle_magics.errors import ChainError, KaggleMagicsError, did_you_mean
from kaggle_magics.generation.answer import Answer
from kaggle_magics.interpolation import interpolate
from kaggle_magics.models.request import Filled


@dataclass(frozen=True, slots=True)
class StepResult:
    """One step as it ran. While it runs, and where it failed, `answer` is None."""

    name: str
    prompt: str
    """With its fields filled in."""
    answer: Answer | None = None
    error: KaggleMagicsError | None = None


@dataclass(frozen=True, slots=True)
class ChainResult:
    """What a chain gave: the steps that ran, in order; fewer than were written when one failed or was stopped."""

    steps: dict[str, StepResult]
    inputs: Mapping[str, Any] = field(default_factory=dict)
    complete: bool = True

    @property
    def answer(self) -> Answer | None:
        """The last step's answer; None when it failed."""
        return next(reversed(self.steps.values())).answer if self.steps else None

    @property
    def error(self) -> KaggleMagicsError | None:
        """Why the chain ended early, if a step failed."""
        return next((step.error for step in self.steps.values() if step.error), None)

    def __str__(self) -> str:
        return str(self.answer or "")


def run(
    steps: Sequence[Step],
    generate: Callable[[str, Filled], Answer],
    *,
    inputs: Mapping[str, Any],
    namespace: Mapping[str, Any] | None = None,
    on_step: Callable[[StepResult], None] | None = None,
) -> ChainResult:
    """Run the steps one after the other.

    `generate` gets a step's prompt and the fields that were filled into it.

    A `{field}` is the answer of an earlier step, else one of `inputs`, else a name in `namespace`. A field that is
    none of them is a `ChainError` before anything is asked. A failing step ends the chain: its error stands in the
    result beside the finished steps. So does an interrupted one. `on_step` is called when a step starts (no answer
    yet) and when it has ended.
    """
    outside = ChainMap(dict(inputs), dict(namespace or {}))
    _check_fields(steps, outside)
    done: dict[str, StepResult] = {}
    texts: dict[str, str] = {}
    for step in steps:
        found = interpolate(step.prompt, ChainMap(texts, *outside.maps))
        prompt = found.text
        started = StepResult(step.name, prompt)
        if on_step:
            on_step(started)
        try:
            answer = generate(prompt, found.filled)
        except KaggleMagicsError as error:
            done[step.name] = StepResult(step.name, prompt, error=error)
        else:
            done[step.name] = StepResult(step.name, prompt, answer=answer)
            texts[step.name] = answer.text.strip()
        if on_step:
            on_step(done[step.name])
        ended = done[step.name].answer
        if ended is None or ended.stop_reason == "interrupted":
            return ChainResult(done, dict(inputs), complete=False)
    return ChainResult(done, dict(inputs))


def _check_fields(steps: Sequence[Step], outside: Mapping[str, Any]) -> None:
    names = [step.name for step in steps]
    for position, step in enumerate(steps):
        earlier = names[:position]
        missing = interpolate(step.prompt, {**outside, **dict.fromkeys(earlier, "")}).missing
        for name in missing:
            if name in names[position:]:
                raise ChainError(
                    f"Step {step.name!r} uses {{{name}}}, which is only answered later.",
                    "Write that step above this one.",
                )
            raise ChainError(
                f"Step {step.name!r} uses {{{name}}}, which is neither an earlier step nor a value.",
                did_you_mean(name, [*earlier, *(key for key in outside if not key.startswith("_"))])
                or f"Give it with -i {name}=..., or write {{{{{name}}}}} to keep the braces.",
            )
