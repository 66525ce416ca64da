"""Where llama.cpp's converter from Hugging Face folders to GGUF comes from.

It is in no wheel, but in the source package of llama-cpp-python, below vendor/llama.cpp: `convert_hf_to_gguf.py`, the
packages `conversion` and `gguf-py/gguf`. It must be that of the installed version: a newer one may write what the
installed llama.cpp does not read. Looked for in this order: our cache; a wheelhouse folder (`KAGGLE_MAGICS_WHEELHOUSE`,
what is attached to the notebook, pip's find-links) with the archive, or with what Kaggle unpacked of it; the index,
through pip.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tarfile
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from importlib import metadata
from itertools import islice
from pathlib import Path, PurePosixPath

from kaggle_magics.environment import cache_dir, has_internet, input_root, on_kaggle
from kaggle_magics.errors import CheckpointError, MissingExtra
from kaggle_magics.extras import install_line, installed
from kaggle_magics.models.quantize.child import ChildFailed, run_child
from kaggle_magics.models.quantize.disk import cannot_write

SCRIPT = "convert_hf_to_gguf.py"
WHEELHOUSE = "KAGGLE_MAGICS_WHEELHOUSE"

_NEEDED = (SCRIPT, "LICENSE", "conversion/", "gguf-py/gguf/", "gguf-py/LICENSE")
"""Paths below vendor/llama.cpp."""
_MOST_BYTES = 100_000_000
"""Of the needed files, unpacked: they are about 4 MB; an archive that holds more is not what it says."""
_DOWNLOAD_SECONDS = 300.0
_FOLDERS_LOOKED_AT = 2_000
_ARCHIVE = re.compile(r"llama[-_]cpp[-_]python-(?P<version>[\w.]+)\.tar\.gz$")


def converter(on_progress: Callable[[str], None] | None = None, stop: threading.Event | None = None) -> Path:
    """The folder with the converter of the installed llama-cpp-python, fetched once and kept in the cache.

    Raises `MissingExtra` that says what to attach or to run when it is nowhere.
    """
    version = installed_version()
    kept = cache_dir() / "converter" / version
    if (kept / SCRIPT).is_file():
        return kept
    others: set[str] = set()
    for folder in _wheelhouses():
        for found, its_version in _sources_in(folder):
            if its_version == version:
                return _keep(found, kept)
            others.add(its_version)
    with tempfile.TemporaryDirectory(prefix="kaggle-magics-") as folder_name:
        archive = _download(version, Path(folder_name), on_progress, stop)
        if archive is not None:
            return _keep(archive, kept)
    raise missing(version, others)


def at_hand() -> bool:
    """Whether `converter` will find one, as far as can be told without trying: kept, in a wheelhouse, or an index."""
    try:
        version = installed_version()
    except MissingExtra:
        return False
    if (cache_dir() / "converter" / version / SCRIPT).is_file():
        return True
    if any(found == version for folder in _wheelhouses() for _, found in _sources_in(folder)):
        return True
    return not os.environ.get("PIP_NO_INDEX") and not (on_kaggle() and not has_internet())


def installed_version() -> str:
    """The version of llama-cpp-python. Raises `MissingExtra` where there is none."""
    try:
        return metadata.version("llama_cpp_python")
    except metadata.PackageNotFoundError as error:
        raise MissingExtra(
            "Quantising to GGUF needs llama_cpp, which is not installed.", f"Run: {install_line('llama_cpp')}"
        ) from error


def missing(version: str, others: set[str]) -> MissingExtra:
    """The error that says how to get the converter."""
    found = f" (found only that of {', '.join(sorted(others))})" if others else ""
    return MissingExtra(
        f"Converting to GGUF needs llama.cpp's converter, which is in the source package of llama-cpp-python "
        f"{version}{found}, and there is no package index to fetch it from.",
        "Switch the internet on; or, where there is some, run `pip download --no-deps --no-binary llama-cpp-python "
        f"llama-cpp-python=={version}` and attach the .tar.gz as a dataset, or set {WHEELHOUSE} to its folder.",
    )


def _wheelhouses() -> Iterator[Path]:
    named = os.environ.get(WHEELHOUSE, "")
    links = os.environ.get("PIP_FIND_LINKS", "").split()
    for folder in (*filter(None, named.split(os.pathsep)), *links, *_links_of_pip_config()):
        path = Path(folder.removeprefix("file://")).expanduser()
        if path.is_dir():
            yield path
    if input_root().is_dir():
        yield input_root()


def _links_of_pip_config() -> list[str]:
    """`find-links` of pip's configuration files (pip, "Configuration")."""
    import configparser

    found: list[str] = []
    for file in (
        Path("/etc/pip.conf"),
        Path("~/.config/pip/pip.conf"),
        Path("~/.pip/pip.conf"),
        Path(sys.prefix) / "pip.conf",
    ):
        parser = configparser.ConfigParser(interpolation=None)
        try:
            parser.read(file.expanduser(), encoding="utf-8")
            for section in ("global", "download", "install"):
                found += parser.get(section, "find-links", fallback="").split()
        except (configparser.Error, OSError, UnicodeDecodeError):
            continue
    return found


def _sources_in(root: Path) -> Iterator[tuple[Path, str]]:
    """Source packages below a folder, packed or unpacked, with their versions; shallow ones first, within bounds."""
    waiting, looked_at = deque([(root, 0)]), 0
    while waiting and looked_at < _FOLDERS_LOOKED_AT:
        folder, depth = waiting.popleft()
        looked_at += 1
        try:
            with os.scandir(folder) as listing:
                entries = sorted(islice(listing, 2_000), key=lambda entry: entry.name)
            folders = [Path(entry.path) for entry in entries if entry.is_dir()]
        except OSError:
            continue
        for entry in entries:
            if archive := _ARCHIVE.match(entry.name):
                path = Path(entry.path)
                # Kaggle unpacks archives into a folder that may still be called like one.
                if path.is_file():
                    yield path, archive["version"]
        vendor = folder / "vendor" / "llama.cpp"
        if (vendor / SCRIPT).is_file() and (version := _version_of(folder)):
            yield vendor, version
        elif depth < 6:
            waiting.extend((each, depth + 1) for each in folders if not each.name.startswith("."))


def _version_of(folder: Path) -> str:
    try:
        text = (folder / "PKG-INFO").read_text(encoding="utf-8", errors="replace")[:4096]
    except OSError:
        return ""
    found = re.search(r"^Version: *(\S+)", text, re.M)
    return found[1] if found else ""


def _download(
    version: str, folder: Path, on_progress: Callable[[str], None] | None, stop: threading.Event | None
) -> Path | None:
    """The archive from the package index; None where there is no index, no pip, or no such version."""
    if not installed("pip"):
        return None
    started = time.monotonic()

    def on_line(line: str) -> None:
        if on_progress is not None:
            on_progress(f"Fetching llama.cpp's converter with pip (77 MB, once): {time.monotonic() - started:.0f} s")

    on_line("")
    command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--no-binary", "llama-cpp-python"]
    command += ["--dest", str(folder), "--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
    command += ["--timeout", "15", "--retries", "1", f"llama-cpp-python=={version}"]
    try:
        run_child(command, on_line=on_line, stop=stop, seconds=_DOWNLOAD_SECONDS)
    except (ChildFailed, TimeoutError):
        return None
    return next(iter(folder.glob("*.tar.gz")), None)


def _keep(source: Path, kept: Path) -> Path:
    """Copy the needed files of an archive, or of an unpacked one, into the cache; whole or not at all."""
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent, prefix=".new-") as name:
            fresh = Path(name) / "converter"
            copy = _unpack if source.is_file() else _copy
            copy(source, fresh)
            if not (fresh / SCRIPT).is_file() or not (fresh / "conversion").is_dir():
                raise CheckpointError(
                    f"{source.name} holds no converter ({SCRIPT}).", "Download the source package again."
                )
            try:
                os.rename(fresh, kept)
            except OSError:
                # Another process was quicker.
                if not (kept / SCRIPT).is_file():
                    raise
    except (tarfile.TarError, EOFError) as error:
        raise CheckpointError(f"{source} is damaged: {error}.", "Download the source package again.") from error
    except OSError as error:
        raise cannot_write(kept.parent, error) from error
    return kept


def _unpack(archive: Path, target: Path) -> None:
    """Plain files only, each written by ourselves: nothing in an archive decides where it lands."""
    left = _MOST_BYTES
    with tarfile.open(archive, "r:gz") as tar:
        for member in tar:
            below = _below_vendor(member.name)
            if below is None or not member.isfile():
                continue
            left -= member.size
            data = tar.extractfile(member)
            if left < 0 or data is None:
                raise tarfile.TarError("it is larger than the source package can be")
            file = target / below
            file.parent.mkdir(parents=True, exist_ok=True)
            with data, file.open("wb") as out:
                shutil.copyfileobj(data, out)


def _copy(vendor: Path, target: Path) -> None:
    for needed in _NEEDED:
        source = vendor / needed
        if source.is_dir():
            shutil.copytree(source, target / needed, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.is_file():
            (target / needed).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target / needed)


def _below_vendor(name: str) -> PurePosixPath | None:
    """A needed file's path below vendor/llama.cpp; None for any other."""
    parts = PurePosixPath(name).parts
    if len(parts) < 4 or parts[1:3] != ("vendor", "llama.cpp") or ".." in parts or name.startswith("/"):
        return None
    below = "/".join(parts[3:])
    return PurePosixPath(below) if below.startswith(_NEEDED) else None
