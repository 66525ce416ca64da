"""What an answer costs on its way to the notebook: messages and bytes for 500 streamed tokens, through a real kernel.

    python benchmarks/streaming.py [--small]

The baseline is what notebooks do by hand: `handle.update(Markdown(text))` for every token. Both get the same words from
the same scripted engine, 50 a second, in the same kernel, in turns. Counted is what comes over the wire, as a front end
receives it: all messages that the cell causes on iopub, every frame of them.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_client.manager import KernelManager
from timing import Result, show

TOKENS = 500
PER_SECOND = 50
MOST_BYTES = 100_000
MOST_A_SECOND = 10
WORDS = (
    "The library opens at nine and closes at six from Monday to Friday and on Saturday it is open until one so that "
    "whoever works can come too; books may be kept for four weeks, and then once more as long as nobody waits for them."
)

SETUP = """
%load_ext kaggle_magics
import threading, kaggle_magics
from IPython.display import Markdown, display
from kaggle_magics.models.request import Request
from kaggle_magics.testing import ScriptedEngine
session = kaggle_magics.get_session()
engine = ScriptedEngine([{text!r}], seconds_per_token={seconds})
_ = session.adopt(engine, name="scripted")
"""
MAGIC = "%%prompt --max-tokens {tokens} -o answer\nRun {run}: when does the library open?"
NAIVE = """
text, handle = "", display(Markdown(""), display_id=True)
for piece in engine.stream(Request.ask("Run {run}"), threading.Event()):
    text += piece.text
    handle.update(Markdown(text))
"""


@dataclass(frozen=True)
class Cost:
    """What one cell sent."""

    messages: int
    updates: int
    bytes: int
    most_a_second: int
    """Updates in the busiest second."""
    seconds: float
    first: float
    """Seconds until the first text was there."""


class Kernel:
    """A kernel, and the frames of what it says."""

    def __init__(self) -> None:
        self.manager = KernelManager()
        root = str(Path(__file__).parents[1])
        self.manager.start_kernel(env={**os.environ, "PYTHONPATH": root})
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=120)

    def run(self, cell: str) -> Cost:
        """Run a cell to its end. Raises `RuntimeError` when it fails."""
        started = time.perf_counter()
        request = self.client.execute(cell, store_history=False)
        messages, size, updates, first = 0, 0, [], 0.0
        while True:
            frames = self.client.iopub_channel.socket.recv_multipart()
            message = self._read(frames)
            if message["parent_header"].get("msg_id") != request:
                continue
            messages, size = messages + 1, size + sum(map(len, frames))
            kind, content = message["header"]["msg_type"], message["content"]
            if kind == "error":
                raise RuntimeError(f"{content['ename']}: {content['evalue']}")
            if kind in ("display_data", "update_display_data"):
                updates.append(time.perf_counter() - started)
                if not first and "library" in json.dumps(content["data"]):
                    first = updates[-1]
            if kind == "status" and content["execution_state"] == "idle":
                break
        busiest = max((sum(at <= other < at + 1 for other in updates) for at in updates), default=0)
        return Cost(messages, len(updates), size, busiest, time.perf_counter() - started, first)

    def value(self, expression: str) -> str:
        """What an expression is in the kernel."""
        reply = self.client.execute_interactive(
            "", user_expressions={"value": expression}, store_history=False, output_hook=lambda message: None
        )
        return str(reply["content"]["user_expressions"]["value"]["data"]["text/plain"])

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)

    def _read(self, frames: list[bytes]) -> dict[str, Any]:
        _, parts = self.client.session.feed_identities(frames)
        message: dict[str, Any] = self.client.session.deserialize(parts)
        return message


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--small", action="store_true", help="fewer tokens, one run")
    options = parser.parse_args()
    tokens, runs = (100, 1) if options.small else (TOKENS, 3)
    words = (WORDS.split() * (tokens // 30 + 1))[:tokens]
    kernel = Kernel()
    costs: dict[str, list[Cost]] = {"naive": [], "magic": []}
    try:
        kernel.run(SETUP.format(text=" ".join(words), seconds=1 / PER_SECOND))
        for run in range(runs):
            costs["naive"].append(kernel.run(NAIVE.format(run=run)))
            costs["magic"].append(kernel.run(MAGIC.format(tokens=tokens, run=run)))
            assert kernel.value("answer.text == text") == "True", "the two did not say the same"
    finally:
        kernel.close()

    def median(way: str, what: str) -> float:
        return float(statistics.median(getattr(cost, what) for cost in costs[way]))

    results = [
        Result("messages", median("naive", "messages"), median("magic", "messages"), unit=""),
        Result("kB", median("naive", "bytes") / 1000, median("magic", "bytes") / 1000, unit="kB"),
        Result("until the first text", 1000 * median("naive", "first"), 1000 * median("magic", "first"), unit="ms"),
        Result("in all", median("naive", "seconds"), median("magic", "seconds"), unit="s"),
    ]
    size, busiest = median("magic", "bytes"), max(cost.most_a_second for cost in costs["magic"])
    notes = (
        f"Updates in the busiest second: {busiest} (at most {MOST_A_SECOND}: {_verdict(busiest <= MOST_A_SECOND)}).",
        f"Bytes: {size:,.0f} (at most {MOST_BYTES:,}: {_verdict(size <= MOST_BYTES)}).",
    )
    show(f"{tokens} streamed tokens through a kernel, {PER_SECOND} a second", results, notes=notes)


def _verdict(met: bool) -> str:
    return "met" if met else "**missed**"


if __name__ == "__main__":
    main()
