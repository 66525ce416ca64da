"""Whether an answer is right: by the check that a sample names."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

from .data.sample import Sample

SECONDS = 5


def normal(text: str) -> str:
    """An answer without outer white space and without trailing space in its lines."""
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def exact(sample: Sample, text: str) -> bool:
    """The same text."""
    return normal(text) == normal(sample.answer)


def bullets(sample: Sample, text: str) -> bool:
    """The same bullet points in any order."""
    return sorted(normal(text).splitlines()) == sorted(sample.answer.splitlines())


def contains(sample: Sample, text: str) -> bool:
    """One line that holds the value."""
    return "\n" not in text.strip() and sample.check["value"] in text


def number(sample: Sample, text: str) -> bool:
    """The last number is the result; where steps are asked for, a formula stands before it."""
    numbers = re.findall(r"-?\d+(?:\.\d+)?", text.replace(",", " "))
    if not numbers or (sample.check.get("steps") and "=" not in text):
        return False
    wanted = float(sample.check["value"])
    return abs(float(numbers[-1]) - wanted) <= abs(wanted) * sample.check.get("tolerance", 0.0) + 1e-9


def as_json(sample: Sample, text: str) -> bool:
    """The same JSON value; for objects the same keys in any order."""
    try:
        return json.loads(text) == sample.check["value"]
    except ValueError:
        return False


def listed(sample: Sample, text: str) -> bool:
    """The wanted number of different members of a category, in the wanted form."""
    form, lines = sample.check["form"], text.strip().splitlines()
    if form == "comma":
        words = [word.strip() for word in text.strip().split(",")]
    else:
        mark = [r"- (.+)$"] * len(lines) if form == "bullets" else [rf"{i}\. (.+)$" for i in range(1, len(lines) + 1)]
        found = [re.match(pattern, line) for pattern, line in zip(mark, lines, strict=True)]
        if not all(found):
            return False
        words = [match.group(1).strip() for match in found if match]
    members = {str(member).lower() for member in sample.check["members"]}
    return len(words) == sample.check["count"] == len(set(words)) and all(word.lower() in members for word in words)


def code(sample: Sample, text: str) -> bool:
    """The code runs and its asserts hold, in another process with a time limit."""
    program = text + "\n\n" + "\n".join(sample.check["asserts"]) + "\n"
    try:
        done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, timeout=SECONDS)
    except (subprocess.TimeoutExpired, ValueError):
        return False
    return done.returncode == 0


JUDGES: dict[str, Any] = {
    "exact": exact,
    "bullets": bullets,
    "contains": contains,
    "number": number,
    "json": as_json,
    "list": listed,
    "code": code,
}


def right(sample: Sample, text: str) -> bool:
    """The verdict on `text` as the answer to the last question of `sample`."""
    return bool(JUDGES[sample.check["kind"]](sample, text))
