"""What a reader is told beside a file's bytes, and what it tells beside the text."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How files are read; part of what decides whether a stored document is still up to date."""

    language: str | None = None
    """Of OCR and speech, as ISO 639 ("de", "deu"); several joined by "+". None: English in OCR, found out in speech."""

    @property
    def key(self) -> str:
        return self.language or ""


@dataclass(slots=True)
class Reading:
    """One file while it is read. A reader may add to `metadata` and `warnings` until its last block."""

    name: str
    """The file's name; its suffix chose the reader."""
    options: ReadOptions = field(default_factory=ReadOptions)
    metadata: dict[str, str | int | float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    """What was left out, and why; shown in the report."""
