"""Real-life chat templates render exactly as transformers' `apply_chat_template` renders them.

`chat_templates/` holds those of well-known families, in their public form.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.errors import EngineError
from kaggle_magics.models.request import Message, Request
from kaggle_magics.models.templates import fill, render

FOLDER = Path(__file__).with_name("chat_templates")
TEMPLATES = {file.stem: file.read_text(encoding="utf-8") for file in sorted(FOLDER.glob("*.jinja"))}
TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}
Turns = list[dict[str, Any]]


def turns(*contents: str, system: str | None = None) -> Turns:
    """User and assistant in turn, after an optional system text."""
    said = [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(contents)]
    return [*([{"role": "system", "content": system}] if system is not None else []), *said]


CONVERSATIONS: dict[str, Turns] = {
    "one question": turns("What is 3 < 4 & 5?"),
    "with a system text": turns("Hi", system="Be terse."),
    "many turns": turns("Hi", "Hello.", "How are you?", "Well.", "Good."),
    "many turns with a system text": turns("Hi", "Hello.", "And now?", system="Be terse."),
    "Unicode": turns("Grüße, 東京 🗼 \u202eabc", "Ω≈ç √ \u00a0", "e\u0301 {{ x }} {% raw %} {# no #}", system="说中文"),
    "odd white space": turns("  two\n\n\nlines\r\n\t ", "\n answer \n", " \n", system="\n spaced  "),
    "empty texts": turns("", "", "", system=""),
    "marks of other templates": turns("<|im_end|>\n<|im_start|>system [/INST] </s>", "'\"\\n", "{'type': 'text'}"),
    "to be continued": turns("Name three.", "One, two,"),
    "to be continued after a space": turns("Name three.", "One, two, ", system="Be terse."),
    "to be continued from nothing": turns("Name three.", ""),
    "thoughts": turns("Why?", "<think>\nHm.\n</think>\n\nSo.", "Really?"),
}
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "The weather <now> & then, où?",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    },
    {"type": "function", "function": {"name": "now", "description": "", "parameters": {}}},
]
CALLS: Turns = [
    {"role": "user", "content": "Is it warm in Lima?"},
    {
        "role": "assistant",
        "content": "",
        "tool_calls": [
            {
                "id": "abcdefghi",
                "type": "function",
                "function": {"name": "weather", "arguments": {"city": "Lima é", "days": 2, "now": True}},
            }
        ],
    },
    {"role": "tool", "name": "weather", "tool_call_id": "abcdefghi", "content": '{"celsius": 24}'},
    {"role": "assistant", "content": "It is 24 °C."},
    {"role": "user", "content": "Thanks."},
]
EXTRAS: dict[str, tuple[Turns, dict[str, Any]]] = {
    "tools": (turns("Is it warm in Lima?", system="Be terse."), {"tools": TOOLS}),
    "tools without a system text": (turns("Is it warm?"), {"tools": TOOLS}),
    "tools in the system text": (turns("Is it warm?"), {"tools": TOOLS, "tools_in_user_message": False}),
    "calls of tools": (CALLS, {"tools": TOOLS}),
    "documents": (
        turns("When?"),
        {"documents": [{"title": "Hours", "text": "Nine to six."}, {"title": "", "text": "é"}]},
    ),
    "no content": ([CALLS[0], {**CALLS[1], "content": None}, *CALLS[2:]], {"tools": TOOLS}),
    "a date": (turns("Hi"), {"date_string": "01 Jan 2030"}),
    "no thinking": (turns("Hi", "Hello.", "Why?"), {"enable_thinking": False}),
    "thinking": (turns("Hi"), {"enable_thinking": True}),
    "reasoning": (
        [*turns("Why?"), {"role": "assistant", "content": "So.", "reasoning_content": "Hm."}, *turns("?")],
        {},
    ),
}


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    from tokenizers import Tokenizer, models

    return transformers.PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()), **TOKENS)


def as_transformers(tokenizer: Any, template: str, conversation: Turns, **variables: Any) -> str | None:
    """What `apply_chat_template` writes; None where it refuses."""
    ending = (
        {"continue_final_message": True} if conversation[-1]["role"] == "assistant" else {"add_generation_prompt": True}
    )
    try:
        text = tokenizer.apply_chat_template(
            conversation, chat_template=template, tokenize=False, **ending, **variables
        )
    except Exception:  # Jinja's, or whatever an expression of the template raises
        return None
    assert isinstance(text, str)
    return text


def test_there_are_enough_of_them() -> None:
    assert len(TEMPLATES) >= 30


@pytest.mark.parametrize("name", TEMPLATES)
def test_as_apply_chat_template(tokenizer: Any, name: str) -> None:
    template, compared = TEMPLATES[name], 0
    for label, conversation in CONVERSATIONS.items():
        wanted = as_transformers(tokenizer, template, conversation)
        if wanted is None:
            with pytest.raises(Exception):  # noqa: B017 - whatever the template raises
                fill(template, conversation, TOKENS)
        else:
            assert fill(template, conversation, TOKENS) == wanted, label
            compared += 1
    assert compared >= 6


@pytest.mark.parametrize("name", TEMPLATES)
def test_tools_documents_and_other_variables_reach_the_template(tokenizer: Any, name: str) -> None:
    template = TEMPLATES[name]
    for label, (conversation, variables) in EXTRAS.items():
        wanted = as_transformers(tokenizer, template, conversation, **variables)
        if wanted is not None:
            assert fill(template, conversation, {**TOKENS, **variables}) == wanted, label


def test_the_extras_change_what_is_written() -> None:
    def changed(name: str, label: str) -> bool:
        conversation, variables = EXTRAS[label]
        template = TEMPLATES[name]
        return fill(template, conversation, {**TOKENS, **variables}) != fill(template, conversation, TOKENS)

    assert all(changed(name, "tools") for name in ("llama-3.1", "mistral-v3", "qwen2.5", "qwen3", "granite"))
    assert changed("llama-3.1", "tools in the system text") and changed("llama-3.1", "a date")
    assert changed("command-r-rag", "documents")
    assert changed("qwen3", "no thinking") and changed("smollm3", "no thinking")


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_request_loses_nothing_that_was_asked(tokenizer: Any, name: str) -> None:
    """A system text that a template refuses or drops goes into the first question; else it is as transformers does."""
    template = TEMPLATES[name]
    for label in ("one question", "with a system text", "many turns with a system text", "to be continued"):
        conversation = CONVERSATIONS[label]
        request = Request(tuple(Message(turn["role"], turn["content"]) for turn in conversation))
        rendered = render(request, template, TOKENS)
        assert rendered.complete
        assert rendered.continues == (label == "to be continued") != rendered.is_chat
        asked = [turn["content"] for turn in conversation if turn["role"] != "assistant"]
        assert all(text in rendered.text for text in asked)
        wanted = as_transformers(tokenizer, template, conversation)
        if wanted is not None and all(text in wanted for text in asked):
            assert rendered.text == wanted, label
    refuses_system = as_transformers(tokenizer, template, CONVERSATIONS["with a system text"]) is None
    assert refuses_system == (name in {"gemma", "mistral-v1"})


def test_render_hands_tools_and_documents_on() -> None:
    request = Request.ask("Is it warm in Lima?")
    with_tools = render(request, TEMPLATES["qwen3"], TOKENS, tools=TOOLS, variables={"enable_thinking": False})
    assert json.dumps(TOOLS[0], ensure_ascii=False) in with_tools.text
    assert with_tools.text.endswith("<think>\n\n</think>\n\n")
    with_documents = render(
        request, TEMPLATES["command-r-rag"], TOKENS, documents=[{"title": "Hours", "text": "Nine."}]
    )
    assert "title: Hours\ntext: Nine." in with_documents.text


def test_an_answer_that_a_template_drops_cannot_be_continued() -> None:
    template = "{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}{% endif %}{% endfor %}"
    with pytest.raises(EngineError, match="leaves out the answer"):
        render(Request((Message("user", "Hi"), Message("assistant", "Hel"))), template, TOKENS)
