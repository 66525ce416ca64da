"""Text in the pictures of a PDF: scanned pages as a whole, and pictures between text. Pages are drawn by pypdfium2."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kaggle_magics.errors import DocumentError
from kaggle_magics.extras import installed, require
from kaggle_magics.rag.readers.reading import Reading
from kaggle_magics.rag.readers.recognising import ocr

_FEW, _SOME = 20, 200
"""A page with pictures and fewer characters is a scan; with fewer than the second when a picture covers it."""
COVERS = 0.6
_SMALLEST = 40
"""Pixels of a side below which a picture is an ornament."""
_MOST_PICTURES = 300
"""Pictures between text that are read of one document, so that an album does not take hours."""
_DPI = (200.0, 300.0)
"""Resolution at which a page is drawn: that of its picture, but not less or more than these."""

Box = tuple[float, float, float]
"""Where a picture is drawn: the height of its middle, its width and its height, in points."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture on a page. `covers`: the share of the page that it fills, 0 to 1."""

    key: Any
    y: float
    covers: float
    width: int
    identity: Any
    """Equal for the same picture on several pages."""


@dataclass(slots=True)
class Found:
    """What OCR read: whole pages by number, and pictures by page number as (height of the middle, text)."""

    pages: dict[int, str] = field(default_factory=dict)
    pictures: dict[int, list[tuple[float, str]]] = field(default_factory=dict)


def pictures_of(page: Any, boxes: Mapping[str, Box]) -> list[Picture]:
    """The pictures of a pypdf page, ornaments left out. `boxes` by name, as far as they are known."""
    found = []
    try:
        area = abs(float(page.mediabox.width) * float(page.mediabox.height)) or 1.0
        for key in page.images.keys():  # noqa: SIM118 (no mapping: iterating it decodes every picture)
            names = [key] if isinstance(key, str) else list(key)
            item = page
            reference = None
            for name in names:
                holder = item["/Resources"]["/XObject"]
                reference = getattr(holder.raw_get(name), "idnum", None)
                item = holder[name]
            y, width, height = boxes.get(names[-1], boxes.get(names[0], (0.0, 0.0, 0.0)))
            size = int(item["/Width"]), int(item["/Height"])
            if min(size) >= _SMALLEST and not item.get("/ImageMask"):
                identity = reference if reference is not None else (id(page), key)
                found.append(Picture(key, y, width * height / area, size[0], identity))
    except Exception:  # damaged resources: the page's text counts all the same
        return found
    return found


def is_scan(characters: int, pictures: Sequence[Picture]) -> bool:
    """Whether a page is a picture of a page. One with a layer of text under its picture is not: it was read before."""
    covers = max((picture.covers for picture in pictures), default=0.0)
    return bool(pictures) and (characters < _FEW or (characters < _SOME and covers >= COVERS))


def recognise_pages(
    data: bytes, pages: Sequence[Any], scans: Sequence[int], pictures: Mapping[int, Sequence[Picture]], reading: Reading
) -> Found:
    """Read the pages numbered in `scans` and the `pictures` of the others, numbers counting from 1.

    What cannot be read is told in `reading.warnings`. `pages`: pypdf's.
    """
    found = Found()
    jobs = _jobs(scans, pictures)
    if not jobs:
        return found
    reason = ocr.lacking(reading)
    if reason:
        reading.warnings.append(f"{_described(len(scans), len(pages), len(jobs) - len(scans))} not read: {reason}")
        return found
    if len(jobs) > len(scans) + _MOST_PICTURES:
        reading.warnings.append(f"only the first {_MOST_PICTURES} of its pictures were read")
        del jobs[len(scans) + _MOST_PICTURES :]
    failed: dict[str, list[int]] = {}
    images = _images(data, pages, jobs)
    for (number, picture), text in zip(jobs, ocr.recognise_all(images, reading.options.language), strict=True):
        if isinstance(text, DocumentError):
            failed.setdefault(str(text), []).append(number)
        elif picture is None:
            found.pages[number] = text
        elif text:
            found.pictures.setdefault(number, []).append((picture.y, text))
    for reason, numbers in failed.items():
        reading.warnings.append(f"not all on page {', '.join(map(str, sorted(set(numbers))[:20]))} was read: {reason}")
    return found


def _jobs(scans: Sequence[int], pictures: Mapping[int, Sequence[Picture]]) -> list[tuple[int, Picture | None]]:
    jobs: list[tuple[int, Picture | None]] = [(number, None) for number in scans]
    seen = set()
    for number, several in pictures.items():
        for picture in several:
            if picture.identity not in seen:  # a logo is on every page
                seen.add(picture.identity)
                jobs.append((number, picture))
    return jobs


def _described(scans: int, pages: int, pictures: int) -> str:
    parts = []
    if scans:
        parts.append(f"{scans} of {pages} pages {'are scans' if scans > 1 else 'is a scan'}")
    if pictures:
        parts.append(f"{pictures} picture{'s' if pictures > 1 else ''} between the text")
    return " and ".join(parts) + ","


def _images(data: bytes, pages: Sequence[Any], jobs: Sequence[tuple[int, Picture | None]]) -> Iterator[Any]:
    """The image of each job, made when it is its turn. pdfium works in one thread only: that which draws from this."""
    pdf = None
    try:
        for number, picture in jobs:
            page = pages[number - 1]
            if picture is not None:
                yield _decoded(page, picture.key)
                continue
            if pdf is None and installed("pypdfium2"):
                pdf = _opened(data)
            yield _drawn(pdf, number, page) if pdf is not None else _largest(page)
    finally:
        if pdf is not None:
            pdf.close()


def _opened(data: bytes) -> Any:
    try:
        return require("pypdfium2", "Drawing pages").PdfDocument(data)
    except Exception:  # what pypdf could read and pdfium cannot: the page's pictures are read instead
        return None


def _drawn(pdf: Any, number: int, page: Any) -> Any:
    try:
        drawn = pdf[number - 1]
        widest = max((picture.width for picture in pictures_of(page, {})), default=0)
        dpi = min(max(72.0 * widest / max(drawn.get_width(), 1.0), _DPI[0]), _DPI[1])
        longest = max(drawn.get_width(), drawn.get_height()) * dpi / 72
        image = drawn.render(scale=dpi / 72 * min(1.0, 8000 / longest), grayscale=True).to_pil()
        drawn.close()
    except Exception:
        return _largest(page)
    return image


def _largest(page: Any) -> Any:
    """The page's largest picture, upright: what a scanned page mostly is."""
    pictures = pictures_of(page, {})
    if not pictures:
        return _blank()
    image = _decoded(page, max(pictures, key=lambda picture: picture.width).key)
    return image.rotate(-page.rotation, expand=True) if page.rotation else image


def _decoded(page: Any, key: Any) -> Any:
    try:
        image = page.images[key].image
    except Exception:  # a filter or a colour space that pypdf does not know
        image = None
    return image if image is not None else _blank()


def _blank() -> Any:
    from PIL import Image

    return Image.new("L", (64, 64), 255)
