"""Images for models that take them: files, PIL images, and figures of matplotlib."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any, TypeGuard

from kaggle_magics.errors import DocumentError
from kaggle_magics.extras import require
from kaggle_magics.generation.attachments.description import class_key
from kaggle_magics.models.request import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp")
MOST_BYTES = 100 * 2**20
"""A larger file is not opened."""
LONGEST_SIDE = 2048
"""Pixels. Larger images are made smaller: models do that themselves, and servers refuse tens of megabytes."""
_SENT_AS_THEY_ARE = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
"""Formats that every model's processor and every server reads."""
_FIGURE_DPI = 100


def is_path(value: object) -> TypeGuard[Path]:
    """Whether a value is a path; asked of its class, as objects may say anything of themselves."""
    return issubclass(type(value), Path)


def is_image(value: object) -> bool:
    """Whether a value is an image and nothing else: an image file, a PIL image."""
    if is_path(value):
        return value.suffix.lower() in SUFFIXES
    return any(class_key(kind) == "PIL.Image" for kind in type(value).__mro__)


def is_picture(value: object) -> bool:
    """Whether a value can be drawn: a figure of matplotlib, or one of its plots."""
    return any(class_key(kind) in ("matplotlib.Figure", "matplotlib._AxesBase") for kind in type(value).__mro__)


def to_image(name: str, value: Any) -> Image:
    """A value as an image. Raises `DocumentError` for a damaged file, `MissingExtra` without Pillow."""
    if is_picture(value):
        return _of_bytes(name, _drawn(value))
    if isinstance(value, Path):
        try:
            size = value.stat().st_size
            if size > MOST_BYTES:
                raise DocumentError(f"{value} is too large for an image: {size:,} bytes.")
            data = value.read_bytes()
        except OSError as error:
            raise DocumentError(f"{value} cannot be read: {error.strerror or error}.") from None
        return _of_bytes(name, data)
    return _encoded(name, value, "PNG")


def _of_bytes(name: str, data: bytes) -> Image:
    pillow: Any = require("PIL.Image", "An image")
    try:
        with warnings.catch_warnings():
            # Pillow warns of images that decompress to very much, and refuses those of twice as much.
            warnings.simplefilter("error", pillow.DecompressionBombWarning)
            with pillow.open(io.BytesIO(data)) as image:
                image.load()
                kind = image.format
                turned = image.getexif().get(0x0112, 1) != 1
                if kind in _SENT_AS_THEY_ARE and max(image.size) <= LONGEST_SIDE and not turned:
                    return Image(data, _SENT_AS_THEY_ARE[kind], name, *image.size)
                return _encoded(name, image, "JPEG" if kind == "JPEG" else "PNG")
    except Exception as error:  # Pillow's readers raise whatever they meet in damaged data
        reason = str(error).splitlines()[0] if str(error) and "BytesIO" not in str(error) else type(error).__name__
        raise DocumentError(f"{name} is no image that can be read: {reason}.".replace("..", ".")) from None


def _encoded(name: str, image: Any, kind: str) -> Image:
    """The image upright, small enough, and in a format that all read."""
    operations: Any = require("PIL.ImageOps", "An image")
    image = operations.exif_transpose(image)
    if max(image.size) > LONGEST_SIDE:
        image = operations.contain(image, (LONGEST_SIDE, LONGEST_SIDE))
    if image.mode not in ("RGB", "L", "RGBA") or (kind == "JPEG" and image.mode == "RGBA"):
        image = image.convert("RGBA" if kind == "PNG" and "A" in image.getbands() else "RGB")
    out = io.BytesIO()
    image.save(out, kind)
    return Image(out.getvalue(), _SENT_AS_THEY_ARE[kind], name, *image.size)


def _drawn(value: Any) -> bytes:
    figure = value if hasattr(value, "savefig") else value.figure
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=_FIGURE_DPI)
    return out.getvalue()
