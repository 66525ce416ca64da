"""The prompts that were kept, one file each in a folder: `prompts/NAME.md`."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kaggle_magics.environment import input_root
from kaggle_magics.errors import OptionError, SavedPromptError, SavedPromptNotFound, did_you_mean
from kaggle_magics.generation.library.prompt_file import Kind, SavedPrompt, checked, read, written

FOLDER = "prompts"
SUFFIX = ".md"
_NAME = re.compile(r"\w(?:[\w.-]*\w)?")
_LONGEST_NAME = 200
"""Bytes; file systems take 255, suffix and all."""
_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10))}
"""What Windows takes for devices, whatever comes after a dot."""
_ATTACHED = (f"*/{FOLDER}", f"datasets/*/*/{FOLDER}", f"notebooks/*/*/{FOLDER}")
"""Where attached datasets and notebooks keep prompts, in Kaggle's two layouts."""


@dataclass(frozen=True, slots=True)
class ListedPrompt:
    """A saved prompt in a list; a damaged one says why in `problem`."""

    name: str
    kind: Kind
    fields: tuple[str, ...]
    first_line: str
    path: Path
    problem: str = ""


class PromptLibrary(Mapping[str, SavedPrompt]):
    """Saved prompts by name. Read from disk each time: what git or an editor changed is seen at once.

    `folder` is the one that is written to; prompts in attached datasets and notebooks can be used too, where the folder
    has none of the same name.
    """

    def __init__(self, folder: str | os.PathLike[str] = FOLDER) -> None:
        self.folder = Path(folder)

    def __getitem__(self, name: str) -> SavedPrompt:
        """The prompt of that name. Raises `SavedPromptNotFound`, `SavedPromptError` for a damaged file."""
        files = self._files()
        wanted = unicodedata.normalize("NFC", name) if isinstance(name, str) else name
        if wanted not in files:
            raise SavedPromptNotFound(
                f"There is no saved prompt {name!r}.",
                did_you_mean(str(name), files)
                or (f"There are: {', '.join(list(files)[:12])}." if files else "Keep one: %%prompt --save NAME"),
            )
        return read(files[wanted], wanted)

    def __iter__(self) -> Iterator[str]:
        return iter(self._files())

    def __len__(self) -> int:
        return len(self._files())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and unicodedata.normalize("NFC", name) in self._files()

    def __repr__(self) -> str:
        return f"PromptLibrary({str(self.folder)!r}: {', '.join(self) or 'empty'})"

    def save(
        self, name: str, text: str, *, kind: Kind = "prompt", overwrite: bool = False, **options: Any
    ) -> SavedPrompt:
        """Keep a prompt with the options it is to be asked with. Saving the same one again changes nothing.

        `options` are those of `session.prompt`; values are texts, numbers, truth values or lists of texts. Raises
        `OptionError` for a name that is no file name everywhere, for options that cannot be used, and, without
        `overwrite`, where a different prompt has the name; `SavedPromptError` where the file cannot be written.
        """
        name = checked_name(name)
        saved = checked(name, text, {key: value for key, value in options.items() if value is not None}, kind)
        path = self.folder / f"{name}{SUFFIX}"
        self._check_case(name)
        content = written(saved)
        try:
            before = path.read_bytes() if path.is_file() else None
            if before is not None and before != content and not overwrite:
                raise OptionError(
                    f"There is another prompt {name!r} in {path}.", "Give --overwrite to replace it, or another name."
                )
            if before != content:
                _write(path, content)
        except OSError as error:
            raise SavedPromptError(f"{path} cannot be written: {error.strerror or error}.") from None
        return SavedPrompt(saved.name, saved.text, saved.options, saved.kind, path)

    def delete(self, name: str) -> Path:
        """Delete a prompt's file; its path. Raises `SavedPromptNotFound`, `SavedPromptError`."""
        files = self._files()
        path = files.get(unicodedata.normalize("NFC", name))
        if path is None:
            raise SavedPromptNotFound(f"There is no saved prompt {name!r}.", did_you_mean(name, files))
        if path.parent != self.folder:
            raise SavedPromptError(f"{path} is attached and cannot be deleted.")
        try:
            path.unlink()
        except OSError as error:
            raise SavedPromptError(f"{path} cannot be deleted: {error.strerror or error}.") from None
        return path

    def list(self, words: str = "") -> list[ListedPrompt]:
        """All prompts by name, or those with all of `words` in their name, fields or text; damaged ones say why."""
        found = []
        for name, path in self._files().items():
            try:
                saved = read(path, name)
            except SavedPromptError as error:
                entry, searched = ListedPrompt(name, "prompt", (), "", path, str(error)), name
            else:
                first = next((line.strip() for line in saved.text.splitlines() if line.strip()), "")
                entry = ListedPrompt(name, saved.kind, saved.fields, first, path)
                searched = " ".join((name, saved.kind, *saved.fields, saved.text))
            if all(word in searched.casefold() for word in words.casefold().split()):
                found.append(entry)
        return found

    def _files(self) -> dict[str, Path]:
        """Every prompt's file by name, in the order of names; the own folder goes before attached ones."""
        found: dict[str, Path] = {}
        attached = [folder for pattern in _ATTACHED for folder in sorted(input_root().glob(pattern))]
        for folder in (self.folder, *attached):
            with contextlib.suppress(OSError):
                for path in folder.iterdir():
                    name = unicodedata.normalize("NFC", path.name.removesuffix(SUFFIX))
                    if path.name.endswith(SUFFIX) and _NAME.fullmatch(name) and name.casefold() != "readme":
                        found.setdefault(name, path)
        return dict(sorted(found.items(), key=lambda item: item[0].casefold()))

    def _check_case(self, name: str) -> None:
        with contextlib.suppress(OSError):
            for path in self.folder.iterdir():
                there = unicodedata.normalize("NFC", path.name.removesuffix(SUFFIX))
                if path.name.endswith(SUFFIX) and there != name and there.casefold() == name.casefold():
                    raise OptionError(
                        f"There is a prompt {there!r} already, and names that differ in case only are one file on some"
                        " computers.",
                        f"Write {there}, or take another name.",
                    )


def checked_name(name: str) -> str:
    """The name in Unicode's composed form (NFC). Raises `OptionError` where it is no safe file name everywhere."""
    if not isinstance(name, str):
        raise OptionError(f"A prompt's name is text, not {type(name).__name__}.")
    name = unicodedata.normalize("NFC", name)
    if not _NAME.fullmatch(name):
        raise OptionError(
            f"A prompt cannot be named {name!r}.", "Names are letters and digits, with -, _ and . between them."
        )
    if name.casefold().split(".")[0] in _DEVICES or name.casefold() == "readme":
        raise OptionError(f"A prompt cannot be named {name!r}: that file name means something else.")
    if len(name.encode()) > _LONGEST_NAME:
        raise OptionError(f"The prompt's name is too long: {len(name.encode())} bytes, {_LONGEST_NAME} at most.")
    return name


def _write(path: Path, content: bytes) -> None:
    """Write a file so that it is there as a whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        mode = path.stat().st_mode if path.exists() else 0o666 & ~_umask()
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
