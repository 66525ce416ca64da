"""Answers that were given before: when one of them will do, and how a whole notebook is replayed from them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, replace
from os import PathLike
from typing import Any

from kaggle_magics import environment
from kaggle_magics.errors import KaggleMagicsError, ReplayMiss
from kaggle_magics.generation.answer import Answer
from kaggle_magics.generation.cache.key import Slot, slot_of
from kaggle_magics.generation.cache.nearest import why_missed
from kaggle_magics.generation.cache.store import AnswerStore
from kaggle_magics.generation.record import answer_of_record, answer_record
from kaggle_magics.generation.running import card_of
from kaggle_magics.models.engines.protocol import EngineFacts
from kaggle_magics.models.engines.recorded import RecordedEngine
from kaggle_magics.models.identity import Identity, text_hash
from kaggle_magics.models.loaded import LoadedModel
from kaggle_magics.models.request import Request

_WHOLE = {"end", "length", "stop_sequence"}
"""Why an answer that is kept has ended."""
_NO_FORM = "an answer of this kind is never recorded: what it has to obey has no form that stays the same"


class KeptAnswers:
    """The answers of this and earlier sessions, on disk (`answer_store`).

    Given again without asking: greedy answers, and random ones whose seed was given, of a model whose content is known.
    All others of such a model, and a server's, are kept for a replay, in the order they came in a session.
    """

    def __init__(self) -> None:
        self.enabled = True
        """Whether answers are kept and given again."""
        self.place: str | None = None
        """Folders where answers are kept, the first one first; None is what `KAGGLE_MAGICS_ANSWERS` says."""
        self._replay: bool | None = None
        self._store: AnswerStore | None = None
        self._occurrences: Counter[str] = Counter()
        self._counted: dict[str, dict[str, int]] = {}
        self._recorded_counts: dict[str, int] | None = None
        self._lock = threading.Lock()

    @property
    def replay(self) -> bool:
        """Whether models are not loaded and all answers are recorded ones; `KAGGLE_MAGICS_REPLAY` unless it is set."""
        return environment.asks_for_replay() if self._replay is None else self._replay

    @replay.setter
    def replay(self, value: bool | None) -> None:
        self._replay = value

    @property
    def store(self) -> AnswerStore | None:
        """Where answers are; None where there is no such place."""
        folders = environment.answers_folders(self.place)
        if not folders:
            return None
        if self._store is None or self._store.folders != folders:
            self._store, self._recorded_counts = AnswerStore(folders), None
        return self._store

    def slot(self, model: LoadedModel, request: Request) -> Slot | None:
        """Where the answer to a request, as it will run, is kept."""
        slot = slot_of(card_of(model, request), request)
        if slot is None or slot.deterministic:
            return slot
        with self._lock:
            number = self._occurrences[slot.key]
            self._occurrences[slot.key] += 1
        return slot.nth(number)

    def find(self, slot: Slot | None, model: LoadedModel, request: Request) -> Answer | None:
        """The kept answer, its card naming the model as it is called now; None where the model has to be asked.

        Raises `ReplayMiss` where there is none and `model` only stands in for a recorded one.
        """
        stand_in = isinstance(model.engine, RecordedEngine)
        may = self.replay or (self.enabled and request.cache is not False and slot is not None and slot.deterministic)
        # A table asks for every row: the place is only looked for where there is something to find.
        store = self.store if slot is not None and (may or stand_in) else None
        if slot is not None and store is not None:
            found = store.get("answer", slot.key)
            if found is not None and (answer := _answer(found)) is not None:
                now = card_of(model, request)
                card = replace(
                    answer.card, model=now.model, source=now.source, filled=now.filled, messages=now.messages
                )
                return replace(answer, card=card, from_cache=True)
        if stand_in:
            raise self._missed(slot, model, request)
        return None

    def keep(self, slot: Slot | None, answer: Answer) -> None:
        """Keep an answer that came to its end."""
        if slot is None:
            return
        if answer.stop_reason not in _WHOLE:
            self.give_back(slot)
            return
        if not self.enabled:
            return
        store = self.store
        if store is None:
            return
        record = {"parts": dict(slot.parts), "answer": answer_record(answer)}
        with self._lock:
            record["counts"] = self._counted.pop(answer.card.model, {})
        store.put("answer", slot.key, record)

    def give_back(self, slot: Slot | None) -> None:
        """The place of an answer that is not kept goes to the next one, if no later one has been given out: a replay,
        in which nobody stops an answer, counts without it."""
        if slot is None or slot.deterministic:
            return
        with self._lock:
            if self._occurrences[slot.question.key] == slot.parts["occurrence"] + 1:
                self._occurrences[slot.question.key] -= 1

    def keep_load(self, asked: Mapping[str, Any], model: LoadedModel) -> None:
        """Note what a reference meant, for a replay, and from now on the tokens that are counted."""
        store = self.store
        if store is None or not self.enabled or model.identity is None or isinstance(model.engine, RecordedEngine):
            return
        engine: Any = model.engine
        store.put(
            "load",
            text_hash(repr(sorted(asked.items()))),
            {
                "asked": dict(asked),
                "name": model.name,
                "facts": asdict(model.facts),
                "identity": asdict(model.identity),
                "template": model.template,
                "template_text": getattr(engine, "template", None),
                "special_tokens": dict(getattr(engine, "special_tokens", {})),
                # What comes before a text as it is: the tokenizer's own.
                "prefix": engine.render(Request.ask("a", template="none")).removesuffix("a"),
            },
        )
        model.on_count = lambda text, count: self._note(model.name, text, count)

    def stand_in(self, asked: Mapping[str, Any], *, name: str | None, template: str | None) -> LoadedModel:
        """What stands in for the model that this load gave when it was recorded. Raises `ReplayMiss`."""
        store = self.store
        record = store.get("load", text_hash(repr(sorted(asked.items())))) if store else None
        try:
            if record is not None:
                facts, identity = EngineFacts(**record["facts"]), Identity(**record["identity"])
                told = record["template_text"], record["special_tokens"], record["prefix"]
                engine = RecordedEngine(record["name"], facts, *told, self._count)
                made = LoadedModel(name or record["name"], engine, identity=identity)
                made.template = template or record["template"]
                return made
        except (KeyError, TypeError):
            pass  # of a release that wrote something else: as good as none
        recorded = sorted({_typed(found["asked"]) for found in store.all("load") if "asked" in found}) if store else []
        there = f"Recorded were: {'; '.join(recorded[:8])}." if recorded else "No load at all was recorded there."
        raise ReplayMiss(
            f"This is a replay, and {_typed(asked)!r} was not recorded.",
            f"{there} Answers are read from {', '.join(map(str, store.folders)) if store else 'nowhere'}.",
        )

    def _missed(self, slot: Slot | None, model: LoadedModel, request: Request) -> ReplayMiss:
        if slot is None or self.store is None:
            why = "there is no place where answers are kept" if slot else _NO_FORM
            return ReplayMiss(f"This is a replay, and {why}.", "Ask the model itself, without KAGGLE_MAGICS_REPLAY.")
        return why_missed(slot, model.name, request, self.store.all("answer"))

    def _note(self, model: str, text: str, count: int) -> None:
        with self._lock:
            self._counted.setdefault(model, {})[text_hash(text)] = count

    def _count(self, text: str) -> int | None:
        """The tokens of a text as they were counted when answers were recorded."""
        if self._recorded_counts is None:
            self._recorded_counts = {}
            for record in self.store.all("answer") if self.store else ():
                self._recorded_counts.update(record.get("counts", {}))
        return self._recorded_counts.get(text_hash(text))


def as_asked(reference: str | PathLike[str] | None, **options: Any) -> dict[str, Any]:
    """What a load was asked for, in JSON's own types; what was left open is left out."""
    given = {name: value for name, value in options.items() if value not in (None, False)}
    asked = {"reference": "" if reference is None else str(reference), **given}
    return {name: value if isinstance(value, int) else str(value) for name, value in asked.items()}


def _typed(asked: Mapping[str, Any]) -> str:
    """A load as a person types it."""
    words = ["%llm_load", str(asked.get("reference", ""))]
    words += [f"--{name.replace('_', '-')} {value}" for name, value in asked.items() if name != "reference"]
    return " ".join(word for word in words if word)


def _answer(record: Mapping[str, Any]) -> Answer | None:
    try:
        return answer_of_record(record["answer"])
    except (KaggleMagicsError, KeyError):
        return None
