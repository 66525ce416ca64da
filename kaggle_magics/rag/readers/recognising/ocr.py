"""Text in pictures, by the Tesseract program. Its own process per picture, so that several run side by side."""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
import subprocess
import time
import warnings
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from kaggle_magics.errors import DocumentError, MissingExtra
from kaggle_magics.extras import require
from kaggle_magics.rag.readers.reading import Reading
from kaggle_magics.rag.readers.recognising.languages import tesseract_languages

SECONDS = 60.0
"""Time limit of one picture or page."""
INSTALL = "!apt-get install -y tesseract-ocr"
_SURE = 60.0
"""Words from this confidence (of 100) on count as read."""
_LEAST = 40.0
"""Lines of a lower mean confidence are left out."""
_POOR = 75.0
"""Below this mean confidence a larger or a turned picture is tried."""
_SMALL = 2_000_000
"""Pixels below which a picture that reads poorly is enlarged."""
_MOST_PIXELS = 40_000_000
_LONGEST = 32_000
"""Larger pictures are made smaller; Tesseract refuses sides above 32767 pixels."""
_REFUSED_PIXELS = 400_000_000


@dataclass(frozen=True, slots=True)
class Word:
    """A word with its place: paragraph and line as Tesseract numbers them, and its confidence, 0 to 100."""

    text: str
    confidence: float
    paragraph: tuple[int, int]
    line: int


def missing(language: str | None = None) -> str | None:
    """What OCR in `language` lacks here, with the line that installs it; None when it works."""
    program = shutil.which("tesseract")
    if program is None:
        return f"OCR needs the tesseract program. Run: {INSTALL}"
    try:
        require("PIL", "OCR")
        wanted = tesseract_languages(language).split("+")
        listed = subprocess.run([program, "--list-langs"], capture_output=True, timeout=10)
    except (MissingExtra, DocumentError) as error:
        return str(error)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"the tesseract program cannot be run ({error})"
    known = (listed.stdout + listed.stderr).decode("utf-8", "replace").split()
    absent = [name for name in wanted if name not in known]
    if not absent:
        return None
    packs = " ".join("tesseract-ocr-" + name.lower().replace("_", "-").replace("/", "-") for name in absent)
    return (
        f"Tesseract has no language pack{'s' * (len(absent) > 1)} {', '.join(absent)}. Run: !apt-get install -y {packs}"
    )


def lacking(reading: Reading) -> str | None:
    """What OCR lacks here for a file, or None; the file is read again when it lacks nothing any more."""
    reason = missing(reading.options.language)
    reading.without_ocr = reading.without_ocr or reason is not None
    return reason


def text_of_image(data: bytes, reading: Reading) -> str:
    """The text in a picture that stands in a document, "" when there is none.

    Where OCR is missing or the picture cannot be read, "" too, and `reading.warnings` says so, once.
    """
    reason = lacking(reading)
    if reason is None:
        try:
            return recognise(open_image(data), reading.options.language)
        except DocumentError as error:
            reason = str(error)
    warning = f"pictures in it were not read: {reason}"
    if warning not in reading.warnings:
        reading.warnings.append(warning)
    return ""


def open_image(data: bytes) -> Any:
    """A PIL image of the file's bytes, its pixels not yet read.

    Raises `DocumentError` when it is damaged, of an unknown kind or larger than 400 megapixels.
    """
    require("PIL", "Reading pictures")
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(data))
    except Image.DecompressionBombError as error:
        raise DocumentError("the picture is too large to be read") from error
    except Exception as error:  # a damaged picture raises nearly anything
        raise DocumentError("the picture is damaged, or of an unknown kind") from error
    if image.width * image.height > _REFUSED_PIXELS:
        raise DocumentError(f"the picture is too large to be read ({image.width} x {image.height} pixels)")
    return image


def recognise(image: Any, language: str | None = None, seconds: float = SECONDS) -> str:
    """The text of a PIL image, paragraphs separated by a blank line; "" when there is none that is read with certainty.

    The camera's orientation is followed; a small picture that reads poorly is enlarged, one that still does is turned
    as Tesseract's orientation detection says. Raises `DocumentError` without Tesseract or without the language's pack,
    for a damaged picture, and after `seconds`.
    """
    reason = missing(language)
    if reason:
        raise DocumentError(reason)
    languages = tesseract_languages(language)
    deadline = time.monotonic() + seconds
    upright = _prepared(image)
    pixels = upright.width * upright.height
    best = _words(upright, languages, deadline)
    if _poor(best) and pixels < _SMALL:
        factor = 3 if pixels < _SMALL // 8 else 2
        larger = upright.resize((upright.width * factor, upright.height * factor))
        best = max(best, _words(larger, languages, deadline), key=_certain)
    if _poor(best):
        angle = _turn(upright, deadline)
        if angle:
            best = max(best, _words(upright.rotate(angle, expand=True), languages, deadline), key=_certain)
    return _text(best)


def recognise_all(
    images: Iterable[Any], language: str | None = None, seconds: float = SECONDS
) -> Iterator[str | DocumentError]:
    """`recognise` of each image in order, as many at a time as there are cores (8 at most).

    The images are drawn one by one, so that few are in memory. What `recognise` raises for one is given in its place.
    """
    workers = max(1, min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1))
    waiting: deque[Future[str | DocumentError]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="ocr")
    try:
        for image in images:
            waiting.append(pool.submit(_recognised, image, language, seconds))
            if len(waiting) > workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        # After an interrupt what runs ends by itself, at its time limit at the latest; nothing new begins.
        pool.shutdown(wait=False, cancel_futures=True)


def _recognised(image: Any, language: str | None, seconds: float) -> str | DocumentError:
    try:
        return recognise(image, language, seconds)
    except DocumentError as error:
        return error


def _prepared(image: Any) -> Any:
    """Grey, on white where it is transparent, upright as the camera held it, no larger than Tesseract takes."""
    from PIL import Image, ImageOps

    try:
        image = ImageOps.exif_transpose(image)
        if image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        if image.mode.startswith("I") or image.mode == "F":
            low, high = image.getextrema()
            image = image.point(lambda value: (value - low) * (255.0 / max(high - low, 1)))
        image = image.convert("L")
    except Exception as error:  # its pixels are read only here
        raise DocumentError("the picture is damaged") from error
    pixels = image.width * image.height
    scale = min(1.0, (_MOST_PIXELS / max(pixels, 1)) ** 0.5, _LONGEST / max(image.width, image.height, 1))
    if scale < 1:
        image = image.resize((max(1, int(image.width * scale)), max(1, int(image.height * scale))))
    return image


def _words(image: Any, languages: str, deadline: float) -> list[Word]:
    table = _tesseract(image, ["-l", languages, "--psm", "3", "tsv"], deadline)
    words = []
    for row in csv.DictReader(io.StringIO(table), delimiter="\t", quoting=csv.QUOTE_NONE):
        text = (row.get("text") or "").strip()
        if text:
            place = int(row["block_num"]), int(row["par_num"])
            words.append(Word(text, float(row["conf"]), place, int(row["line_num"])))
    return words


def _turn(image: Any, deadline: float) -> int:
    """By how many degrees, counted against the clock as PIL does, the picture must be turned to stand upright."""
    try:
        told = _tesseract(image, ["--psm", "0"], deadline)
    except DocumentError:  # too few letters, or the pack for orientation is missing
        return 0
    found = re.search(r"Orientation in degrees: (\d+)", told)
    return int(found.group(1)) if found else 0


def _tesseract(image: Any, options: list[str], deadline: float) -> str:
    """What Tesseract prints for a picture given on its standard input."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    command = ["tesseract", "stdin", "stdout", "--dpi", str(_dpi(image)), *options]
    # Its own threads slow it down when several run; the limit must not reach this process, whose arithmetic needs them.
    environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}
    try:
        done = subprocess.run(
            command,
            input=buffer.getvalue(),
            capture_output=True,
            env=environment,
            timeout=max(0.1, deadline - time.monotonic()),
        )
    except subprocess.TimeoutExpired as error:
        raise DocumentError("reading the picture took too long and was stopped") from error
    except OSError as error:
        raise DocumentError(f"the tesseract program cannot be run ({error})") from error
    if done.returncode:
        raise DocumentError(_reason(done.stderr.decode("utf-8", "replace")))
    return done.stdout.decode("utf-8", "replace")


def _dpi(image: Any) -> int:
    """A plausible resolution, by which Tesseract knows letters from specks; a page is about 8 inches wide."""
    return max(70, min(600, int(image.width) // 8))


def _reason(told: str) -> str:
    lines = told.strip().splitlines()
    return f"Tesseract could not read the picture ({lines[-1] if lines else 'no reason told'})"


def _poor(words: list[Word]) -> bool:
    return not words or sum(word.confidence for word in words) < _POOR * len(words)


def _certain(words: list[Word]) -> int:
    return sum((len(word.text) for word in words if word.confidence >= _SURE), 0)


def _text(words: list[Word]) -> str:
    """Lines that were read with some certainty; specks and drawings that look like letters are left out."""
    lines: dict[tuple[tuple[int, int], int], list[Word]] = defaultdict(list)
    for word in words:
        lines[word.paragraph, word.line].append(word)
    paragraphs: dict[tuple[int, int], list[str]] = defaultdict(list)
    for (paragraph, _), line in lines.items():
        letters = sum(len(word.text) for word in line)
        mean = sum(word.confidence * len(word.text) for word in line) / letters
        text = " ".join(word.text for word in line)
        if mean >= _LEAST and any(character.isalnum() for character in text):
            paragraphs[paragraph].append(text)
    kept = ["\n".join(texts) for texts in paragraphs.values()]
    # A photo yields a letter here and there: less than three letters or digits in all are no text.
    whole = "\n\n".join(kept)
    return whole if sum(character.isalnum() for character in whole) >= 3 or _sure_of_all(words) else ""


def _sure_of_all(words: list[Word]) -> bool:
    return bool(words) and all(word.confidence >= _SURE for word in words)
