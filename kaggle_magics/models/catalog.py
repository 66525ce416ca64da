"""Where models lie on this machine: Kaggle's input tree, Hugging Face's and kagglehub's caches, and the bundled one.

Kaggle mounts a model at `models/<owner>/<model>/<framework>/<variation>/<version>`, in older forms at the same path
under `m/` or without an owner, and a dataset at `datasets/<owner>/<slug>` or `<slug>`; the model's files often lie a
level or two deeper. So the tree is searched, within bounds, and the handle is read off the path.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from kaggle_magics import environment
from kaggle_magics.errors import CheckpointError
from kaggle_magics.models.checkpoint import Checkpoint, Origin, gguf_name, is_first_part, read_checkpoint, weights_in

MAX_DEPTH = 8
MAX_ENTRIES = 20_000
"""Of the whole tree; an attached competition can hold millions of files."""
MAX_IN_FOLDER = 2_000

POCKET = Path(__file__).parent / "pocket"
"""The bundled model's folder."""

_FRAMEWORKS = {
    "transformers", "pytorch", "gguf", "ggml", "keras", "tensorflow1", "tensorflow2", "flax", "jax", "gemmacpp", "vllm",
    "onnx", "tensorrtllm", "triton", "maxtext", "pax", "scikitlearn", "api", "other", "tflite", "tfjs",
}  # fmt: skip
"""Kaggle's model frameworks as they appear in paths (kagglesdk, ModelFramework)."""

_NOT_GENERATORS = {
    "bert",
    "nomic-bert",
    "nomic-bert-moe",
    "jina-bert-v2",
    "jina-bert-v3",
    "modern-bert",
    "clip",
    "t5encoder",
    "wavtokenizer-dec",
}
"""GGUF architectures that embed or decode audio, and answer nothing."""


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

    def read(self) -> Checkpoint:
        """The checkpoint there. Raises `CheckpointError`."""
        return read_checkpoint(self.path, origin=self.origin, handle=self.handle, name=self.name)


def list_checkpoints() -> list[Checkpoint]:
    """The text-generating models at hand, newest version of each: attached, cached, bundled; larger first.

    Files that are damaged are left out; naming one tells what is wrong with it.
    """
    groups = [attached(), cached(), bundled()]
    return [checkpoint for group in groups for checkpoint in _read_all(newest(group))]


def attached() -> list[Location]:
    """What lies in Kaggle's input tree (`environment.input_root()`), every version."""
    root = environment.input_root()
    return [_on_kaggle(path, path.relative_to(root).parts) for path in find_models(root)]


def cached() -> list[Location]:
    """What lies in Hugging Face's and kagglehub's caches, every version."""
    return [*_hugging_face(), *_kagglehub()]


def bundled() -> list[Location]:
    """The model in the box: its folder ("pocket") and its GGUF file ("pocket.gguf")."""
    found = []
    for path in find_models(POCKET, depth=1):
        name = "pocket.gguf" if path.suffix == ".gguf" else "pocket"
        found.append(Location(path, name, name, "bundled", None))
    return sorted(found, key=lambda location: location.name)


def newest(locations: list[Location]) -> list[Location]:
    """For every model the location with the highest version, in the given order."""
    best: dict[tuple[str, ...], Location] = {}
    for location in locations:
        known = best.get(key := without_version(location))
        if known is None or (location.version or 0) > (known.version or 0):
            best[key] = location
    return list(best.values())


def without_version(location: Location) -> tuple[str, ...]:
    """The parts of a location's key, less its version: equal for the versions of one model."""
    parts = location.key.casefold().split("/")
    if location.version is not None and location.handle is not None:
        del parts[location.handle.count("/")]
    return tuple(parts)


def find_models(root: Path, *, depth: int = MAX_DEPTH) -> Iterator[Path]:
    """Folders with a config.json and weights, and whole `.gguf` files, from `root` itself down, shallow ones first.

    Kaggle's `models` and `m` go before all else, so that an attached data set cannot use up the bounds.
    """
    waiting, seen, entries = deque([(root, 0)]), set(), 0
    while waiting and entries < MAX_ENTRIES:
        folder, level = waiting.popleft()
        try:
            status = folder.stat()
            with os.scandir(folder) as listing:
                inside = sorted(islice(listing, MAX_IN_FOLDER), key=lambda entry: entry.name)
        except OSError:
            continue
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        entries += len(inside)
        is_model = any(entry.name == "config.json" for entry in inside) and weights_in(folder) is not None
        if is_model:
            yield folder
        deeper = []
        for entry in inside:
            if entry.name.lower().endswith(".gguf") and not _is_folder(entry):
                if is_first_part(file := Path(entry.path)):
                    yield file
            elif level < depth and not is_model and not entry.name.startswith(".") and _is_folder(entry):
                deeper.append((Path(entry.path), level + 1))
        first = [each for each in deeper if each[0].relative_to(root).parts[0] in ("models", "m")]
        waiting.extendleft(reversed(first))
        waiting.extend(each for each in deeper if each not in first)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _read_all(locations: list[Location]) -> list[Checkpoint]:
    found = []
    for location in locations:
        try:
            if _generates(location.path) and _answers(checkpoint := location.read()):
                found.append(checkpoint)
        except CheckpointError:
            continue
    return sorted(found, key=lambda checkpoint: (-(checkpoint.parameters or 0), checkpoint.name))


def _generates(path: Path) -> bool:
    # A sentence-transformers folder embeds text; the vision part of a GGUF pair is named mmproj.
    return not (path / "modules.json").is_file() and not path.name.lower().startswith("mmproj")


def _answers(checkpoint: Checkpoint) -> bool:
    if checkpoint.format == "gguf":
        return checkpoint.architecture not in _NOT_GENERATORS
    return checkpoint.architecture.endswith(("ForCausalLM", "LMHeadModel", "ForConditionalGeneration"))


def _on_kaggle(path: Path, parts: tuple[str, ...]) -> Location:
    """Read handle and version off the path's parts below the input root."""
    if parts and parts[0] in ("models", "m") and len(parts) >= 6 and parts[5].isdigit():
        handle, rest = parts[1:6], parts[6:]
    elif len(parts) >= 4 and parts[1].lower() in _FRAMEWORKS and parts[3].isdigit():
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
        if variation.lower() in ("default", model.lower()) or variation.isdigit():
            name = model
        else:
            name = variation if model.lower() in variation.lower() else f"{model}-{variation}"
    else:
        name = handle[-1] if handle else path.name
    return Location(path, name, "/".join((*handle, *rest)), "kaggle", "/".join(handle) or None, version)


def _hugging_face() -> Iterator[Location]:
    for folder in _folders(hugging_face_cache()):
        if not folder.name.startswith("models--"):
            continue
        handle = folder.name.removeprefix("models--").replace("--", "/")
        snapshot = _snapshot(folder)
        if snapshot is None:
            continue
        for path in find_models(snapshot, depth=2):
            rest = path.relative_to(snapshot).parts
            name = gguf_name(path) if path.suffix.lower() == ".gguf" else (rest[-1] if rest else handle.split("/")[-1])
            yield Location(path, name, "/".join((handle, *rest)), "huggingface", handle)


def hugging_face_cache() -> Path:
    """`HF_HUB_CACHE`, else `HF_HOME`/hub, else ~/.cache/huggingface/hub (huggingface_hub, `constants`)."""
    given = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE")
    if given:
        return Path(given).expanduser()
    home = os.environ.get("HF_HOME")
    if home:
        return Path(home).expanduser() / "hub"
    return Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "huggingface" / "hub"


def _snapshot(folder: Path) -> Path | None:
    """The snapshot that `refs/main` names, else the one fetched last."""
    try:
        named = folder / "snapshots" / (folder / "refs" / "main").read_text(encoding="utf-8").strip()
        if named.is_dir():
            return named
    except (OSError, UnicodeDecodeError):
        pass
    return max(_folders(folder / "snapshots"), key=lambda path: path.stat().st_mtime, default=None)


def _kagglehub() -> Iterator[Location]:
    root = Path(os.environ.get("KAGGLEHUB_CACHE", "~/.cache/kagglehub")).expanduser() / "models"
    for path in find_models(root):
        parts = path.relative_to(root).parts
        if len(parts) >= 5 and parts[4].isdigit():
            yield _location(path, parts[:5], parts[5:], int(parts[4]))


def _folders(root: Path) -> list[Path]:
    try:
        return sorted(path for path in root.iterdir() if path.is_dir())
    except OSError:
        return []
