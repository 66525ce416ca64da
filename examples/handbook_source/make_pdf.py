"""Write `handbook/fieldwork.pdf` from `fieldwork.md`: PDF 1.4 by hand, so that nothing needs to be installed.

Run `python examples/handbook_source/make_pdf.py`. The output depends on the text alone, byte by byte.
Format: ISO 32000-1, sections 7.5 (file structure) and 9.4 (text); widths of Helvetica from Adobe's font metrics.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
TARGET = HERE.parent / "handbook" / "fieldwork.pdf"
WIDTH, HEIGHT, MARGIN = 595, 842, 72
SIZES = {1: 22, 2: 15, 0: 11}
WIDTHS = {
    **dict.fromkeys("ijl'", 222),
    **dict.fromkeys(" ft.,:;!/", 278),
    **dict.fromkeys("r()-", 333),
    **dict.fromkeys("ckszvxyJ", 500),
    **dict.fromkeys("ABEKPSVXY", 667),
    **dict.fromkeys("CDHNRUw", 722),
    **dict.fromkeys("GOQ", 778),
    **{"m": 833, "M": 833, "W": 944, "F": 611, "T": 611, "Z": 611, "I": 278},
}


def lines_of(text: str, size: int) -> Iterator[str]:
    """Break a paragraph at words so that each line fits between the margins."""
    line = ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if sum(WIDTHS.get(letter, 556) for letter in longer) * size / 1000 > WIDTH - 2 * MARGIN:
            yield line
            longer = word
        line = longer
    yield line


def pages_of(source: str) -> list[list[tuple[int, int, str]]]:
    """Lay the paragraphs out: a list of pages, each a list of (y, size, line)."""
    pages: list[list[tuple[int, int, str]]] = [[]]
    y = HEIGHT - MARGIN
    for paragraph in source.strip().split("\n\n"):
        level = len(paragraph) - len(paragraph.lstrip("#"))
        size = SIZES[level]
        lines = list(lines_of(paragraph.lstrip("# "), size))
        y -= size if level else 6
        # A heading stays with the two lines after it.
        if y - (len(lines) + (3 if level else 0)) * size * 1.4 < MARGIN:
            pages.append([])
            y = HEIGHT - MARGIN
        for line in lines:
            pages[-1].append((y, size, line))
            y -= round(size * 1.4)
        y -= 6
    return pages


def content_of(page: list[tuple[int, int, str]]) -> bytes:
    operators = ["BT"]
    for y, size, line in page:
        escaped = line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
        operators.append(f"/F{2 if size > SIZES[0] else 1} {size} Tf 1 0 0 1 {MARGIN} {y} Tm ({escaped}) Tj")
    return "\n".join([*operators, "ET"]).encode("latin-1")


def build(source: str) -> bytes:
    """The whole file: catalog, page tree, two fonts, then a page and its content for each page."""
    pages = pages_of(source)
    kids = " ".join(f"{5 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Count {len(pages)} /Kids [{kids}] >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold /Encoding /WinAnsiEncoding >>",
    ]
    for number, page in enumerate(pages):
        fonts = "<< /Font << /F1 3 0 R /F2 4 0 R >> >>"
        box = f"[0 0 {WIDTH} {HEIGHT}]"
        reference = f"{6 + 2 * number} 0 R"
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox {box} /Resources {fonts} /Contents {reference} >>".encode()
        )
        content = content_of(page)
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content))
    data = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(data)
    data += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    data += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return data + b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)


if __name__ == "__main__":
    TARGET.write_bytes(build((HERE / "fieldwork.md").read_text(encoding="utf-8")))
    print(TARGET)
