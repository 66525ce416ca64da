"""What a server's refusal means, in one line with the remedy."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kaggle_magics.errors import EngineError, KaggleMagicsError, ModelNotFound, OptionError, did_you_mean
from kaggle_magics.models.engines.endpoint.events import error_text
from kaggle_magics.models.engines.endpoint.http import Head
from kaggle_magics.models.engines.endpoint.reference import KEY, OPENAI_KEY, EndpointReference, host_variable

AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
"""Statuses after which another try may succeed."""
_UNKNOWN = re.compile(
    r"unknown|unrecognized|unrecognised|unexpected|unsupported|not supported|extra.{0,20}(not permitted|forbidden)"
    r"|not permitted|not allowed|does not support|use '",
    re.IGNORECASE,
)
_FORM = re.compile(
    r"response_format|json_schema|json_object|json schema|structured output|grammar|schema", re.IGNORECASE
)
_CONTEXT = re.compile(
    r"context.{0,20}(length|window|size|limit)|maximum context|exceed.{0,40}(context|tokens|n_ctx)"
    r"|prompt.{0,20}too long|too many tokens|n_ctx",
    re.IGNORECASE,
)


_IMAGES = re.compile(
    r"image|multi-?modal|mmproj|vision|content.{0,40}(must be|should be|valid) .{0,20}string|invalid type for.*content",
    re.IGNORECASE,
)
"""How vLLM ("is not a multimodal model"), llama-server ("image input is not supported", "mmproj"), hosted services and
servers that know text only say that a model takes no images."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is none: its status, and what the server says."""

    status: int
    message: str
    code: str
    parameter: str
    is_page: bool
    """A web page rather than an API's answer."""

    @property
    def again(self) -> bool:
        """Whether trying again may help."""
        final = self.code == "insufficient_quota" or self.is_about_context
        return self.status in AGAIN and not final

    @property
    def is_about_context(self) -> bool:
        return self.code == "context_length_exceeded" or (
            self.status in (400, 413, 422, 500) and bool(_CONTEXT.search(self.message))
        )

    @property
    def is_about_form(self) -> bool:
        """Whether it is the form asked of the answer that the server does not take."""
        about = self.parameter == "response_format" or _FORM.search(f"{self.message} {self.parameter}")
        return self.status in (400, 422, 500, 501) and bool(about)

    @property
    def is_about_images(self) -> bool:
        """Whether it may be that the model does not see; for requests with images."""
        return self.status in (400, 404, 415, 422, 500) and bool(_IMAGES.search(self.message))

    @property
    def is_about_schema(self) -> bool:
        """Whether only this one schema is refused, and not the form of asking for one."""
        form_itself = self.parameter == "response_format" or "response_format" in self.message
        return not form_itself or bool(re.search(r"invalid schema|schema for response_format", self.message, re.I))

    def unknown_parameters(self, sent: Sequence[str]) -> list[str]:
        """The parameters among `sent` that the server does not take, if that is what it complains of."""
        if self.status not in (400, 422, 500) or not _UNKNOWN.search(f"{self.message} {self.code}"):
            return []
        options = [name for name in sent if name not in ("model", "messages", "prompt", "stream")]
        if self.parameter in options:
            return [self.parameter]
        return [name for name in options if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", self.message)]


def read_refusal(head: Head, body: bytes) -> Refusal:
    """What an HTTP error says, in any of the forms that servers use."""
    text = body.decode("utf-8", "replace").strip()
    try:
        value: Any = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        is_page = "html" in head.headers.get("content-type", "").casefold() or text[:1] == "<"
        return Refusal(head.status, "" if is_page else error_text(text), "", "", is_page)
    error = value.get("error", value) if isinstance(value, dict) else value
    if isinstance(error, dict) and isinstance(error.get("detail"), list) and error["detail"]:
        # FastAPI's list of what it could not validate.
        first = error["detail"][0]
        place = first.get("loc") if isinstance(first, dict) else None
        path = [str(part) for part in place if part != "body"] if isinstance(place, list) else []
        said = f"{first.get('msg', '')} ({path[-1] if path else ''})" if isinstance(first, dict) else error_text(first)
        kind = str(first.get("type", "")) if isinstance(first, dict) else ""
        return Refusal(head.status, said, kind, path[0] if path else "", False)
    fields: Mapping[str, Any] = error if isinstance(error, dict) else {}
    code = fields.get("code") if isinstance(fields.get("code"), str) else fields.get("type")
    return Refusal(
        head.status, error_text(error) if error else "", str(code or ""), str(fields.get("param") or ""), False
    )


def explain(
    refusal: Refusal, reference: EndpointReference, *, has_key: bool, sent: Sequence[str], models: Sequence[str]
) -> KaggleMagicsError:
    """The error for a refusal. `sent` are the request's parameters, `models` those the server lists."""
    status, said = refusal.status, f": {refusal.message}" if refusal.message else ""
    host = reference.host
    if status in (401, 403):
        return EngineError(
            f"{host} {'refuses the key' if has_key else 'asks for a key'} ({status}){said}.".replace("..", "."),
            f"Set {KEY} or {host_variable(host)} in the environment or as a Kaggle secret "
            f"({OPENAI_KEY} is used for OpenAI, OPENAI_BASE_URL and this machine only).",
        )
    if refusal.is_about_context:
        return OptionError(
            f"The prompt and the answer are too long for {reference.model}{said}.",
            "Shorten the prompt, or ask for fewer tokens with --max-tokens.",
        )
    if unknown := refusal.unknown_parameters(sent):
        # vLLM's name for it is sent beside llama-server's.
        unknown = [name for name in unknown if name != "repetition_penalty"] or ["repeat_penalty"]
        options = " and ".join(f"--{name.replace('_', '-')}" for name in unknown)
        # The temperature is always sent: 0 is our default, not the server's.
        hint = "Give another value: --temperature 1" if unknown == ["temperature"] else f"Leave {options} out."
        return OptionError(f"{host} does not take this {', '.join(unknown)} for {reference.model}{said}.", hint)
    if status == 404 and _is_about_model(refusal):
        near = did_you_mean(reference.model or "", models)
        there = f"There are: {', '.join(models[:8])}." if models else f"List them at {reference.url}/models."
        return ModelNotFound(f"{host} has no model {reference.model!r}{said}.", near or there)
    if refusal.is_page or (status in (404, 405) and not refusal.message):
        return EngineError(
            f"{reference.url} answers with {'a web page' if refusal.is_page else 'nothing'} (status {status}), "
            "not with OpenAI's protocol.",
            "Check the address; most end in /v1.",
        )
    if status == 429:
        hint = "Wait a while, or send fewer requests." if refusal.code != "insufficient_quota" else "Check its account."
        return EngineError(f"{host} allows no more requests for now (429){said}.", hint)
    if status >= 500:
        return EngineError(f"{host} failed (status {status}){said}.", "Look into the server's log, or try again.")
    return EngineError(f"{host} refuses the request (status {status}){said}.")


def _is_about_model(refusal: Refusal) -> bool:
    return "model" in f"{refusal.message} {refusal.code}".casefold()
