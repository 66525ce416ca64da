"""Batch files: what is in them, and the line that has them answered."""

from __future__ import annotations

import shlex
from collections import Counter
from typing import TYPE_CHECKING

from kaggle_magics.display.bundle import View, facts, join, note, size

if TYPE_CHECKING:
    from kaggle_magics.generation.tables.batch_file import BatchFile

_REASONS = 3


def batch_file_view(written: BatchFile) -> View:
    """The file, its requests and model, what was left out, and how to go on."""
    answers = written.path.with_name(f"{written.path.stem}.answers.jsonl")
    words = ["vllm", "run-batch", "-i", str(written.path), "-o", str(answers), "--model", written.model]
    found = facts(
        "Requests for a server" if not written.was_there else "Requests for a server (the same file was there)",
        [
            ("file", str(written.path)),
            ("requests", f"{written.requests:,}"),
            ("size", size(written.bytes)),
            ("model", written.model),
            ("answer them with", shlex.join(words)),
            ("then read them with", f"the same cell, --answers {shlex.quote(str(answers))} in place of --jsonl"),
        ],
    )
    if not written.left_out:
        return join("batch", [found])
    reasons = Counter(written.left_out.values()).most_common(_REASONS)
    told = "; ".join(f"{count:,}: {reason}" for reason, count in reasons)
    return join("batch", [found, note(f"{len(written.left_out):,} rows are not in it. {told}", warn=True)])
