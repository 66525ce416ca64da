"""Where we are: Kaggle or not, interactive or a saved run, and where files may go.

Kaggle's facts: `KAGGLE_KERNEL_RUN_TYPE` is `Interactive` or `Batch`; `/kaggle/working` is small and saved with the
notebook, so caches never go there. Kaggle is tested before anything else: `google.colab` is importable there too.
"""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
import threading
from functools import lru_cache
from pathlib import Path


def on_kaggle() -> bool:
    """Whether this process runs in a Kaggle notebook."""
    return "KAGGLE_KERNEL_RUN_TYPE" in os.environ or Path("/kaggle/input").is_dir()


def is_batch() -> bool:
    """Whether this is a saved run ("Save & Run All"): nobody is there to click or to answer a question."""
    return os.environ.get("KAGGLE_KERNEL_RUN_TYPE") == "Batch"


def input_root() -> Path:
    """The tree attached models lie in: `KAGGLE_MAGICS_INPUT`, else `/kaggle/input`."""
    return Path(os.environ.get("KAGGLE_MAGICS_INPUT", "/kaggle/input"))


def cache_dir() -> Path:
    """Where derived files go: `KAGGLE_MAGICS_CACHE`, temporary space on Kaggle, the user's cache elsewhere."""
    given = os.environ.get("KAGGLE_MAGICS_CACHE")
    if given:
        path = Path(given)
    elif on_kaggle():
        path = Path(tempfile.gettempdir()) / "kaggle_magics"
    else:
        import platformdirs

        path = Path(platformdirs.user_cache_dir("kaggle_magics"))
    path.mkdir(parents=True, exist_ok=True)
    return path


def answers_folders(given: str | None = None) -> tuple[Path, ...]:
    """Where answers are kept, first place first: what is given, else what `KAGGLE_MAGICS_ANSWERS` says, then the cache.

    Both are folders with the system's separator of paths between them (":" on Unix), or "off": then there are none.
    """
    text = (given or os.environ.get("KAGGLE_MAGICS_ANSWERS", "")).strip()
    if text.casefold() == "off":
        return ()
    places = [Path(part).expanduser() for part in text.split(os.pathsep) if part.strip()]
    with contextlib.suppress(OSError):
        places.append(cache_dir() / "answers")
    return tuple(dict.fromkeys(places))


def asks_for_replay() -> bool:
    """Whether `KAGGLE_MAGICS_REPLAY` is set: answers come from where they are kept, and no model is loaded."""
    return os.environ.get("KAGGLE_MAGICS_REPLAY", "").strip().casefold() not in ("", "0", "false", "no", "off")


def data_dir() -> Path:
    """Where files of a person's own go that are kept, such as the history: `KAGGLE_MAGICS_DATA`, else beside the caches
    where those have a place of their own (Kaggle, `KAGGLE_MAGICS_CACHE`), the user's data folder elsewhere."""
    given = os.environ.get("KAGGLE_MAGICS_DATA")
    if given:
        path = Path(given)
    elif on_kaggle() or os.environ.get("KAGGLE_MAGICS_CACHE"):
        return cache_dir()
    else:
        import platformdirs

        path = Path(platformdirs.user_data_dir("kaggle_magics"))
    path.mkdir(parents=True, exist_ok=True)
    return path


@lru_cache(maxsize=1)
def has_internet() -> bool:
    """Whether names are resolved here, asked once and for two seconds at most: Kaggle's switch cuts that off too."""
    found: list[object] = []

    def look() -> None:
        with contextlib.suppress(OSError):
            found.extend(socket.getaddrinfo("www.kaggle.com", 443))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(2.0)
    return bool(found)
