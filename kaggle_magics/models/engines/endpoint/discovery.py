"""What a server tells about itself: where its API begins, its models, their context."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from kaggle_magics.errors import EngineError, ModelNotFound
from kaggle_magics.models.engines.endpoint.http import Client
from kaggle_magics.models.engines.endpoint.reference import EndpointReference
from kaggle_magics.models.engines.endpoint.refusals import explain, read_refusal

_SHOWN = 12
_CONTEXT_FIELDS = ("max_model_len", "context_length", "context_window", "max_context_length", "max_input_tokens")


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answered: its base address with the model resolved, and the models it lists."""

    reference: EndpointReference
    models: Mapping[str, Mapping[str, Any]]
    """Its own description of each, by id; empty where it does not list them."""

    @property
    def root(self) -> str:
        """Its address without the API's path, where llama-server and vLLM keep their own."""
        return re.sub(r"/v\d+\w*$", "", self.reference.url)


def discover(reference: EndpointReference, client: Client) -> Server:
    """Find where the API begins and which model is meant.

    `/v1` is appended where it is missing and the server answers there. A server that lists no models is taken at its
    word: the model must then be named. Raises `Unreachable`, `ModelNotFound` with the text to type, and `EngineError`
    for an address where something else answers or the key is refused.
    """
    bases = [reference.url]
    if not re.search(r"/v\d+\w*(/|$)", reference.url):
        bases.insert(0, f"{reference.url}/v1")
    refusals = []
    for base in bases:
        head, body = client.fetch("GET", f"{base}/models", seconds=client.limits.connect + 20)
        at = replace(reference, url=base)
        listed = _listed(body) if head.status == 200 else None
        if listed is not None:
            return Server(_choose(at, listed), listed)
        refusals.append((at, read_refusal(head, body)))
    final = [(at, refusal) for at, refusal in refusals if refusal.status in (401, 403, 429) or refusal.status >= 500]
    nonsense = any(refusal.is_page or refusal.status == 200 for _, refusal in refusals)
    if not final and not nonsense and reference.model:
        # There is a server, but it has no list.
        return Server(reference, {})
    at, refusal = (final or refusals)[0]
    if refusal.status == 200:
        raise EngineError(
            f"{at.url}/models does not list models as OpenAI's API does.", "Check the address; most end in /v1."
        )
    raise client.masked(explain(refusal, at, has_key=client.has_key, sent=(), models=()))


def context_length(server: Server, client: Client) -> int | None:
    """Tokens of prompt and answer together, where the server tells them."""
    described = server.models.get(server.reference.model or "", {})
    for name in _CONTEXT_FIELDS:
        if (found := _positive(described.get(name))) is not None:
            return found
    meta = described.get("meta")
    if not isinstance(meta, dict):
        return None
    # llama-server lists what the model was trained for; what it was started with can be less.
    settings = _properties(server, client).get("default_generation_settings")
    started_with = _positive(settings.get("n_ctx")) if isinstance(settings, dict) else None
    return started_with or _positive(meta.get("n_ctx")) or _positive(meta.get("n_ctx_train"))


def takes_images(server: Server, client: Client) -> bool:
    """Whether the model takes images, as far as the server tells; without a word it may, and refuses if not."""
    described = server.models.get(server.reference.model or "", {})
    architecture = described.get("architecture")
    if isinstance(architecture, dict) and isinstance(kinds := architecture.get("input_modalities"), list):
        return "image" in kinds  # OpenRouter's list
    if not isinstance(described.get("meta"), dict):
        return True
    told = _properties(server, client).get("modalities")
    return not isinstance(told, dict) or told.get("vision") is not False


def _properties(server: Server, client: Client) -> dict[str, Any]:
    """What llama-server tells of itself; nothing for other servers."""
    try:
        head, body = client.fetch("GET", f"{server.root}/props", seconds=5.0)
        found = json.loads(body) if head.status == 200 else {}
    except (EngineError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _choose(reference: EndpointReference, models: Mapping[str, Any]) -> EndpointReference:
    """The listed model that is meant: by its id, else by any part of it that only one has."""
    wanted = reference.model
    if wanted is None:
        if len(models) == 1:
            return replace(reference, model=next(iter(models)))
        if not models:
            raise ModelNotFound(f"{reference.host} lists no models.", f"Name one: {reference}MODEL")
        raise ModelNotFound(f"{reference.host} has {len(models)} models.", _to_type(reference, list(models)))
    if wanted in models:
        return reference
    parts = [name for name in models if wanted.casefold() in name.casefold()]
    same = [name for name in parts if wanted.casefold() == name.casefold()]
    if len(parts) > 1 and not same:
        raise ModelNotFound(f"{wanted!r} names {len(parts)} models of {reference.host}.", _to_type(reference, parts))
    # Not listed is no proof: hosted services have aliases, and some servers load what they are asked for.
    return replace(reference, model=(same or parts or [wanted])[0])


def _to_type(reference: EndpointReference, names: list[str]) -> str:
    shown = [str(replace(reference, model=name)) for name in names[:_SHOWN]]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"Type one of: {', '.join(shown)}{more}."


def _listed(body: bytes) -> dict[str, Mapping[str, Any]] | None:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    data = value.get("data") if isinstance(value, dict) else value
    if not isinstance(data, list):
        return None
    found = [entry for entry in data if isinstance(entry, dict) and isinstance(entry.get("id"), str)]
    return {str(entry["id"]): entry for entry in found}


def _positive(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
