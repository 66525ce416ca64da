"""What a person is told when no model bears the name: what there is, what is near, and how to get the one meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence

from kaggle_magics import environment
from kaggle_magics.errors import did_you_mean
from kaggle_magics.models.checkpoint import Checkpoint
from kaggle_magics.models.find import catalog
from kaggle_magics.models.find.catalog import Location
from kaggle_magics.models.find.naming import cased

SHOWN = 8
"""How many names an error lists."""

_CANNOT_RUN = {
    "keras", "tensorflow1", "tensorflow2", "flax", "jax", "gemmacpp", "onnx", "tensorrtllm", "triton", "maxtext", "pax",
    "scikitlearn", "tflite", "tfjs", "ggml",
}  # fmt: skip
"""Kaggle's frameworks whose files no engine here reads."""
_HUGGING_FACE_ID = re.compile(r"[\w.-]+/[\w.-]+")


def listed(names: Iterable[str]) -> str:
    """Names for a sentence: the first few, and how many more."""
    unique = list(dict.fromkeys(names))
    more = f" and {len(unique) - SHOWN} more" if len(unique) > SHOWN else ""
    return ", ".join(unique[:SHOWN]) + more


def hint(text: str, locations: Sequence[Location]) -> str:
    """The hint for a name that means nothing here."""
    if text.casefold().endswith(".gguf"):
        stem = text[: -len(".gguf")].casefold()
        if any(location.name.casefold() == stem for location in locations):
            return f"It has no GGUF file; load it as {text[: -len('.gguf')]}."
    attached = catalog.mounts()
    if unusable := _unusable(text, attached):
        return unusable
    near = _near(text, locations)
    return " ".join(filter(None, (near or there_is(locations, attached), get_it(text))))


def _near(text: str, locations: Sequence[Location]) -> str | None:
    """The hint "Did you mean ...?". Handles have so much in common that only nearly equal ones are near."""
    if "/" not in text:
        return did_you_mean(text, [location.name for location in locations])
    handles = {cased(location).casefold(): cased(location) for location in locations}
    near = difflib.get_close_matches(text.casefold(), handles, n=3, cutoff=0.8)
    return f"Did you mean {' or '.join(handles[each] for each in near)}?" if near else None


def there_is(locations: Sequence[Location] | None = None, attached: Sequence[str] | None = None) -> str:
    """One sentence: the models at hand; where none is attached, what is attached instead."""
    locations = catalog.locations() if locations is None else locations
    attached = catalog.mounts() if attached is None else attached
    there = [
        cased(location)
        for location, found in catalog.read_all()
        if location.origin != "bundled" and isinstance(found, Checkpoint) and found.kind == "generator"
    ]
    if there:
        return f"There {'is' if len(there) == 1 else 'are'}: {listed(there)}."
    if attached:
        return f"Attached are {listed(attached)}; no model is in them."
    bundled = [location.name for location in locations]
    return f"There is only {bundled[0]}, which comes with this package." if bundled else "There is none here."


def get_it(text: str = "") -> str:
    """How the model that was meant could come here."""
    parts = [part for part in text.split("/") if part]
    if environment.on_kaggle():
        framework = catalog.framework_of(text) or ("gguf" if "gguf" in text.casefold() else None)
        return _add_input(parts, framework)
    if _HUGGING_FACE_ID.fullmatch(text):
        return f"To download it from Hugging Face: %llm_load hub:{text}"
    if len(parts) in (4, 5) and catalog.framework_of(text):
        return f"To download it from Kaggle: %llm_load kaggle:{text}"
    return "" if catalog.bundled() else "Give the path of a model's folder or of a .gguf file."


def _add_input(parts: Sequence[str], framework: str | None) -> str:
    """What to click in Kaggle's editor. A handle is owner/model/framework/variation[/version], old ones lack owners."""
    names = {"transformers": "Transformers", "pytorch": "PyTorch", "gguf": "GGUF", "vllm": "vLLM", "other": "Other"}
    where = '"Add Input" (right-hand side) > Models'
    if not parts:
        return f"Attach one: {where}, framework Transformers or GGUF; then run this again."
    if framework in _CANNOT_RUN:
        framework = None
    at = next((place for place, part in enumerate(parts) if catalog.framework_of(f"/{part}/")), None)
    if at is None:
        word, variation = parts[-1], ""
    else:
        word = parts[at - 1] if at else parts[-1]
        variation = f", variation {parts[at + 1]}" if framework and len(parts) > at + 1 else ""
    chosen = names.get(framework or "", "Transformers or GGUF")
    return f"Attach it: {where}, search for {_search_word(word)!r}, framework {chosen}{variation}; then run this again."


def _search_word(name: str) -> str:
    """A name without what Kaggle's search does not know: file endings, quantisations, sizes behind it."""
    stem = re.sub(r"\.gguf$", "", name.strip(), flags=re.I)
    short = re.split(r"[-_.](?:I?Q\d\w*|F16|BF16|F32|GGUF)\b", stem, maxsplit=1, flags=re.I)[0]
    return (short or stem)[:60]


def _unusable(text: str, attached: Sequence[str]) -> str | None:
    """The hint where the model is attached in a framework that nothing here reads."""
    low = text.casefold().strip("/")
    for handle in attached:
        framework = catalog.framework_of(handle)
        if framework in _CANNOT_RUN and low in handle.casefold():
            parts = handle.split("/")
            word = parts[[part.lower() for part in parts].index(framework or "") - 1]
            return f"Attached is {handle}, and {framework} cannot be loaded here. {_add_input([word], None)}"
    return None
