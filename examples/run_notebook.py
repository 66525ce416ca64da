"""Run a notebook from top to bottom without a browser, save it, and say what each step answered and how long it took.

    python examples/run_notebook.py examples/tour.ipynb --output build

writes build/tour.ipynb (with its outputs) and build/tour.html (one file, no script in it). The exit status is 1 when
a cell fails; what ran until then is written all the same.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
from jinja2 import DictLoader
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbconvert import HTMLExporter
from nbformat import NotebookNode

# JupyterLab's look with every block that would bring a script left empty: the page must read well without a network.
TEMPLATE = """{% extends 'lab/index.html.j2' %}
{% block html_head_js %}{% endblock %}
{% block jupyter_widgets %}{% endblock %}
{% block html_head_js_mathjax %}{% endblock %}
{% block html_head_js_mermaidjs %}{% endblock %}
"""


def title(cell: NotebookNode) -> str | None:
    """The first heading of a Markdown cell, without its marks."""
    for line in cell.source.splitlines():
        if line.startswith("#"):
            return line.lstrip("# ")
    return None


def first_line(cell: NotebookNode) -> str:
    """The first line of what a cell showed last, as text: what it returned or displayed before what it printed."""
    shown = [output.data.get("text/plain", "") for output in cell.outputs if "data" in output]
    printed = ["".join(output.text) for output in cell.outputs if output.output_type == "stream"]
    for text in (*reversed(shown), *reversed(printed)):
        for line in text.splitlines():
            if line.strip():
                return line.strip()
    return ""


def cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "\N{HORIZONTAL ELLIPSIS}"


def execute(notebook: NotebookNode, folder: Path, *, timeout: int) -> Iterator[tuple[str, NotebookNode, float]]:
    """Run the cells; yield the heading each code cell stands under, the cell, its seconds. Raises nbclient's errors.

    The kernel starts in `folder`, so that relative paths mean the same as in JupyterLab.
    """
    resources = {"metadata": {"path": str(folder.resolve())}}
    client = NotebookClient(notebook, timeout=timeout, kernel_name="python3", resources=resources)
    # ipykernel warns about a connection without encryption; this one goes to this process alone.
    client.extra_arguments = ["--IPKernelApp.log_level=40"]
    heading = ""
    with client.setup_kernel():
        for index, cell in enumerate(client.nb.cells):
            if cell.cell_type == "markdown":
                heading = title(cell) or heading
            elif cell.cell_type == "code" and cell.source.strip():
                started = time.perf_counter()
                client.execute_cell(cell, index)
                yield heading, cell, time.perf_counter() - started


def write(notebook: NotebookNode, path: Path) -> Path:
    """Save the notebook as `path` and beside it as one HTML file; gives the latter's path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    exporter = HTMLExporter(extra_loaders=[DictLoader({"plain.html.j2": TEMPLATE})], template_file="plain.html.j2")
    body, _ = exporter.from_notebook_node(notebook, {"metadata": {"name": path.stem}})
    page = path.with_suffix(".html")
    page.write_text(body, encoding="utf-8")
    return page


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("notebook", type=Path)
    parser.add_argument("--output", type=Path, default=Path("build"), help="folder to write to (default: build)")
    parser.add_argument("--timeout", type=int, default=300, help="seconds a cell may take (default: 300)")
    options = parser.parse_args(arguments)

    notebook = nbformat.read(options.notebook, as_version=4)
    width = max(60, shutil.get_terminal_size((120, 24)).columns)
    answers = width - 44
    print(f"{'step':<32}  {'first line of the answer':<{answers}}  {'seconds':>7}")
    started, previous, error = time.perf_counter(), "", None
    try:
        for heading, cell, seconds in execute(notebook, options.notebook.parent, timeout=options.timeout):
            step = "" if heading == previous else cut(heading, 32)
            if heading == previous and not cell.outputs:
                continue
            print(f"{step:<32}  {cut(first_line(cell), answers):<{answers}}  {seconds:>7.1f}", flush=True)
            previous = heading
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as failure:
        error = failure
    page = write(notebook, options.output / options.notebook.name)
    print(f"\n{time.perf_counter() - started:.1f} s in all. Every answer and source: {page}")
    if error is not None:
        print(f"\n{options.notebook} failed:\n{error}", file=sys.stderr)
    return 0 if error is None else 1


if __name__ == "__main__":
    raise SystemExit(main())
