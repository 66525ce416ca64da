"""How near the estimate of a plan comes to the memory that a model really takes, for both engines and several shapes.

    python benchmarks/memory.py              # every case
    python benchmarks/memory.py q8_0 16384   # the cases whose line contains all these words

Each case runs in a process of its own. It loads a model of random weights, fills its context with a prompt, answers,
and reports what counts as used: anonymous memory at its peak (polled), above what the process had before, and those
pages of mapped weights that answering touched. Mapped pages that nothing touches are the system's to take back, and so
are not counted, on either side. Times mean nothing here.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

MiB = 2**20
ALLOWED = (0.05, 100 * MiB)
"""An estimate may be off by the larger of these: a share of what was used, and bytes."""


@dataclass(frozen=True)
class Case:
    """One model in one form. `stored`: "float32", "bfloat16" (folders) or a GGUF type."""

    shape: str
    stored: str
    context: int
    quant: str | None = None

    @property
    def line(self) -> str:
        return f"{self.shape} {self.stored} {self.quant or ''} {self.context}"


CASES = (
    Case("llama-2m", "float32", 1024),
    Case("llama-2m", "q8_0", 1024),
    Case("llama-27m", "float32", 1024),
    Case("llama-27m", "float32", 4096),
    Case("llama-27m", "bfloat16", 8192),
    Case("llama-116m", "float32", 1024),
    Case("llama-116m", "float32", 4096),
    Case("llama-116m", "bfloat16", 2048),
    Case("llama-42m-152k", "float32", 2048),
    Case("llama-174m-152k", "bfloat16", 2048),
    Case("llama-116m", "float32", 1024, "nf4"),
    Case("llama-116m", "bfloat16", 2048, "nf4"),
    Case("llama-116m", "bfloat16", 1024, "int8"),
    Case("llama-27m", "f16", 1024),
    Case("llama-27m", "q8_0", 16384),
    Case("llama-116m", "f16", 4096),
    Case("llama-116m", "q8_0", 2048),
    Case("llama-116m", "q4_k_m", 4096),
    Case("llama-42m-152k", "q4_k_m", 2048),
    Case("llama-174m-152k", "q8_0", 1024),
)


def main(words: list[str]) -> None:
    cases = [case for case in CASES if all(word.lower() in case.line.lower() for word in words)]
    print("| model | stored | quant | context | estimate | measured | error | within | by part, estimated |")
    print("|---|---|---|---:|---:|---:|---:|---|---|")
    errors = []
    for case in cases:
        measured = measure(case)
        estimate, used = measured["estimate"], measured["used"]
        off = estimate - used
        errors.append(abs(off) / used)
        within = abs(off) <= max(ALLOWED[0] * used, ALLOWED[1])
        parts = ", ".join(f"{part} {taken / MiB:.0f}" for part, taken in measured["parts"].items())
        verdict = "yes" if within else "NO"
        print(
            f"| {case.shape} | {case.stored} | {case.quant or 'none'} | {case.context} | {estimate / MiB:.0f} MiB "
            f"| {used / MiB:.0f} MiB | {off / MiB:+.0f} MiB ({off / used:+.1%}) | {verdict} | {parts} |",
            flush=True,
        )
    if errors:
        print(f"\nMedian error {statistics.median(errors):.1%} over {len(errors)} cases.")


def measure(case: Case) -> dict[str, Any]:
    """Bytes of one case, estimated and used, from a process of its own."""
    path = model_of(case)
    done = subprocess.run(
        [sys.executable, __file__, "--child", json.dumps(asdict(case)), str(path)],
        capture_output=True, text=True, timeout=1200, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{case.line} failed:\n{done.stderr[-2000:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def model_of(case: Case) -> Path:
    """The model's folder or file, made where it is not there yet."""
    import models

    if case.stored == "float32":
        return models.hf_folder(case.shape)
    if case.stored != "bfloat16":
        return models.gguf_file(case.shape, case.stored)
    source = models.hf_folder(case.shape)
    target = source.parent / "hf-bfloat16"
    if not target.exists():
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        making = target.with_name(f"{target.name}-{time.time_ns()}")
        AutoModelForCausalLM.from_pretrained(source, dtype=torch.bfloat16).save_pretrained(making)
        AutoTokenizer.from_pretrained(source).save_pretrained(making)
        making.rename(target)
    return target


def child(case: Case, path: Path) -> None:
    """Load, fill the context, answer, and print what was estimated and used."""
    from kaggle_magics.models.checkpoint import read_checkpoint
    from kaggle_magics.models.engines.registry import load_engine
    from kaggle_magics.models.fit.plan import make_plan
    from kaggle_magics.models.request import Request, Sampling

    checkpoint = replace(read_checkpoint(path), context_length=max(case.context, 4096))
    plan = make_plan(checkpoint, context=case.context, quant=case.quant)
    before = _status("RssAnon")
    peak = _Peak()
    with peak:
        engine = load_engine(plan)
        text = _prompt(engine.count_tokens, case.context - 64)
        sampling = Sampling(max_tokens=16, temperature=0, seed=1)
        request = Request.ask(text, template="none", sampling=sampling)
        list(engine.stream(request, threading.Event()))
    Path("/proc/self/clear_refs").write_text("1")
    list(engine.stream(Request.ask("a", template="none", sampling=sampling), threading.Event()))
    used = peak.bytes - before + _touched(path)
    print(json.dumps({"estimate": plan.bytes, "parts": plan.memory, "used": used, "anonymous": peak.bytes - before}))


class _Peak:
    """The most anonymous memory this process had while it was open."""

    def __enter__(self) -> _Peak:
        self.bytes = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._poll, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _poll(self) -> None:
        while not self._done.wait(0.005):
            self.bytes = max(self.bytes, _status("RssAnon"))


def _status(key: str) -> int:
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(key))


def _touched(path: Path) -> int:
    """Bytes of the mapped pages of a model's files that were used since `clear_refs`."""
    total, inside = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        words = line.split()
        if "-" in words[0] and not words[0].endswith(":"):
            inside = len(words) > 5 and words[5].startswith(str(path))
        elif inside and words[0] == "Referenced:":
            total += int(words[1]) * 1024
    return total


def _prompt(count_tokens: Any, tokens: int) -> str:
    import models

    words = models.text(tokens, seed=1).split(" ")
    low, high = 1, len(words)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if count_tokens(" ".join(words[:middle])) <= tokens else (low, middle - 1)
    return " ".join(words[:low])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(Case(**json.loads(sys.argv[2])), Path(sys.argv[3]))
    else:
        main(sys.argv[1:])
