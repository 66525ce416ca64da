"""From messages to the text a model reads, with the model's own chat template or a named one.

One renderer for every engine, so that the same messages give the same text. It does what transformers does
(`utils/chat_template_utils.py`): a sandboxed Jinja environment, `trim_blocks` and `lstrip_blocks`, loop controls,
`raise_exception`, `strftime_now`, a `tojson` that escapes no HTML, and the special tokens as variables.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from kaggle_magics.errors import EngineError, OptionError, did_you_mean
from kaggle_magics.extras import require
from kaggle_magics.models.headers.json_file import read_json
from kaggle_magics.models.request import Message, Request, conversation_text

NAMED = {
    "chatml": (
        "{% for message in messages %}"
        "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    ),
    "llama-2": (
        "{% set ns = namespace(system='') %}{% for message in messages %}"
        "{% if message['role'] == 'system' %}{% set ns.system = '<<SYS>>\n' + message['content'] + '\n<</SYS>>\n\n' %}"
        "{% elif message['role'] == 'user' %}"
        "{{ bos_token + '[INST] ' + ns.system + message['content'] + ' [/INST]' }}{% set ns.system = '' %}"
        "{% else %}{{ ' ' + message['content'] + ' ' + eos_token }}{% endif %}{% endfor %}"
    ),
    "mistral": (
        "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}"
        "{{ '[INST] ' + message['content'] + ' [/INST]' }}{% elif message['role'] == 'assistant' %}"
        "{{ ' ' + message['content'] + eos_token }}"
        "{% else %}{{ raise_exception('no system turn') }}{% endif %}{% endfor %}"
    ),
    "alpaca": (
        "{% for message in messages %}{% if message['role'] == 'system' %}{{ message['content'] + '\n\n' }}"
        "{% elif message['role'] == 'user' %}{{ '### Instruction:\n' + message['content'] + '\n\n' }}"
        "{% else %}{{ '### Response:\n' + message['content'] + eos_token + '\n\n' }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{{ '### Response:\n' }}{% endif %}"
    ),
    "zephyr": (
        "{% for message in messages %}{{ '<|' + message['role'] + '|>\n' + message['content'] + eos_token + '\n' }}"
        "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
    ),
}
"""Templates by name, for models that come without one, as the models that made them known write them."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A prompt's text. `is_chat` tells that a template wrote it; `complete`, that it also writes the special tokens at
    the start, so that the tokenizer must add none."""

    text: str
    is_chat: bool
    complete: bool


def render(request: Request, own: str | None, special_tokens: Mapping[str, str]) -> Rendered:
    """The text of a request.

    `own` is the model's template or None; `special_tokens` are `bos_token`, `eos_token` and so on as text. Raises
    `OptionError` for a template name nobody knows, `EngineError` for a conversation the template refuses.
    """
    if request.template == "none" or (request.template == "auto" and own is None):
        return Rendered(conversation_text(request.messages), is_chat=False, complete=False)
    if request.template == "auto":
        assert own is not None
        # As transformers does: the model's own template says all there is, BOS included where the model wants one.
        return Rendered(_fill(own, request.messages, special_tokens), is_chat=True, complete=True)
    if request.template not in NAMED:
        known = ("auto", "none", *NAMED)
        raise OptionError(
            f"There is no template {request.template!r}.",
            did_you_mean(request.template, known) or f"There are: {', '.join(known)}.",
        )
    text = _fill(NAMED[request.template], request.messages, special_tokens)
    bos = special_tokens.get("bos_token", "")
    return Rendered(text, is_chat=True, complete=bool(bos) and text.startswith(bos))


def template_of(folder: Path) -> str | None:
    """The chat template in a checkpoint's folder: chat_template.jinja, else tokenizer_config.json's, else .json's.

    Of several named ones it is "default" (transformers, `PreTrainedTokenizerBase`).
    """
    file = folder / "chat_template.jinja"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    for name in ("tokenizer_config.json", "chat_template.json"):
        found = read_json(folder / name).get("chat_template")
        if isinstance(found, list):
            found = next((entry.get("template") for entry in found if entry.get("name") == "default"), None)
        if isinstance(found, str) and found:
            return found
    return None


def _fill(template: str, messages: Sequence[Message], special_tokens: Mapping[str, str]) -> str:
    """Fill a template in. A system text that it refuses or leaves out goes before the first user turn's text."""
    turns = [{"role": message.role, "content": message.content} for message in messages]
    attempts: list[list[dict[str, Any]]] = [turns]
    if any(turn["role"] == "system" for turn in turns):
        attempts.append(_folded(turns))
    # Templates of models that also see pictures can want typed parts instead of a text.
    attempts += [
        [{**turn, "content": [{"type": "text", "text": turn["content"]}]} for turn in each] for each in attempts
    ]
    asked = [message.content.strip() for message in messages if message.role != "assistant"]
    first: str | None = None
    refusal = ""
    compiled = _compiled(template)
    for attempt in attempts:
        try:
            text = compiled.render(messages=attempt, add_generation_prompt=True, **special_tokens)
        except Exception as error:  # Jinja's own, and whatever the template's expressions raise
            refusal = refusal or (str(error).splitlines() or [type(error).__name__])[0]
            continue
        if all(content in text for content in asked):
            return str(text)
        first = text if first is None else first
    if first is None:
        raise EngineError(
            f"The model's chat template refuses this conversation: {refusal}.", "Try template chatml, or none."
        )
    return first


def _folded(turns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    system = "\n\n".join(turn["content"] for turn in turns if turn["role"] == "system")
    rest = [dict(turn) for turn in turns if turn["role"] != "system"]
    user = next((turn for turn in rest if turn["role"] == "user"), None)
    if user is None:
        return [{"role": "user", "content": system}, *rest]
    user["content"] = f"{system}\n\n{user['content']}"
    return rest


@lru_cache(maxsize=16)
def _compiled(template: str) -> Any:
    jinja2: Any = require("jinja2", "Chat templates")
    sandbox: Any = require("jinja2.sandbox", "Chat templates")

    def raise_exception(message: str) -> None:
        raise jinja2.exceptions.TemplateError(message)

    def tojson(
        value: Any,
        ensure_ascii: bool = False,
        indent: int | None = None,
        separators: Any = None,
        sort_keys: bool = False,
    ) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    def strftime_now(form: str) -> str:
        return datetime.now().strftime(form)

    environment = sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", _generation_tag()]
    )
    environment.filters["tojson"] = tojson
    environment.globals.update(raise_exception=raise_exception, strftime_now=strftime_now)
    try:
        return environment.from_string(template)
    except jinja2.exceptions.TemplateError as error:
        raise EngineError(
            f"The model's chat template is damaged: {error.message}.", "Try template chatml, or none."
        ) from error


def _generation_tag() -> Any:
    """The extension for `{% generation %}`, which marks the assistant's text for training and writes nothing itself."""
    extension: Any = require("jinja2.ext", "Chat templates")
    nodes: Any = require("jinja2.nodes", "Chat templates")

    class Generation(extension.Extension):
        tags = frozenset({"generation"})

        def parse(self, parser: Any) -> Any:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return nodes.Scope(body, lineno=line)

    return Generation
