"""Asking a prompt once a row: in stretches, each row settled as it ends, none asked whose answer is known."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from kaggle_magics.errors import KaggleMagicsError, OptionError
from kaggle_magics.generation.answer import Answer
from kaggle_magics.generation.tables.answered import Answered, key_of
from kaggle_magics.generation.tables.row_prompt import RowPrompt
from kaggle_magics.generation.tables.rows import Rows
from kaggle_magics.generation.tables.table import NOT_ASKED, AnswerTable, RowAnswer, TableProgress, TableRun
from kaggle_magics.models.identity import identify
from kaggle_magics.models.loaded import LoadedModel
from kaggle_magics.models.request import Request, Usage

AT_ONCE = 512
"""Rows that are given to the engine together: enough to batch neighbours in length, few enough to hold in memory."""
AT_FIRST = 64
"""Rows of the first stretch: what is wrong with all of them shows before many were tried."""

OnTable = Callable[[TableProgress], None]


class TableRunner:
    """One table on its way: `go`, then `result`, which is whole at any time."""

    def __init__(
        self,
        generate_many: Callable[..., list[Answer]],
        model: LoadedModel,
        prompt: RowPrompt,
        rows: Rows,
        answered: Answered,
        again: bool,
        on_progress: OnTable | None,
    ) -> None:
        self._generate_many, self._model, self._prompt, self._rows = generate_many, model, prompt, rows
        self._answered, self._again, self._on_progress = answered, again, on_progress
        self._answers = [NOT_ASKED] * len(rows)
        self._copies: dict[int, list[int]] = {}
        """Rows that take the answer of another one: place of that one -> theirs."""
        self._done = self._failed = self._asked = self._known = 0
        self._begun: set[int] = set()
        self._usage = Usage(0, 0, 0, 0.0, 0.0)
        self._gave_up = ""
        self._stopped = False
        self._started = time.perf_counter()

    def go(self) -> None:
        """Ask until the last row, a stop, or the sight of a model that fails whatever it is asked."""
        stretch: dict[int, tuple[bytes, Request]] = {}
        size = AT_FIRST
        for place, key, request in self._open_requests():
            stretch[place] = key, request
            if len(stretch) == size:
                if not self._ask(stretch):
                    return
                stretch, size = {}, AT_ONCE
        if stretch:
            self._ask(stretch)

    def result(self) -> AnswerTable:
        """What came of it."""
        run = TableRun(
            self._model.name,
            self._prompt.prompt.sampling,
            self._prompt.of_rows,
            self._prompt.of_names,
            time.perf_counter() - self._started,
            self._asked,
            self._known,
            self._usage,
            self._gave_up,
            self._prompt.prompt.structure is not None,
        )
        return AnswerTable(self._answers, self._rows, run)

    def _open_requests(self) -> Iterator[tuple[int, bytes, Request]]:
        """The rows that must be asked, with the key of what each asks; the others are settled on the way."""
        sampling = self._prompt.prompt.sampling
        certain = sampling.temperature == 0 or sampling.seed is not None
        about: tuple[object, ...] = (
            self._model.name,
            self._model.identity or identify(self._model),
            self._model.template,
        )
        # A message's image shows its name and its size, not what is in it.
        attached = self._prompt.prompt.attached
        about += (tuple(image.digest for image in attached.images) if attached else (),)
        seen: Counter[bytes] = Counter()
        first: dict[bytes, int] = {}
        for place, row in enumerate(self._rows):
            try:
                request = self._prompt.fill(row).request()
            except KaggleMagicsError as error:
                self._settle(place, RowAnswer(error=str(error)))
                continue
            form = request.constraint.key if request.constraint else None
            key = key_of(about, form, replace(request, constraint=None, filled=()))
            if not certain:
                # Equal rows may have different answers: each has its own.
                seen[key] += 1
                key = key_of(key, seen[key])
            elif key in first:
                self._copy(place, first[key])
                continue
            else:
                first[key] = place
            known = None if self._again else self._answered.get(key)
            if known is not None:
                self._known += 1
                self._settle(place, RowAnswer.of(known))
            else:
                yield place, key, request

    def _copy(self, place: int, first: int) -> None:
        if self._answers[first].left:
            self._copies.setdefault(first, []).append(place)
        else:
            self._known += 1
            self._settle(place, self._answers[first])

    def _ask(self, stretch: Mapping[int, tuple[bytes, Request]]) -> bool:
        """Ask some rows; False where there is no use in going on."""
        places = list(stretch)

        def ended(index: int, answer: Answer) -> None:
            place = places[index]
            if answer.stop_reason == "interrupted" or not self._answers[place].left:
                return
            if answer.from_cache:
                self._known += 1
            else:
                self._asked += 1
                self._usage = _sum(self._usage, answer.usage)
            self._begun.discard(place)
            row = RowAnswer.of(answer)
            if row.done:
                self._answered.keep(stretch[place][0], answer)
            self._settle_all(place, row)

        def piece(index: int, _: object) -> None:
            place = places[index]
            if place not in self._begun and self._answers[place].left:
                self._begun.add(place)
                self._tell()

        def stop() -> None:
            self._stopped = True

        requests = [request for _, request in stretch.values()]
        self._tell()
        try:
            answers = self._generate_many(
                requests, model=self._model.name, on_piece=piece, on_answer=ended, on_stop=stop
            )
        except KaggleMagicsError as error:
            # The engine itself failed, and nothing came of this stretch.
            if isinstance(error, OptionError) and not self._asked:
                raise
            for place in places:
                self._settle_all(place, RowAnswer(error=str(error)))
            self._gave_up = str(error)
            return False
        finally:
            self._begun.clear()
        for index, answer in enumerate(answers):
            ended(index, answer)
        if self._stopped:
            return False
        reasons = {self._answers[place].error for place in places}
        if len(reasons) == 1 and "" not in reasons and len(places) > 1:
            [self._gave_up] = reasons
            return False
        return True

    def _settle_all(self, place: int, row: RowAnswer) -> None:
        """What came of a row, for it and for those that equal it."""
        self._settle(place, row)
        for other in self._copies.pop(place, ()):
            self._known += 1
            self._settle(other, row)

    def _settle(self, place: int, row: RowAnswer) -> None:
        self._answers[place] = row
        self._done += row.done
        self._failed += bool(row.error)
        self._tell()

    def _tell(self) -> None:
        if self._on_progress is not None:
            self._on_progress(
                TableProgress(
                    len(self._rows),
                    self._done,
                    self._failed,
                    self._asked,
                    len(self._begun),
                    self._usage.generated_tokens,
                    time.perf_counter() - self._started,
                )
            )


def _sum(one: Usage, other: Usage) -> Usage:
    return Usage(
        one.prompt_tokens + other.prompt_tokens,
        one.reused_tokens + other.reused_tokens,
        one.generated_tokens + other.generated_tokens,
        0.0,
        0.0,
        one.estimated or other.estimated,
    )
