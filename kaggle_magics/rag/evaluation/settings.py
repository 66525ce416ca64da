"""Settings of a search, side by side: options with several values make a grid."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from kaggle_magics.errors import OptionError
from kaggle_magics.rag.finding.options import SearchOptions

MOST = 50
"""Settings of one evaluation."""


def settings_of(options: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Every combination of the options' values by its label; a list or tuple is several values, None is not given.

    Each is checked as `SearchOptions` (the option `collection` aside). Raises `OptionError`: a name or value that does
    not fit, no value, one twice, or more than `MOST` combinations.
    """
    axes = {
        name: list(value) if isinstance(value, list | tuple) else [value]
        for name, value in options.items()
        if value is not None
    }
    for name, values in axes.items():
        if not values:
            raise OptionError(f"{name} has no values: the list is empty.")
        if any(value in values[:at] for at, value in enumerate(values)):
            raise OptionError(f"{name} has a value twice.", "Give each value once.")
    found: dict[str, dict[str, Any]] = {}
    for point in itertools.product(*axes.values()):
        setting = dict(zip(axes, point, strict=True))
        SearchOptions.of({name: value for name, value in setting.items() if name != "collection"})
        varied = [f"{name} {value}" for name, value in setting.items() if len(axes[name]) > 1]
        found[", ".join(varied) or "as given"] = setting
        if len(found) > MOST:
            raise OptionError(f"More than {MOST} settings are too many to compare.", "Give fewer values.")
    return found
