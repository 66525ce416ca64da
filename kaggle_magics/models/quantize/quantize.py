"""From a checkpoint to a GGUF file of a wanted type, that is checked, whole, and made only once."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from kaggle_magics.environment import cache_dir
from kaggle_magics.errors import CheckpointError, OptionError
from kaggle_magics.models.checkpoint import Checkpoint, read_checkpoint
from kaggle_magics.models.find.catalog import QUANTIZED
from kaggle_magics.models.fit.machine import this_machine
from kaggle_magics.models.headers.gguf import read_header
from kaggle_magics.models.quantize.agreement import (
    Agreement,
    Answers,
    agreement,
    answers_of_gguf,
    answers_of_transformers,
)
from kaggle_magics.models.quantize.child import Stopped
from kaggle_magics.models.quantize.convert import convert_folder, unquantized_type
from kaggle_magics.models.quantize.converter import converter, installed_version
from kaggle_magics.models.quantize.disk import (
    cannot_write,
    must_have_room,
    one_at_a_time,
    put,
    work_folder,
)
from kaggle_magics.models.quantize.gguf_types import FLOATS, bits_of, type_named
from kaggle_magics.models.quantize.quantize_child import KEY_LENGTH, PROVENANCE
from kaggle_magics.models.quantize.quantizer import is_quantized, parts_of, quantize_gguf, quantized_bytes, read_parts
from kaggle_magics.models.quantize.results import Quantized, QuantizeEstimate, read_notes, write_notes

OnProgress = Callable[[str], None]

_FORMAT = 1
"""Part of every key; raised when the same input gives another file."""
_OVERHEAD = 32 * 2**20
"""Bytes of a vocabulary and other metadata, before they are known."""


@dataclass(frozen=True, slots=True)
class Job:
    """One quantisation that was asked for, with what was read of its source."""

    checkpoint: Checkpoint
    to: str
    target: Path
    key: str
    check: bool
    requantize: bool
    overwrite: bool
    trust_remote_code: bool

    @property
    def from_folder(self) -> bool:
        return self.checkpoint.format != "gguf"


def quantize(
    checkpoint: Checkpoint,
    to: str,
    *,
    path: str | os.PathLike[str] | None = None,
    check: bool = True,
    requantize: bool = False,
    overwrite: bool = False,
    allow_pickle: bool = False,
    trust_remote_code: bool = False,
    on_progress: OnProgress | None = None,
    stop: threading.Event | None = None,
) -> Quantized:
    """Make a GGUF file of the type `to` from a checkpoint, or find the one that was made before.

    `path` is a file or a folder; without it the file goes into the cache. A result that does not agree with its source
    (`agreement`) is not kept, unless `check` is False. `requantize` allows a quantised GGUF as the source. What exists
    is replaced only with `overwrite`. An interrupt, or `stop`, leaves nothing behind.

    Raises `OptionError`, `CheckpointError`, `MissingExtra`, `NoSpace`, `Stopped`.
    """
    job = _job(checkpoint, to, path, check, requantize, overwrite, allow_pickle, trust_remote_code)
    tell = on_progress or (lambda line: None)

    def on_wait() -> None:
        tell(f"Waiting: {job.target.name} is being made elsewhere")

    try:
        with one_at_a_time(job.target, on_wait=on_wait, stop=stop):
            return _there(job) or _make(job, tell, stop)
    except Stopped as error:
        raise Stopped(f"Quantising {checkpoint.name} was stopped; nothing of it is left.") from error


def estimate(
    checkpoint: Checkpoint,
    to: str,
    *,
    path: str | os.PathLike[str] | None = None,
    requantize: bool = False,
    allow_pickle: bool = False,
    trust_remote_code: bool = False,
    on_progress: OnProgress | None = None,
    stop: threading.Event | None = None,
) -> QuantizeEstimate:
    """What `quantize` would make, by llama.cpp's own dry run. No weights are read or written. Same errors."""
    job = _job(checkpoint, to, path, True, requantize, False, allow_pickle, trust_remote_code)
    scratch = cache_dir() / "dry-run" / job.key
    tell = on_progress or (lambda line: None)
    with one_at_a_time(scratch, stop=stop), work_folder(scratch) as folder:
        source, between = checkpoint.path, 0
        if job.from_folder:
            source = folder / "source.gguf"
            tell(f"Reading {checkpoint.name} with llama.cpp's converter")
            convert_folder(
                checkpoint,
                source,
                unquantized_type(checkpoint, job.to),
                converter=converter(tell, stop),
                dry_run=True,
                trust_remote_code=trust_remote_code,
                stop=stop,
            )
            between = source.stat().st_size
        size = quantized_bytes(source, job.to, requantize=requantize, stop=stop)
    there = next(each for each in job.target.parents if each.exists())
    free = shutil.disk_usage(there).free
    return QuantizeEstimate(
        checkpoint.name, job.to, job.target, size, checkpoint.path, checkpoint.bytes, between + size, free
    )


def target_of(checkpoint: Checkpoint, to: str, path: str | os.PathLike[str] | None, key: str) -> Path:
    """Where a result goes: the file `path`, a file in the folder `path`, or one in the cache."""
    file = f"{_file_name(checkpoint.name)}-{to.upper()}.gguf"
    if path is None:
        return cache_dir() / QUANTIZED / key[:16] / file
    given = Path(os.path.expanduser(os.fspath(path))).absolute()
    return given if given.suffix.lower() == ".gguf" and not given.is_dir() else given / file


def key_of(checkpoint: Checkpoint, to: str) -> str:
    """What a result depends on, as 32 hexadecimal digits: the files' names, sizes, times and headers, the type, and
    the version of llama.cpp's converter and quantiser."""
    digest = hashlib.sha256(f"{_FORMAT} {to} {installed_version()}".encode())
    folder = checkpoint.path
    files = sorted(file for file in folder.iterdir() if file.is_file()) if folder.is_dir() else parts_of(folder)
    for file in files:
        facts = file.stat()
        digest.update(f"\n{file.name} {facts.st_size} {facts.st_mtime_ns} ".encode("utf-8", "surrogateescape"))
        with file.open("rb") as data:
            digest.update(data.read(65536))
    return digest.hexdigest()[:KEY_LENGTH]


def _job(
    checkpoint: Checkpoint,
    to: str,
    path: str | os.PathLike[str] | None,
    check: bool,
    requantize: bool,
    overwrite: bool,
    allow_pickle: bool,
    trust_remote_code: bool,
) -> Job:
    to = type_named(to)
    if checkpoint.format == "pickle" and not allow_pickle:
        raise CheckpointError(
            f"{checkpoint.name} has only pickled weights (.bin, .pt), which can run any code when they are read.",
            "Use a version with safetensors; or, if you trust where it comes from, add --allow-pickle.",
        )
    if checkpoint.kind == "adapter":
        raise CheckpointError(f"{checkpoint.name} is an adapter, not a model.", "Quantise the model it belongs to.")
    if checkpoint.format == "gguf" and not requantize and is_quantized(read_parts(checkpoint.path)[0]):
        raise OptionError(
            f"{checkpoint.name} is {checkpoint.dtype} already: as {to} it would have the losses of both.",
            "Quantise the original; or, if there is none, add --requantize.",
        )
    key = key_of(checkpoint, to)
    target = target_of(checkpoint, to, path, key)
    if target.exists() and target.resolve() == checkpoint.path.resolve():
        raise OptionError(f"{target} is the source itself.", "Name another file with --path.")
    return Job(checkpoint, to, target, key, check, requantize, overwrite, trust_remote_code)


def _there(job: Job) -> Quantized | None:
    """The result of an earlier run, where it still is as it was made; a copy of it where another place is named."""
    own = target_of(job.checkpoint, job.to, None, job.key)
    for file in dict.fromkeys((job.target, own)):
        notes = read_notes(_notes_of(job, file))
        if notes is None or notes.path != file or not _is_result(file, job.key, notes.bytes):
            continue
        if job.check and notes.agreement is None:
            continue
        if file == job.target:
            return replace(notes, found=True)
        _must_be_free(job)
        with work_folder(job.target) as folder:
            must_have_room(job.target.parent, notes.bytes)
            try:
                shutil.copyfile(file, folder / job.target.name)
                put(folder / job.target.name, job.target)
            except OSError as error:
                raise cannot_write(job.target.parent, error) from error
        copied = replace(notes, path=job.target, found=True)
        write_notes(copied, _notes_of(job, job.target))
        return copied
    _must_be_free(job)
    return None


def _must_be_free(job: Job) -> None:
    if job.target.is_dir():
        raise OptionError(f"{job.target} is a folder.", "Name a file that ends in .gguf.")
    ours = target_of(job.checkpoint, job.to, None, job.key) == job.target
    if job.target.exists() and not job.overwrite and not ours:
        raise OptionError(f"{job.target} exists already.", "Name another file, or add --overwrite.")


def _is_result(file: Path, key: str, size: int) -> bool:
    try:
        return file.stat().st_size == size and read_header(file).metadata.get(PROVENANCE) == key
    except (OSError, CheckpointError):
        return False


def _notes_of(job: Job, file: Path) -> Path:
    """Where a result's facts are kept: in the cache, so that a folder named with --path holds the model alone."""
    folder = cache_dir() / QUANTIZED / job.key[:16]
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{hashlib.sha256(os.fsencode(file)).hexdigest()[:16]}.json"


def _make(job: Job, tell: OnProgress, stop: threading.Event | None) -> Quantized:
    checkpoint = job.checkpoint
    _look_at_disk(job)
    with work_folder(job.target) as folder:
        try:
            start = time.perf_counter()
            source, answers = checkpoint.path, None
            if job.from_folder:
                source = folder / "source.gguf"
                answers = _convert(job, source, tell, stop)
            converted = time.perf_counter()
            result = folder / job.target.name
            _quantize(job, source, result, tell, stop)
            quantized = time.perf_counter()
            agrees = _check(job, source, result, answers, tell, stop) if job.check else None
            checked = time.perf_counter()
            header = read_header(result)
            tensors = header.tensors.values()
            bits = 8 * sum(tensor.bytes or 0 for tensor in tensors) / max(1, sum(tensor.elements for tensor in tensors))
            size = result.stat().st_size
            put(result, job.target)
        except OSError as error:
            raise cannot_write(job.target.parent, error) from error
    made = Quantized(
        name=checkpoint.name,
        type=job.to,
        path=job.target,
        bytes=size,
        source=checkpoint.path,
        source_bytes=checkpoint.bytes,
        bits_per_weight=bits,
        agreement=agrees,
        seconds_to_convert=converted - start,
        seconds_to_quantize=quantized - converted,
        seconds_to_check=checked - quantized,
        requantized=checkpoint.format == "gguf" and job.requantize and checkpoint.dtype.lower() not in FLOATS,
    )
    write_notes(made, _notes_of(job, job.target))
    return made


def _convert(job: Job, source: Path, tell: OnProgress, stop: threading.Event | None) -> Answers | None:
    checkpoint, to = job.checkpoint, unquantized_type(job.checkpoint, job.to)
    program = converter(tell, stop)
    # The source's own answers are computed where the weights were just read, if they fit as float32.
    fits = 4 * (checkpoint.parameters or 0) < 0.6 * this_machine().available
    reference = source.with_name("answers.npz") if job.check and fits and checkpoint.parameters else None
    label = f"Converting {checkpoint.name} to {to.upper()}"
    tell(label)
    convert_folder(
        checkpoint,
        source,
        to,
        converter=program,
        reference=reference,
        trust_remote_code=job.trust_remote_code,
        on_share=lambda share: tell(f"{label}: {share:.0%}"),
        stop=stop,
    )
    return answers_of_transformers(reference) if reference and reference.is_file() else None


def _quantize(job: Job, source: Path, result: Path, tell: OnProgress, stop: threading.Event | None) -> None:
    must_have_room(result.parent, quantized_bytes(source, job.to, requantize=job.requantize, stop=stop))
    label = f"Quantising {job.checkpoint.name} to {job.to.upper()}"
    tell(label)
    quantize_gguf(
        source,
        result,
        job.to,
        key=job.key,
        requantize=job.requantize,
        on_share=lambda share: tell(f"{label}: {share:.0%}"),
        stop=stop,
    )


def _check(
    job: Job, source: Path, result: Path, answers: Answers | None, tell: OnProgress, stop: threading.Event | None
) -> Agreement:
    tell(f"Checking that {job.to.upper()} agrees with its source")
    return agreement(result, job.to, answers or answers_of_gguf(source, stop), stop)


def _look_at_disk(job: Job) -> None:
    """Before anything long begins: room for the conversion and for the result."""
    weights = job.checkpoint.parameters or 0
    between = weights * (4 if unquantized_type(job.checkpoint, job.to) == "f32" else 2) if job.from_folder else 0
    must_have_room(job.target.parent, int(between + weights * bits_of(job.to) / 8) + _OVERHEAD)


def _file_name(name: str) -> str:
    """A model's name as a file's: no slashes or control characters."""
    return re.sub(r"[/\\\x00-\x1f]+", "_", name).strip(" .") or "model"


def read_result(result: Quantized, checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint that a result is, under the name and origin of what it was made from."""
    return read_checkpoint(result.path, origin=checkpoint.origin, handle=checkpoint.handle, name=checkpoint.name)
