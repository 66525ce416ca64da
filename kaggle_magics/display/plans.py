"""Plans: how a model would run here, one way or every way side by side. Nothing has been loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kaggle_magics.display.bundle import View, facts, join, note, seconds, size, table
from kaggle_magics.display.models import checkpoint_rows, run_rows
from kaggle_magics.display.results import Choices

if TYPE_CHECKING:
    from kaggle_magics.models.fit.choices import Choice
    from kaggle_magics.models.fit.plan import Plan

COLUMNS = (
    "", "choice", "runs on", "weights", "KV cache", "compute", "fixed", "in all", "fits", "tokens/s", "prompt/s",
    "disk", "why",
)  # fmt: skip
NUMBERS = ("weights", "KV cache", "compute", "fixed", "in all", "tokens/s", "prompt/s", "disk")


def plan_view(plan: Plan) -> View:
    """How a model would be run here, part by part."""
    found = plan.checkpoint
    rows = [*checkpoint_rows(found), *run_rows(plan.engine, _where(plan), plan.dtype, plan.context_length)]
    if form := plan.quant or plan.convert_to:
        rows.append(("quantised", f"{form}{' by conversion' if plan.convert_to else ' while it is loaded'}"))
    rows += [(f"memory for {part.replace('_', ' ')}", size(taken)) for part, taken in plan.memory.items()]
    rows.append(("memory in all, estimated", size(plan.bytes)))
    if plan.disk:
        rows.append(("disk for the conversion", size(plan.disk)))
    if plan.tokens_per_second:
        prompt = f", {plan.prompt_tokens_per_second:,.0f} of a prompt" if plan.prompt_tokens_per_second else ""
        rows.append(("tokens a second, expected", f"{_speed(plan.tokens_per_second)}{prompt}"))
    if plan.why:
        rows.append(("note", plan.why))
    return join("plan", [facts(f"Plan for {found.name} (nothing was loaded)", rows)])


def choices_view(ways: Choices) -> View:
    """Every way to run a model as a table, with memory by part and expected speed."""
    if not ways:
        return note("There is no way to run this model here.", warn=True)
    found = ways[0].plan.checkpoint
    context = ways[0].plan.context_length
    taken = next((way for way in ways if way.taken), None)
    rows = [_row(way) for way in ways]
    caption = f"Ways to run {found.name} with a context of {context:,} tokens (nothing was loaded)"
    said = f"Would be taken: {taken.command}" if taken else "What was asked for does not fit."
    about = "Sizes and speeds are estimates; speeds are for one answer in a short context."
    kept = " What is converted is kept for the next time." if any(way.seconds_to_convert for way in ways) else ""
    return join(
        "choices",
        [table(caption, COLUMNS, rows, numbers=NUMBERS), note(f"{said}. {about}{kept}", warn=taken is None)],
    )


def _row(way: Choice) -> tuple[object, ...]:
    plan = way.plan
    why = way.why
    if way.seconds_to_convert is not None:
        why = "; ".join(filter(None, (why, f"converted first, about {seconds(way.seconds_to_convert)}")))
    return (
        "\N{RIGHTWARDS ARROW}" if way.taken else None,
        way.name,
        f"{plan.engine}, {_where(plan)}",
        *(size(plan.memory[part]) for part in ("weights", "kv_cache", "compute", "fixed")),
        size(plan.bytes),
        "yes" if way.fits else "no",
        _speed(plan.tokens_per_second) if plan.tokens_per_second else None,
        _speed(plan.prompt_tokens_per_second) if plan.prompt_tokens_per_second else None,
        size(plan.disk) if plan.disk else None,
        why or None,
    )


def _where(plan: Plan) -> str:
    return "+".join(plan.bytes_on)


def _speed(rate: float) -> str:
    return f"{rate:.1f}" if rate < 10 else f"{rate:,.0f}"
