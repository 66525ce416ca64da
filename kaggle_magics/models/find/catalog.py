"""Where models lie on this machine: Kaggle's input tree, several caches (ours, too), and the bundled one.

Kaggle mounts a model at `models/<owner>/<model>/<framework>/<variation>/<version>`, in older forms at the same path
under `m/` or without an owner, and a dataset at `datasets/<owner>/<slug>` or `<slug>`; the model's files often lie a
level or two deeper. So the tree is searched, within bounds, and the handle is read off the path.
"""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import get_args

from kaggle_magics import environment
from kaggle_magics.errors import CheckpointError
from kaggle_magics.models.checkpoint import Checkpoint, Origin, gguf_name, read_checkpoint
from kaggle_magics.models.find import caches
from kaggle_magics.models.find.walk import MAX_IN_FOLDER, find_models
from kaggle_magics.models.kinds import Kind

POCKET = Path(__file__).parent.parent / "pocket"
"""The bundled model's folder."""

QUANTIZED = "quantized"
"""The folder in our own cache that holds a folder for each result of quantising."""

_FRAMEWORKS = {
    "transformers", "pytorch", "gguf", "ggml", "keras", "tensorflow1", "tensorflow2", "flax", "jax", "gemmacpp", "vllm",
    "onnx", "tensorrtllm", "triton", "maxtext", "pax", "scikitlearn", "api", "other", "tflite", "tfjs",
}  # fmt: skip
"""Kaggle's model frameworks as they appear in paths (kagglesdk, ModelFramework)."""


@dataclass(frozen=True, slots=True)
class Location:
    """A folder or file that looks like a model; nothing of it has been read yet."""

    path: Path
    name: str
    key: str
    """What a reference is matched with: handle and the path below it, or the Hugging Face id."""
    origin: Origin
    handle: str | None
    version: int | None = None
    """Kaggle's version number; `key` without it names the same model."""
    versions: tuple[int, ...] = ()
    """All versions of this model that are at hand, where there are several."""

    def read(self) -> Checkpoint:
        """The checkpoint there. Raises `CheckpointError`."""
        found = read_checkpoint(self.path, origin=self.origin, handle=self.handle, name=self.name)
        return replace(found, versions=self.versions) if self.versions else found


def read_all() -> list[tuple[Location, Checkpoint | CheckpointError]]:
    """Every model at hand, newest version of each, with its facts or why it cannot be used.

    Attached before cached before made here before bundled; in each, generators before other kinds, larger before
    smaller, damaged last.
    """
    order = get_args(Kind)

    def rank(entry: tuple[Location, Checkpoint | CheckpointError]) -> tuple[int, int, str]:
        location, found = entry
        if isinstance(found, CheckpointError):
            return len(order), 0, location.name
        return order.index(found.kind), -(found.parameters or 0), found.name

    return [
        entry
        for group in (attached(), cached(), quantized(), bundled())
        for entry in sorted(((location, _read(location)) for location in newest(group)), key=rank)
    ]


def list_checkpoints(kind: Kind | None = "generator") -> list[Checkpoint]:
    """The models of one kind at hand (None: of every kind), newest version of each, in the order of `read_all`.

    Files that are damaged are left out: `read_all` has them, and naming one tells what is wrong with it.
    """
    found = [checkpoint for _, checkpoint in read_all() if isinstance(checkpoint, Checkpoint)]
    return [checkpoint for checkpoint in found if kind in (None, checkpoint.kind)]


_known: dict[Location, tuple[object, Checkpoint]] = {}
"""Facts that were read before, with what the files looked like then; a list of many models is asked for often."""


def _read(location: Location) -> Checkpoint | CheckpointError:
    looks = _looks(location.path)
    if looks is not None and (known := _known.get(location)) is not None and known[0] == looks:
        return known[1]
    try:
        found = location.read()
    except CheckpointError as error:
        return error
    _known[location] = (looks, found)
    return found


def _looks(path: Path) -> object:
    """Names, sizes and times of a model's files; None where they cannot be told."""
    try:
        # All parts of a split GGUF begin alike.
        files = path.iterdir() if path.is_dir() else path.parent.glob(f"{glob.escape(gguf_name(path))}*")
        return [(file.name, (status := file.stat()).st_size, status.st_mtime_ns) for file in sorted(files)]
    except OSError:
        return None


def locations() -> list[Location]:
    """Everything at hand, every version, the first place of each: attached before cached before bundled."""
    return _with_versions(_once([*attached(), *cached(), *bundled()]))


def attached() -> list[Location]:
    """What lies in Kaggle's input tree (`environment.input_root()`), every version."""
    root = environment.input_root()
    return _with_versions(_once(_on_kaggle(path, path.relative_to(root).parts) for path in find_models(root)))


def mounts() -> list[str]:
    """What is attached, models or not: handles of models and names of datasets, by their folders alone."""
    root, found = environment.input_root(), []
    for pattern in ("models/*/*/*/*/*", "m/*/*/*/*/*", "datasets/*/*", "notebooks/*/*", "competitions/*"):
        found += ["/".join(folder.relative_to(root).parts[1:]) for folder in sorted(root.glob(pattern))]
    for folder in sorted(root.glob("*")):
        if folder.name in ("models", "m", "datasets", "notebooks", "competitions") or not folder.is_dir():
            continue
        frameworks = [each for each in _inside(folder) if each.name.lower() in _FRAMEWORKS]
        versions = sorted(version for each in frameworks for version in each.glob("*/*"))
        found += ["/".join(version.relative_to(root).parts) for version in versions] or [folder.name]
    return list(dict.fromkeys(found))


def _inside(folder: Path) -> list[Path]:
    try:
        return sorted(islice(folder.iterdir(), MAX_IN_FOLDER))
    except OSError:
        return []


def framework_of(handle: str) -> str | None:
    """Kaggle's framework in a handle of a model (`owner/model/framework/variation/version`), in lower case."""
    return next((part.lower() for part in handle.split("/")[1:-1] if part.lower() in _FRAMEWORKS), None)


def cached() -> list[Location]:
    """What lies in Hugging Face's and kagglehub's caches, every version."""
    return [*_hugging_face(), *_with_versions(_kagglehub())]


def quantized() -> list[Location]:
    """What `%llm_quantize` and `--quant` have made and kept, the latest first; of equal names only that one."""
    try:
        files = [(file.stat().st_mtime, file) for file in (environment.cache_dir() / QUANTIZED).glob("*/*.gguf")]
    except OSError:
        return []
    found: dict[str, Location] = {}
    for _, file in sorted(files, reverse=True):
        name = gguf_name(file)
        found.setdefault(name, Location(file, name, name, "quantized", None))
    return list(found.values())


def bundled() -> list[Location]:
    """The model in the box: its folder ("pocket") and its GGUF file ("pocket.gguf")."""
    found = []
    for path in find_models(POCKET, depth=1):
        name = "pocket.gguf" if path.suffix == ".gguf" else "pocket"
        found.append(Location(path, name, name, "bundled", None))
    return sorted(found, key=lambda location: location.name)


def newest(locations: Iterable[Location]) -> list[Location]:
    """For every model the location with the highest version, in the given order."""
    best: dict[tuple[str, ...], Location] = {}
    for location in locations:
        known = best.get(key := _identity(location))
        if known is None or (location.version or 0) > (known.version or 0):
            best[key] = location
    return list(best.values())


def without_version(location: Location) -> str:
    """A location's key in lower case, less its version: equal for the versions of one model."""
    parts = location.key.casefold().split("/")
    if location.version is not None and location.handle is not None:
        del parts[location.handle.count("/")]
    return "/".join(parts)


def _identity(location: Location) -> tuple[str, ...]:
    # Datasets and outputs of notebooks may bear the same name; a handle with a version is one model wherever it lies.
    return (without_version(location), "" if location.version is not None else str(location.path))


def _once(locations: Iterable[Location]) -> list[Location]:
    """Without the second place of the same version of the same model."""
    first: dict[tuple[object, ...], Location] = {}
    for location in locations:
        first.setdefault((*_identity(location), location.version), location)
    return list(first.values())


def _with_versions(locations: Iterable[Location]) -> list[Location]:
    found = list(locations)
    versions: dict[tuple[str, ...], set[int]] = {}
    for location in found:
        if location.version is not None:
            versions.setdefault(_identity(location), set()).add(location.version)
    return [
        replace(location, versions=tuple(sorted(several)))
        if len(several := versions.get(_identity(location), set())) > 1
        else location
        for location in found
    ]


def _on_kaggle(path: Path, parts: tuple[str, ...]) -> Location:
    """Read handle and version off the path's parts below the input root."""
    if parts and parts[0] in ("models", "m") and len(parts) >= 6 and parts[5].isdecimal():
        handle, rest = parts[1:6], parts[6:]
    elif len(parts) >= 4 and parts[1].lower() in _FRAMEWORKS and parts[3].isdecimal():
        handle, rest = parts[:4], parts[4:]
    elif parts and parts[0] in ("datasets", "notebooks") and len(parts) >= 3:
        return _location(path, parts[1:3], parts[3:], None)
    else:
        skip = 1 if len(parts) > 1 and parts[0] == "competitions" else 0
        return _location(path, parts[skip : skip + 1], parts[skip + 1 :], None)
    return _location(path, handle, rest, int(handle[-1]))


def _location(path: Path, handle: tuple[str, ...], rest: tuple[str, ...], version: int | None) -> Location:
    if path.suffix.lower() == ".gguf":
        name = gguf_name(path)
    elif rest:
        name = path.name
    elif version is not None:
        model, variation = handle[-4], handle[-2]
        if variation.lower() in ("default", model.lower()) or variation.isdecimal():
            name = model
        else:
            name = variation if model.lower() in variation.lower() else f"{model}-{variation}"
    else:
        name = handle[-1] if handle else path.name
    return Location(path, name, "/".join((*handle, *rest)), "kaggle", "/".join(handle) or None, version)


def _hugging_face() -> Iterator[Location]:
    for handle, snapshot in caches.repositories():
        for path in find_models(snapshot, depth=2):
            rest = path.relative_to(snapshot).parts
            name = gguf_name(path) if path.suffix.lower() == ".gguf" else (rest[-1] if rest else handle.split("/")[-1])
            yield Location(path, name, "/".join((handle, *rest)), "huggingface", handle)


def _kagglehub() -> Iterator[Location]:
    root = caches.kagglehub_cache()
    for path in find_models(root):
        parts = path.relative_to(root).parts
        if len(parts) >= 5 and parts[4].isdecimal():
            yield _location(path, parts[:5], parts[5:], int(parts[4]))
