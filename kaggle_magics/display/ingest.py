"""What became of the documents that were read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kaggle_magics.display.bundle import View, join, note, seconds, table

if TYPE_CHECKING:
    from kaggle_magics.rag.ingesting.report import IngestReport


def ingest_view(report: IngestReport) -> View:
    """What became of each document; those that could not be read come with the reason."""
    counts: dict[str, int] = {}
    for row in report.rows:
        counts[row.status] = counts.get(row.status, 0) + 1
    summary = ", ".join(f"{number} {status}" for status, number in counts.items())
    caption = (
        f"Collection {report.collection}: {summary}. It holds {report.passages} passages of {report.documents} "
        f"documents ({report.embedded} embedded now by {report.embedder or 'none'}, {seconds(report.seconds)})"
    )
    columns = ("document", "status", "pages", "characters", "passages", "time", "reason")
    cells = [
        (
            row.source,
            row.status,
            row.pages,
            row.characters or None,
            row.passages or None,
            seconds(row.seconds),
            row.reason,
        )
        for row in report.rows
    ]
    drawn = table(caption, columns, cells, numbers=("pages", "characters", "passages", "time"))
    return join("ingest", [drawn, *(note(warning, warn=True) for warning in report.warnings)])
