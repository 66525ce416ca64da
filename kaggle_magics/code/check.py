"""Check code without running it: does it parse, is what it imports there."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from kaggle_magics.extras import installed
from kaggle_magics.generation.answer import Answer


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; `detail` says what was found, in words."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True, kw_only=True)
class CodeAnswer(Answer):
    """An answer that is code: `text` is what the model said, `code` only the code in it."""

    code: str
    language: str
    checks: tuple[Check, ...] = ()


def check_code(code: str, language: str = "python") -> tuple[Check, ...]:
    """Checks for `code`; for languages other than Python only that there is some."""
    if not code.strip():
        return (Check("code", False, "the answer holds no code"),)
    if language.casefold() not in {"python", "py", "python3"}:
        return (Check("code", True, f"{len(code.splitlines())} lines, not parsed: only Python is"),)
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError) as error:
        where = f"line {error.lineno}: " if isinstance(error, SyntaxError) and error.lineno else ""
        return (Check("syntax", False, f"{where}{getattr(error, 'msg', error)}"),)
    missing = sorted(name for name in _imported(tree) if not installed(name))
    found = Check("imports", not missing, f"not installed: {', '.join(missing)}" if missing else "all installed")
    return (Check("syntax", True, "parses"), found)


def _imported(tree: ast.Module) -> set[str]:
    """Top-level packages that are imported anywhere in the code; relative imports are left out."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names
