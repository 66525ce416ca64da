"""From what a person types to one checkpoint."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from kaggle_magics.errors import CheckpointError, DoesNotFit, MissingExtra, ModelNotFound, OptionError
from kaggle_magics.extras import installed
from kaggle_magics.models.checkpoint import Checkpoint, read_checkpoint
from kaggle_magics.models.find import catalog, missing
from kaggle_magics.models.find.adapters import Adapter, read_adapter
from kaggle_magics.models.find.aliases import Aliases, follow
from kaggle_magics.models.find.catalog import Location
from kaggle_magics.models.find.downloads.fetch import at_hand, fetch
from kaggle_magics.models.find.downloads.remote import Remote, parse
from kaggle_magics.models.find.downloads.supervise import OnProgress
from kaggle_magics.models.find.naming import chosen, mentions, to_type
from kaggle_magics.models.find.walk import find_models
from kaggle_magics.models.fit.plan import ENGINES, make_plan
from kaggle_magics.models.kinds import DOES, Kind

Reference = str | os.PathLike[str] | None

_LONGEST_NAME = 255
"""Bytes that a file's name can have; asking the system for a longer one fails."""
_READ_TO_CHOOSE = 20
"""Of models that share a name, so many are read to see which of them are of the kind that is asked for."""


def resolve(
    reference: Reference = None,
    *,
    kind: Kind | None = "generator",
    aliases: Aliases | None = None,
    download: bool = True,
    on_progress: OnProgress | None = None,
) -> Checkpoint:
    """The checkpoint that a reference names.

    A reference is a path to a folder or a `.gguf` file; a name as `%llm_models` lists it; a Kaggle handle or a Hugging
    Face id found on this machine, or any part of one that names only one model (letter case does not matter; the newest
    version is meant where none is given); `hub:ID` (`hub:ID@revision`, `hub:ID:Q4_K_M`) or `kaggle:HANDLE`, which are
    downloaded unless they are at hand; or an alias. None means the largest attached model that fits, else the
    bundled one. `kind` None takes a model of any kind. `on_progress` hears of a download's bytes; with `download` False
    only what is at hand is found.

    Raises `ModelNotFound` with what there is when it names nothing or several, `CheckpointError` for bad files and for
    a model of another kind, `OptionError` for what is no reference at all.
    """
    if reference is None:
        return _default()
    found = follow(reference, aliases or {}, lambda text: _find(text, kind, download, on_progress))
    if kind is not None and found.kind != kind:
        raise CheckpointError(f"{found.name} {DOES[found.kind]}.", _use_of(found))
    return found


def resolve_adapter(
    reference: str | os.PathLike[str], *, aliases: Aliases | None = None, on_progress: OnProgress | None = None
) -> Adapter:
    """The LoRA adapter that a reference names: a PEFT folder, a GGUF adapter, or any name of `resolve`. Same errors."""
    found = follow(reference, aliases or {}, lambda text: _find(text, "adapter", True, on_progress))
    if found.kind != "adapter":
        raise CheckpointError(f"{found.name} is no adapter: it {DOES[found.kind]}.", "Leave --adapter out.")
    return read_adapter(found.path, found.name)


def _find(
    reference: str | os.PathLike[str], kind: Kind | None, download: bool, on_progress: OnProgress | None
) -> Checkpoint:
    text = os.fspath(reference)
    if not text.strip():
        raise ModelNotFound("The model's name is empty.", missing.there_is())
    if text.startswith("openai:"):
        raise OptionError(
            f"{text.partition('#')[0]} is a server's address, not a model on this machine.", "%llm_load connects to it."
        )
    if isinstance(reference, str) and (remote := parse(text)) is not None:
        return _remote(remote, download, on_progress)
    path = Path(os.path.expanduser(text))
    if any(len(part.encode("utf-8", "replace")) > _LONGEST_NAME for part in path.parts):
        raise ModelNotFound("That is no model's name: it is too long.", missing.there_is())
    if not isinstance(reference, str) or text.startswith(("/", "./", "../", "~")) or text in (".", ".."):
        if not _exists(path):
            raise ModelNotFound(f"There is no file or folder {text}.", missing.there_is())
        return _at(path)
    if (path / "config.json").is_file() or (path.is_file() and path.suffix.lower() == ".gguf"):
        return _at(path)
    return _named(text.strip().strip("/"), path, kind)


def _remote(remote: Remote, download: bool, on_progress: OnProgress | None) -> Checkpoint:
    if download:
        return fetch(remote, on_progress=on_progress)
    if (found := at_hand(remote)) is None:
        raise ModelNotFound(f"{remote.name} is not on this machine yet.", "%llm_load downloads it.")
    return found


def _default() -> Checkpoint:
    for checkpoint in catalog.list_checkpoints():
        if checkpoint.origin == "kaggle" and _can_run(checkpoint):
            return checkpoint
    bundled = [location for location in catalog.bundled() if location.name == "pocket"]
    if not bundled:
        raise ModelNotFound("No model is attached, and none is bundled.", missing.get_it())
    return bundled[0].read()


def _can_run(checkpoint: Checkpoint) -> bool:
    if checkpoint.format == "pickle" or not installed(ENGINES[checkpoint.format][1]):
        return False
    try:
        make_plan(checkpoint)
    except (CheckpointError, DoesNotFit, MissingExtra, OptionError):
        return False
    return True


def _at(path: Path) -> Checkpoint:
    """The model at a path, or the only one below it."""
    found = [] if path.is_file() else list(find_models(path, depth=4))
    if path.is_file() or path in found:
        return read_checkpoint(path)
    if len(found) == 1:
        return read_checkpoint(found[0])
    if not found:
        raise CheckpointError(
            f"{path} holds no model.", "Name a folder with config.json and safetensors in it, or a .gguf file."
        )
    raise ModelNotFound(f"{path} holds {len(found)} models: {missing.listed(map(str, found))}.", "Name one of them.")


def _named(text: str, path: Path, kind: Kind | None) -> Checkpoint:
    locations = catalog.locations()
    if not (found := chosen(text, locations)):
        # What was made of a model bears its name, and must not stand in the model's way.
        locations = [*catalog.quantized(), *locations]
        found = chosen(text, locations)
    if kind is not None and found and (len(found) > 1 or _kind_of(found[0]) not in (kind, None)):
        # The name may be a whole name of something else, and a part of the name of what is asked for.
        near = [location for location in locations if location in found or mentions(text, location)]
        found = chosen(text, _of_kind(near, kind)) or found
    if len(found) == 1:
        return found[0].read()
    if found:
        names = missing.listed(to_type(location, locations) for location in found)
        raise ModelNotFound(f"{text!r} names {len(found)} models: {names}.", "Type one of these.")
    if _exists(path):
        return _at(path)
    raise ModelNotFound(f"No model is called {text!r}.", missing.hint(text, locations))


def _of_kind(locations: list[Location], kind: Kind) -> list[Location]:
    """Those of the locations that are of this kind; all where that is not worth finding out."""
    if len(locations) > _READ_TO_CHOOSE:
        return locations
    return [location for location in locations if _kind_of(location) == kind]


def _kind_of(location: Location) -> Kind | None:
    try:
        return location.read().kind
    except CheckpointError:
        return None


def _use_of(found: Checkpoint) -> str:
    """What a model that answers nothing can be used for."""
    uses: Mapping[str, str] = {
        "embedder": f"Use it with: %rag_ingest PATH --embedder {found.path}",
        "adapter": f"Load it on top of its model: %llm_load {found.base_model or 'REF'} --adapter {found.path}",
    }
    return uses.get(found.kind, "%llm_models lists what answers.")


def _exists(path: Path) -> bool:
    """Whether something is there; what cannot be a path is not."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
