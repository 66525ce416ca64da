"""How a session runs requests: alone on their model, reachable by `stop`, one at a time or as a table."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from kaggle_magics.errors import DoesNotFit, OptionError, StructureError
from kaggle_magics.generation.answer import Answer
from kaggle_magics.generation.running import Running, answer_of
from kaggle_magics.generation.structure import structured
from kaggle_magics.generation.worker import Generation, TableGeneration, Worker
from kaggle_magics.generation.worker import OnText as OnText
from kaggle_magics.models.loaded import LoadedModel
from kaggle_magics.models.request import Piece, Request
from kaggle_magics.session.models import ModelCalls

OnPiece = Callable[[int, Piece], None]
OnAnswer = Callable[[int, Answer], None]
Kept = TypeVar("Kept", bound=Answer)


class GeneratingCalls(ModelCalls):
    """The part of a `Session` that runs requests; all that asks a model is made of these."""

    def __init__(self) -> None:
        super().__init__()
        self.last: Answer | None = None
        """The last answer."""

    def generate(
        self,
        request: Request,
        *,
        model: str | None = None,
        on_text: OnText | None = None,
        on_reasoning: OnText | None = None,
    ) -> Answer:
        """Run one request on a loaded model; every other call that asks is made of this one.

        An answer that does not reach the structure it was asked for raises `StructureError`, and is kept as the last.
        """
        with self.generating(request, model=model) as running:
            running.generation.run(on_text, on_reasoning)
        try:
            return structured(request, running.answer())
        except StructureError as error:
            # What was said is not lost with it.
            self._keep(error.answer)
            raise

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
        requests = [_complete(request, loaded) for request in requests]
        table = TableGeneration(loaded.engine, requests)
        told: dict[int, Answer] = {}

        def shown(came: tuple[int, Piece]) -> None:
            index, piece = came
            if on_piece is not None:
                on_piece(index, piece)
            if on_answer is not None and piece.stop_reason is not None:
                told[index] = _row(requests[index], answer_of(loaded, requests[index], table.answers[index]))
                on_answer(index, told[index])

        with self._alone(loaded, table):
            table.run(shown if on_piece or on_answer else None)
        if table.stopped and on_stop is not None:
            on_stop()
        return [
            told.get(index) or _row(requests[index], answer_of(loaded, requests[index], answer))
            for index, answer in enumerate(table.answers)
        ]

    @contextmanager
    def generating(self, request: Request, *, model: str | None = None) -> Iterator[Running]:
        """A request that is about to run, alone on its model, and that `stop` can reach."""
        loaded = self.model(model)
        request = _complete(request, loaded)
        running = Running(loaded, request, Generation(loaded.engine, request))
        with self._alone(loaded, running.generation):
            yield running

    @contextmanager
    def _alone(self, loaded: LoadedModel, work: Worker[Any]) -> Iterator[None]:
        with loaded.lock:
            self._running.add(work)
            try:
                yield
            except DoesNotFit as error:
                trouble = error
            else:
                return
            finally:
                self._running.discard(work)
        raise self._pool.out_of_memory(loaded, trouble)

    def _keep(self, answer: Kept) -> Kept:
        self.last = answer
        return answer


def _row(request: Request, answer: Answer) -> Answer:
    """A row's answer with its value; one that has another structure than was asked for failed."""
    try:
        return structured(request, answer)
    except StructureError as error:
        if answer.stop_reason == "length":
            return answer
        return replace(answer, stop_reason="error", text=str(error))


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
        request = replace(request, sampling=replace(request.sampling, seed=secrets.randbelow(2**32)))
    return request
