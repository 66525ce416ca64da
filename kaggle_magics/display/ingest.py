"""What became of the documents that were read, and how far a reading is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kaggle_magics.display import escape
from kaggle_magics.display.bundle import View, fold, join, note, seconds, table
from kaggle_magics.generation.attachments.description import counted

if TYPE_CHECKING:
    from kaggle_magics.rag.ingesting.progress import IngestProgress
    from kaggle_magics.rag.ingesting.report import IngestReport, IngestRow

_ROWS = 20
"""Rows that are shown unfolded; what was skipped comes first."""
_COLUMNS = ("document", "status", "reason", "pages", "characters", "passages", "embedded", "recognised", "time")
_NUMBERS = _COLUMNS[3:]
_ORDER = {"skipped": 0, "removed": 1, "updated": 2, "added": 3, "unchanged": 4}


def ingest_line(progress: IngestProgress) -> str:
    """How far it is, on one line: "3 of 12 documents · 420 passages · 35 passages/s · 1 min 20 s left · report.pdf"."""
    parts = [f"{progress.done:,} of {progress.total:,} documents"]
    if progress.total == 1 and progress.fraction > 0:
        parts = [f"{progress.fraction:.0%} of 1 document"]
    if progress.passages:
        parts.append(f"{progress.passages:,} passages")
    if progress.rate is not None and progress.seconds >= 1:
        parts.append(f"{progress.rate:,.0f} passages/s" if progress.rate >= 10 else f"{progress.rate:.2g} passages/s")
    if progress.seconds_left is not None and progress.done < progress.total:
        parts.append(f"about {seconds(progress.seconds_left)} left")
    return " · ".join((*parts, progress.source))


def ingest_view(report: IngestReport) -> View:
    """What became of each document: what could not be read stands first, with the reason; a long report folds."""
    rows = sorted(report.rows, key=lambda row: (_ORDER.get(row.status, 9), not row.reason))
    first, rest = rows[:_ROWS], rows[_ROWS:]
    skipped = report.count("skipped")
    warnings = [note(warning, warn=True) for warning in report.warnings]
    if report.left:
        are = "is" if report.left == 1 else "are"
        left = f"Interrupted: {counted(report.left, 'document')} {are} left. "
        left += "What is listed here is stored; run it again to go on."
        warnings.insert(0, note(left, warn=True))
    if skipped:
        files = "1 document yields" if skipped == 1 else f"{skipped:,} documents yield"
        warnings.insert(0, note(f"{files} nothing; the reasons stand in the table.", warn=True))
    return join("ingest", [_table(_caption(report), first), _folded(rest), _totals(report), *warnings])


def _caption(report: IngestReport) -> str:
    counts: dict[str, int] = {}
    for row in report.rows:
        counts[row.status] = counts.get(row.status, 0) + 1
    summary = ", ".join(f"{counts[status]:,} {status}" for status in _ORDER if status in counts) or "nothing read"
    return (
        f"Collection {report.collection}: {summary}. It holds {counted(report.passages, 'passage')} of "
        f"{counted(report.documents, 'document')}"
    )


def _table(caption: str, rows: Sequence[IngestRow]) -> View:
    cells = [
        (
            row.source,
            row.status.upper() if row.status == "skipped" else row.status,
            row.reason or None,
            row.pages,
            row.characters or None,
            row.passages or None,
            row.embedded or None,
            row.recognised or None,
            seconds(row.seconds) if row.status != "removed" else None,
        )
        for row in rows
    ]
    # A column in which nothing stands only makes the table wide.
    filled = [at for at, name in enumerate(_COLUMNS) if any(row[at] is not None for row in cells)]
    columns = [_COLUMNS[at] for at in filled]
    return table(caption, columns, [[row[at] for at in filled] for row in cells], numbers=_NUMBERS)


def _folded(rows: Sequence[IngestRow]) -> View | None:
    """The other rows: folded as HTML, counted in text."""
    if not rows:
        return None
    line = counted(len(rows), "more document")
    told = f"and {line}: all of them are in .to_pandas()"
    return View("rest", fold(line, _table(line, rows).html), f"*{escape.markdown_line(told)}*", told)


def _totals(report: IngestReport) -> View:
    """One line: what was read, what it cost."""
    total = report.totals
    kept = len(report.rows) - report.count("removed")
    parts = [counted(kept, "document")]
    if total.pages is not None:
        parts.append(counted(total.pages, "page"))
    parts += [counted(total.characters, "character"), counted(total.passages, "passage")]
    if total.recognised:
        parts.append(f"{total.recognised:,} {'page' if total.recognised == 1 else 'pages'} recognised")
    if report.embedder is None:
        parts.append("no embedder")
    else:
        parts.append(f"{report.embedded:,} embedded, {report.reused:,} reused ({report.embedder})")
    return note(" · ".join((*parts, seconds(report.seconds))))
