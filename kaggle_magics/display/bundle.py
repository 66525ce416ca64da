"""What one output is made of: the same thing as HTML, Markdown and text, and the parts most outputs share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from kaggle_magics.display import escape, theme
from kaggle_magics.generation.record import METADATA


@dataclass(frozen=True, slots=True)
class View:
    """One thing to show. `html` is without the style sheet, so that views can be put into one another."""

    kind: str
    html: str
    markdown: str
    text: str
    answers: tuple[dict[str, Any], ...] = ()
    """Records of the answers that are shown (`generation.record.output_record`), for the output's metadata."""

    def metadata(self) -> dict[str, Any]:
        """The metadata of a notebook's output: JSON's own types, nothing where no answer is shown."""
        return {METADATA: {"answers": list(self.answers)}} if self.answers else {}

    def mime(self) -> dict[str, str]:
        """The mime bundle of a notebook's output."""
        return {
            "text/html": theme.root(self.html, self.kind),
            "text/markdown": self.markdown,
            "text/plain": self.text,
        }


def join(kind: str, views: Iterable[View | None]) -> View:
    """Views one below the other; None is left out."""
    parts = [view for view in views if view is not None]
    return View(
        kind,
        "".join(part.html for part in parts),
        "\n\n".join(part.markdown for part in parts if part.markdown),
        "\n\n".join(part.text for part in parts if part.text),
        tuple(record for part in parts for record in part.answers),
    )


def note(text: str, *, warn: bool = False) -> View:
    """A line that we say ourselves."""
    css = "km-note km-warn" if warn else "km-note"
    return View(
        "note", f'<div class="{css}">{escape.html(text)}</div>', f"*{escape.markdown_line(text)}*", escape.plain(text)
    )


def title(text: str) -> View:
    """A heading over a part; it does not enter the notebook's outline."""
    line = escape.plain(text)
    return View("title", f'<div class="km-title">{escape.html(text)}</div>', f"**{escape.markdown_line(text)}**", line)


_SHORT = 40
"""Characters of a cell that is not broken into lines."""


def table(
    caption: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: Sequence[str] = ()
) -> View:
    """A table with a caption; the columns named in `numbers` are aligned right. None is an empty cell."""
    cells = [["" if value is None else str(value) for value in row] for row in rows]
    right = [column in numbers for column in columns]
    return View(
        "table",
        _html(caption, columns, cells, right),
        _markdown(caption, columns, cells, right),
        _text(caption, columns, cells, right),
    )


def facts(caption: str, rows: Iterable[tuple[str, object]]) -> View:
    """Named facts about one thing, one a line."""
    pairs = [(name, str(value)) for name, value in rows]
    lines = "".join(
        f'<tr><th scope="row">{escape.html(name)}</th><td>{escape.html(value)}</td></tr>' for name, value in pairs
    )
    width = max((len(name) for name, _ in pairs), default=0)
    return View(
        "facts",
        f"<table><caption>{escape.html(caption)}</caption><tbody>{lines}</tbody></table>",
        "\n".join(
            [
                f"**{escape.markdown_line(caption)}**",
                "",
                *(f"- {escape.markdown_line(name)}: {escape.markdown_line(value)}" for name, value in pairs),
            ]
        ),
        "\n".join([escape.plain(caption), *(escape.plain(f"  {name.ljust(width)}  {value}") for name, value in pairs)]),
    )


def _html(caption: str, columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool]) -> str:
    def cell(text: str, number: bool, tag: str) -> str:
        # A short text on one line: in a wide table it would else become a column of single words.
        style = "km-number" if number else "km-short" if tag == "td" and len(text) <= _SHORT else ""
        mark = f' class="{style}"' if style else ""
        return f"<{tag}{mark}>{escape.html(text)}</{tag[:2]}>"

    head = "".join(cell(name, number, 'th scope="col"') for name, number in zip(columns, right, strict=True))
    body = "".join(
        "<tr>" + "".join(cell(text, number, "td") for text, number in zip(row, right, strict=True)) + "</tr>"
        for row in rows
    )
    top = f"<caption>{escape.html(caption)}</caption>" if caption else ""
    return f"<table>{top}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _markdown(caption: str, columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool]) -> str:
    lines = [f"**{escape.markdown_line(caption)}**", ""] if caption else []
    lines.append("| " + " | ".join(map(escape.markdown_line, columns)) + " |")
    lines.append("|" + "|".join(" ---: " if number else " --- " for number in right) + "|")
    lines += ["| " + " | ".join(map(escape.markdown_line, row)) + " |" for row in rows]
    return "\n".join(lines)


def _text(caption: str, columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool]) -> str:
    lines = [[" ".join(escape.plain(cell).split()) for cell in row] for row in (columns, *rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(columns))]
    drawn = [
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(line, widths, right, strict=True)
        )
        for line in lines
    ]
    drawn.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([*([escape.plain(caption)] if caption else []), *(line.rstrip() for line in drawn)])


def fold(summary: str, html: str, *, open: bool = False, id: str = "") -> str:
    """A part that folds; `html` is escaped already, `summary` is plain text."""
    attributes = (f' id="{escape.attribute(id)}"' if id else "") + (" open" if open else "")
    return f"<details{attributes}><summary>{escape.html(summary)}</summary>{html}</details>"


def size(number: float) -> str:
    """A number of bytes for people, in powers of 1000 as disks are labelled: "3.1 MB"."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 999.5:
            return f"{number:.0f} {unit}" if unit == "B" or number >= 99.5 else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def count(number: float) -> str:
    """A large count for people: "124 M"."""
    for unit in ("", " k", " M"):
        if number < 999.5:
            return f"{number:.0f}{unit}" if not unit or number >= 99.5 else f"{number:.1f}{unit}"
        number /= 1000
    return f"{number:.1f} B"


def seconds(number: float) -> str:
    """A duration for people: "0.42 s", "2 min 5 s"."""
    if number < 9.95:
        return f"{number:.2f} s" if number < 1 else f"{number:.1f} s"
    minutes, rest = divmod(round(number), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
