"""Numbers and dates of sheets as a person reads them there: the cell's number format decides."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any

_QUOTED = re.compile(r'"([^"]*)"')
_CURRENCY = re.compile(r"\[\$([^\]-]*)(?:-[^\]]*)?\]")
_BRACKETS = re.compile(r"\[[^\]]*\]")
_DIGITS = re.compile(r"[#0?][#0?,]*(?:\.([0#?]*))?(E[-+]0+)?")


def value_text(value: Any, number_format: str = "General") -> str:
    """A cell's value as text: dates as ISO, percentages and fixed decimals as formatted, "" for None.

    Thousands are not divided, so that a number is found by its digits.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return _formatted(value, number_format)
    if isinstance(value, datetime):
        moment = _rounded(value)
        if moment.time() == time(0):
            return moment.date().isoformat()
        return moment.isoformat(" ", "seconds" if moment.second else "minutes")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, time):
        return value.isoformat("seconds" if value.second else "minutes")
    if isinstance(value, timedelta):
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    return str(value)


def number_text(value: float) -> str:
    """A number with the 15 digits that sheets keep, without an empty fraction: 0.1 + 0.2 is 0.3."""
    if isinstance(value, int):
        return str(value)
    if value != value or value in (float("inf"), float("-inf")):
        return str(value)
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return f"{value:.15g}"


def _rounded(value: datetime) -> datetime:
    """To the second: dates of sheets are fractions of days and miss it by microseconds."""
    return (value + timedelta(microseconds=500_000)).replace(microsecond=0) if value.year < 9999 else value


@lru_cache(maxsize=1024)
def _parsed(number_format: str) -> tuple[int | None, bool, str, str] | None:
    """Fixed decimals, whether percent, what stands before and after; None for a format that is shown as the value."""
    section = number_format.split(";")[0]
    if section.strip().lower() in ("general", "@", "") or "/" in section:
        return None
    section = _CURRENCY.sub(lambda match: f'"{match[1]}"', section)
    words = re.sub(r"[_*].", "", re.sub(r"\\(.)", r'"\1"', section))
    bare = _BRACKETS.sub("", _QUOTED.sub("\0", words))
    digits = _DIGITS.search(bare)
    if digits is None or digits[2] or re.search(r"[dmyhs]", bare, re.IGNORECASE) or digits[0].endswith(","):
        return None
    quoted = iter(_QUOTED.findall(words))
    plain = re.sub("\0", lambda _: next(quoted, ""), _DIGITS.sub("\1", bare, count=1))
    before, _, after = plain.partition("\1")
    if _DIGITS.search(before) or _DIGITS.search(after):
        return None
    return len(digits[1] or ""), "%" in after, before.strip(), after.replace("%", "").strip()


def _formatted(value: float, number_format: str) -> str:
    form = _parsed(number_format)
    if form is None or value != value or abs(value) >= 1e15:
        return number_text(value)
    decimals, percent, before, after = form
    exact = Decimal(number_text(value)) * (100 if percent else 1)
    text = str(exact.quantize(Decimal(1).scaleb(-(decimals or 0)), ROUND_HALF_UP))
    if not Decimal(text) and exact:  # the format would hide it
        return number_text(value)
    sign = "-" if text.startswith("-") else ""
    return f"{sign}{before}{text.removeprefix('-')}{'%' if percent else ''}{' ' + after if after else ''}"
