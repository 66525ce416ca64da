"""The table of models: what is there, what it is for, whether it fits on this machine and how fast it would be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kaggle_magics.errors import CheckpointError, DoesNotFit, KaggleMagicsError
from kaggle_magics.models.checkpoint import Checkpoint, Origin
from kaggle_magics.models.find import catalog
from kaggle_magics.models.find.catalog import Location
from kaggle_magics.models.find.naming import cased, quoted
from kaggle_magics.models.fit.machine import Machine, this_machine
from kaggle_magics.models.fit.plan import make_plan
from kaggle_magics.models.kinds import Kind


@dataclass(frozen=True, slots=True)
class ListedModel:
    """One model of the table: the facts of its files, and what a plan for this machine says."""

    name: str
    reference: str
    """What to type to mean this one and no other."""
    origin: Origin
    path: Path
    kind: Kind | None = None
    """None for what is damaged."""
    format: str = ""
    architecture: str = ""
    parameters: int | None = None
    bytes: int = 0
    """Of the weights on disk."""
    dtype: str = ""
    context_length: int = 0
    has_chat_template: bool = False
    fits: bool | None = None
    """Whether there is room for it now, as it is stored; None for what is not loaded as a model that answers."""
    tokens_per_second: float | None = None
    """Expected while it answers one request."""
    base_model: str = ""
    """Of an adapter: the model it changes."""
    versions: tuple[int, ...] = ()
    """The versions at hand, where there are several; this is the newest."""
    problem: str = ""
    """Why it cannot be used, or does not fit."""


def list_models(
    words: str = "", *, kind: Kind | None = None, machine: Machine | None = None, origins: Sequence[Origin] = ()
) -> list[ListedModel]:
    """Every model at hand, in the order of `catalog.read_all`, damaged ones too; only headers are read.

    `words` filters: each of them must stand in a model's name, reference, path, kind, format, architecture or dtype.
    """
    entries = catalog.read_all()
    names = Counter(cased(location).casefold() for location, _ in entries)
    machine = machine or this_machine()
    wanted = words.casefold().split()
    found = []
    for location, facts in entries:
        if kind is not None and (isinstance(facts, CheckpointError) or facts.kind != kind):
            continue
        if origins and location.origin not in origins:
            continue
        reference = cased(location) if names[cased(location).casefold()] == 1 else str(location.path)
        text = f"{location.name} {reference} {location.key} {location.path}"
        if isinstance(facts, Checkpoint):
            text += f" {facts.kind} {facts.format} {facts.architecture} {facts.dtype}"
        if all(word in text.casefold() for word in wanted):
            found.append(_listed(location, facts, quoted(reference), machine))
    return found


def _listed(location: Location, facts: Checkpoint | CheckpointError, reference: str, machine: Machine) -> ListedModel:
    if isinstance(facts, CheckpointError):
        return ListedModel(location.name, reference, location.origin, location.path, problem=str(facts))
    fits, speed, problem = _plan(facts, machine)
    return ListedModel(
        name=facts.name,
        reference=reference,
        origin=facts.origin,
        path=facts.path,
        kind=facts.kind,
        format=facts.format,
        architecture=facts.architecture,
        parameters=facts.parameters,
        bytes=facts.bytes,
        dtype=facts.dtype,
        context_length=facts.context_length,
        has_chat_template=facts.has_chat_template,
        fits=fits,
        tokens_per_second=speed,
        base_model=facts.base_model,
        versions=facts.versions,
        problem=problem,
    )


def _plan(checkpoint: Checkpoint, machine: Machine) -> tuple[bool | None, float | None, str]:
    """Whether it fits, tokens a second, and what speaks against it."""
    if checkpoint.kind != "generator":
        return None, None, ""
    try:
        plan = make_plan(checkpoint, machine=machine, allow_pickle=True)
    except DoesNotFit as error:
        return False, None, str(error)
    except KaggleMagicsError as error:  # no engine for it, or files that contradict themselves
        return None, None, str(error)
    return True, plan.tokens_per_second, ""
