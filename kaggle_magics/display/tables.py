"""Tables of answers: how far, the first rows, what failed and why, and what it cost."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from kaggle_magics.display import escape
from kaggle_magics.display.answers import not_default
from kaggle_magics.display.bundle import View, fold, join, note, seconds, table
from kaggle_magics.display.tokens import MEAN, mean_probability
from kaggle_magics.generation.record import output_record
from kaggle_magics.generation.tables.rows import is_missing
from kaggle_magics.interpolation import name_of

if TYPE_CHECKING:
    from kaggle_magics.generation.tables.table import AnswerTable, RowAnswer, TableProgress

_ROWS = 10
"""Rows that are shown."""
_COLUMNS = 3
_VALUE, _ANSWER, _REASON = 60, 200, 300
"""Most characters of a value, an answer and a reason."""
_REASONS = 3


def table_line(progress: TableProgress) -> str:
    """How far a table is, on one line: "120 of 1,000 rows, 2 failed, 16 under way · 4.1 rows/s · 3 min 35 s left"."""
    ended = progress.done + progress.failed
    rows = f"{ended:,} of {progress.rows:,} {progress.unit}"
    if progress.failed:
        rows += f", {progress.failed:,} failed"
    if progress.begun:
        rows += f", {progress.begun} under way"
    parts = [rows]
    if progress.asked and progress.seconds > 0:
        parts.append(_rate(progress.asked, progress.seconds, progress.unit))
        if progress.tokens:
            parts.append(_rate(progress.tokens, progress.seconds, "tokens"))
    if progress.left and progress.seconds_left is not None:
        parts.append(f"{seconds(progress.seconds_left)} left")
    elif progress.seconds >= 1:
        parts.append(seconds(progress.seconds))
    return " · ".join(parts)


def answer_table_view(answers: AnswerTable) -> View:
    """The first rows with what went in and what came, then the counts, then what needs a look."""
    shown = answers[:_ROWS]
    names = _columns(answers)
    rows = answers.rows.read(0, len(shown))
    labels = answers.rows.labels(len(shown))
    likely = any(answer.done and answer.answer and answer.answer.tokens for answer in answers)
    drawn = [
        (
            label,
            *(_short(row.get(name), _VALUE) for name in names),
            _outcome(answer),
            *((mean_probability(answer.answer) if answer.done else None,) if likely else ()),
            _tokens(answer),
        )
        for label, row, answer in zip(labels, rows, shown, strict=True)
    ]
    counts = f"{len(answers):,} {'row' if len(answers) == 1 else 'rows'}"
    caption = f"The first {_ROWS} of {counts}" if len(answers) > _ROWS else counts
    columns = ("row", *map(str, names), "answer", *(("probability",) if likely else ()), "tokens")
    grid = table(caption, columns, drawn, numbers=("probability", "tokens"))
    records = tuple(output_record(row.answer) for row in shown if row.answer is not None)
    grid = View("table", f'<div class="km-scroll">{grid.html}</div>', grid.markdown, grid.text, records)
    explained = note(MEAN) if likely else None
    return join("answers", [grid, explained, _reasons(answers), answer_table_footer(answers)])


def answer_table_footer(answers: AnswerTable) -> View:
    """Counts, tokens, reuse and rate; then one line for what is left, and one where all failed."""
    run, usage = answers.run, answers.run.usage
    done, failed, left = answers.done, answers.failed, answers.left
    parts = [run.model, f"{done:,} answered"]
    if run.source:
        parts[0] = f"{run.model}, from {run.source}"
    if failed:
        parts.append(f"{failed:,} failed")
    if left:
        parts.append(f"{left:,} left")
    if run.known:
        parts.append(f"{run.known:,} known before")
    if run.asked:
        about = "about " if usage.estimated else ""
        prompt = f"{about}{usage.prompt_tokens:,} prompt tokens"
        parts.append(f"{prompt} ({usage.reused_tokens:,} reused)" if usage.reused_tokens else prompt)
        parts.append(f"{about}{usage.generated_tokens:,} generated")
    if not run.source:
        parts.append(seconds(run.seconds))
    if run.asked and run.seconds > 0:
        parts.append(_rate(run.asked, run.seconds, "rows"))
        parts.append(_rate(usage.generated_tokens, run.seconds, "tokens"))
    parts += not_default(run.sampling)
    line = " · ".join(parts)
    foot = View(
        "foot",
        f'<div class="km-foot" role="status">{escape.html(line)}</div>',
        f"*{escape.markdown_line(line)}*",
        escape.plain(f"[{line}]"),
    )
    warnings = []
    if run.gave_up and left:
        warnings.append(note(f"Ended early: whatever was asked failed. {_short(run.gave_up, _REASON)}", warn=True))
    elif failed == len(answers):
        warnings.append(note("Every row failed.", warn=True))
    if cut := sum(row.done and row.stop_reason == "length" for row in answers):
        most = run.sampling.max_tokens
        warnings.append(note(f"{cut:,} of {done:,} answers were cut off at max_tokens {most}.", warn=True))
    if left and run.source:
        warnings.append(note(f"{left:,} of {len(answers):,} rows have no reply in {run.source}.", warn=True))
    elif left:
        warnings.append(
            note(f"{left:,} of {len(answers):,} rows are left. Run it again to go on with them.", warn=True)
        )
    elif any(row.error and row.answer for row in answers) and not run.source:
        warnings.append(note("Run it again to try again what failed; answered rows are kept."))
    return join("foot", [foot, *warnings])


def _reasons(answers: AnswerTable) -> View | None:
    """Why rows failed: the commonest reasons, each with how many rows and the first of them."""
    counts = Counter(row.error for row in answers if row.error)
    if not counts:
        return None
    first: dict[str, int] = {}
    for place, row in enumerate(answers):
        if row.error:
            first.setdefault(row.error, place)
    lines = [
        f"{count:,} failed, the first at position {first[reason]}: {_short(reason, _REASON)}"
        for reason, count in counts.most_common(_REASONS)
    ]
    if len(counts) > _REASONS:
        lines.append(
            f"and {sum(counts.values()) - sum(n for _, n in counts.most_common(_REASONS)):,} for other reasons"
        )
    return View(
        "reasons",
        fold("Failed rows", "<ul>" + "".join(f"<li>{escape.html(line)}</li>" for line in lines) + "</ul>", open=True),
        "\n".join(f"- {escape.markdown_line(line)}" for line in lines),
        "\n".join(f"- {escape.plain(line)}" for line in lines),
    )


def _columns(answers: AnswerTable) -> list[object]:
    """The columns to show: those that the prompt uses, else the first ones."""
    used = [name for name in map(name_of, answers.run.fields) if name in answers.rows.columns]
    return list(dict.fromkeys(used or answers.rows.columns))[:_COLUMNS]


def _outcome(row: RowAnswer) -> str:
    if row.error:
        return f"failed: {_short(row.error, _ANSWER)}"
    if row.left:
        return "left"
    return f"{_short(row.text, _ANSWER)} [cut off]" if row.stop_reason == "length" else _short(row.text, _ANSWER)


def _tokens(row: RowAnswer) -> str:
    return f"{row.answer.usage.generated_tokens:,}" if row.done and row.answer is not None else ""


def _short(value: object, most: int) -> str:
    if is_missing(value):
        return ""
    try:
        text = " ".join(str(value).split())
    except Exception:  # an object of the person's may refuse to be text
        text = f"<{type(value).__name__}>"
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _rate(count: int, span: float, what: str) -> str:
    rate = count / span
    return f"{rate:,.0f} {what}/s" if rate >= 99.5 else f"{rate:.3g} {what}/s"
