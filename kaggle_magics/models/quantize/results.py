"""What quantising gives: the file and how it came about, or what it would be."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from kaggle_magics.models.quantize.agreement import Agreement


@dataclass(frozen=True, slots=True)
class Quantized(os.PathLike[str]):
    """A GGUF file that was made from a model; it can be loaded as a path is."""

    name: str
    """Of the model."""
    type: str
    """Such as "q4_k_m"."""
    path: Path
    bytes: int
    source: Path
    source_bytes: int
    bits_per_weight: float
    agreement: Agreement | None
    """None when the check was left out."""
    seconds_to_convert: float = 0.0
    seconds_to_quantize: float = 0.0
    seconds_to_check: float = 0.0
    found: bool = False
    """Whether it had been made before; the seconds are those of then."""
    requantized: bool = False
    """Whether its source was quantised already, whose loss it has, too."""

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        """As it is written on a magic's line: `%llm_load $small`."""
        return str(self.path)

    @property
    def seconds(self) -> float:
        """What making it took, in all."""
        return self.seconds_to_convert + self.seconds_to_quantize + self.seconds_to_check


@dataclass(frozen=True, slots=True)
class QuantizeEstimate:
    """What quantising would give; nothing was written."""

    name: str
    type: str
    path: Path
    """Where it would be written."""
    bytes: int
    """Of the result: every tensor exactly, its metadata within some bytes."""
    source: Path
    source_bytes: int
    disk: int
    """The most bytes that there would be on the disk on the way."""
    free: int
    """Bytes free there now."""


def write_notes(result: Quantized, file: Path) -> None:
    """Keep a result's facts beside it."""
    facts = asdict(result) | {"path": str(result.path), "source": str(result.source)}
    fresh = file.with_name(f"{file.name}.{os.getpid()}")
    fresh.write_text(json.dumps(facts, indent=1), encoding="utf-8")
    os.replace(fresh, file)


def read_notes(file: Path) -> Quantized | None:
    """A result's facts as they were kept; None where they are not, or not whole."""
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
        checked = Agreement(**facts["agreement"]) if facts.get("agreement") else None
        facts |= {"path": Path(facts["path"]), "source": Path(facts["source"]), "agreement": checked}
        return Quantized(**facts)
    except (OSError, ValueError, TypeError, AttributeError):
        return None
