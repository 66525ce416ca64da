"""How a session evaluates models and prompts on a test set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from kaggle_magics.compare.expectations import Checking, Expectation, Outcome
from kaggle_magics.compare.grid import Variant
from kaggle_magics.compare.testset import TestSet
from kaggle_magics.compare.verdicts import Verdict, Verdicts
from kaggle_magics.errors import KaggleMagicsError
from kaggle_magics.generation.prompt import Prompt
from kaggle_magics.generation.tables.row_prompt import RowPrompt
from kaggle_magics.generation.tables.rows import rows_of
from kaggle_magics.generation.tables.table import AnswerTable, RowAnswer, TableProgress
from kaggle_magics.models.pool import OnProgress
from kaggle_magics.session.borrowing import Borrowing
from kaggle_magics.session.expecting import ExpectingCalls, expectations_of
from kaggle_magics.session.tables import TableCalls

OnCases = Callable[[str, TableProgress], None]
"""Gets the variant in words, and how far it is with the test set."""


class EvaluatingCalls(TableCalls, ExpectingCalls):
    """The part of a `Session` that runs test sets."""

    def evaluate(
        self,
        cases: Any,
        *,
        text: str | Prompt | None = None,
        expectations: str | Iterable[str | Expectation] = (),
        models: str | PathLike[str] | Sequence[str | PathLike[str]] | None = None,
        quant: str | Sequence[str] | None = None,
        namespace: Mapping[str, Any] | None = None,
        name: str | None = None,
        at_least: float | None = None,
        on_cases: OnCases | None = None,
        on_progress: OnProgress | None = None,
        **options: Any,
    ) -> Verdicts:
        """Ask every row of a test set, check every answer, and tell the pass rate of each variant.

        `cases` is a .csv, .jsonl or other table (`tables.rows.rows_of`) with a column `question`, or with those
        that `text` names in braces; `compare.testset` says which columns are checked, and `expectations` are expected
        of every answer besides. `models`, `quant` and `options` are as for `compare`: lists make variants. Each
        variant asks its rows in batches; rows that fail count as failed. The stop button keeps what is done.

        Raises `OptionError` before anything is asked: no such columns, a cell that is no assertion; and
        `ExpectationFailed` with `at_least`, as `expect`.
        """
        called = name or (Path(cases).name if isinstance(cases, str | PathLike) else "the test set")
        all_rows = expectations_of(expectations, namespace or {}) if expectations else []
        given = text.text if isinstance(text, Prompt) else text
        tests = TestSet.of(called, rows_of(cases, name=called), text=given, all_rows=all_rows)
        checking, said = self._checking([each for row in tests.expected for each in row], namespace or {})
        grid = self._grid(tests.text if text is None else text, models, quant, options)
        for _, prompt in grid.values():
            RowPrompt.of(prompt, tests.rows, namespace or {}, name=called)
        found: dict[int, list[Verdict]] = {index: [] for index in grid}
        borrowing = Borrowing(self, on_progress)
        notes: list[str] = []
        try:
            for index, seat in self._seated(grid, borrowing):
                variant, prompt = grid[index]
                if isinstance(seat, str):
                    found[index] = _verdicts(tests, variant, [RowAnswer(error=seat)] * len(tests.rows), checking)
                    continue
                asked = self._answers(tests, prompt, seat.model.name, variant.label or seat.called, namespace, on_cases)
                found[index] = _verdicts(tests, variant, asked, checking)
                if any(row.left for row in asked):
                    raise KeyboardInterrupt
        except KeyboardInterrupt:
            there = sum(map(len, found.values()))
            notes.append(f"Stopped: {there} of {len(grid) * len(tests.rows)} answers are there and were checked.")
        finally:
            notes += borrowing.close()
        verdicts = [verdict for index in grid for verdict in found[index]]
        result = Verdicts(verdicts, notes=[*notes, *grid.notes, *tests.notes, *said])
        if at_least is not None:
            result.require(at_least)
        return result

    def _answers(
        self,
        tests: TestSet,
        prompt: Prompt,
        model: str,
        label: str,
        namespace: Mapping[str, Any] | None,
        on_cases: OnCases | None,
    ) -> list[RowAnswer]:
        """What came of each row; where the model failed altogether, the rest of them failed."""
        tell = (lambda progress: on_cases(label, progress)) if on_cases is not None else None
        try:
            table: AnswerTable = self.prompt_over(
                prompt, tests.rows, model=model, namespace=namespace, name=tests.name, on_progress=tell
            )
        except KaggleMagicsError as error:
            return [RowAnswer(error=str(error))] * len(tests.rows)
        if table.run.gave_up:
            return [RowAnswer(error=table.run.gave_up) if row.left else row for row in table]
        return list(table)


def _verdicts(tests: TestSet, variant: Variant, rows: Sequence[RowAnswer], checking: Checking) -> list[Verdict]:
    """Each row that was asked to its end, checked."""
    return [
        Verdict(
            answer=row.answer if row.done else None,
            error=row.error or None,
            variant=variant.label,
            case=case,
            checks=tuple(
                (each, each.of(row.answer, checking) if row.done and row.answer else Outcome(False, row.error))
                for each in expected
            ),
        )
        for row, case, expected in zip(rows, tests.cases(), tests.expected, strict=True)
        if not row.left
    ]
