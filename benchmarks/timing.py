"""How benchmarks measure and what they print: kinds that take turns, medians, ratios beside their targets.

A machine that is busy slows whatever runs at that moment, so the ways to be compared take turns within one process
and the medians are compared. A ratio that misses its target is printed like the others; the exit status does not
depend on it, because a machine under load is no defect of the code. Outputs that must be equal are asserted.
"""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

# What is measured is computed, every time.
os.environ["KAGGLE_MAGICS_ANSWERS"] = "off"


def take_turns(ways: Mapping[str, Callable[[], float | None]], runs: int, *, warm: int = 1) -> dict[str, float]:
    """Median seconds of each way, over `runs` rounds in which each runs once; `warm` rounds before are not counted.

    A way that measures itself (to leave its preparations out) returns its seconds; otherwise its whole call counts.
    """
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(-warm, runs):
        for name, way in ways.items():
            started = time.perf_counter()
            own = way()
            seconds = time.perf_counter() - started if own is None else own
            if turn >= 0:
                taken[name].append(seconds)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


@dataclass(frozen=True)
class Result:
    """One comparison. `target` is the least ratio baseline / ours, or with `at_most` the greatest ours / baseline.

    Without a target it is told for the sake of honesty: a baseline that does as well, or one nobody promised to beat.
    """

    what: str
    baseline: float
    ours: float
    target: float | None = None
    unit: str = "ms"
    at_most: bool = False

    @property
    def ratio(self) -> float:
        return self.ours / self.baseline if self.at_most else self.baseline / self.ours

    @property
    def met(self) -> bool:
        if self.target is None:
            return True
        return self.ratio <= self.target if self.at_most else self.ratio >= self.target


def show(title: str, results: list[Result], *, notes: tuple[str, ...] = ()) -> None:
    """Print the results as a Markdown table, with the machine and the libraries they were measured on."""
    print(f"\n### {title}\n\n{machine()}\n")
    print("| what | baseline | ours | ratio | target | |\n|---|---:|---:|---:|---:|---|")
    for result in results:
        bound, verdict = "none", ""
        if result.target is not None:
            bound = f"{'at most' if result.at_most else 'at least'} {result.target:g}x"
            verdict = "met" if result.met else "**missed**"
        print(
            f"| {result.what} | {_figure(result.baseline)} {result.unit} | {_figure(result.ours)} {result.unit} "
            f"| {result.ratio:.3g}x | {bound} | {verdict} |"
        )
    for note in notes:
        print(f"\n{note}")


def machine() -> str:
    """This machine and what runs on it, in a line."""
    parts = [f"{time.strftime('%Y-%m-%d')}", _processor(), f"{len(os.sched_getaffinity(0))} cores"]
    parts.append(f"Python {platform.python_version()}")
    parts += [f"{name} {version}" for name, version in _versions() if version]
    return ", ".join(parts)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _versions() -> list[tuple[str, str]]:
    from importlib import metadata

    found = []
    for name in ("torch", "transformers", "llama-cpp-python"):
        try:
            found.append((name, metadata.version(name)))
        except metadata.PackageNotFoundError:
            continue
    return found


def _figure(number: float) -> str:
    return f"{number:,.0f}" if number >= 1000 else f"{number:.3g}"
