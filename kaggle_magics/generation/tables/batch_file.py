"""Requests as a file that a server answers later, and its replies: OpenAI's batch format, for vLLM's `run-batch`.

One JSON object a line. A request: `custom_id`, `method`, `url`, `body` (that of a chat completion). A reply:
`custom_id`, `response` (`status_code`, `body`) and `error`. Replies may come in any order and in several files. vLLM's
own fields for sampling (`top_k`, `min_p`, `repetition_penalty`) stand in the body only where they are set.
Sources: OpenAI's batch guide; vLLM's `entrypoints/openai/run_batch.py` and `chat_completion/protocol.py`.
"""

from __future__ import annotations

import contextlib
import filecmp
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kaggle_magics.errors import OptionError
from kaggle_magics.generation.tables.answered import key_of
from kaggle_magics.models.engines.endpoint.payload import payload, response_formats
from kaggle_magics.models.request import Request, StopReason, Usage

URL = "/v1/chat/completions"
_REASONS: dict[str, StopReason] = {"stop": "end", "length": "length", "tool_calls": "end"}


@dataclass(frozen=True, slots=True)
class BatchFile:
    """A file of requests that was written."""

    path: Path
    requests: int
    model: str
    """The name under which the server must know the model."""
    bytes: int
    left_out: Mapping[int, str] = field(default_factory=dict)
    """Rows that could not be asked: place -> why."""
    was_there: bool = False
    """Whether the very same file was there already."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a file says came of one request."""

    text: str
    stop_reason: StopReason
    usage: Usage
    model: str = ""
    reasoning: str = ""
    created: int | None = None
    """Seconds since 1970."""
    error: str = ""


def request_id(kind: str, place: int, request: Request) -> str:
    """The `custom_id` of a request: its place, and a digest of its messages by which a changed table is noticed."""
    images = [image.digest for message in request.messages for image in message.images]
    return f"{kind}-{place}-{key_of(request.messages, images).hex()[:12]}"


def request_line(custom_id: str, request: Request, model: str) -> str:
    """One request as a line of the file. Raises `OptionError` for a template that is not the server's own."""
    path, body = payload(request, model)
    if path != "chat/completions":
        raise OptionError(
            f"A batch file leaves the chat template to the server; --template {request.template} cannot be in it.",
            "Leave --template out.",
        )
    # A batch is no stream, and the other name of the penalty is llama-server's.
    for name in ("stream", "stream_options", "repeat_penalty"):
        body.pop(name, None)
    form = response_formats(request.constraint)[0]
    if form is not None:
        body["response_format"] = form
    if request.logprobs is not None:
        body |= {"logprobs": True, "top_logprobs": request.logprobs}
    line = {"custom_id": custom_id, "method": "POST", "url": URL, "body": body}
    return json.dumps(line, ensure_ascii=False, allow_nan=False)


def write(path: Path, lines: Iterable[str], *, overwrite: bool = False) -> tuple[int, int, bool]:
    """Write a file whole or not at all; its lines, its bytes, and whether the same one was there.

    Raises `OptionError` where another file is in its place, unless told to `overwrite` it.
    """
    if path.is_dir():
        raise OptionError(f"{path} is a folder.", "Give the name of a file, such as requests.jsonl.")
    fresh = path.with_name(f".{path.name}.{os.getpid()}.part")
    count = 0
    try:
        with fresh.open("w", encoding="utf-8", newline="\n") as file:
            for line in lines:
                file.write(f"{line}\n")
                count += 1
        size = fresh.stat().st_size
        if not count:
            raise OptionError("There is no request to write: none of the rows can be asked.")
        if path.exists():
            if filecmp.cmp(fresh, path, shallow=False):
                return count, size, True
            if not overwrite:
                raise OptionError(f"There is another {path} already.", "Give another name, or --overwrite.")
        os.replace(fresh, path)
    except OSError as error:
        raise OptionError(f"{path} cannot be written: {error.strerror or error}.") from error
    finally:
        with contextlib.suppress(OSError):
            fresh.unlink()
    return count, size, False


def read(path: Path) -> dict[str, Reply]:
    """The replies of a file by `custom_id`. Where one came twice, an answer goes before an error.

    Raises `OptionError`, with the line, for what is no such file.
    """
    if not path.is_file():
        raise OptionError(f"There is no file {path}.")
    replies: dict[str, Reply] = {}
    try:
        for custom_id, reply in _replies(path):
            if custom_id not in replies or replies[custom_id].error:
                replies[custom_id] = reply
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(f"{path} cannot be read: {error}") from error
    if not replies:
        raise OptionError(f"{path} is empty.")
    return replies


def _replies(path: Path) -> Iterator[tuple[str, Reply]]:
    with path.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                data = json.loads(line)
            except ValueError:
                data = None
            if not isinstance(data, dict) or not isinstance(data.get("custom_id"), str):
                raise OptionError(f"Line {number} of {path} is no reply of a batch.", "It needs a custom_id.")
            if "response" not in data and "body" in data:
                raise OptionError(
                    f"{path} holds requests, not replies.", f"Have them answered: vllm run-batch -i {path.name} -o ..."
                )
            yield data["custom_id"], _reply(data)


def _reply(data: Mapping[str, Any]) -> Reply:
    response = data.get("response")
    response = response if isinstance(response, dict) else {}
    body = response.get("body")
    body = body if isinstance(body, dict) else {}
    usage = _usage(body.get("usage"))
    choices = body.get("choices")
    failed = data.get("error") or body.get("error")
    if failed or not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        said = _message(failed) or f"The server answered with status {response.get('status_code', 'unknown')}."
        return Reply("", "error", usage, error=said)
    choice = choices[0]
    message = choice.get("message")
    message = message if isinstance(message, dict) else {}
    ended = choice.get("finish_reason") or "stop"
    if message.get("content") is None and (refusal := message.get("refusal")):
        return Reply("", "error", usage, error=f"The model refused: {refusal}")
    if ended not in _REASONS:
        return Reply("", "error", usage, error=f"The server ended the answer: {ended}.")
    # vLLM tells which stop text it was; OpenAI's "stop" may be either.
    reason = "stop_sequence" if ended == "stop" and isinstance(choice.get("stop_reason"), str) else _REASONS[ended]
    created = body.get("created")
    return Reply(
        text=str(message.get("content") or ""),
        stop_reason=reason,
        usage=usage,
        model=str(body.get("model") or ""),
        reasoning=str(message.get("reasoning") or message.get("reasoning_content") or ""),
        created=created if isinstance(created, int) else None,
    )


def _message(error: Any) -> str:
    """What an error says: a text, or an object with a message at some depth, by version."""
    while isinstance(error, dict):
        error = error.get("error") or error.get("message") or json.dumps(error)
    return " ".join(str(error or "").split())


def _usage(usage: Any) -> Usage:
    """Token counts; how long it took is not told."""
    usage = usage if isinstance(usage, dict) else {}
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else 0
    counts = (usage.get("prompt_tokens"), cached, usage.get("completion_tokens"))
    prompt, reused, generated = (count if isinstance(count, int) else 0 for count in counts)
    return Usage(prompt, reused, generated, 0.0, 0.0)
