"""Pictures: the text in them, by OCR. The pages of a TIFF keep their numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kaggle_magics.errors import DocumentError
from kaggle_magics.rag.passages import Block, Place
from kaggle_magics.rag.readers.reading import Reading
from kaggle_magics.rag.readers.recognising import ocr

MOST_PAGES = 2000


def read(data: bytes, reading: Reading) -> Iterator[Block]:
    """Yield one block a picture; of a TIFF with several pages one a page, with `place.page`, empty ones too.

    Raises `DocumentError` with the reason: no Tesseract or no pack for the language, a damaged picture, no text in it.
    """
    reason = ocr.missing(reading.options.language)
    if reason:
        raise DocumentError(reason)
    image = ocr.open_image(data)
    # An animation (GIF, WebP) shows one thing; only a TIFF has pages.
    pages = getattr(image, "n_frames", 1) if image.format == "TIFF" else 1
    if pages > MOST_PAGES:
        reading.warnings.append(f"only its first {MOST_PAGES} of {pages} pages were read")
        pages = MOST_PAGES
    found, failed = False, list[str]()
    for number, text in enumerate(ocr.recognise_all(_frames(image, pages), reading.options.language), start=1):
        if isinstance(text, DocumentError):
            if pages == 1:
                raise text
            failed.append(f"page {number} was not read: {text}")
            text = ""
        found = found or bool(text)
        yield Block(text, place=Place(page=number) if pages > 1 else Place(), recognised=True)
    if not found:
        raise DocumentError(failed[0] if failed else "no text was found in the picture")
    reading.warnings += failed


def _frames(image: Any, pages: int) -> Iterator[Any]:
    for page in range(pages):
        try:
            image.seek(page)
            yield image.copy()
        except Exception as error:  # a page that is cut off
            raise DocumentError(f"page {page + 1} of the picture is damaged") from error
