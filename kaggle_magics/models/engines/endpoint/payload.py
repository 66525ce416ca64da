"""A request as the JSON that OpenAI's API takes, with the extensions that vLLM and llama-server know."""

from __future__ import annotations

import base64
from typing import Any

from kaggle_magics.errors import OptionError
from kaggle_magics.models.constraint import Constraint
from kaggle_magics.models.request import Message, Request, Sampling, conversation_text
from kaggle_magics.models.templates import render

DROPPABLE = frozenset({"stream_options", "seed", "logprobs", "top_logprobs"})
"""What a server may do without: usage is then estimated, a seed is only a wish to any endpoint, and an answer without
its probabilities is still one."""


CONTINUING = frozenset({"vllm", "sglang", "llamacpp"})
"""Servers, by what they list as a model's `owned_by`, that can go on with a last turn of the assistant's. The first two
want to be told (`continue_final_message`); llama-server always does."""


def payload(request: Request, model: str, *, owner: str = "") -> tuple[str, dict[str, Any]]:
    """Path below the base address, and body.

    Template "auto" leaves the template to the server (`chat/completions`); "none" and named ones send the finished
    text (`completions`).
    """
    body: dict[str, Any] = {"model": model, "stream": True, "stream_options": {"include_usage": True}}
    body |= sampling_options(request.sampling)
    if request.template == "auto":
        body["messages"] = [{"role": message.role, "content": _content(message)} for message in request.messages]
        if request.messages[-1:] and request.messages[-1].role == "assistant" and owner in ("vllm", "sglang"):
            body |= {"continue_final_message": True, "add_generation_prompt": False}
        if request.logprobs is not None:
            body |= {"logprobs": True, "top_logprobs": request.logprobs}
        return "chat/completions", body
    if any(message.images for message in request.messages):
        raise OptionError(
            f"Images go with the server's own template, not with {request.template!r}.", "Use template auto."
        )
    body["prompt"] = _valid(prompt_text(request))
    if request.logprobs is not None:
        body["logprobs"] = request.logprobs
    return "completions", body


def response_formats(constraint: Constraint | None) -> list[dict[str, Any] | None]:
    """What to ask for as `response_format`, for servers that know less and less of it; None is nothing.

    OpenAI's form, which vLLM, llama-server and most others know; that of llama-cpp-python's server; any JSON object. A
    server that takes none of them is asked in the prompt's words alone.
    """
    if constraint is None:
        return [None]
    form = constraint.server_form
    named = {"name": "answer", "schema": dict(form.schema), "strict": form.strict}
    forms: list[dict[str, Any] | None] = [
        {"type": "json_schema", "json_schema": named},
        {"type": "json_object", "schema": dict(form.schema)},
    ]
    # Without its schema a server does not know what a value is to be wrapped in.
    return [*forms, None] if form.wrapped else [*forms, {"type": "json_object"}, None]


def _content(message: Message) -> str | list[dict[str, Any]]:
    """A turn's text, or its images (within the request, as data URLs) and its text."""
    text = _valid(message.content)
    if not message.images:
        return text
    parts: list[dict[str, Any]] = [
        {
            "type": "image_url",
            "image_url": {"url": f"data:{image.media_type};base64,{base64.b64encode(image.data).decode('ascii')}"},
        }
        for image in message.images
    ]
    return [*parts, {"type": "text", "text": text}]


def prompt_text(request: Request) -> str:
    """The text of a request whose template is not the server's own. Raises `OptionError` for an unknown template."""
    if request.template == "none":
        return conversation_text(request.messages)
    # Special tokens are the server's secret; it adds its own BOS.
    return render(request, None, {"bos_token": "", "eos_token": ""}).text


def sampling_options(sampling: Sampling) -> dict[str, Any]:
    """Only what is set: what is not sent is the server's default, and extensions are refused by some."""
    options: dict[str, Any] = {"max_tokens": sampling.max_tokens, "temperature": sampling.temperature}
    if sampling.temperature > 0 and sampling.seed is not None:
        options["seed"] = sampling.seed
    for name, off in (("top_p", 1.0), ("top_k", 0), ("min_p", 0.0)):
        if (value := getattr(sampling, name)) != off:
            options[name] = value
    if sampling.repeat_penalty != 1.0:
        # llama-server's name for it, and vLLM's.
        options["repeat_penalty"] = options["repetition_penalty"] = sampling.repeat_penalty
    if sampling.stop:
        options["stop"] = list(sampling.stop)
    return options


def _valid(text: str) -> str:
    """The text with "?" for lone surrogates, which JSON's readers refuse."""
    return text.encode("utf-8", "replace").decode("utf-8")
