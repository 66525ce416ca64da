"""What became of the sources of one ingest."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from kaggle_magics.extras import require

Status = Literal["added", "updated", "unchanged", "removed", "skipped"]


@dataclass(frozen=True, slots=True)
class IngestRow:
    """What became of one source. `reason` says why it was skipped, or what is missing in it."""

    source: str
    status: Status
    reason: str = ""
    pages: int | None = None
    characters: int = 0
    passages: int = 0
    """Of the source as it is stored now; of a removed one, how many went."""
    recognised: int = 0
    """Pages (in formats without pages: pieces) read by OCR or from speech."""
    embedded: int = 0
    """Passages whose vectors had to be computed."""
    reused: int = 0
    """Passages whose vectors were known: stored before, or in the cache."""
    seconds: float = 0.0
    """Reading and splitting, and a share by passages of the time that embedding and storing took."""


@dataclass(frozen=True, slots=True)
class IngestReport:
    """The rows of one ingest, in the order of the sources, and what the collection holds afterwards."""

    rows: tuple[IngestRow, ...]
    collection: str
    documents: int
    passages: int
    embedded: int
    """Passages whose vectors had to be computed: neither stored before nor in the cache."""
    embedder: str | None
    seconds: float
    warnings: tuple[str, ...] = ()
    reused: int = 0
    """Passages whose vectors were known: stored before, or in the cache."""
    left: int = 0
    """Sources that an interrupt left; what is in `rows` is stored. Run it again to go on."""

    def count(self, status: Status) -> int:
        """How many sources ended with this status."""
        return sum(row.status == status for row in self.rows)

    @property
    def skipped(self) -> tuple[IngestRow, ...]:
        """The rows that yielded nothing, each with the reason."""
        return tuple(row for row in self.rows if row.status == "skipped")

    @property
    def totals(self) -> IngestRow:
        """All rows that are in the collection added up: pages, characters, passages and so on."""
        kept = [row for row in self.rows if row.status != "removed"]
        paged = [row.pages for row in kept if row.pages is not None]
        return IngestRow(
            f"{len(kept)} sources",
            "added",
            "",
            sum(paged) if paged else None,
            sum(row.characters for row in kept),
            sum(row.passages for row in kept),
            sum(row.recognised for row in kept),
            self.embedded,
            self.reused,
            self.seconds,
        )

    def to_pandas(self) -> Any:
        """The rows as a DataFrame. Raises `MissingExtra` without pandas."""
        return require("pandas", "A table of the report").DataFrame([asdict(row) for row in self.rows])
