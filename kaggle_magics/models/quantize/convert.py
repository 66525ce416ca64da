"""From a folder in Hugging Face's layout to a GGUF file, by llama.cpp's own converter in a process of its own."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from pathlib import Path

from kaggle_magics.errors import CheckpointError, KaggleMagicsError, MissingExtra
from kaggle_magics.extras import install_line, installed
from kaggle_magics.models.checkpoint import Checkpoint
from kaggle_magics.models.headers.gguf import read_header
from kaggle_magics.models.quantize.child import ChildFailed, progress_of, python_child, run_child
from kaggle_magics.models.quantize.disk import out_of_space
from kaggle_magics.models.quantize.text import CHECK_TEXT

_CHILD = "kaggle_magics.models.quantize.convert_child"
_TYPES = {"float16": "f16", "bfloat16": "bf16"}


def unquantized_type(checkpoint: Checkpoint, to: str) -> str:
    """The type a folder is converted to before it is quantised: as it is stored, float32 as float16."""
    if to == "f32":
        return "f32"
    return _TYPES.get(checkpoint.dtype, "f16")


def convert_folder(
    checkpoint: Checkpoint,
    output: Path,
    to: str,
    *,
    converter: Path,
    reference: Path | None = None,
    dry_run: bool = False,
    trust_remote_code: bool = False,
    on_share: Callable[[float], None] | None = None,
    stop: threading.Event | None = None,
) -> None:
    """Write a checkpoint's weights, tokenizer and chat template as GGUF of the type f32, f16 or bf16.

    `reference` gets what transformers itself answers to a short text (`source_answers`). With `dry_run` the file has
    holes where weights belong and takes no room. Raises `CheckpointError` with what the converter says when it cannot.
    """
    for module in ("torch", "transformers"):
        _must_be_installed(module, "Converting to GGUF")
    job = {
        "converter": str(converter),
        "model": str(checkpoint.path),
        "output": str(output),
        "type": to,
        "name": checkpoint.name,
        "dry_run": dry_run,
        "trust_remote_code": trust_remote_code,
        "reference": str(reference or ""),
        "text": CHECK_TEXT,
    }

    def on_line(line: str) -> None:
        share = progress_of(line)
        if share is not None and on_share is not None:
            on_share(share)

    try:
        run_child(python_child(_CHILD, [json.dumps(job)]), on_line=on_line, stop=stop)
    except ChildFailed as error:
        raise _explained(error, checkpoint, output) from error
    read_header(output)


def _must_be_installed(module: str, purpose: str) -> None:
    """For what only the child imports."""
    if not installed(module):
        raise MissingExtra(f"{purpose} needs {module}, which is not installed.", f"Run: {install_line(module)}")


def _explained(error: ChildFailed, checkpoint: Checkpoint, output: Path) -> KaggleMagicsError:
    text = error.text
    if absent := re.search(r"No module named '([\w.]+)'", text):
        module = absent[1].partition(".")[0]
        return MissingExtra(
            f"Converting {checkpoint.name} needs {module}, which is not installed.", f"Run: {install_line(module)}"
        )
    # numpy tells of a full disk in words of its own.
    if re.search(r"No space left on device|Disk quota exceeded|\d+ requested and \d+ written", text):
        return out_of_space(output.parent)
    if re.search(r"Model \S+ is not supported", text):
        return CheckpointError(
            f"llama.cpp's converter does not know {checkpoint.architecture}, which {checkpoint.name} is.",
            "Use it as it is, with %llm_load.",
        )
    if "BPE pre-tokenizer was not recognized" in text:
        return CheckpointError(
            f"llama.cpp's converter does not know how the tokenizer of {checkpoint.name} splits text.",
            "Use it as it is, with %llm_load.",
        )
    if "trust_remote_code" in text:
        return CheckpointError(
            f"{checkpoint.name} needs Python code of its own to be read, which is not run.",
            "If you trust where it comes from, add --trust-remote-code.",
        )
    if error.code in (-9, 137):
        return CheckpointError(
            f"Converting {checkpoint.name} was ended by the system, which may have run out of memory.",
            "Unload models and try again.",
        )
    said = next((line for line in reversed(error.lines) if re.match(r"[\w.]*(Error|Exception)\b|ERROR", line)), "")
    return CheckpointError(
        f"llama.cpp's converter cannot convert {checkpoint.name}: {(said or f'exit code {error.code}').strip()[:300]}."
    )
