"""What a loaded model is, apart from where it runs: equal for equal bytes that are run in the same way."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kaggle_magics.models.content import content_hash

if TYPE_CHECKING:
    from kaggle_magics.models.loaded import LoadedModel


@dataclass(frozen=True, slots=True)
class Identity:
    """What a run card says of a model."""

    source: str
    """Where its weights lie."""
    content: str | None = None
    """Content hash of its files (`models.content`). None for what was adopted, which may be changed at any time, and
    for a server's model, of which only the server knows."""
    quant: str | None = None
    """How the weights were quantised while they were loaded, or to what they were converted before."""
    adapter: str | None = None
    """Where the LoRA adapter lies that it runs with."""
    adapter_content: str | None = None
    template: str | None = None
    """Hash of its own chat template's text."""
    has_template: bool = True
    """Whether it comes with a chat template; where that cannot be known, it is taken to."""


def identify(model: LoadedModel) -> Identity:
    """The identity of a loaded model. Reads its files, which takes up to some tenths of a second for large ones."""
    plan = model.plan
    adapter = plan.adapter if plan else None
    template = getattr(model.engine, "template", None)
    return Identity(
        source=model.source,
        content=content_hash(model.checkpoint.path) if plan and model.checkpoint else None,
        quant=(plan.quant or plan.convert_to) if plan else None,
        adapter=str(adapter) if adapter else None,
        adapter_content=content_hash(adapter) if adapter else None,
        template=text_hash(template) if isinstance(template, str) else None,
        has_template=model.has_template,
    )


def text_hash(text: str) -> str:
    """The first 16 hexadecimal digits of a text's SHA-256: enough to notice a change."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
