"""From options with several values each to variants of one prompt: the grid of all their combinations."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import PurePath
from typing import Any

from kaggle_magics.errors import OptionError
from kaggle_magics.generation.prompt import Prompt
from kaggle_magics.models.request import DrawnSeed, Sampling
from kaggle_magics.models.templates import check_name

_SAMPLING = tuple(option.name for option in fields(Sampling) if option.name != "stop")
AXES = ("model", "quant", "template", "system", *_SAMPLING)
"""The options that may have several values, slowest first: what makes a model load again varies least."""
MOST = 100
"""Variants of one comparison."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One point of the grid: a model, how its weights are quantised, and what it changes of the prompt."""

    model: str | None = None
    """None is the current one."""
    quant: str | None = None
    """None is as it is loaded; "none" as it is stored."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Options of the prompt by name."""
    label: str = ""
    """What sets it apart from the other variants, in words; empty for the only one."""

    @property
    def seat(self) -> tuple[str | None, str | None]:
        """Variants with the same one run on the same loaded model."""
        return self.model, self.quant

    def of(self, prompt: Prompt) -> Prompt:
        """The prompt as this variant asks it. Raises `OptionError` for a value out of range."""
        sampling = Sampling.of(
            {
                **{option.name: getattr(prompt.sampling, option.name) for option in fields(Sampling)},
                **{name: value for name, value in self.settings.items() if name in _SAMPLING},
            }
        )
        changed = {name: value for name, value in self.settings.items() if name not in _SAMPLING}
        return replace(prompt, sampling=sampling, **changed)


def variants(axes: Mapping[str, Sequence[Any]], prompt: Prompt) -> list[tuple[Variant, Prompt]]:
    """Every combination of the axes' values with the prompt it asks, in the order of `AXES`.

    At temperature 0 an answer does not depend on the seed: several seeds are one variant there. Without a seed one is
    drawn for all of them, so that chance is the same for each. Raises `OptionError`: a name that is no axis, no value,
    one twice, one out of range, or more than `MOST` combinations.
    """
    named = _checked(axes)
    size = 1
    for values in named.values():
        size *= len(values)
    if size > MOST:
        raise OptionError(f"That makes {size} variants; at most {MOST} are compared.", "Give fewer values.")
    if "seed" not in named and prompt.sampling.seed is None:
        prompt = replace(prompt, sampling=replace(prompt.sampling, seed=DrawnSeed.draw()))
    found: list[tuple[Variant, Prompt]] = []
    greedy: set[tuple[Any, ...]] = set()
    for point in itertools.product(*named.values()):
        settings = dict(zip(named, point, strict=True))
        label = ", ".join(_worded(name, value, named[name]) for name, value in settings.items() if len(named[name]) > 1)
        variant = Variant(settings.pop("model", None), settings.pop("quant", None), settings, label)
        asked = variant.of(prompt)
        if asked.sampling.temperature == 0 and "seed" in settings:
            same = (*variant.seat, *(value for name, value in settings.items() if name != "seed"))
            if same in greedy:
                continue
            greedy.add(same)
        found.append((variant, asked))
    return found


def seeds_of(seeds: int | Sequence[int]) -> list[int]:
    """A number N means 1 to N. Raises `OptionError` where there are none."""
    found = list(range(1, seeds + 1)) if isinstance(seeds, int) else list(seeds)
    if not found:
        raise OptionError("seeds must be at least 1." if isinstance(seeds, int) else "The list of seeds is empty.")
    return found


def by_seat(found: Sequence[tuple[Variant, Prompt]], first: Iterable[str | None]) -> list[list[int]]:
    """The variants' indices, those of one loaded model together, models that are loaded (`first`) before others."""
    seats: dict[tuple[str | None, str | None], list[int]] = {}
    for index, (variant, _) in enumerate(found):
        seats.setdefault(variant.seat, []).append(index)
    loaded = set(first)
    order = sorted(seats, key=lambda seat: not (seat[0] in loaded and seat[1] is None))
    return [seats[seat] for seat in order]


def _checked(axes: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
    for name in axes:
        if name not in AXES:
            raise OptionError(f"{name} takes one value: it is no axis.", f"Axes are {', '.join(AXES)}.")
    named = {name: list(axes[name]) for name in AXES if name in axes}
    for name, values in named.items():
        if not values:
            raise OptionError(f"{name} has no values: the list is empty.")
        for at, value in enumerate(values):
            if value in values[:at]:
                raise OptionError(f"{name} has the value {value!r} twice.", "Give each value once.")
    for template in named.get("template", ()):
        check_name(template)
    return named


def _worded(name: str, value: Any, values: Sequence[Any]) -> str:
    if name == "model":
        return _short(value, values)
    return f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"


def _short(model: Any, models: Sequence[Any]) -> str:
    """A path by its last part, where that tells it from the others."""
    text = str(model)
    if not (text.startswith(("/", "./", "../", "~")) or isinstance(model, PurePath)):
        return text
    same = [other for other in models if PurePath(str(other)).name == PurePath(text).name]
    return PurePath(text).name if len(same) == 1 else text
