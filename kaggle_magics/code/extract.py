"""Take the code out of an answer, whatever prose a model wrapped it in."""

from __future__ import annotations

import ast
import re

_FENCE = re.compile(
    r"^[ \t]*(?P<mark>`{3,}|~{3,})[ \t]*(?P<language>[\w+#.-]*)[^\n]*\n(?P<code>.*?)(?:^[ \t]*(?P=mark)[ \t]*$|\Z)",
    re.M | re.S,
)
_ALIASES = {"py": "python", "python3": "python", "js": "javascript", "ts": "typescript", "sh": "bash", "shell": "bash"}


def extract_code(text: str, language: str = "python") -> str:
    """The code in `text`, without fences or prose; "" where there is none.

    Fenced blocks of the language come first (joined when there are several), then fences of no language, then any.
    Without a fence the text is code as a whole; for Python, prose before and after the longest run of lines that
    parses is dropped.
    """
    blocks = [(_name(match["language"]), match["code"].strip("\n")) for match in _FENCE.finditer(text)]
    for wanted in ({_name(language)}, {""}, {name for name, _ in blocks}):
        chosen = [code for name, code in blocks if name in wanted and code.strip()]
        if chosen:
            return "\n\n\n".join(chosen)
    bare = text.strip("\n").rstrip()
    return _python_part(bare) if _name(language) == "python" else bare


def _name(language: str) -> str:
    low = language.casefold()
    return _ALIASES.get(low, low)


def _python_part(text: str) -> str:
    """The longest run of whole lines that parses and is more than bare words; the text itself when none does."""
    lines = text.splitlines()
    starts = [i for i, line in enumerate(lines) if line and not line[0].isspace()]
    # A run starts at a line in column 0 and ends before another one (or at the end): few candidates, longest first.
    ends = [*starts[1:], len(lines)]
    runs = sorted(
        ((end - start, start, end) for start in starts for end in ends if end > start),
        key=lambda run: (-run[0], run[1]),
    )
    for _, start, end in runs:
        candidate = "\n".join(lines[start:end]).rstrip()
        if _parses(candidate) and _is_code(candidate):
            return candidate
    return text


def _parses(code: str) -> bool:
    try:
        ast.parse(code)
    except (SyntaxError, ValueError):
        return False
    return True


def _is_code(code: str) -> bool:
    """Whether it is more than prose that happens to parse: bare words do, and are no code at either end."""
    body = ast.parse(code).body
    return bool(body) and not any(
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Name) for node in (body[0], body[-1])
    )
