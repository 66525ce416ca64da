"""Speech in audio and video: ffmpeg takes the sound, a Whisper model of transformers writes it down, with times."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePath
from typing import IO, Any

import numpy as np

from kaggle_magics import environment
from kaggle_magics.errors import DocumentError, KaggleMagicsError
from kaggle_magics.extras import require
from kaggle_magics.models.engines.transformers.quiet import LOADING, quiet
from kaggle_magics.models.find.reference import resolve
from kaggle_magics.models.find.walk import find_models
from kaggle_magics.models.headers.json_file import read_json
from kaggle_magics.rag.passages import Block
from kaggle_magics.rag.readers.reading import Reading
from kaggle_magics.rag.readers.recognising.languages import whisper_language
from kaggle_magics.rag.readers.recognising.subtitles import Segment, spoken

RATE = 16_000
"""Samples a second, which Whisper's features are made of."""
STRETCH = 300
"""Seconds that are written down at a time; the model goes through them in windows of 30."""
_TAIL = 2.0
"""A segment that ends so near a stretch's end may be cut off: the next stretch begins with it."""

Samples = np.ndarray[Any, np.dtype[np.float32]]
Recogniser = Callable[[Samples], list[Segment]]
"""From samples at `RATE` to what is said in them, times counted from their beginning."""


def read(data: bytes, reading: Reading) -> Iterator[Block]:
    """Yield paragraphs with `place.time` and `place.end_time`; `reading.metadata` gets the duration in seconds.

    The language is `reading.options.language`, else found out; the model `reading.options.speech_model`, else an
    attached one. Raises `DocumentError` with what is missing: ffmpeg, the model, a sound track, speech.
    """
    if shutil.which("ffmpeg") is None:
        raise DocumentError("reading sound needs the ffmpeg program. Run: !apt-get install -y ffmpeg")
    recognise = recogniser(reading)
    count = 0

    def counted() -> Iterator[Samples]:
        nonlocal count
        for samples in stretches(data, PurePath(reading.name).suffix):
            count += len(samples)
            yield samples

    found = False
    for block in spoken(transcribed(counted(), recognise), recognised=True):
        found = True
        yield block
    reading.metadata["duration"] = round(count / RATE, 2)
    if not found:
        raise DocumentError("no speech was found in the recording")


def transcribed(sound: Iterator[Samples], recognise: Recogniser) -> Iterator[Segment]:
    """The segments of all stretches, their times counted from the recording's beginning."""
    begin, rest = 0.0, np.zeros(0, np.float32)
    following = next(sound, None)
    while following is not None:
        samples = np.concatenate([rest, following])
        following = next(sound, None)
        length = len(samples) / RATE
        # Behind the end there is only the silence that fills up a window, in which models hear things.
        segments = [one for one in recognise(samples) if one.text.strip() and one.start < length]
        keep = length
        if following is not None and segments and length - segments[-1].end < _TAIL and segments[-1].start > 0:
            keep = min(segments.pop().start, length)
        for segment in segments:
            end = min(max(segment.end, segment.start), length)
            yield Segment(begin + segment.start, begin + end, " ".join(segment.text.split()))
        used = int(keep * RATE)
        rest = samples[used:]
        begin += used / RATE


def stretches(data: bytes, suffix: str) -> Iterator[Samples]:
    """The sound of a file in stretches, as ffmpeg decodes it: one channel, 16 kHz, values from -1 to 1.

    Raises `DocumentError`: damaged, no sound track.
    """
    # A file, not a pipe: MP4 keeps its index at the end.
    with tempfile.TemporaryDirectory(prefix="kaggle-magics-") as folder:
        file = Path(folder) / f"sound{suffix}"
        file.write_bytes(data)
        command = ["ffmpeg", "-nostdin", "-v", "error", "-protocol_whitelist", "file,pipe", "-i", str(file)]
        command += ["-map", "0:a:0", "-vn", "-sn", "-ac", "1", "-ar", str(RATE), "-f", "s16le", "-"]
        with (
            tempfile.TemporaryFile() as told,
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=told) as process,
        ):
            some = False
            try:
                assert process.stdout is not None
                while chunk := _exactly(process.stdout, STRETCH * RATE * 2):
                    some = True
                    yield np.frombuffer(chunk[: len(chunk) // 2 * 2], "<i2").astype(np.float32) / np.float32(32768)
            finally:
                process.kill()
            process.wait()
            if not some:
                told.seek(0)
                raise DocumentError(_reason(told.read().decode("utf-8", "replace")))


def _exactly(stream: IO[bytes], size: int) -> bytes:
    parts, missing = [], size
    while missing and (part := stream.read(missing)):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def _reason(told: str) -> str:
    if "matches no streams" in told or "does not contain any stream" in told:
        return "it has no sound track"
    lines = told.strip().splitlines()
    return f"the recording is damaged ({lines[-1].rpartition('/')[2]})"[:200] if lines else "the recording is empty"


def recogniser(reading: Reading) -> Recogniser:
    """Whisper, loaded once for all files of an ingest. Raises `DocumentError` that names what is missing."""
    kept = reading.options.resources
    if "speech" not in kept:
        kept["speech"] = Whisper(_weights(reading.options.speech_model), reading.options.language)
    found: Recogniser = kept["speech"]
    return found


class Whisper:
    """A Whisper checkpoint in transformers' layout, on the GPU where there is one."""

    def __init__(self, folder: Path, language: str | None = None) -> None:
        try:
            torch = require("torch", "Writing down speech")
            transformers = require("transformers", "Writing down speech")
            graphics = torch.cuda.is_available()
            dtype = torch.float16 if graphics else torch.float32
            kind = transformers.WhisperForConditionalGeneration
            with LOADING, quiet(transformers):
                self._processor = transformers.WhisperProcessor.from_pretrained(folder, local_files_only=True)
                self._model = kind.from_pretrained(folder, local_files_only=True, dtype=dtype, use_safetensors=True)
        except KaggleMagicsError as error:
            raise DocumentError(str(error)) from error
        except Exception as error:
            raise DocumentError(f"the speech model in {folder} cannot be loaded ({error})"[:300]) from error
        self._model = self._model.to("cuda" if graphics else "cpu").eval()
        self._torch, self._transformers = torch, transformers
        self._language: dict[str, Any] = {}
        if getattr(self._model.generation_config, "is_multilingual", True):
            self._language = {"task": "transcribe", "language": whisper_language(language)}

    def __call__(self, samples: Samples) -> list[Segment]:
        """See `Recogniser`. Long-form transcription with temperature fallback (Radford et al. 2022, section 4.5)."""
        features = self._processor(
            samples,
            sampling_rate=RATE,
            return_tensors="pt",
            return_attention_mask=True,
            truncation=False,
            padding="longest" if len(samples) > 30 * RATE else "max_length",
        )
        with quiet(self._transformers), self._torch.inference_mode(), self._torch.random.fork_rng():
            self._torch.manual_seed(0)  # higher temperatures draw
            told = self._model.generate(
                features.input_features.to(self._model.device, self._model.dtype),
                attention_mask=features.attention_mask.to(self._model.device),
                return_timestamps=True,
                return_segments=True,
                condition_on_prev_tokens=False,
                temperature=(0.0, 0.4, 0.8),
                compression_ratio_threshold=1.35,
                logprob_threshold=-1.0,
                no_speech_threshold=0.6,
                **self._language,
            )
        tokenizer = self._processor.tokenizer
        return [
            Segment(float(one["start"]), float(one["end"]), tokenizer.decode(one["tokens"], skip_special_tokens=True))
            for one in told["segments"][0]
        ]


def _weights(reference: str | None) -> Path:
    if reference is not None:
        try:
            checkpoint = resolve(reference, kind=None, download=True)
        except KaggleMagicsError as error:
            raise DocumentError(str(error)) from error
        folder = Path(checkpoint.path)
        if not _is_whisper(folder):
            raise DocumentError(f"{checkpoint.name} is no Whisper model in transformers' layout")
        return folder
    root = environment.input_root()
    found = [path for path in find_models(root) if _is_whisper(path)] if root.is_dir() else []
    if not found:
        raise DocumentError(
            "writing down speech needs a Whisper model, and none is attached. Attach one, or name it: "
            "--speech-model hub:openai/whisper-small"
        )
    return max(found, key=lambda path: sum(file.stat().st_size for file in path.glob("*.safetensors")))


def _is_whisper(folder: Path) -> bool:
    return folder.is_dir() and read_json(folder / "config.json").get("model_type") == "whisper"
