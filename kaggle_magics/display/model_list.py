"""The table of models that are there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from kaggle_magics.display.bundle import View, count, join, note, size, table

if TYPE_CHECKING:
    from kaggle_magics.models.find.listing import ListedModel

_NUMBERS = ("parameters", "size", "context", "tokens/s")


def models_view(models: Sequence[ListedModel]) -> View:
    """What there is, as a table; what cannot be used in another, with the reason."""
    if not models:
        return note("No model matches. %llm_models without a word lists all that are there.")
    usable = [model for model in models if model.kind is not None]
    # That a model does not fit is in its row; anything else that is wrong needs words.
    wrong = [model for model in models if model.problem and model.fits is None]
    views = [_table("Models", usable)] if usable else []
    if wrong:
        rows = [(model.name, model.reference, model.problem) for model in wrong]
        views.append(table("Cannot be used", ("model", "reference", "reason"), rows))
    if any(model.fits is False for model in models):
        views.append(note("What does not fit as it is may fit quantised: %llm_load REF --dry-run shows the choices."))
    return join("models", views)


def _table(caption: str, models: Sequence[ListedModel]) -> View:
    """Without the columns that say nothing about any of them."""
    columns = [(name, cell) for name, cell in _COLUMNS.items() if any(cell(model) is not None for model in models)]
    rows = [[cell(model) for _, cell in columns] for model in models]
    return table(caption, [name for name, _ in columns], rows, numbers=_NUMBERS)


def _architecture(model: ListedModel) -> str:
    if model.kind != "adapter":
        return model.architecture
    return f"{model.architecture} for {model.base_model or 'a model it does not name'}"


def _fits(model: ListedModel) -> str | None:
    if model.kind != "generator":
        return None
    return {True: "yes", False: "no", None: "?"}[model.fits]


def _speed(model: ListedModel) -> str | None:
    speed = model.tokens_per_second
    if not speed:
        return None
    return f"{speed:.1f}" if speed < 9.95 else f"{speed:,.0f}"


def _version(model: ListedModel) -> str | None:
    if not model.versions:
        return None
    return f"{model.versions[-1]}, newest of {', '.join(map(str, model.versions))}"


_COLUMNS: dict[str, Callable[[ListedModel], object]] = {
    "model": lambda model: model.name,
    "kind": lambda model: None if model.kind == "generator" else model.kind,
    "format": lambda model: model.format,
    "architecture": _architecture,
    "parameters": lambda model: count(model.parameters) if model.parameters else None,
    "size": lambda model: size(model.bytes),
    "dtype": lambda model: model.dtype,
    "context": lambda model: model.context_length or None,
    "chat": lambda model: None if model.kind != "generator" else "yes" if model.has_chat_template else "no",
    "fits": _fits,
    "tokens/s": _speed,
    "version": _version,
    "origin": lambda model: model.origin,
    "reference": lambda model: model.reference,
}
