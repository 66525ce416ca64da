"""The process in which llama.cpp's quantiser runs: `llama_model_quantize` (llama.h) through ctypes."""

from __future__ import annotations

import ctypes
import json
import os
import re
import sys
from typing import Any

from kaggle_magics.models.quantize.child import die_with_parent, report

PROVENANCE = "kaggle_magics.made_from"
"""Key under which a result's metadata says what it was made from."""
KEY_LENGTH = 32
"""Of its value."""

_STEP = re.compile(r"\[\s*(\d+)/\s*(\d+)\]")


def main() -> None:
    """Arguments: one JSON object with source, output, type (a number), threads, requantize, key, dry_run."""
    die_with_parent()
    job: dict[str, Any] = json.loads(sys.argv[1])
    import llama_cpp

    # Not given to the child below: what llama.cpp itself prints comes out of the same pipe.
    callback = llama_cpp.llama_log_callback(_log)
    llama_cpp.llama_log_set(callback, ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = job["type"]
    parameters.nthread = job["threads"]
    parameters.allow_requantize = job["requantize"]
    parameters.dry_run = job["dry_run"]
    overrides = (llama_cpp.llama_model_kv_override * 2)()
    if job["key"]:
        overrides[0].tag = llama_cpp.LLAMA_KV_OVERRIDE_TYPE_STR
        overrides[0].key = PROVENANCE.encode()
        overrides[0].value.val_str = job["key"].encode()
        parameters.kv_overrides = ctypes.cast(overrides, type(parameters.kv_overrides))
    code = llama_cpp.llama_model_quantize(
        os.fsencode(job["source"]), os.fsencode(job["output"]), ctypes.byref(parameters)
    )
    sys.stdout.flush()
    # Nothing of the interpreter is needed any more, and the log callback must outlive the library's threads.
    os._exit(int(code != 0))


def _log(level: int, text: bytes, data: Any) -> None:
    line = text.decode("utf-8", "replace")
    if step := _STEP.search(line):
        report(int(step[1]) - 1, int(step[2]))
    sys.stdout.write(line)
