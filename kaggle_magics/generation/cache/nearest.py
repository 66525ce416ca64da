"""Why a replay found no answer: in what the nearest recorded question differs."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from kaggle_magics.errors import ReplayMiss
from kaggle_magics.generation.cache.key import Slot
from kaggle_magics.models.request import Request

_COMPARED = 2000
"""Characters of two prompts that are compared."""
_SHOWN = 40


def why_missed(slot: Slot, model: str, request: Request, recorded: Iterable[Mapping[str, Any]]) -> ReplayMiss:
    """The error for a question that was not recorded: which one, and what the nearest recorded one has instead."""
    said = _short(request.messages[-1].content if request.messages else "")
    message = f'This is a replay, and no answer of {model} was recorded for "{said}".'
    wanted = slot.parts
    best: tuple[float, Mapping[str, Any]] | None = None
    for record in recorded:
        parts = record.get("parts")
        if isinstance(parts, Mapping) and (best is None or _likeness(wanted, parts) > best[0]):
            best = _likeness(wanted, parts), parts
    if best is None:
        return ReplayMiss(message, "No answers at all are recorded where it looks (KAGGLE_MAGICS_ANSWERS).")
    return ReplayMiss(message, f"The nearest recorded one differs in {', '.join(_differences(wanted, best[1]))}.")


def _likeness(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> float:
    same: int = sum(found.get(name) == value for name, value in wanted.items() if name != "messages")
    text, other = _question(wanted), _question(found)
    alike = difflib.SequenceMatcher(None, text, other, autojunk=False)
    # The cheap upper bound settles most of a long list.
    ratio = alike.quick_ratio()
    return float(same) + 4 * (alike.ratio() if ratio > 0.6 else ratio / 2) + 2 * (text == other)


def _question(parts: Mapping[str, Any]) -> str:
    try:
        return str(parts["messages"][-1]["content"])[:_COMPARED]
    except (LookupError, TypeError):
        return ""


def _differences(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    said: list[str] = []
    for name in sorted({*wanted, *found} - {"messages", "sampling", "format"}):
        if wanted.get(name) != found.get(name):
            said.append(f"{name.replace('_', ' ')} ({_short(wanted.get(name))}, recorded {_short(found.get(name))})")
    now, then = wanted.get("sampling", {}), found.get("sampling", {})
    for name in sorted({*now, *then}):
        if now.get(name) != then.get(name):
            said.append(f"{name} ({_short(now.get(name))}, recorded {_short(then.get(name))})")
    asked, other = wanted.get("messages", []), found.get("messages", [])
    if len(asked) != len(other):
        said.append(f"the number of messages ({len(asked)}, recorded {len(other)})")
    for one, two in zip(asked, other, strict=False):
        if one != two:
            text, before = str(one.get("content")), str(two.get("content"))
            at = next((i for i, (a, b) in enumerate(zip(text, before, strict=False)) if a != b), None)
            at = min(len(text), len(before)) if at is None else at
            said.append(
                f'the {one.get("role")} text from character {at + 1} ("{_short(text[at:])}", '
                f'recorded "{_short(before[at:])}")'
            )
    return said or ["nothing that can be told"]


def _short(value: Any) -> str:
    text = " ".join(str("none" if value is None else value).split())
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
