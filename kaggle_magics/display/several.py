"""Several answers to one prompt: each text that was said, how often, and what all cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kaggle_magics.display import escape
from kaggle_magics.display.answers import ENDED, body, not_default, thoughts
from kaggle_magics.display.bundle import View, join, note, seconds, title
from kaggle_magics.generation.record import output_record

if TYPE_CHECKING:
    from kaggle_magics.generation.several import Answers

_SHOWN = 20
"""Texts that are shown; the rest is counted."""
_NUMBERS = 10


def answers_view(answers: Answers, *, asked: int | None = None) -> View:
    """Each distinct answer under the numbers of those that say it, the most common first. `asked` is how many there
    were to be."""
    views: list[View | None] = []
    distinct = answers.distinct()
    for places in list(distinct.values())[:_SHOWN]:
        first = answers[places[0]]
        views.append(title(_heading(places, len(answers))))
        if first.error:
            views.append(note(f"Failed: {first.error}", warn=True))
            continue
        views += [thoughts(first), body(first)]
        if ended := ENDED.get(first.stop_reason):
            views.append(note(ended, warn=True))
    if len(distinct) > _SHOWN:
        views.append(note(f"and {len(distinct) - _SHOWN} other answers"))
    return join("answers", [*views, answers_footer(answers, asked=asked)])


def answers_footer(answers: Answers, *, asked: int | None = None) -> View:
    """How many there are and how many differ, tokens, time, seeds and sampling."""
    if not answers:
        return note("It was stopped before an answer began.", warn=True)
    card, distinct = answers[0].card, answers.distinct()
    count = f"{len(answers)} {'answer' if len(answers) == 1 else 'answers'}"
    usages = [answer.usage for answer in answers]
    prompt, reused = sum(usage.prompt_tokens for usage in usages), sum(usage.reused_tokens for usage in usages)
    generated = sum(usage.generated_tokens for usage in usages)
    parts = [card.model, f"{count}, {len(distinct)} distinct", f"{prompt:,} prompt tokens ({reused:,} reused)"]
    # They begin together or one after the other: the longest is the least that all took.
    parts += [f"{generated:,} generated", f"the longest took {seconds(max(usage.seconds for usage in usages))}"]
    seeds = [answer.card.sampling.seed for answer in answers]
    parts += [option for option in not_default(card.sampling) if not option.startswith("seed ")]
    parts.append(f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {seeds[0]} to {seeds[-1]}")
    line = " · ".join(parts)
    foot = View(
        "foot",
        f'<div class="km-foot" role="status">{escape.html(line)}</div>',
        f"*{escape.markdown_line(line)}*",
        escape.plain(f"[{line}]"),
        tuple(output_record(answer) for answer in answers[:_SHOWN]),
    )
    stopped = any(answer.stop_reason == "interrupted" for answer in answers)
    missing = asked is not None and len(answers) < asked
    warning = None
    if missing or stopped:
        of = f"{len(answers)} of {asked}" if asked is not None else str(len(answers))
        warning = note(f"Stopped: {of} answers had begun.", warn=True)
    return join("foot", [foot, warning])


def _heading(places: list[int], total: int) -> str:
    numbers = ", ".join(str(place + 1) for place in places[:_NUMBERS]) + (", ..." if len(places) > _NUMBERS else "")
    if total == 1:
        return "1"
    return numbers if len(places) == 1 else f"{numbers} ({len(places)} of {total})"
