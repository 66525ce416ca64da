"""--attach: variables and files that go with a prompt."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING, Any

from kaggle_magics.display.attachments import attached_view
from kaggle_magics.errors import OptionError, did_you_mean
from kaggle_magics.generation.attachments.attach import file_of
from kaggle_magics.generation.attachments.images import is_path
from kaggle_magics.interpolation import is_path as is_field
from kaggle_magics.interpolation import resolve

if TYPE_CHECKING:
    from kaggle_magics.generation.attachments.attach import Attached
    from kaggle_magics.magics.call import Call

LAST_ERROR = "_error"
"""Names the last error of the notebook, where no variable has the name."""


def attached(call: Call) -> Attached | None:
    """What --attach names, as the model gets it; it is shown above the answer, before anything is asked."""
    given = getattr(call.options, "attach", None)
    if not given:
        if getattr(call.options, "attach_tokens", None) is not None:
            raise OptionError("--attach-tokens goes with --attach.")
        return None
    things: dict[str, Any] = {}
    for words in given:
        for name in _names(words):
            things[name] = _thing(call, name)
    if not things:
        raise OptionError("--attach names nothing.", "Name variables and files: --attach df,notes.md")
    model = call.options.model
    if not isinstance(model, str) or model not in call.session.loaded:
        model = None  # the current one counts for several
    found = call.session.describe(things, tokens=call.options.attach_tokens, model=model)
    call.before += (attached_view(found),)
    return found


def _names(words: str) -> list[str]:
    if os.path.isfile(words):
        return [words]  # a path may hold commas
    # Commas within brackets or quotes belong to a name: table["a,b"].
    parts = re.findall(r"""(?:\[(?:"[^"]*"|'[^']*'|[^\]])*\]|[^,\[]|\[)+""", words)
    return [part.strip() for part in parts if part.strip()]


def _thing(call: Call, name: str) -> Any:
    """The variable of that name, else the file."""
    try:
        if not is_field(name):
            raise KeyError(name)
        found = resolve(name, call.names)
    except (LookupError, AttributeError):
        pass  # perhaps a file: data.csv reads like an attribute of data
    except Exception as error:  # a property of the person's object may raise anything
        raise OptionError(f"{name} cannot be looked at: {type(error).__name__}: {error}.") from None
    else:
        return file_of(found) if is_path(found) else found
    if name == LAST_ERROR:
        last = getattr(sys, "last_value", None)
        if last is None:
            raise OptionError("There was no error yet that could be attached.")
        return last
    looks_like_path = not re.fullmatch(r"\w+", name)
    if looks_like_path or os.path.exists(name):
        return file_of(name)
    known = [one for one in call.names if not one.startswith("_")]
    raise OptionError(f"There is no variable and no file named {name!r}.", did_you_mean(name, [*known, *_files_here()]))


def _files_here() -> list[str]:
    try:
        return [entry.name for entry in os.scandir() if entry.is_file() and not entry.name.startswith(".")][:1000]
    except OSError:
        return []
