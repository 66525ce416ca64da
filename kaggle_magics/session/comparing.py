"""How a session compares: one prompt, asked in several ways, one after the other in the memory there is."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any

from kaggle_magics.compare.grid import AXES, Variant, by_seat, variants
from kaggle_magics.compare.result import Compared, Comparison
from kaggle_magics.errors import KaggleMagicsError
from kaggle_magics.generation.prompt import Prompt
from kaggle_magics.generation.worker import OnText
from kaggle_magics.models.loaded import LoadedModel
from kaggle_magics.models.pool import OnProgress
from kaggle_magics.session.borrowing import Borrowing
from kaggle_magics.session.prompting import PromptingCalls

OnCompared = Callable[[Compared], None]
"""Gets a row when its variant begins (without an answer and without an error), and again when it is done."""


GREEDY = "At temperature 0 the seed makes no difference: there it was asked once."


class Grid(dict[int, tuple[Variant, Prompt]]):
    """Variants by their place, each with the prompt it asks; `notes` say what of them was left out."""

    def __init__(self, found: Iterable[tuple[int, tuple[Variant, Prompt]]], *, notes: Sequence[str]) -> None:
        super().__init__(found)
        self.notes = notes


@dataclass(frozen=True, slots=True)
class Seat:
    """A model that is ready to be asked, and what it is called without its quantisation."""

    model: LoadedModel
    called: str


class ComparingCalls(PromptingCalls):
    """The part of a `Session` that compares."""

    def __init__(self) -> None:
        super().__init__()
        self.compared: Comparison | None = None
        """The last comparison."""

    def compare(
        self,
        text: str | Prompt,
        *,
        models: str | PathLike[str] | Sequence[str | PathLike[str]] | None = None,
        quant: str | Sequence[str] | None = None,
        on_variant: OnCompared | None = None,
        on_text: OnText | None = None,
        on_reasoning: OnText | None = None,
        on_progress: OnProgress | None = None,
        **options: Any,
    ) -> Comparison:
        """Ask one prompt of several models or with several settings; a row for each combination, in that order.

        `models` are names of loaded models, or references as for `load`: these are loaded for the comparison and
        unloaded again. `quant` are words as for `load`; "none" is as stored. `options` are those of `prompt`; a list
        for one of `compare.grid.AXES` gives it several values. Where memory does not hold a model beside the loaded
        ones, they are unloaded meanwhile and loaded again afterwards; `notes` of the result tells so.

        A variant that fails is a row with its error, the others go on. The stop button keeps what is done. `on_variant`
        gets each row as it begins and as it ends, `on_text` the text between. Raises `OptionError` for what cannot be
        asked at all, and `ModelNotLoaded` where no model is named and none is loaded.
        """
        grid = self._grid(text, models, quant, options)
        rows = {index: Compared(variant=variant, model=self._called(variant)) for index, (variant, _) in grid.items()}
        borrowing = Borrowing(self, on_progress)
        notes: list[str] = []
        try:
            for index, seat in self._seated(grid, borrowing):
                row = _begun(rows[index], seat, borrowing)
                if row.error is None:
                    if on_variant is not None:
                        on_variant(row)
                    assert isinstance(seat, Seat)
                    row = self._asked(row, grid[index][1], seat.model, on_text=on_text, on_reasoning=on_reasoning)
                rows[index] = row
                if on_variant is not None:
                    on_variant(row)
                if row.stop_reason == "interrupted":
                    raise KeyboardInterrupt
        except KeyboardInterrupt:
            notes.append("Stopped: what was done until then was kept.")
        finally:
            notes += borrowing.close()
        self.compared = Comparison(rows.values(), notes=[*notes, *grid.notes])
        return self.compared

    def _grid(self, text: str | Prompt, models: Any, quant: Any, options: Mapping[str, Any]) -> Grid:
        """The variants that are asked for. Raises `OptionError`, and `ModelNotLoaded` where none is there to ask."""
        axes = {name: value for name, value in options.items() if name in AXES and isinstance(value, list | tuple)}
        prompt = Prompt.of(text, **{name: value for name, value in options.items() if name not in axes})
        for name, several in (("model", models), ("quant", quant)):
            if several is not None:
                axes[name] = [several] if isinstance(several, str | PathLike) else list(several)
        found = variants(axes, prompt)
        if "model" not in axes:
            self.model()
        fewer = math.prod(map(len, axes.values())) > len(found)
        return Grid(enumerate(found), notes=[GREEDY] if fewer else [])

    def _seated(self, grid: Grid, borrowing: Borrowing) -> Iterator[tuple[int, Seat | str]]:
        """Each variant with the model it runs on, or with why there is none; those of one model one after the other."""
        for indices in by_seat(list(grid.values()), {None, *self.loaded}):
            try:
                seat: Seat | str = Seat(*borrowing.take(*grid[indices[0]][0].seat))
            except KaggleMagicsError as error:
                seat = str(error)
            for index in indices:
                yield index, seat
            borrowing.give_back()

    def _asked(self, row: Compared, prompt: Prompt, model: LoadedModel, **listeners: Any) -> Compared:
        """The row with its answer, or with what went wrong."""
        try:
            return replace(row, answer=self.prompt(prompt, model=model.name, **listeners))
        except KaggleMagicsError as error:
            return replace(row, error=str(error))

    def _called(self, variant: Variant) -> str:
        """What a model is called before it is loaded."""
        if variant.model is not None:
            return str(variant.model)
        return self.current.name if self.current else ""


def _begun(row: Compared, seat: Seat | str, borrowing: Borrowing) -> Compared:
    """A row before its answer: its model, what that takes, and, where it was loaded for this, how long that took."""
    if isinstance(seat, str):
        return replace(row, error=seat)
    model = seat.model
    return replace(
        row,
        model=seat.called,
        memory_bytes=model.bytes_taken if model.plan else None,
        planned_bytes=model.plan.bytes if model.plan else None,
        seconds_to_load=model.seconds if model.name in borrowing else None,
    )
