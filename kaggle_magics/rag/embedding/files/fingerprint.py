"""A short name for the content of a model folder."""

from __future__ import annotations

import hashlib
from pathlib import Path


def fingerprint(folder: Path) -> str:
    """16 hex digits that change with the model's folder, or its one file: small files whole, sixteen samples of each
    large one.

    Reading all of the weights would take as long as loading them; two models that differ only between the samples
    (64 KiB each) do not occur in practice, since training changes every layer.
    """
    digest = hashlib.blake2b(digest_size=8)
    wanted = {".json", ".txt", ".model", ".safetensors", ".bin", ".onnx"}
    whole = folder.is_dir()
    files = sorted(path for path in folder.rglob("*") if path.suffix in wanted) if whole else [folder]
    for path in filter(Path.is_file, files):
        size = path.stat().st_size
        digest.update(f"{path.relative_to(folder).as_posix() if whole else ''}:{size}".encode())
        with path.open("rb") as file:
            if size <= 1 << 20:
                digest.update(file.read())
                continue
            for part in range(16):
                file.seek((size - 65536) * part // 15)
                digest.update(file.read(65536))
    return digest.hexdigest()
