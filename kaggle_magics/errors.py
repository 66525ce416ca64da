"""What went wrong, in one line a person can act on.

Every error of this package derives from `KaggleMagicsError` and may carry a `hint`: the remedy, worded as
something to type or to do. From Python they are ordinary exceptions with full tracebacks; the magics show
only `str(error)`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


class KaggleMagicsError(Exception):
    """Base of all errors; `str()` is the message followed by the hint, on one line."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message


class OptionError(KaggleMagicsError, ValueError):
    """An option or argument has a name or a value that cannot be used."""


class ModelNotFound(KaggleMagicsError, LookupError):
    """A reference names no model that is attached, cached or bundled, or names several."""


class ModelNotLoaded(KaggleMagicsError, LookupError):
    """A name was given, or left out, for which no model is loaded in this session."""


class CheckpointError(KaggleMagicsError):
    """A model's files are damaged, incomplete, or of a kind the engine cannot run."""


class DoesNotFit(KaggleMagicsError, MemoryError):
    """A model, or an answer, needs more memory than there is."""

    plan: object | None = None
    """The `models.plan.Plan` that does not fit, or in which memory ran out; for `models.fit.remedies`."""


class EngineError(KaggleMagicsError, RuntimeError):
    """An engine failed while it answered."""


class StructureError(KaggleMagicsError, ValueError):
    """An answer was cut off before it had the structure that was asked for, or a server did not keep to it."""

    def __init__(self, message: str, hint: str | None = None, *, answer: Any = None) -> None:
        super().__init__(message, hint)
        self.answer = answer
        """The `generation.answer.Answer` as far as it came; it has no value."""


class ExpectationFailed(KaggleMagicsError, AssertionError):
    """Fewer answers than were asked for are as expected."""


class ReplayMiss(KaggleMagicsError, LookupError):
    """In a replay, an answer or a model that was not recorded."""


class MissingExtra(KaggleMagicsError, ImportError):
    """An optional library is not installed; the hint is the line that installs it."""


class DocumentError(KaggleMagicsError):
    """A document cannot be read, or yields no text."""


class CollectionError(KaggleMagicsError, LookupError):
    """A collection does not exist, is empty, or cannot be opened."""


class SavedPromptNotFound(KaggleMagicsError, KeyError):
    """There is no saved prompt of that name."""


class SavedPromptError(KaggleMagicsError):
    """A saved prompt's file cannot be read or written."""


class HistoryError(KaggleMagicsError):
    """The history cannot be read or written."""


class ChainError(KaggleMagicsError):
    """A chain cannot be parsed, or one of its steps failed."""


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """The hint "Did you mean ...?" for the nearest known words, or None when nothing is near."""
    names = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(word.casefold(), names, n=3, cutoff=0.5)
    return f"Did you mean {' or '.join(names[name] for name in near)}?" if near else None
