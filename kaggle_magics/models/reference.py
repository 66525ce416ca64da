"""From what a person types to one checkpoint."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from kaggle_magics import environment
from kaggle_magics.errors import CheckpointError, DoesNotFit, MissingExtra, ModelNotFound, OptionError, did_you_mean
from kaggle_magics.extras import installed
from kaggle_magics.models import catalog
from kaggle_magics.models.catalog import Location
from kaggle_magics.models.checkpoint import Checkpoint, read_checkpoint
from kaggle_magics.models.plan import ENGINES, make_plan

_SHOWN = 8
"""How many models an error names."""
_LONGEST_NAME = 255
"""Bytes that a file's name can have; asking the system for a longer one fails."""


def resolve(reference: str | os.PathLike[str] | None = None) -> Checkpoint:
    """The checkpoint that a reference names.

    A reference is a path to a folder or a `.gguf` file; a name as `%llm_models` lists it; a Kaggle handle or a Hugging
    Face id found on this machine, or any part of one that names only one model (letter case does not matter; the newest
    version is meant where none is given). None means the largest attached model that fits, else the bundled one.

    Raises `ModelNotFound` with what there is when it names nothing or several, `CheckpointError` for bad files.
    """
    if reference is None:
        return _default()
    text = os.fspath(reference)
    if not text.strip():
        raise ModelNotFound("The model's name is empty.", _what_there_is())
    path = Path(os.path.expanduser(text))
    if any(len(part.encode("utf-8", "replace")) > _LONGEST_NAME for part in path.parts):
        raise ModelNotFound("That is no model's name: it is too long.", _what_there_is())
    if not isinstance(reference, str) or text.startswith(("/", "./", "../", "~")) or text in (".", ".."):
        if not path.exists():
            raise ModelNotFound(f"There is no file or folder {text}.", _what_there_is())
        return _at(path)
    if (path / "config.json").is_file() or (path.is_file() and path.suffix.lower() == ".gguf"):
        return _at(path)
    return _named(text.strip().strip("/"), path)


def _default() -> Checkpoint:
    for checkpoint in catalog.list_checkpoints():
        if checkpoint.origin == "kaggle" and _can_run(checkpoint):
            return checkpoint
    bundled = [location for location in catalog.bundled() if location.name == "pocket"]
    if not bundled:
        raise ModelNotFound("No model is attached, and none is bundled.", _advice())
    return bundled[0].read()


def _can_run(checkpoint: Checkpoint) -> bool:
    if checkpoint.format == "pickle" or not installed(ENGINES[checkpoint.format][1]):
        return False
    try:
        make_plan(checkpoint)
    except (DoesNotFit, MissingExtra, OptionError):
        return False
    return True


def _at(path: Path) -> Checkpoint:
    """The model at a path, or the only one below it."""
    if path.is_file() or (path / "config.json").is_file():
        return read_checkpoint(path)
    found = list(catalog.find_models(path, depth=4))
    if len(found) == 1:
        return read_checkpoint(found[0])
    if not found:
        raise CheckpointError(
            f"{path} holds no model.", "Name a folder with config.json and safetensors in it, or a .gguf file."
        )
    raise ModelNotFound(
        f"{path} holds {len(found)} models: {_listed([str(each) for each in found])}.", "Name one of them."
    )


def _named(text: str, path: Path) -> Checkpoint:
    locations = [*catalog.attached(), *catalog.cached(), *catalog.bundled()]
    for candidates in (locations, catalog.newest(locations)):
        matches = _matches(text.casefold(), candidates)
        if len(matches) == 1:
            return matches[0].read()
        if matches and (chosen := catalog.newest(matches)) and len(chosen) == 1:
            return chosen[0].read()
    if matches:
        keys = [location.key for location in matches]
        raise ModelNotFound(f"{text!r} names {len(keys)} models: {_listed(keys)}.", "Write more of the one you mean.")
    if path.exists():
        return _at(path)
    raise ModelNotFound(f"No model is called {text!r}.", _nearest(text, locations))


def _matches(text: str, locations: list[Location]) -> list[Location]:
    """The locations a reference names, by the strictest way that names any."""
    ways: tuple[Callable[[Location], bool], ...] = (
        lambda location: location.key.casefold() == text,
        lambda location: (location.handle or "").casefold() == text,
        lambda location: "/".join(catalog.without_version(location)) == text,
        lambda location: location.name.casefold() == text,
        # A whole handle for a model that is mounted the old way, without its owner.
        lambda location: location.version is not None and text.partition("/")[2] == location.key.casefold(),
        lambda location: f"/{text}/" in f"/{location.key.casefold()}/",
        lambda location: text in location.key.casefold() or text in location.name.casefold(),
    )
    for way in ways:
        if found := [location for location in locations if way(location)]:
            return found
    return []


def _nearest(text: str, locations: list[Location]) -> str:
    if text.casefold().endswith(".gguf"):
        stem = text[: -len(".gguf")].casefold()
        if any(location.name.casefold() == stem for location in locations):
            return f"It has no GGUF file; load it as {text[: -len('.gguf')]}."
    names = [name for location in locations for name in (location.name, location.key)]
    near = did_you_mean(text, names)
    return f"{near} {_advice()}".strip() if near else _what_there_is()


def _what_there_is() -> str:
    names = [checkpoint.handle or checkpoint.name for checkpoint in catalog.list_checkpoints()]
    there = f"There are: {_listed(names)}." if names else "There is none on this machine."
    return f"{there} {_advice()}".strip()


def _advice() -> str:
    if environment.on_kaggle():
        return 'Attach one with "Add Input" (Models) on the right, then run this again.'
    return "" if catalog.bundled() else "Give the path of a model's folder or of a .gguf file."


def _listed(names: list[str]) -> str:
    unique = list(dict.fromkeys(names))
    more = f" and {len(unique) - _SHOWN} more" if len(unique) > _SHOWN else ""
    return ", ".join(unique[:_SHOWN]) + more
