"""How a session asks again: the run cards of answers, on the models they were answered by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path

from kaggle_magics.compare.verification import Check, Verified, by_chance, not_as_then, why_not
from kaggle_magics.errors import KaggleMagicsError, ModelNotFound, OptionError
from kaggle_magics.generation.answer import Answer
from kaggle_magics.generation.card import RunCard
from kaggle_magics.generation.record import notebook_answers
from kaggle_magics.generation.running import answer_of, card_of
from kaggle_magics.generation.structured.structure import structure_again
from kaggle_magics.generation.worker import Generation
from kaggle_magics.models.content import content_hash
from kaggle_magics.models.find.catalog import list_checkpoints
from kaggle_magics.models.identity import identify
from kaggle_magics.models.loaded import LoadedModel, LoadOptions
from kaggle_magics.models.pool import OnProgress
from kaggle_magics.models.request import Request
from kaggle_magics.session.borrowing import Borrowing
from kaggle_magics.session.generating import GeneratingCalls

OnCheck = Callable[[Check], None]
_Model = tuple[str | None, str | None, str | None, str]


class VerifyingCalls(GeneratingCalls):
    """The part of a `Session` that asks again."""

    def verify(
        self,
        notebook: str | PathLike[str] | None = None,
        *,
        on_check: OnCheck | None = None,
        on_progress: OnProgress | None = None,
    ) -> Verified:
        """Ask again what was asked, and say which answers changed: those of this session, or of an `.ipynb` file.

        Each runs as its card says, on a model with the same content: a loaded one, or one that is loaded for it and
        unloaded again; the session's models stay. Nothing comes from the cache, and nothing is kept. What cannot be
        asked is a row with the reason. The stop button keeps what was checked. `on_check` gets each row as it is done.
        Raises `OptionError` where there is nothing to check.
        """
        if self.answers.replay:
            raise OptionError("This is a replay: there are no models to ask.", "Verify without KAGGLE_MAGICS_REPLAY.")
        answers = _each_once(list(self.said) if notebook is None else notebook_answers(notebook))
        if not answers:
            what = "Nothing was asked in this session" if notebook is None else f"{notebook} holds no run card"
            raise OptionError(f"{what}.", "Ask with %%prompt first, or name a notebook whose answers were saved.")
        checks: list[Check] = []
        # One model after the other: none is loaded twice.
        order = sorted(range(len(answers)), key=_by_model(answers))
        borrowing = Borrowing(self, on_progress)
        before: _Model | None = None
        notes: list[str] = []
        try:
            for place in order:
                if _model_of(answers[place].card) != before:
                    borrowing.give_back()
                    before = _model_of(answers[place].card)
                check = self._verified(place + 1, answers[place], borrowing)
                if check is None:
                    break
                checks.append(check)
                if on_check is not None:
                    on_check(check)
        except KeyboardInterrupt:
            pass  # what was checked is kept
        finally:
            notes = borrowing.close()
        return Verified(sorted(checks, key=lambda check: check.number), of=len(answers), notes=notes)

    def _verified(self, number: int, answer: Answer, borrowing: Borrowing) -> Check | None:
        """One answer, asked again; None where that was stopped."""
        card = answer.card
        if reason := why_not(answer):
            return Check(number=number, before=answer, remarks=(reason,))
        try:
            structure = structure_again(card.structure) if card.structure else None
            model = self._same_model(card, borrowing)
            # A resumed answer is what one without a break would have been.
            sampling = replace(card.sampling, max_tokens=card.sampling.max_tokens + card.resumed)
            request = Request(card.messages, sampling, card.template, structure, card.logprobs)
            generation = Generation(model.engine, request)
            with self._alone(model, generation):
                generation.run()
            after = answer_of(model, request, generation)
        except KaggleMagicsError as error:
            return Check(number=number, before=answer, remarks=(error.message,))
        if after.stop_reason == "interrupted":
            return None
        remarks = not_as_then(card, model.facts, card_of(model, request).template_hash)
        check = Check(number=number, before=answer, after=after, remarks=remarks)
        if check.outcome == "changed" and (chance := by_chance(card)):
            check = Check(number=number, before=answer, after=after, remarks=(*remarks, chance))
        return check

    def _same_model(self, card: RunCard, borrowing: Borrowing) -> LoadedModel:
        """A model with the content that a card names. Raises `ModelNotFound`, or what loading raises."""
        for model in self.loaded.values():
            identity = model.identity or identify(model)
            known = (identity.content, identity.adapter_content, identity.quant, model.facts.engine)
            if known == _model_of(card) and (card.content is not None or identity.source == card.source):
                return model
        if card.engine == "endpoint":
            return borrowing.take(card.source, None)[0]
        if card.content is None:
            raise ModelNotFound(f"{card.model} was made in a notebook ({card.source}) and is not loaded now.")
        path = _place_of(card.content, Path(card.source), card.model)
        adapter = None
        if card.adapter is not None and card.adapter_content is not None:
            adapter = _place_of(card.adapter_content, Path(card.adapter), "its adapter")
        return borrowing.load(path, LoadOptions(quant=card.quant, adapter=adapter, context=card.context_length or None))


def _each_once(answers: Sequence[Answer]) -> list[Answer]:
    """Without answers that were given again, word for word, to the same question."""
    seen: dict[tuple[object, ...], Answer] = {}
    for answer in answers:
        card = answer.card
        seen.setdefault((answer.text, _model_of(card), card.messages, card.sampling, card.structure), answer)
    return list(seen.values())


def _model_of(card: RunCard) -> _Model:
    return card.content, card.adapter_content, card.quant, card.engine


def _by_model(answers: Sequence[Answer]) -> Callable[[int], tuple[int, int]]:
    """Sorts by model, in the order in which the models first answered."""
    first: dict[_Model, int] = {}
    for place, answer in enumerate(answers):
        first.setdefault(_model_of(answer.card), place)
    return lambda place: (first[_model_of(answers[place].card)], place)


def _place_of(content: str, path: Path, name: str) -> Path:
    """Where files of this content lie: there still, or elsewhere on this machine. Raises `ModelNotFound`."""
    found = content_hash(path) if path.exists() else None
    if found == content:
        return path
    for checkpoint in list_checkpoints():
        if checkpoint.path != path and content_hash(checkpoint.path) == content:
            return checkpoint.path
    if found is None:
        raise ModelNotFound(f"{name} is not on this machine ({path}).")
    raise ModelNotFound(f"The files of {name} have changed since, and the old ones are nowhere here ({path}).")
