"""%llm_quantize: a model as a GGUF file of a smaller type."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from kaggle_magics.display.bundle import note, seconds, size
from kaggle_magics.display.results import Measurements
from kaggle_magics.display.stream import open_show
from kaggle_magics.errors import OptionError
from kaggle_magics.magics.arguments import Parser
from kaggle_magics.magics.call import Call
from kaggle_magics.magics.command import command
from kaggle_magics.magics.options import output_option

if TYPE_CHECKING:
    from kaggle_magics.models.quantize.results import Quantized, QuantizeEstimate


def _options(parser: Parser) -> None:
    parser.argument(
        "REF",
        "Path, Kaggle handle, Hugging Face id, .gguf file, or a name of %llm_models.",
        complete="reference",
    )
    parser.option(
        "--to",
        help="Type of the result: q8_0, q6_k, q5_k_m, q4_k_m, ...; with --measure several, with commas.",
        metavar="TYPE",
        complete="gguf_type",
    )
    parser.option("--path", help="File or folder for the result; by default it goes into the cache.", complete="path")
    parser.switch("--dry-run", help="Show the size that the result would have; write nothing.")
    parser.switch("--measure", help="Compare each type with the original: size, speed, perplexity, divergence.")
    parser.option("--text", help="Text file to measure on; by default a short text of ours.", complete="path")
    parser.switch("--requantize", help="Take a GGUF that is quantised already, and lose what both lose.")
    parser.switch("--no-check", help="Do not compare the result with its source.")
    parser.switch("--overwrite", help="Replace a file that exists.")
    parser.switch("--allow-pickle", help="Read pickled weights; they can run any code.")
    parser.switch("--trust-remote-code", help="Run Python code that comes with the model.")
    output_option(parser)


@command(
    "Convert a model to a GGUF file of a smaller type, check it against its source, and keep it.",
    options=_options,
    examples=(
        "%llm_quantize pocket --to q4_k_m --dry-run",
        "%llm_quantize qwen2.5/transformers/0.5b-instruct --to q4_k_m -o small",
        "%llm_quantize pocket --to q8_0,q4_k_m --measure",
    ),
)
def llm_quantize(call: Call) -> Quantized | QuantizeEstimate | Measurements:
    options = call.options
    if not options.to:
        raise OptionError("--to is missing: the type of the result.", "For example: --to q4_k_m")
    with open_show(call.shell) as output:
        output.begin(f"Quantising {options.ref} to {options.to}")
        result = call.session.quantize(
            options.ref,
            to=options.to,
            path=options.path,
            dry_run=options.dry_run,
            measure=options.measure,
            text=_text(options.text) if options.text else None,
            check=not options.no_check,
            requantize=options.requantize,
            overwrite=options.overwrite,
            allow_pickle=options.allow_pickle,
            trust_remote_code=options.trust_remote_code,
            on_progress=output.progress,
        )
        if isinstance(result, list):
            result = Measurements(result)
            output.finish(note(f"Measured {result[0].name} as {len(result) - 1} types, against the original."))
        elif options.dry_run:
            output.finish(note("Nothing was written."))
        elif isinstance(result, os.PathLike):
            took = "It had been made before" if result.found else f"Made in {seconds(result.seconds)}"
            output.finish(
                note(f"{took}: {size(result.bytes)}. Load it with: %llm_load {shlex.quote(str(result.path))}")
            )
    call.store(result)
    return result


def _text(file: str) -> str:
    try:
        return Path(file).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(f"{file} cannot be read as UTF-8 text: {error}.") from error
