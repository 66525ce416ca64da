"""PDF files written by hand: words at exact places, and pictures."""

from __future__ import annotations

import io
import zlib
from collections.abc import Sequence
from typing import Any

Words = Sequence[tuple[float, float, str] | tuple[float, float, str, float]]
"""(x, y, text) or (x, y, text, type size), in points from the lower left corner of a page of 612 x 792."""


def pdf_of(
    pages: Sequence[Words], pictures: Sequence[Sequence[tuple[Any, float, float, float, float]]] = (), info: str = ""
) -> bytes:
    """A PDF of these pages. `pictures`: for each page (PIL image, x, y, width, height); `info`: "/Title (...)"."""
    objects: list[bytes] = [b"", b"", b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids = []
    for number, words in enumerate(pages):
        content = io.StringIO()
        for x, y, text, *size in words:
            escaped = text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
            content.write(f"BT /F1 {size[0] if size else 11} Tf 1 0 0 1 {x} {y} Tm ({escaped}) Tj ET\n")
        names = []
        for image, x, y, width, height in pictures[number] if number < len(pictures) else ():
            grey = image.convert("L")
            pixels = zlib.compress(grey.tobytes())
            objects.append(
                f"<< /Type /XObject /Subtype /Image /Width {grey.width} /Height {grey.height} /ColorSpace /DeviceGray "
                f"/BitsPerComponent 8 /Filter /FlateDecode /Length {len(pixels)} >>\nstream\n".encode()
                + pixels
                + b"\nendstream"
            )
            names.append(f"/Im{len(objects)} {len(objects)} 0 R")
            content.write(f"q {width} 0 0 {height} {x} {y} cm /Im{len(objects)} Do Q\n")
        stream = content.getvalue().encode("latin-1")
        objects.append(f"<< /Length {len(stream)} >>\nstream\n".encode() + stream + b"\nendstream")
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {len(objects)} 0 R "
            f"/Resources << /Font << /F1 3 0 R >> /XObject << {' '.join(names)} >> >> >>".encode()
        )
        kids.append(f"{len(objects)} 0 R")
    objects[0] = b"<< /Type /Catalog /Pages 2 0 R >>"
    objects[1] = f"<< /Type /Pages /Count {len(kids)} /Kids [{' '.join(kids)}] >>".encode()
    objects.append(f"<< {info} >>".encode("latin-1"))
    whole, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(whole))
        whole += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    size = len(objects) + 1
    trailer = f"trailer\n<< /Size {size} /Root 1 0 R /Info {size - 1} 0 R >>\n"
    end = f"xref\n0 {size}\n0000000000 65535 f \n{table}{trailer}startxref\n{len(whole)}\n%%EOF\n"
    return whole + end.encode()


def drawn(text: str, size: int = 28, **colours: str) -> Any:
    """A PIL picture of black letters on white, unless `fore` and `back` say otherwise."""
    from PIL import Image, ImageDraw, ImageFont

    try:
        font: Any = ImageFont.truetype("DejaVuSans.ttf", size)
    except OSError:
        font = ImageFont.load_default(size)
    box = font.getbbox(max(text.split("\n"), key=len))
    lines = text.count("\n") + 1
    image = Image.new("RGB", (int(box[2]) + 4 * size, int(size * 1.4 * lines) + 4 * size), colours.get("back", "white"))
    ImageDraw.Draw(image).multiline_text((2 * size, 2 * size), text, colours.get("fore", "black"), font)
    return image
