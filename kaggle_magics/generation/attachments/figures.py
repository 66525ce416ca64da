"""Figures of matplotlib in words, for models that take no images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kaggle_magics.generation.attachments.description import Lines, Words, counted, short


def describe_figure(figure: Any, room: int) -> Words:
    """Title, and of each axes its title, labels, legend, and what is drawn with its range."""
    axes = figure.axes
    # matplotlib 3.8 brought the method.
    said = figure.get_suptitle() if hasattr(figure, "get_suptitle") else ""
    title = f" titled {short(said)!r}" if said else ""
    lines = Lines(room)
    wanted = [line for number, one in enumerate(axes, start=1) for line in _axes(one, number, len(axes))]
    taken = lines.fill(wanted)
    left_out = f"{len(wanted) - taken} of {len(wanted)} lines about what is drawn" if taken < len(wanted) else ""
    return Words(f"a matplotlib figure{title} with {counted(len(axes), 'plot')}", lines.text, left_out)


def describe_axes(axes: Any, room: int) -> Words:
    """As a figure of one plot."""
    lines = Lines(room)
    wanted = list(_axes(axes, 1, 1))
    taken = lines.fill(wanted)
    return Words("a matplotlib plot", lines.text, "part of what is drawn" if taken < len(wanted) else "")


def _axes(axes: Any, number: int, count: int) -> Iterator[str]:
    if count > 1:
        yield f"Plot {number}:"
    if axes.get_title():
        yield f"- title: {short(axes.get_title())}"
    for side in ("x", "y"):
        low, high = sorted(getattr(axes, f"get_{side}lim")())
        label = getattr(axes, f"get_{side}label")()
        named = f" {short(label)}," if label else ""
        yield f"- {side} axis:{named} {getattr(axes, f'get_{side}scale')()} from {low:.4g} to {high:.4g}"
    if legend := axes.get_legend():
        yield f"- legend: {', '.join(short(entry.get_text()) for entry in legend.get_texts())}"
    for line in axes.lines:
        yield f"- line{_label(line)} of {counted(len(line.get_xdata()), 'point')}{_span(line.get_ydata())}"
    if bars := [patch for patch in axes.patches if hasattr(patch, "get_height")]:
        ticks = [short(tick.get_text(), 30) for tick in axes.get_xticklabels() if tick.get_text()]
        yield f"- {counted(len(bars), 'bar')} of heights {', '.join(f'{bar.get_height():.4g}' for bar in bars[:30])}"
        if ticks:
            yield f"- labels of the x axis: {', '.join(ticks[:30])}"
    for points in axes.collections:
        yield f"- {type(points).__name__}{_label(points)} of {counted(len(points.get_offsets()), 'point')}"
    for picture in axes.images:
        yield f"- an image of shape {tuple(picture.get_array().shape)}"
    for text in axes.texts:
        yield f"- text: {short(text.get_text())}"


def _label(artist: Any) -> str:
    label = str(artist.get_label() or "")
    return f" {short(label)!r}" if label and not label.startswith("_") else ""


def _span(values: Any) -> str:
    try:
        numbers = [float(value) for value in values]
        finite = [number for number in numbers if number - number == 0]
        return f", y from {min(finite):.4g} to {max(finite):.4g}, first {numbers[0]:.4g}, last {numbers[-1]:.4g}"
    except (TypeError, ValueError, IndexError):
        return ""
