"""Tests of prompts: pass rates as a table, and what is wrong with the first answer that fails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kaggle_magics.display import escape
from kaggle_magics.display.bundle import View, fold, join, note, table

if TYPE_CHECKING:
    from kaggle_magics.compare.verdicts import Rate, Verdicts

_MOST_ANSWERS = 200
"""Answers that are listed one by one; all are in `.to_pandas()`."""
_MOST_COLUMNS = 6
"""Assertions that get a column of their own beside the variants."""
_SHOWN = 160


def verdicts_view(found: Verdicts) -> View:
    """The overall rate, then by assertion, then by variant; every answer folded below."""
    total = found.total
    mark = "passed" if total.of and total.passed == total.of else "FAILED"
    answers = "1 answer" if total.of == 1 else f"{total.of} answers"
    line = f"{mark}: {total.passed} of {answers} as expected ({total.rate:.0%})"
    failed = mark == "FAILED"
    head = View(
        "verdict",
        f'<div class="km-title{" km-warn" if failed else ""}" role="status">{escape.html(line)}</div>',
        f"**{escape.markdown_line(line)}**",
        line,
    )
    views: list[View | None] = [head, _rates("By assertion", "assertion", found.by_expectation)]
    if found.by_variant:
        views.append(_variants(found))
    views.append(_answers(found))
    return join("verdicts", [*views, *(note(text) for text in found.notes)])


def _rates(caption: str, what: str, rates: Sequence[Rate]) -> View | None:
    if not rates:
        return None
    rows = [
        (
            each.name,
            "passed" if each.passed == each.of else "FAILED",
            f"{each.passed} of {each.of}",
            f"{each.rate:.0%}",
            _short(each.first_failure) or None,
        )
        for each in rates
    ]
    shown = table(caption, (what, "", "holds for", "rate", "first that fails"), rows, numbers=("holds for", "rate"))
    return View("rates", f'<div class="km-scroll">{shown.html}</div>', shown.markdown, shown.text)


def _variants(found: Verdicts) -> View | None:
    """A row for each variant: all assertions together, and each of a few by itself."""
    names = [rate.name for rate in found.by_expectation]
    if not 1 < len(names) <= _MOST_COLUMNS:
        return _rates("By variant", "variant", found.by_variant)
    rows = []
    for rate in found.by_variant:
        each = found.by_expectation_of(rate.name)
        shares = [f"{each[name].rate:.0%}" if name in each else None for name in names]
        rows.append((rate.name, f"{rate.passed} of {rate.of}", f"{rate.rate:.0%}", *shares))
    columns = ("variant", "passed", "rate", *map(_short, names))
    shown = table("By variant", columns, rows, numbers=columns[1:])
    return View("rates", f'<div class="km-scroll">{shown.html}</div>', shown.markdown, shown.text)


def _answers(found: Verdicts) -> View | None:
    """Each answer with what it failed, folded; for the page only."""
    if len(found) < 2:
        return None
    rows = []
    for verdict in found[:_MOST_ANSWERS]:
        failures = [f"{each.text}: {outcome.detail}" for each, outcome in verdict.checks if not outcome.passed]
        asked = [verdict.variant, *(str(value) for value in list(verdict.case.values())[:1])]
        if not any(asked) and verdict.answer:
            asked = [f"seed {verdict.answer.card.sampling.seed}"]
        rows.append(
            (
                _short(", ".join(filter(None, asked))),
                "passed" if verdict.passed else "FAILED",
                _short(verdict.answer.text if verdict.answer else ""),
                verdict.error or _short("; ".join(failures)) or None,
            )
        )
    left = len(found) - len(rows)
    name = f"The answers ({len(rows)} of {len(found)})" if left else f"The {len(found)} answers"
    inner = table("", ("asked", "", "answer", "fails"), rows).html
    return View("answers", fold(name, f'<div class="km-scroll">{inner}</div>'), "", "")


def _short(text: str) -> str:
    line = " ".join(text.split())
    return f"{line[:_SHOWN]}..." if len(line) > _SHOWN else line
