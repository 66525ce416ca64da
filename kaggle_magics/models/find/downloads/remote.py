"""What `hub:` and `kaggle:` references say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from kaggle_magics.errors import OptionError

Source = Literal["hub", "kaggle"]

_PART = r"[A-Za-z0-9][\w.-]*"
_ID = re.compile(rf"{_PART}(?:/{_PART})?")
_HANDLE = re.compile(rf"{_PART}/{_PART}/{_PART}/{_PART}(?:/\d+)?")
_REVISION = re.compile(r"[A-Za-z0-9][\w./-]*")
_PAGES = {
    "hub": ("https://huggingface.co/",),
    "kaggle": ("https://www.kaggle.com/models/", "https://kaggle.com/models/"),
}


@dataclass(frozen=True, slots=True)
class Remote:
    """A model on a server, and which of its files are wanted."""

    source: Source
    name: str
    """A Hugging Face id, or a Kaggle handle (`owner/model/framework/variation`, with or without a version)."""
    revision: str = "main"
    """Branch, tag or commit on Hugging Face."""
    files: str = ""
    """A file, a pattern with `*`, or a part of a file's name ("Q4_K_M"); "" takes what is needed."""

    @property
    def page(self) -> str:
        """The model's page, for a person's browser."""
        if self.source == "hub":
            return f"https://huggingface.co/{self.name}"
        return f"https://www.kaggle.com/models/{self.name}"

    @property
    def reference(self) -> str:
        """As it is typed."""
        revision = f"@{self.revision}" if self.revision != "main" else ""
        files = f":{self.files}" if self.files else ""
        return f"{self.source}:{self.name}{revision}{files}"


def parse(text: str) -> Remote | None:
    """The remote model that a reference names; None when it is of another kind. Raises `OptionError`."""
    source, colon, rest = text.strip().partition(":")
    if not colon or source not in ("hub", "kaggle"):
        return None
    for page in _PAGES[source]:
        rest = rest.removeprefix(page)
    if source == "hub":
        return _hub(rest)
    handle, _, files = rest.partition(":")
    if not _HANDLE.fullmatch(handle := handle.strip("/")):
        raise OptionError(
            f"kaggle: takes a handle, not {handle!r}.",
            "Type owner/model/framework/variation, as in kaggle:google/gemma/transformers/2b-it.",
        )
    return Remote("kaggle", handle, files=_files(files))


def _hub(rest: str) -> Remote:
    name, _, files = rest.partition(":")
    name, at, revision = name.strip("/").partition("@")
    if not _ID.fullmatch(name) or ".." in name or "--" in name:
        raise OptionError(
            f"hub: takes a Hugging Face id, not {name!r}.", "Type owner/name, as in hub:Qwen/Qwen2.5-0.5B-Instruct."
        )
    if at and (not _REVISION.fullmatch(revision) or ".." in revision):
        raise OptionError(f"{revision!r} is no revision.", "Give a branch, a tag or a commit after @.")
    return Remote("hub", name, revision or "main", _files(files))


def _files(text: str) -> str:
    if text.startswith("/") or ".." in text.split("/"):
        raise OptionError(f"{text!r} names no file of a model.", "Give a file's name or a part of it, such as Q4_K_M.")
    return text.strip()
