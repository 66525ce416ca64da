"""Peak memory while one model is replaced by another: `load(..., swap=True)` against loading B before A is let go.

    python benchmarks/swap.py                        # two models of 116 million float32 weights

Each way runs in a process of its own, whose peak resident memory the kernel tells (ru_maxrss); what the process holds
with the libraries imported and no model yet is taken off. To what the larger model alone adds, at most 10 % may come.
All ways answer the same, which is asserted.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

from models import SHAPES, gguf_file, hf_folder, text
from timing import Result, show


def run(ways: list[str], paths: list[str]) -> dict[str, object]:
    """In a fresh process: load the models one after the other; what the last one says, and the peak in bytes."""
    command = [sys.executable, __file__, "--inside", json.dumps([ways, paths])]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ})
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


def inside(ways: list[str], paths: list[str]) -> None:
    from kaggle_magics import memory
    from kaggle_magics.session import Session

    session = Session()
    if paths[0].endswith(".gguf"):
        import llama_cpp  # noqa: F401
    else:
        from transformers import AutoTokenizer, LlamaForCausalLM  # noqa: F401
    empty = memory.process_bytes()
    question, said = text(30), ""
    for way, path in zip(ways, paths, strict=True):
        if way == "both":
            session.load(path, name=Path(path).name + "-next")
            for name in [name for name in session.loaded if not name.endswith("-next")]:
                session.unload(name)
        else:
            session.load(path, name=f"model-{len(session.loaded)}", swap=way == "swap")
        said = session.prompt(question, template="none", max_tokens=12).text
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"peak": peak - empty, "said": said}))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", choices=SHAPES, default="llama-116m")
    parser.add_argument("--small", choices=SHAPES, default="llama-27m")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        inside(*json.loads(options.inside))
        return
    results, notes = [], []
    for engine, make in (("transformers", hf_folder), ("llama.cpp", gguf_file)):
        large, small = str(make(options.model)), str(make(options.small))
        alone = run(["first"], [large])
        other = run(["first"], [small])
        swapped = run(["first", "swap"], [small, large])
        back = run(["first", "swap", "swap"], [large, small, large])
        both = run(["first", "both"], [small, large])
        assert alone["said"] == swapped["said"] == back["said"] == both["said"], "the answers differ"
        MB = 1e6
        most = max(float(str(alone["peak"])), float(str(other["peak"])))
        for what, found in (("small to large", swapped), ("large, small, large", back)):
            peak = float(str(found["peak"]))
            results.append(
                Result(f"{engine}: {what}, peak against the larger alone", most / MB, peak / MB, 1.1, "MB", True)
            )
        beside = float(str(both["peak"])) / MB
        notes.append(f"{engine}: with the second loaded before the first is let go the peak is {beside:,.0f} MB.")
    show("Replacing a model", results, notes=tuple(notes))


if __name__ == "__main__":
    main()
