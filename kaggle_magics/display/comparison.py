"""A comparison: the answers side by side, where they differ from the first, and their figures as a table."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from kaggle_magics.compare.difference import Part, difference
from kaggle_magics.compare.result import Compared, Comparison
from kaggle_magics.display import escape
from kaggle_magics.display.answers import ENDED
from kaggle_magics.display.bundle import View, join, note, seconds, size, table
from kaggle_magics.display.tokens import MEAN, mean_probability

if TYPE_CHECKING:
    from collections.abc import Sequence

_LEAST_ALIKE = 0.3
"""Below this share of words in common every word would be marked: a sentence says so instead."""
_NUMBERS = (
    "probability",
    "tokens",
    "tokens/s",
    "first token",
    "seconds",
    "memory",
    "planned",
    "loading",
    "same",
    "agreement",
)


def comparison_view(found: Comparison) -> View:
    """Columns side by side where there is room, one below the other where there is none; then the figures."""
    first = next((row.text for row in found if row.answer is not None), None)
    marked = [_column(row, first) for row in found]
    columns = View(
        "columns",
        f'<div class="km-columns">{"".join(view.html for view in marked)}</div>',
        "\n\n".join(view.markdown for view in marked),
        "\n\n".join(view.text for view in marked),
    )
    legend = None
    if len(found.answers) > 1 and any("<ins>" in view.html or "km-gap" in view.html for view in marked):
        legend = View(
            "note",
            '<div class="km-note"><ins>Underlined</ins>: words that the first answer does not have there; '
            "&#8248;: it has words that are left out here.</div>",
            "",
            "",
        )
    return join("comparison", [columns, legend, figures_view(found)])


def column_view(row: Compared) -> View:
    """One variant by itself, while others are still to come."""
    return _column(row, None)


def figures_view(found: Comparison) -> View:
    """What each variant cost, how it agrees with the others, and what happened meanwhile."""
    columns = [(name, cell) for name, cell in _COLUMNS.items() if any(cell(row) is not None for row in found)]
    rows = [[cell(row) for _, cell in columns] for row in found]
    caption = f"{len(found)} variant{'s' * (len(found) != 1)}"
    figures = table(caption, [name for name, _ in columns], rows, numbers=_NUMBERS)
    # A page does not scroll sideways for a wide table.
    figures = View("figures", f'<div class="km-scroll">{figures.html}</div>', figures.markdown, figures.text)
    explained = None
    if any(row.agreement is not None for row in found):
        explained = note(
            "same: share of the other answers that are equal. agreement: mean ROUGE-L F1 of the words with the others."
        )
    if any(answer.tokens for answer in found.answers):
        explained = join("notes", [explained, note(MEAN)])
    if any(answer.from_cache for answer in found.answers):
        kept = note("Some answers were kept from an earlier time: their times are of then. --no-cache asks again.")
        explained = join("notes", [explained, kept])
    return join("figures", [figures, explained, *(note(text) for text in found.notes)])


def _column(row: Compared, first: str | None) -> View:
    """The variant's name over its answer; `first` is the answer it is compared with."""
    heading = f'<div class="km-title">{escape.html(row.title)}</div>'
    body, said = _body(row, first)
    ended = ENDED.get(row.stop_reason) if row.answer else None
    if ended:
        said = f"{said} {ended}." if said else f"{ended[0].upper()}{ended[1:]}."
    below = note(said, warn=bool(ended or row.error)) if said else None
    text = row.text.strip()
    return View(
        "column",
        f'<section class="km-column" aria-label="{escape.attribute(row.title)}">{heading}{body}'
        f"{below.html if below else ''}</section>",
        "\n\n".join(
            filter(
                None,
                (f"**{escape.markdown_line(row.title)}**", escape.markdown(text), below.markdown if below else ""),
            )
        ),
        "\n".join(filter(None, (f"-- {escape.plain(row.title)} --", escape.plain(text), below.text if below else ""))),
    )


def _body(row: Compared, first: str | None) -> tuple[str, str]:
    """The answer's HTML, and what is to be said below it."""
    if row.error is not None:
        return "", row.error
    if row.answer is None:
        return "", "Not asked: the comparison was stopped."
    if not row.text.strip():
        return "", "(The answer is empty.)"
    whole = f"<pre>{escape.code(row.text.strip())}</pre>"
    if first is None or row.text == first:
        return whole, ""
    parts = difference(first.strip(), row.text.strip())
    if parts is None:
        return whole, "Too long to mark word by word where it differs from the first."
    if _alike(parts) < _LEAST_ALIKE:
        return whole, "Differs from the first throughout."
    return f"<pre>{''.join(map(_marked, parts))}</pre>", ""


def _marked(part: Part) -> str:
    text = escape.code(part.text)
    if part.new:
        return f"<ins>{text}</ins>"
    if part.missing:
        gone = escape.attribute(f"left out: {part.missing}")
        return f'<span class="km-gap" role="note" title="{gone}" aria-label="{gone}">&#8248;</span>{text}'
    return text


def _alike(parts: Sequence[Part]) -> float:
    """Share of the characters that the first answer has, too; white space aside."""
    lengths = [(len("".join(part.text.split())), part.new) for part in parts]
    every = sum(length for length, _ in lengths)
    return sum(length for length, new in lengths if not new) / every if every else 0.0


def _tokens(row: Compared) -> str | None:
    if row.answer is None:
        return None
    usage = row.answer.usage
    reused = f" ({usage.reused_tokens} reused)" if usage.reused_tokens else ""
    return f"{usage.prompt_tokens}{reused} + {usage.generated_tokens}"


def _speed(row: Compared) -> str | None:
    speed = row.answer.usage.tokens_per_second if row.answer else 0.0
    return f"{speed:,.1f}" if speed else None


def _share(value: float | None) -> str | None:
    return None if value is None else f"{value:.0%}"


_COLUMNS: dict[str, Callable[[Compared], str | None]] = {
    "variant": lambda row: row.title,
    "same": lambda row: _share(row.same),
    "agreement": lambda row: None if row.agreement is None else f"{row.agreement:.2f}",
    "probability": lambda row: mean_probability(row.answer),
    "tokens": _tokens,
    "tokens/s": _speed,
    "first token": lambda row: seconds(row.answer.usage.seconds_to_first_token) if row.answer else None,
    "seconds": lambda row: seconds(row.answer.usage.seconds) if row.answer else None,
    "memory": lambda row: size(row.memory_bytes) if row.memory_bytes else None,
    "planned": lambda row: size(row.planned_bytes) if row.planned_bytes else None,
    "loading": lambda row: seconds(row.seconds_to_load) if row.seconds_to_load is not None else None,
    "ended": lambda row: row.stop_reason,
}
