"""The server's answer, event by event: server-sent events (WHATWG HTML, 9.2) that hold chat or text completion chunks.

A server that ignores `stream` and sends the whole completion at once is understood too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kaggle_magics.errors import EngineError
from kaggle_magics.models.engines.endpoint.http import LONGEST_LINE


@dataclass(frozen=True, slots=True)
class Chunk:
    """What one event adds. Token counts are None where it does not tell them."""

    text: str = ""
    reasoning: str = ""
    finish: str | None = None
    """OpenAI's `finish_reason`."""
    stopped_by: str | None = None
    """The stop text that ended it, where the server says so (vLLM)."""
    prompt_tokens: int | None = None
    generated_tokens: int | None = None
    reused_tokens: int | None = None
    logprobs: Any = None
    """As the server wrote it; see `probabilities`."""
    done: bool = False
    """Nothing follows."""


def event_data(lines: Iterable[bytes]) -> Iterator[str]:
    """The data of each event; comments and other fields are left out."""
    data: list[str] = []
    size = 0
    for raw in lines:
        line = raw.decode("utf-8", "replace").rstrip("\r\n").removeprefix("\ufeff")
        if not line:
            if data:
                yield "\n".join(data)
            data, size = [], 0
        elif line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
            size += len(line)
            if size > LONGEST_LINE:
                raise malformed("an event without an end")
    if data:
        yield "\n".join(data)


def chunks(lines: Iterable[bytes]) -> Iterator[Chunk]:
    """The chunks of an event stream. Raises `EngineError` for what is none, and for an error the server reports."""
    for data in event_data(lines):
        if data.strip() == "[DONE]":
            yield Chunk(done=True)
            return
        yield chunk(_object(data))


def whole(body: bytes) -> Iterator[Chunk]:
    """A completion that came in one piece."""
    yield chunk(_object(body.decode("utf-8", "replace")))
    yield Chunk(done=True)


def chunk(event: Mapping[str, Any]) -> Chunk:
    """One chunk from one event's object."""
    if error := event.get("error"):
        raise EngineError(f"The server reports an error: {error_text(error)}")
    choices = event.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    part = choice.get("delta") or choice.get("message") or {}
    if not isinstance(part, dict):
        raise malformed("a message that is no object")
    text = part.get("content") if part else choice.get("text")
    finish, stopped_by = choice.get("finish_reason"), choice.get("stop_reason")
    usage = _dict(event.get("usage"))
    timings = _dict(event.get("timings"))
    details = _dict(usage.get("prompt_tokens_details"))
    reused = _count(details.get("cached_tokens"))
    return Chunk(
        text=_text(text),
        reasoning=_text(part.get("reasoning_content") or part.get("reasoning")),
        logprobs=choice.get("logprobs"),
        finish=finish if isinstance(finish, str) else None,
        stopped_by=stopped_by if isinstance(stopped_by, str) else None,
        prompt_tokens=_count(usage.get("prompt_tokens")),
        generated_tokens=_count(usage.get("completion_tokens")),
        # llama-server tells it in its own `timings`.
        reused_tokens=_count(timings.get("cache_n")) if reused is None else reused,
    )


def error_text(error: object) -> str:
    """One line of what a server says went wrong."""
    said = error.get("message") or error.get("detail") or error.get("type") if isinstance(error, dict) else error
    if not said:
        return ""
    if not isinstance(said, str):
        said = json.dumps(said, ensure_ascii=False)
    line = " ".join(said.split())
    return line[:300] + ("..." if len(line) > 300 else "")


def malformed(what: str) -> EngineError:
    """The error for an answer that breaks the protocol."""
    return EngineError(
        f"The server's answer is malformed: {what}.", "It may not speak OpenAI's protocol at this address."
    )


def _object(data: str) -> Mapping[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        shown = " ".join(data.split())
        raise malformed(f"no JSON in {shown[:80]!r}") from None
    if not isinstance(value, dict):
        raise malformed("an event that is no object")
    return value


def _text(value: object) -> str:
    if isinstance(value, list):  # typed parts
        return "".join(str(part.get("text") or "") for part in value if isinstance(part, dict))
    return value if isinstance(value, str) else ""


def _dict(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
