"""What a reader is told beside a file's bytes, and what it tells beside the text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How files are read; part of what decides whether a stored document is still up to date."""

    language: str | None = None
    """Of OCR and speech, as ISO 639 ("de", "deu"); several joined by "+". None: English in OCR, found out in speech."""

    speech_model: str | None = None
    """Reference of a Whisper model; None: an attached one."""
    resources: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """What readers keep from one file to the next of the same ingest: a loaded model."""

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
    without_ocr: bool = False
    """Whether something of it was left out because OCR was missing: it is read again where that has come."""
