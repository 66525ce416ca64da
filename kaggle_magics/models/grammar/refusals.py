"""What llguidance says of a grammar it does not take, in one line with the remedy."""

from __future__ import annotations

import re

from kaggle_magics.errors import OptionError

_KEYS = re.compile(r"Unimplemented keys: \[(.*?)\]")
_REGEX = re.compile(r"regex parse error:.*?error: (?P<why>[^\n]+)", re.S)
_UNSUPPORTED = re.compile(r"(?P<why>lookarounds not supported yet; \w+)")
_PLACE = re.compile(r"^at \d+\(\d+\): ")


def explain(said: str, what: str) -> OptionError:
    """The error for what llguidance says of a "schema", "choices" or "regex"."""
    if keys := _KEYS.search(said):
        names = keys[1].replace('"', "")
        return OptionError(
            f"The schema uses {names}, which an answer cannot be held to while it is written.",
            "Leave it out and check the value afterwards, or say the same in other words.",
        )
    if "oneOf constraints" in said:
        return OptionError("The schema has a oneOf whose parts may overlap.", "Use anyOf, or give each part a const.")
    if "Unknown format" in said:
        name = _line(said.partition("Unknown format: ")[2])
        return OptionError(f"The schema has a format that is not known: {name}.", "Use a pattern.")
    if "Unsatisfiable schema" in said:
        return OptionError(f"No answer can fit this schema: {_line(said.partition('Unsatisfiable schema: ')[2])}.")
    if problem := _REGEX.search(said) or _UNSUPPORTED.search(said):
        where = "regular expression" if what == "regex" else "pattern in the schema"
        why = problem["why"].replace("; ", ": ")
        return OptionError(f"This {where} cannot be used: {why}.", "Say it without that.")
    return OptionError(f"The {what} cannot be used: {_line(said)}.")


def _line(said: str) -> str:
    lines = _PLACE.sub("", said.strip()).splitlines()
    return (lines[0] if lines else "no reason is given").rstrip(".:")[:300]
