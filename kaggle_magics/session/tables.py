"""How a session asks one prompt many times: once a row of a table, or for several answers."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kaggle_magics.errors import EngineError
from kaggle_magics.generation.answer import Answer
from kaggle_magics.generation.prompt import Prompt
from kaggle_magics.generation.several import Answers, check_several
from kaggle_magics.generation.tables.answered import Answered
from kaggle_magics.generation.tables.row_prompt import RowPrompt
from kaggle_magics.generation.tables.rows import rows_of
from kaggle_magics.generation.tables.runner import OnTable, TableRunner
from kaggle_magics.generation.tables.table import AnswerTable, TableProgress
from kaggle_magics.models.request import DrawnSeed, Request
from kaggle_magics.session.prompting import PromptingCalls


class TableCalls(PromptingCalls):
    """The part of a `Session` that asks one prompt many times."""

    def __init__(self) -> None:
        super().__init__()
        self._answered = Answered()

    def prompt_over(
        self,
        text: str | Prompt,
        rows: Any,
        *,
        model: str | None = None,
        namespace: Mapping[str, Any] | None = None,
        name: str = "the table",
        again: bool = False,
        on_progress: OnTable | None = None,
        **options: Any,
    ) -> AnswerTable:
        """Ask once for each row; `{column}` in the text and the system text is the row's value.

        `rows` is a DataFrame, a list or a file: see `tables.rows.rows_of`; errors call it `name`. A field that is
        no column is filled from `namespace`; `{row["two words"]}` is a column whose name is no name. `options` are
        those of `prompt`. With a `seed`, every row has that one, so that each can be asked alone and says the same.

        Rows go to the engine in batches that share what their prompts begin with. A row that fails, or has an empty
        cell where the text has a field, keeps its reason and the others go on; after the stop button the rest is left.
        Rows that were answered in this session, with the same prompt, model and options, are not asked `again`; nor
        is a row that equals another one, where the answer is certain to be the same. So the same call goes on where it
        was stopped, and tries again what failed.

        Raises `OptionError` before anything is asked: a field that nothing fills, a prompt without a column, no rows.
        """
        table = rows_of(rows, name=name)
        asked = self._prompt_of(text, model, options)
        if again:
            asked = replace(asked, cache=False)
        prompt = RowPrompt.of(asked, table, namespace or {}, name=name)
        run = TableRunner(self.generate_many, self.model(model), prompt, table, self._answered, again, on_progress)
        # A stop between two batches keeps what is done, as it does within one.
        with contextlib.suppress(KeyboardInterrupt):
            run.go()
        self._answered.shrink(len(table))
        result = run.result()
        answers = (row.answer for row in reversed(result) if row.done)
        if (last := next(answers, None)) is not None:
            self._keep(last)
            self.several = result
        return result

    def prompt_many(
        self,
        text: str | Prompt,
        *,
        n: int,
        model: str | None = None,
        on_progress: OnTable | None = None,
        **options: Any,
    ) -> Answers:
        """Ask for `n` answers to one prompt, in batches that read it once. `options` are those of `prompt`.

        Their seeds are `seed`, `seed` + 1 and so on (from a random one where none is given), so each can be had again
        alone. After the stop button those that had begun are there. Raises `OptionError` for more than one answer at
        temperature 0, where all are the same, and `EngineError` when none could be given.
        """
        prompt = self._prompt_of(text, model, options)
        check_several(n, prompt.sampling)
        requests = seeded(prompt.request(), n)
        started = time.perf_counter()
        ended: list[Answer] = []

        def tell(_: int, answer: Answer) -> None:
            ended.append(answer)
            if on_progress is not None:
                failed = sum(bool(each.error) for each in ended)
                tokens = sum(each.usage.generated_tokens for each in ended)
                seconds = time.perf_counter() - started
                on_progress(TableProgress(n, len(ended) - failed, failed, len(ended), 0, tokens, seconds, "answers"))

        found = self.generate_many(requests, model=model, on_answer=tell)
        if all(answer.error for answer in found):
            raise EngineError(found[0].error)
        begun = [answer for answer in found if answer.stop_reason != "interrupted" or answer.text]
        answers = Answers(prompt.shown(answer) for answer in begun)
        if answers:
            self._keep(answers[-1])
            self.several = answers
        return answers


def seeded(request: Request, n: int) -> list[Request]:
    """The request `n` times, with seeds in a row that begin with its own, or anywhere."""
    sampling = request.sampling
    first = DrawnSeed.draw() if sampling.seed is None else sampling.seed
    seeds = [type(first)((first + place) % 2**32) for place in range(n)]
    return [replace(request, sampling=replace(sampling, seed=seed)) for seed in seeds]
