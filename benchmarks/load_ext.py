"""How long `%load_ext kaggle_magics` takes, against bare IPython and against the import cell it replaces.

    python benchmarks/load_ext.py --runs 7

Every run is a fresh process; the three kinds take turns, so that a busy moment hits all of them. A cell's
time is taken inside the process, around `run_cell`; a process's time from outside, from start to exit. Medians are
shown. Targets: the extension's cell at least 50 times faster than the import cell, and its process at most 80 ms
above bare IPython. The exit status does not depend on them: a machine under load is no defect of the code.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time

FASTER = 50.0
MS_ABOVE_BARE = 80.0

IMPORT_CELL = """
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, pipeline
from langchain_core.prompts import PromptTemplate
from langchain_core.output_parsers import StrOutputParser
import chromadb
from sentence_transformers import SentenceTransformer
"""
CELLS = {"bare IPython": "pass", "%load_ext kaggle_magics": "%load_ext kaggle_magics", "import cell": IMPORT_CELL}

PROGRAM = """
import sys, time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
started = time.perf_counter()
result = shell.run_cell(sys.argv[1])
seconds = time.perf_counter() - started
result.raise_error()
print("seconds", seconds)
"""


def run(cell: str) -> tuple[float, float]:
    """Seconds of the cell and of its whole process."""
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", PROGRAM, cell], capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    if done.returncode != 0:
        raise SystemExit(f"This cell failed:\n{cell}\n{done.stdout}{done.stderr}")
    return float(done.stdout.rpartition("seconds ")[2]), seconds


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=7, help="fresh processes of each kind (default: 7)")
    options = parser.parse_args()

    for cell in CELLS.values():  # Once unmeasured: files into the page cache, bytecode written.
        run(cell)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in CELLS}
    for _ in range(options.runs):
        for name, cell in CELLS.items():
            times[name].append(run(cell))
    cells = {name: 1000 * statistics.median(cell for cell, _ in taken) for name, taken in times.items()}
    processes = {name: 1000 * statistics.median(process for _, process in taken) for name, taken in times.items()}

    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, medians of {options.runs} processes each\n")
    print(f"{'':<26}{'cell ms':>10}{'process ms':>12}{'above bare':>12}")
    bare = processes["bare IPython"]
    for name in CELLS:
        print(f"{name:<26}{cells[name]:>10.1f}{processes[name]:>12.0f}{processes[name] - bare:>12.0f}")
    faster = cells["import cell"] / cells["%load_ext kaggle_magics"]
    above = processes["%load_ext kaggle_magics"] - bare
    print(f"\n%load_ext is {faster:.0f} times faster than the import cell (target: at least {FASTER:.0f}) and takes")
    print(f"{above:.0f} ms more than bare IPython (target: at most {MS_ABOVE_BARE:.0f}).")


if __name__ == "__main__":
    main()
