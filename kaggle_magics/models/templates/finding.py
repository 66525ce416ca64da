"""Where a checkpoint keeps its chat template."""

from __future__ import annotations

from pathlib import Path

from kaggle_magics.models.headers.json_file import read_json


def template_of(folder: Path) -> str | None:
    """The chat template in a checkpoint's folder: chat_template.jinja, else tokenizer_config.json's, else .json's.

    Of several named ones it is "default" (transformers, `PreTrainedTokenizerBase`).
    """
    file = folder / "chat_template.jinja"
    if file.is_file():
        return file.read_text(encoding="utf-8", errors="replace")
    for name in ("tokenizer_config.json", "chat_template.json"):
        found = read_json(folder / name).get("chat_template")
        if isinstance(found, list):
            entries = [entry for entry in found if isinstance(entry, dict)]
            found = next((entry.get("template") for entry in entries if entry.get("name") == "default"), None)
        if isinstance(found, str) and found:
            return found
    return None
