"""How a session has requests answered elsewhere: written to a file, and its answers read back."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from kaggle_magics import __version__
from kaggle_magics.errors import KaggleMagicsError, OptionError
from kaggle_magics.generation.answer import Answer, RunCard
from kaggle_magics.generation.card import shortened
from kaggle_magics.generation.prompt import Prompt
from kaggle_magics.generation.reasoning import ReasoningSplitter
from kaggle_magics.generation.several import Answers, check_several
from kaggle_magics.generation.structured.structure import structured_row
from kaggle_magics.generation.tables import batch_file
from kaggle_magics.generation.tables.batch_file import BatchFile, Reply
from kaggle_magics.generation.tables.row_prompt import RowPrompt
from kaggle_magics.generation.tables.rows import Rows, rows_of
from kaggle_magics.generation.tables.table import NOT_ASKED, AnswerTable, RowAnswer, TableRun
from kaggle_magics.models.constraint import stable_form
from kaggle_magics.models.request import Request
from kaggle_magics.session.tables import TableCalls, seeded

Requests = Iterator[tuple[int, Request | str]]
"""(place, what to ask there, or why it cannot be asked)."""


class BatchCalls(TableCalls):
    """The part of a `Session` that writes and reads batch files."""

    def write_batch(
        self,
        text: str | Prompt,
        path: str | PathLike[str],
        *,
        rows: Any = None,
        n: int | None = None,
        model: str | None = None,
        namespace: Mapping[str, Any] | None = None,
        name: str = "the table",
        overwrite: bool = False,
        **options: Any,
    ) -> BatchFile:
        """Write what `prompt_over` (with `rows`), `prompt_many` (with `n`) or `prompt` would ask into a file.

        It is in OpenAI's batch format, for `vllm run-batch`; one line a request, so a million rows need no memory.
        `model` is a loaded model's name, which stands for where its weights lie, or else the name that the server
        knows; no model need be loaded. Rows that cannot be asked are left out. The same file again is left as it is;
        another one is only replaced with `overwrite`. Raises `OptionError`.
        """
        prompt = self._prompt_of(text, model if model in self.loaded else None, options)
        target = Path(path).expanduser()
        served = self._served(model)
        kind, requests = self._requests(prompt, rows, n, namespace, name)
        left_out: dict[int, str] = {}

        def lines() -> Iterator[str]:
            for place, request in requests:
                if isinstance(request, str):
                    left_out[place] = request
                else:
                    yield batch_file.request_line(batch_file.request_id(kind, place, request), request, served)

        count, size, was_there = batch_file.write(target, lines(), overwrite=overwrite)
        return BatchFile(target, count, served, size, left_out, was_there)

    def read_batch(
        self,
        text: str | Prompt,
        path: str | PathLike[str],
        *,
        rows: Any = None,
        n: int | None = None,
        namespace: Mapping[str, Any] | None = None,
        name: str = "the table",
        **options: Any,
    ) -> AnswerTable | Answers:
        """The answers to a file that `write_batch` wrote for the same prompt and rows: what those calls give, in order.

        Rows without a reply are left. Raises `OptionError` where the replies are to other prompts: the rows were
        sorted, or the prompt changed, since.
        """
        prompt = self._prompt_of(text, None, options)
        source = Path(path).expanduser()
        replies = batch_file.read(source)
        kind, requests = self._requests(prompt, rows, n, namespace, name)
        found: list[RowAnswer] = []
        for place, request in requests:
            if isinstance(request, str):
                found.append(RowAnswer(error=request))
                continue
            reply = replies.pop(batch_file.request_id(kind, place, request), None)
            found.append(NOT_ASKED if reply is None else RowAnswer.of(_answer(prompt, request, reply)))
        if replies:
            raise OptionError(
                f"{len(replies):,} of the replies in {source.name} are to other prompts; one has the id "
                f"{next(iter(replies))!r}.",
                "Give the prompt and the rows that the file was written for, in the same order.",
            )
        answers = [row.answer for row in found if row.answer is not None]
        if rows is None:
            return Answers(prompt.shown(answer) for answer in answers)
        table = rows_of(rows, name=name)
        run = TableRun(answers[0].card.model, prompt.sampling, source=source.name, structured=bool(prompt.structure))
        return AnswerTable(found, table, run)

    def _requests(
        self, prompt: Prompt, rows: Any, n: int | None, namespace: Mapping[str, Any] | None, name: str
    ) -> tuple[str, Requests]:
        """What the requests are called, and they themselves, one after the other."""
        if rows is not None:
            if n is not None:
                raise OptionError("n and rows do not go together.", "Repeat the rows instead.")
            table = rows_of(rows, name=name)
            return "row", _row_requests(RowPrompt.of(prompt, table, namespace or {}, name=name), table)
        check_several(1 if n is None else n, prompt.sampling)
        request = prompt.request()
        # Without a seed the server draws them.
        several = [request] * (n or 1) if n is None or prompt.sampling.seed is None else seeded(request, n)
        return "answer", iter(enumerate(several))

    def _served(self, model: str | None) -> str:
        """What a server that is to answer will call the model."""
        loaded = self.loaded.get(model) if model is not None else self.current
        if loaded is None:
            if model is None:
                raise OptionError(
                    "A batch file must name its model, and none is loaded.", "Name what the server will load: -m MODEL."
                )
            return model
        if loaded.checkpoint is not None:
            return str(loaded.checkpoint.path)
        reference = getattr(loaded.engine, "reference", None)
        return str(getattr(reference, "model", None) or loaded.name)


def _row_requests(prompt: RowPrompt, rows: Rows) -> Requests:
    for place, row in enumerate(rows):
        try:
            yield place, prompt.fill(row).request()
        except KaggleMagicsError as error:
            yield place, str(error)


def _answer(prompt: Prompt, request: Request, reply: Reply) -> Answer:
    """A reply as an answer, its thoughts told apart and its structure read."""
    created = datetime.datetime.fromtimestamp(reply.created or 0, datetime.UTC).isoformat(timespec="seconds")
    card = RunCard(
        model=reply.model or "batch",
        source=reply.model,
        engine="batch",
        library="OpenAI batch file",
        device="unknown",
        dtype="unknown",
        messages=request.messages,
        template=request.template,
        sampling=request.sampling,
        version=__version__,
        created=created if reply.created else "",
        filled=shortened(request.filled),
        structure=stable_form(request.constraint),
    )
    text, reasoning = reply.text, reply.reasoning
    if not reasoning and request.constraint is None:
        splitter = ReasoningSplitter(lambda: "")
        text, reasoning = (one + other for one, other in zip(splitter.feed(text), splitter.flush(), strict=True))
    given = Answer(
        text=reply.error or text,
        stop_reason=reply.stop_reason,
        usage=reply.usage,
        card=card,
        reasoning=reasoning.strip(),
        error=reply.error,
    )
    return structured_row(request, given)
