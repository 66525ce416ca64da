"""Models for a while: loaded ones as they are, others loaded for a task and unloaded again after it."""

from __future__ import annotations

from os import PathLike
from pathlib import Path, PurePath
from typing import Any

from kaggle_magics.errors import OptionError
from kaggle_magics.models.find.servers import is_endpoint
from kaggle_magics.models.fit.quants import checked
from kaggle_magics.models.loaded import LoadedModel, LoadOptions
from kaggle_magics.models.pool import OnProgress
from kaggle_magics.models.room import come_back, in_the_way, stand_aside
from kaggle_magics.session.models import ModelCalls


class Borrowing:
    """Lends one model after the other. `close` puts everything back as it was, and says what could not be.

    Where a model does not fit beside the loaded ones, as few of them as possible stand aside until the end.
    """

    def __init__(self, session: ModelCalls, on_progress: OnProgress | None = None) -> None:
        self._session = session
        self._on_progress = on_progress
        self._current = session.current.name if session.current else None
        self._order = list(session.loaded)
        self._lent: list[str] = []
        """What was loaded here and is not unloaded yet."""
        self._aside: list[LoadedModel] = []

    def take(self, reference: str | PathLike[str] | None, quant: str | None) -> tuple[LoadedModel, str]:
        """The model to ask, and what it is called without its quantisation.

        `reference` is the name of a loaded model, a reference to another one, or None for the current one; `quant` None
        takes it as it is. Errors as `Session.load`.
        """
        there = self._loaded(reference)
        if there is not None and (quant is None or _runs_as(there, quant)):
            return there, there.name
        if there is not None:
            return self._in_other_weights(there, str(quant)), there.name
        assert reference is not None
        reference = self._session.server_of(reference)
        if is_endpoint(reference):
            if quant is not None:
                raise OptionError("A server decides itself how its model runs.", "Leave quant out.")
            name = self._free(reference.rpartition("#")[2] or "server")
            return self._remember(self._session.load(reference, name=name, on_progress=self._on_progress)), name
        if self._session.answers.replay:
            called = PurePath(reference).name
        else:
            checkpoint = self._session.fetch(reference, on_progress=self._on_progress)
            for model in self._session.loaded.values():
                same = model.checkpoint is not None and model.checkpoint.path == checkpoint.path
                if same and _runs_as(model, quant or "none"):
                    return model, model.name
            called = checkpoint.name
        name = self._free(f"{called}-{quant}" if quant and quant != "none" else called)
        return self._load(reference, name, LoadOptions(quant=quant)), called

    def load(self, path: PathLike[str], options: LoadOptions) -> LoadedModel:
        """A model of one's own, loaded like this. Errors as `Session.load`."""
        return self._load(path, self._free(Path(path).stem), options)

    def give_back(self) -> None:
        """Unload what was loaded here."""
        while self._lent:
            name = self._lent.pop()
            if name in self._session.loaded:
                self._session.unload(name)

    def close(self) -> list[str]:
        """Everything as it was before; what happened to models that had to stand aside, a sentence each."""
        self.give_back()
        said: list[str] = []
        while self._aside:
            model = self._aside.pop(0)
            try:
                if self._on_progress is not None:
                    self._on_progress(f"Loading {model.name} again")
                lost = come_back(self._session._pool, [model], self._order)
            except KeyboardInterrupt:
                lost = {model.name: f"{model.name}, which was loaded before, is unloaded now (interrupted)"}
            why = lost.get(model.name)
            said.append(f"{why}." if why else f"{model.name} had to make room meanwhile; it is loaded again.")
        if self._current is not None and self._current in self._session.loaded:
            self._session.use(self._current)
        return said

    def __contains__(self, name: object) -> bool:
        """Whether the model of that name was loaded here."""
        return name in self._lent

    def _loaded(self, reference: str | PathLike[str] | None) -> LoadedModel | None:
        if isinstance(reference, str) and reference not in self._session.loaded:
            # It may stand aside for one that has run; then it is its turn again.
            aside = next((model for model in self._aside if model.name == reference), None)
            return self._again(aside) if aside else None
        if reference is None or isinstance(reference, str):
            if reference is None and self._current not in self._session.loaded:
                aside = next((model for model in self._aside if model.name == self._current), None)
                return self._again(aside) if aside else self._session.model()
            return self._session.model(reference or self._current)
        return None

    def _again(self, model: LoadedModel) -> LoadedModel:
        self._aside.remove(model)
        lost = come_back(self._session._pool, [model], self._order)
        if lost:
            raise OptionError(lost[model.name])
        return model

    def _in_other_weights(self, model: LoadedModel, quant: str) -> LoadedModel:
        """A loaded model's files once more, as it was loaded but for its quantisation."""
        if "reference" not in model.asked or is_endpoint(model.asked["reference"]):
            raise OptionError(f"{model.name} was not loaded from files: it runs as it is.", "Leave quant out.")
        given = model.wanted.options if model.wanted else LoadOptions()
        adapter = model.asked.get("adapter")
        options = LoadOptions(
            quant,
            context=model.asked.get("context"),
            device=model.asked.get("device"),
            adapter=Path(adapter) if adapter else None,
            allow_pickle=given.allow_pickle,
            trust_remote_code=given.trust_remote_code,
        )
        fresh = self._load(model.asked["reference"] or None, self._free(f"{model.name}-{quant}"), options)
        fresh.template = model.template
        return fresh

    def _load(self, reference: str | PathLike[str] | None, name: str, options: LoadOptions) -> LoadedModel:
        if not self._session.answers.replay:
            self._make_room(reference, name, options)
        given: dict[str, Any] = {part: getattr(options, part) for part in LoadOptions.__dataclass_fields__}
        return self._remember(self._session.load(reference, name=name, on_progress=self._on_progress, **given))

    def _make_room(self, reference: str | PathLike[str] | None, name: str, options: LoadOptions) -> None:
        pool = self._session._pool
        leaving = in_the_way(pool, self._session._resolve(reference), options)
        if leaving:
            if self._on_progress is not None:
                names = ", ".join(model.name for model in leaving)
                self._on_progress(f"Unloading {names} for a while: {name} needs room")
            self._aside += leaving
            stand_aside(pool, leaving)

    def _remember(self, model: LoadedModel) -> LoadedModel:
        if model.name not in self._order:
            self._lent.append(model.name)
        return model

    def _free(self, wanted: str) -> str:
        taken = {*self._session.loaded, *self._order}
        name, number = wanted, 2
        while name in taken:
            name, number = f"{wanted}-{number}", number + 1
        return name


def _runs_as(model: LoadedModel, quant: str) -> bool:
    """Whether a loaded model's weights are what `quant` asks for."""
    if model.plan is not None:
        found = model.plan.quant or model.plan.convert_to
    elif "reference" in model.asked:
        found = model.asked.get("quant")
    else:
        return False
    return (checked(found) or "none") == (checked(quant) or "none")
