"""Looking for models below a folder, within bounds: an attached competition can hold millions of files."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from kaggle_magics.models.checkpoint import is_first_part, weights_in
from kaggle_magics.models.find.adapters import CONFIG
from kaggle_magics.models.kinds import MODULES

MAX_DEPTH = 8
MAX_ENTRIES = 20_000
"""Of the whole tree."""
MAX_IN_FOLDER = 2_000

_TOKENIZERS = {"tokenizer.json", "tokenizer_config.json", "tokenizer.model"}
_PIPELINE = "model_index.json"
"""Of a diffusers pipeline, whose parts look like models and are none by themselves."""


def find_models(root: Path, *, depth: int = MAX_DEPTH) -> Iterator[Path]:
    """Folders that hold a model or an adapter, and whole `.gguf` files, from `root` itself down, shallow ones first.

    Nothing of them is read: some may be damaged. Kaggle's `models` and `m` go before all else, so that an attached
    data set cannot use up the bounds. Links that lead back, and folders that cannot be read, are passed over.
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
        names = {entry.name for entry in inside}
        is_model = _is_model(folder, names)
        if is_model:
            yield folder
        goes_on = level < depth and not is_model and _PIPELINE not in names
        deeper = []
        for entry in inside:
            if entry.name.lower().endswith(".gguf") and not _is_folder(entry):
                if is_first_part(file := Path(entry.path)):
                    yield file
            elif goes_on and not entry.name.startswith(".") and _is_folder(entry):
                deeper.append((Path(entry.path), level + 1))
        first = [each for each in deeper if each[0].relative_to(root).parts[0] in ("models", "m")]
        # Where a model is mounted in both, the present layout is the one that is shown.
        first.sort(key=lambda each: each[0].relative_to(root).parts[0] == "m")
        waiting.extendleft(reversed(first))
        waiting.extend(each for each in deeper if each not in first)


def _is_model(folder: Path, names: set[str]) -> bool:
    if MODULES in names or CONFIG in names:
        return True
    # With a tokenizer but no weights it is a model of which a part is missing; many other things have a config.json.
    return "config.json" in names and (weights_in(folder) is not None or bool(names & _TOKENIZERS))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False
