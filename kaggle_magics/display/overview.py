"""The overview of all magics, and the report of the doctor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kaggle_magics.display.bundle import View, join, note, table

if TYPE_CHECKING:
    from kaggle_magics.display.results import Overview, Report


def overview_view(overview: Overview) -> View:
    """Every magic with what it does."""
    rows = [(entry.usage, entry.summary) for entry in overview]
    more = note(
        f"Each explains itself: {overview.example} --help. What works here, and what is missing: {overview.doctor}"
    )
    return join("overview", [table(f"kaggle_magics {overview.version}", ("magic", "does"), rows), more])


def report_view(report: Report) -> View:
    """What works here and what does not, with the line that mends it."""
    rows = [
        (finding.what, "yes" if finding.works else "no", finding.detail, finding.remedy or None) for finding in report
    ]
    missing = sum(not finding.works for finding in report)
    last = note(f"{missing} of {len(report)} do not work yet." if missing else "Everything works here.")
    return join("report", [table("What works here", ("part", "works", "found", "to mend it"), rows), last])
