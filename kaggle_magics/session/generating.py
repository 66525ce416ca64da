"""How a session runs requests: alone on their model, reachable by `stop`, one at a time or as a table."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from kaggle_magics.errors import DoesNotFit, OptionError, ReplayMiss, StructureError
from kaggle_magics.generation.answer import Answer, InThread
from kaggle_magics.generation.cache.key import Slot
from kaggle_magics.generation.conversation import says_nothing
from kaggle_magics.generation.history.rows import Asked
from kaggle_magics.generation.preview import Own, Preview, preview_of
from kaggle_magics.generation.running import Recalled, Running, answer_of, failed
from kaggle_magics.generation.structured.structure import structured, structured_row
from kaggle_magics.generation.waiting import in_line, shortened
from kaggle_magics.generation.worker import Generation, TableGeneration, Worker
from kaggle_magics.generation.worker import OnText as OnText
from kaggle_magics.models.loaded import LoadedModel
from kaggle_magics.models.request import DrawnSeed, Piece, Request
from kaggle_magics.session.recording import RecordingCalls

OnPiece = Callable[[int, Piece], None]
OnAnswer = Callable[[int, Answer], None]
MOST_SAID = 2000
"""Answers that a session remembers."""


class GeneratingCalls(RecordingCalls):
    """The part of a `Session` that runs requests; all that asks a model is made of these."""

    def __init__(self) -> None:
        super().__init__()
        self.said: deque[Answer] = deque(maxlen=MOST_SAID)
        """What models answered in this session, the latest last; `verify` asks them again."""

    def generate(
        self,
        request: Request,
        *,
        model: str | None = None,
        on_text: OnText | None = None,
        on_reasoning: OnText | None = None,
        asked: Asked | None = None,
        thread: InThread | None = None,
        finish: Callable[[Answer], Answer] | None = None,
    ) -> Answer:
        """Run one request on a loaded model; every other call that asks is made of this one.

        An answer that does not reach the structure it was asked for raises `StructureError`, and is kept as the last.
        `asked` is what the history notes of it, `thread` its place in a conversation; `finish` makes
        of it what it is to be.
        """
        asked = asked or Asked()
        with self._begun(request, model) as running:
            running.generation.run(on_text, on_reasoning)
        answer = running.answer()
        if thread is not None:
            answer = replace(answer, card=replace(answer.card, thread=thread))
        if finish is not None:
            answer = finish(answer)
        try:
            answer = structured(request, answer)
        except StructureError as error:
            # What was said is not lost with it.
            self._keep(error.answer, replace(asked, thread=None))
            raise
        self._record([answer], replace(asked, thread=None) if says_nothing(answer) else asked)
        return answer

    def generate_many(
        self,
        requests: Sequence[Request],
        *,
        model: str | None = None,
        on_piece: OnPiece | None = None,
        on_answer: OnAnswer | None = None,
        on_stop: Callable[[], None] | None = None,
    ) -> list[Answer]:
        """Run many requests on a loaded model in as few passes as it can: their answers, in the requests' order.

        `on_piece` gets (index of the request, piece) as they come, in this thread; rows may alternate; `on_answer` gets
        (index, answer) as each ends, but not after a stop. A request that fails is an answer with `stop_reason`
        "error" and the reason as its text; so are all that are left when the engine itself fails. The stop button keeps
        what is done: answers on their way and those not begun are then "interrupted"; `on_stop` is called even where
        all were done by then. A row that was cut off before it had the structure it was asked for keeps its text and
        "length", and has no value.
        """
        loaded = self.model(model)
        whole = [_complete(request, loaded) for request in requests]
        slots = [self.answers.slot(loaded, request) for request in whole]
        done: dict[int, Answer] = {}

        def ended(index: int, answer: Answer) -> None:
            done[index] = structured_row(whole[index], answer)
            if on_answer is not None:
                on_answer(index, done[index])

        for index, slot in enumerate(slots):
            kept = self._kept_row(slot, loaded, whole[index])
            if kept is not None:
                if on_piece is not None:
                    on_piece(index, Piece(kept.text, kept.stop_reason, kept.usage))
                ended(index, kept)
        left = [index for index in range(len(whole)) if index not in done]
        table = TableGeneration(loaded.engine, [whole[index] for index in left])

        def came(index: int) -> None:
            answer = answer_of(loaded, whole[left[index]], table.answers[index])
            self.answers.keep(slots[left[index]], answer)
            ended(left[index], answer)

        def shown(piece: tuple[int, Piece]) -> None:
            if on_piece is not None:
                on_piece(left[piece[0]], piece[1])
            if piece[1].stop_reason is not None:
                came(piece[0])

        if left:
            with self._alone(loaded, table, f"a table of {len(left)} rows"):
                table.run(shown)
        if table.stopped and on_stop is not None:
            on_stop()
        # What a stop ended is not told row by row.
        on_answer = None
        for index, row in enumerate(left):
            if row not in done:
                came(index)
        answers = [self._note(done[index]) for index in range(len(whole))]
        self._record([answer for answer in answers if answer.stop_reason != "error"], Asked("table"), table=True)
        return answers

    def _kept_row(self, slot: Slot | None, loaded: LoadedModel, request: Request) -> Answer | None:
        """A table's row that need not be asked, or cannot be."""
        try:
            return self.answers.find(slot, loaded, request)
        except ReplayMiss as error:
            return failed(loaded, request, error)

    @contextmanager
    def generating(self, request: Request, *, model: str | None = None) -> Iterator[Running]:
        """A request that is about to run, alone on its model, and that `stop` can reach: for those who take its text
        piece by piece.

        Nothing runs where its answer is kept from an earlier time (`session.answers`); else it is kept at the end.
        """
        with self._begun(request, model) as running:
            yield running
        if running.generation.stop_reason is not None:
            self._record([running.answer()], Asked())

    @contextmanager
    def _begun(self, request: Request, model: str | None) -> Iterator[Running]:
        loaded = self.model(model)
        complete = _complete(request, loaded)
        slot = self.answers.slot(loaded, complete)
        kept = self.answers.find(slot, loaded, complete)
        if kept is not None:
            yield Running(loaded, complete, Recalled(kept), kept)
            self._note(kept)
            return
        generation = Generation(loaded.engine, complete)
        try:
            with self._alone(loaded, generation, f"the answer to {shortened(request.messages[-1].content)}"):
                yield (running := Running(loaded, complete, generation))
        except BaseException:
            self.answers.give_back(slot)
            raise
        if generation.stop_reason is not None:
            self.answers.keep(slot, self._note(running.answer()))

    def _preview(self, request: Request, own: Own, *, model: str | None = None, left_out: int = 0) -> Preview:
        """What a request would be for a model; nothing runs."""
        loaded = self.model(model)
        return preview_of(loaded, _complete(request, loaded), own, left_out=left_out)

    @contextmanager
    def _alone(self, loaded: LoadedModel, work: Worker[Any], what: str = "an answer") -> Iterator[None]:
        """Alone on a model: whoever comes second waits in line, and `stop` reaches who waits too."""
        self._running.add(work)
        try:
            with in_line(loaded.lock, loaded.name, what):
                try:
                    yield
                except DoesNotFit as error:
                    trouble = error
                else:
                    return
        finally:
            self._running.discard(work)
        raise self._pool.out_of_memory(loaded, trouble)

    def _note(self, answer: Answer) -> Answer:
        self.said.append(answer)
        return answer


def check_images(request: Request, loaded: LoadedModel) -> None:
    """Raise `OptionError` where a request has images and the model takes none, before anything is computed."""
    images = [image for message in request.messages for image in message.images]
    names = [image.name for image in images]
    if lost := [image.name for image in images if not image.data]:
        raise OptionError(f"The image {lost[0]} is no more at hand: run cards hold only its hash.", "Attach it again.")
    if names and not loaded.facts.takes_images:
        raise OptionError(
            f"{loaded.name} takes no images ({', '.join(names)}).",
            "Load an image-text model, or ask a server that has one: %llm_load openai:URL#model",
        )


def _complete(request: Request, loaded: LoadedModel) -> Request:
    """The request as it will run: the model's template, and a seed, so that the run card can say how to get the same
    answer again."""
    check_images(request, loaded)
    if request.template == "auto":
        request = replace(request, template=loaded.template)
    if request.sampling.seed is None:
        request = replace(request, sampling=replace(request.sampling, seed=DrawnSeed.draw()))
    return request
