"""A request's text, by the model's own chat template or a named one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kaggle_magics.errors import EngineError, KaggleMagicsError, OptionError, did_you_mean
from kaggle_magics.models.request import Message, Request, conversation_text
from kaggle_magics.models.templates.named import NAMED
from kaggle_magics.models.templates.sandbox import TooMuch, compiled, run

_HINT = "Name another with --template, such as chatml or none."
_CONTINUE = "CONTINUE_FROM_HERE "
"""Put behind the turn that is to be continued; its space tells whether the template trims."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A prompt's text. `is_chat` tells that a template wrote it and an answer begins there, so that white space before
    it is no part of it; `complete`, that the template also writes the special tokens at the start, so that the
    tokenizer must add none; `continues`, that the text ends within the assistant's turn."""

    text: str
    is_chat: bool
    complete: bool
    continues: bool = False


def render(
    request: Request,
    own: str | None,
    special_tokens: Mapping[str, str],
    *,
    tools: Sequence[Mapping[str, Any]] | None = None,
    documents: Sequence[Mapping[str, Any]] | None = None,
    variables: Mapping[str, Any] | None = None,
) -> Rendered:
    """The text of a request.

    `own` is the model's template or None; `special_tokens` are `bos_token`, `eos_token` and so on as text; `tools`,
    `documents` and `variables` (such as `enable_thinking`) are handed to the template. A conversation that ends with
    the assistant's turn is to be continued there. Raises `OptionError` for a template name nobody knows, `EngineError`
    for a conversation the template refuses and for a template that runs or writes without end.
    """
    check_name(request.template)
    given = {"tools": tools, "documents": documents, **(variables or {})}
    continues = bool(request.messages) and request.messages[-1].role == "assistant"
    if any(message.images for message in request.messages) and (request.template != "auto" or own is None):
        raise OptionError(
            "Images need the model's own chat template, which says where they go.",
            "Use template auto." if own is not None else "This model has none: load another one.",
        )
    if request.template == "none" or (request.template == "auto" and own is None):
        return Rendered(conversation_text(request.messages), is_chat=False, complete=False, continues=continues)
    if request.template == "auto":
        assert own is not None
        # As transformers does: the model's own template says all there is, BOS included where the model wants one.
        text = _fitted(own, request.messages, {**special_tokens, **given})
        return Rendered(text, is_chat=not continues, complete=True, continues=continues)
    tokens = {"bos_token": "", "eos_token": "", **special_tokens}
    text = _fitted(NAMED[request.template], request.messages, {**tokens, **given})
    bos = tokens["bos_token"]
    return Rendered(text, is_chat=not continues, complete=bool(bos) and text.startswith(bos), continues=continues)


def check_name(template: str) -> None:
    """Raise `OptionError` where there is no template of that name."""
    known = ("auto", "none", *NAMED)
    if template not in known:
        raise OptionError(
            f"There is no template {template!r}.",
            did_you_mean(str(template), known) or f"There are: {', '.join(known)}.",
        )


def fill(template: str, messages: Sequence[Mapping[str, Any]], variables: Mapping[str, Any]) -> str:
    """Fill a template in, exactly as `apply_chat_template` does with a generation prompt.

    `messages` are of plain JSON types (also typed parts, tool calls, `reasoning_content`), `variables` whatever else
    the template reads, the special tokens among them. A last turn of the assistant's is left open, as
    `continue_final_message` leaves it. Raises whatever the template raises, and `TooMuch`.
    """
    # As there, a key without a value is left out: templates ask whether it is defined.
    turns = [{key: _plain(value) for key, value in message.items() if value is not None} for message in messages]
    values = {"tools": None, "documents": None, **{name: _plain(value) for name, value in variables.items()}}
    if not turns or turns[-1].get("role") != "assistant" or not _mark(turns[-1]):
        return run(compiled(template), {"messages": turns, "add_generation_prompt": True, **values})
    text = run(compiled(template), {"messages": turns, "add_generation_prompt": False, **values})
    place = text.rfind(_CONTINUE.strip())
    if place < 0:
        raise ValueError("it leaves out the answer that is to be continued")
    kept = text[place : place + len(_CONTINUE)] == _CONTINUE
    return text[:place] if kept else text[:place].rstrip()


def _mark(turn: dict[str, Any]) -> bool:
    """Mark where a turn's text ends; False where it has none."""
    content = turn.get("content")
    if isinstance(content, str):
        turn["content"] = content + _CONTINUE
        return True
    parts = content if isinstance(content, list) else []
    last = next((part for part in reversed(parts) if isinstance(part, dict) and "text" in part), None)
    if last is not None:
        last["text"] = f"{last['text']}{_CONTINUE}"
    return last is not None


def _fitted(template: str, messages: Sequence[Message], variables: Mapping[str, Any]) -> str:
    """Fill a template in. A system text that it refuses or leaves out goes before the first user turn's text."""
    turns: list[dict[str, Any]]
    turns = [{"role": one.role, "content": one.content, "images": len(one.images) or None} for one in messages]
    attempts = [turns]
    if any(turn["role"] == "system" for turn in turns):
        attempts.append(_folded(turns))
    # Templates of models that also see pictures can want typed parts instead of a text; pictures need them.
    typed = [list(map(_typed, each)) for each in attempts]
    attempts = typed if any(message.images for message in messages) else [*attempts, *typed]
    asked = [_words(message.content) for message in messages if message.role != "assistant"]
    first: str | None = None
    refusal = ""
    for attempt in attempts:
        try:
            text = fill(template, attempt, variables)
        except KaggleMagicsError:
            raise
        except TooMuch as error:
            raise EngineError(f"The model's chat template is stopped: {error}.", _HINT) from None
        except Exception as error:  # Jinja's own, and whatever the template's expressions raise
            refusal = refusal or (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
            continue
        written = _words(text)
        if "'type':'text'" in written and any(isinstance(turn["content"], list) for turn in attempt):
            continue  # it wanted a text, and wrote the list as Python shows one
        if all(content in written for content in asked):
            return text
        first = text if first is None else first
    if first is None:
        raise EngineError(f"The model's chat template refuses this conversation: {refusal}.", _HINT)
    return first


def _typed(turn: dict[str, Any]) -> dict[str, Any]:
    """A turn in parts: its images, then its text."""
    pictures = [{"type": "image"}] * (turn["images"] or 0)
    return {"role": turn["role"], "content": [*pictures, {"type": "text", "text": turn["content"]}]}


def _words(text: str) -> str:
    """Without white space, which templates may trim or change."""
    return "".join(text.split())


def _folded(turns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    system = "\n\n".join(turn["content"] for turn in turns if turn["role"] == "system")
    rest = [dict(turn) for turn in turns if turn["role"] != "system"]
    user = next((turn for turn in rest if turn["role"] == "user"), None)
    if user is None:
        return [{"role": "user", "content": system}, *rest]
    user["content"] = f"{system}\n\n{user['content']}"
    return rest


def _plain(value: Any) -> Any:
    """The same in JSON's own types: what a template can reach must have no methods that do anything."""
    if value is None or type(value) in (str, int, float, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, bool | int | float):
        return int(value) if isinstance(value, int) else float(value)
    if isinstance(value, Mapping):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return f"<{type(value).__name__}>"
