"""What a session does with models: find, plan, load, adopt, choose, unload."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kaggle_magics.errors import OptionError
from kaggle_magics.generation.cache.kept import KeptAnswers, as_asked
from kaggle_magics.generation.worker import Worker
from kaggle_magics.models.checkpoint import Checkpoint
from kaggle_magics.models.find.listing import ListedModel, list_models
from kaggle_magics.models.find.reference import resolve, resolve_adapter
from kaggle_magics.models.find.servers import is_endpoint
from kaggle_magics.models.fit.plan import Plan
from kaggle_magics.models.identity import identify
from kaggle_magics.models.kinds import Kind
from kaggle_magics.models.loaded import LoadedModel, LoadOptions
from kaggle_magics.models.pool import ModelPool, OnProgress
from kaggle_magics.models.templates import check_name

if TYPE_CHECKING:
    from kaggle_magics.models.fit.choices import Choice
    from kaggle_magics.models.quantize.measure import Measurement
    from kaggle_magics.models.quantize.results import Quantized, QuantizeEstimate


class ModelCalls:
    """The part of a `Session` that is about models."""

    def __init__(self) -> None:
        self._pool = ModelPool()
        self.aliases: dict[str, str] = {}
        """Names of your own for models: what each stands for."""
        self._running: set[Worker[Any]] = set()
        self.answers = KeptAnswers()
        """Answers that are kept on disk: whether and where, and whether they are replayed."""

    @property
    def loaded(self) -> Mapping[str, LoadedModel]:
        """The models in memory by name, in the order they were loaded."""
        return self._pool.loaded

    @property
    def current(self) -> LoadedModel | None:
        """The model that answers when none is named."""
        return self._pool.current

    @property
    def answering(self) -> int:
        """How many answers, or tables of them, are on their way or wait in line."""
        return len(self._running)

    def models(self, words: str = "", *, kind: Kind | None = None) -> list[ListedModel]:
        """Every model that is attached, cached or bundled, read from headers only; `words` and `kind` filter."""
        return list_models(words, kind=kind)

    def fetch(self, reference: str | PathLike[str] | None, *, on_progress: OnProgress | None = None) -> Checkpoint:
        """The checkpoint that a reference means, downloaded if it is `hub:` or `kaggle:` and not at hand yet."""
        return self._resolve(reference, download=True, on_progress=on_progress)

    def server_of(self, reference: Any) -> Any:
        """The server that an alias stands for; every other reference as it is: its alias is followed to a file."""
        target = self.aliases.get(reference.strip()) if isinstance(reference, str) else None
        return target if is_endpoint(target) else reference

    def plan(
        self,
        reference: str | PathLike[str] | None = None,
        *,
        name: str | None = None,
        quant: str | None = None,
        dtype: str | None = None,
        context: int | None = None,
        device: str | None = None,
        adapter: str | PathLike[str] | None = None,
        swap: bool = False,
        allow_pickle: bool = False,
        trust_remote_code: bool = False,
    ) -> Plan:
        """How `load` would run this model on this machine, without loading or downloading it. Errors as `load`."""
        options = LoadOptions(quant, dtype, context, device, self._adapter(adapter), allow_pickle, trust_remote_code)
        return self._pool.plan(self._resolve(reference), options, name=name, swap=swap)

    def choices(
        self,
        reference: str | PathLike[str] | None = None,
        *,
        quant: str | None = None,
        dtype: str | None = None,
        context: int | None = None,
        device: str | None = None,
        adapter: str | PathLike[str] | None = None,
        allow_pickle: bool = False,
    ) -> list[Choice]:
        """Every way to run this model on this machine, `taken` where `load` with these options would take it."""
        options = LoadOptions(quant, dtype, context, device, self._adapter(adapter, None), allow_pickle)
        return self._pool.choices(self._resolve(reference), options)

    def load(
        self,
        reference: str | PathLike[str] | None = None,
        *,
        name: str | None = None,
        quant: str | None = None,
        dtype: str | None = None,
        context: int | None = None,
        device: str | None = None,
        adapter: str | PathLike[str] | None = None,
        template: str | None = None,
        swap: bool = False,
        allow_pickle: bool = False,
        trust_remote_code: bool = False,
        on_progress: OnProgress | None = None,
    ) -> LoadedModel:
        """Find, plan, load and warm a model, and make it the current one.

        `reference` None takes the best attached model that fits, else the bundled one; `openai:URL#model` is one that a
        server runs. `context` is in tokens. `template` names the chat template that stays with the model, for one that
        comes without.
        `quant` None leaves the weights as stored; "nf4", "int8" or a GGUF type such as "q4_k_m" asks for that, and
        "auto" for the best that fits (`models.fit.choices` says which that is); a conversion is kept for the next time.
        `adapter` is a LoRA adapter: a PEFT folder, or a `.gguf` for GGUF models. Loading what is loaded already, in the
        same way, only makes it current; in another way it replaces it. `swap` unloads the current model first, so that
        there are never two in memory. `allow_pickle` reads pickled weights and `trust_remote_code` runs Python code
        that comes with the model: either can do anything on this machine that you can. `on_progress` gets a line now
        and then while something takes long.

        Raises `ModelNotFound`, `DoesNotFit`, `CheckpointError`, `OptionError` or `MissingExtra`; the models loaded
        before stay. In a replay (`session.answers.replay`) nothing is loaded: the model stands in for the one that this
        call gave when its answers were recorded, or it is a `ReplayMiss`.
        """
        if template is not None:
            check_name(template)
        asked = as_asked(reference, quant=quant, dtype=dtype, context=context, device=device, adapter=adapter)
        if self.answers.replay:
            model = self._pool.put(self.answers.stand_in(asked, name=name, template=template), swap=swap)
            model.asked = asked
            return model
        reference = self.server_of(reference)
        if is_endpoint(reference):
            if quant or dtype or device or adapter or allow_pickle or trust_remote_code:
                raise OptionError(
                    "A server decides itself how its model runs.", "Only name, context and template can be given."
                )
            model = self._pool.connect(reference, name=name, context=context, swap=swap)
        else:
            options = LoadOptions(
                quant, dtype, context, device, self._adapter(adapter, on_progress), allow_pickle, trust_remote_code
            )
            model = self._pool.load(
                self._resolve(reference, download=True, on_progress=on_progress),
                options,
                name=name,
                swap=swap,
                by_default=reference is None,
                on_progress=on_progress,
            )
        model.template = template or model.template
        model.identity = model.identity or identify(model)
        model.asked = asked
        self.answers.keep_load(asked, model)
        return model

    def quantize(
        self, reference: str | PathLike[str], *, to: str | Iterable[str], **options: Any
    ) -> Quantized | QuantizeEstimate | list[Measurement]:
        """Make a GGUF file of the type `to`, such as "q4_k_m"; options: `models.quantize.asked.quantize_as_asked`."""
        from kaggle_magics.models.quantize.asked import quantize_as_asked

        return quantize_as_asked(resolve(reference, aliases=self.aliases), to, **options)

    def adopt(
        self, *things: Any, name: str | None = None, context: int | None = None, template: str | None = None
    ) -> LoadedModel:
        """Make what was built elsewhere the current model; one of the same name is unloaded first.

        A transformers model and its tokenizer, a `pipeline`, a llama_cpp `Llama`, or an object that satisfies
        `models.engines.protocol.Engine`. It is used as it is: nothing is copied, and unloading lets go of it without
        freeing what you still hold; an engine is closed. `context` is in tokens, `template` as for `load`. Raises
        `OptionError`.
        """
        if template is not None:
            check_name(template)
        model = self._pool.adopt(things, name=name, context=context)
        model.template = template or model.template
        return model

    def use(self, name: str) -> LoadedModel:
        """Make a loaded model the current one."""
        return self._pool.use(name)

    def model(self, name: str | None = None) -> LoadedModel:
        """The loaded model of that name, or the current one; `ModelNotLoaded` where there is none."""
        return self._pool.get(name)

    def unload(self, name: str | None = None) -> int:
        """Free a model (the current one by default); bytes the process gave back, measured."""
        model = self.model(name)
        for generation in list(self._running):
            generation.stop()
        return self._pool.unload(model.name)

    def stop(self) -> int:
        """Stop every answer that is on its way (from another thread); how many there were."""
        running = list(self._running)
        for generation in running:
            generation.stop()
        return len(running)

    def _resolve(
        self, reference: str | PathLike[str] | None, *, download: bool = False, on_progress: OnProgress | None = None
    ) -> Checkpoint:
        # What no reference meant before is meant again, though there may be no room for a second one of it.
        chosen = self._pool.default_checkpoint() if reference is None else None
        return chosen or resolve(reference, aliases=self.aliases, download=download, on_progress=_in_words(on_progress))

    def _adapter(self, adapter: str | PathLike[str] | None, on_progress: OnProgress | None = None) -> Path | None:
        if adapter is None:
            return None
        return resolve_adapter(adapter, aliases=self.aliases, on_progress=_in_words(on_progress)).path


def _in_words(on_progress: OnProgress | None) -> Callable[[object], None] | None:
    return None if on_progress is None else lambda progress: on_progress(str(progress))
