"""Chat templates render as transformers renders them, for both engines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kaggle_magics.errors import EngineError, OptionError
from kaggle_magics.models.request import Message, Request
from kaggle_magics.models.templates import NAMED, render, template_of

TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}
CONVERSATION = (
    Message("system", "Be terse."),
    Message("user", "Hi"),
    Message("assistant", "Hello."),
    Message("user", "3 < 4 & 5?"),
)


def text(template: str | None, *messages: Message, name: str = "auto") -> str:
    return render(Request(messages, template=name), template, TOKENS).text


TEMPLATES = {
    "chatml": NAMED["chatml"],
    "indented blocks": (
        "{{ bos_token }}\n{% for m in messages %}\n    {% if m.role == 'user' %}\n<u>{{ m.content }}</u>\n"
        "    {% else %}\n<{{ m.role }}>{{ m['content'] | trim }}\n    {% endif %}\n{% endfor %}\n"
        "{%- if add_generation_prompt %}<a>{% endif %}"
    ),
    "tojson, break and namespace": (
        "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{{ m | tojson }}"
        "{% if ns.n > 9 %}{% break %}{% endif %}{% endfor %}{{ ns.n }}{{ eos_token }}"
    ),
    "generation": (
        "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}"
        "{% else %}[{{ m.content }}]{% endif %}{% endfor %}"
    ),
}


@pytest.mark.parametrize("which", TEMPLATES)
def test_as_transformers_renders(which: str) -> None:
    chat = pytest.importorskip("transformers.utils.chat_template_utils")
    messages = [{"role": message.role, "content": message.content} for message in CONVERSATION]
    wanted, _ = chat.render_jinja_template(
        [messages], chat_template=TEMPLATES[which], add_generation_prompt=True, **TOKENS
    )
    # tojson escapes nothing but what JSON must, so the texts are all there and no second form is tried.
    assert text(TEMPLATES[which], *CONVERSATION) == wanted[0]


def test_without_a_template_or_with_none_the_text_is_as_it_is() -> None:
    for own, name in ((None, "auto"), (NAMED["chatml"], "none")):
        rendered = render(Request(CONVERSATION[:2], template=name), own, TOKENS)
        assert rendered.text == "Be terse.\n\nHi"
        assert not rendered.is_chat and not rendered.complete


REFUSES = (
    "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    "{{ m.content }}{% endfor %}"
)
IGNORES = "{% for m in messages %}{% if m.role == 'user' %}Q: {{ m.content }}\n{% endif %}{% endfor %}A:"


@pytest.mark.parametrize(("template", "wanted"), [(REFUSES, "Be terse.\n\nHi"), (IGNORES, "Q: Be terse.\n\nHi\nA:")])
def test_a_system_text_that_is_refused_or_left_out_goes_to_the_first_user_turn(template: str, wanted: str) -> None:
    assert text(template, *CONVERSATION[:2]) == wanted


def test_typed_parts_where_a_template_wants_them() -> None:
    template = "{% for m in messages %}{% for p in m.content %}{{ p.text }}{% endfor %}|{% endfor %}"
    assert text(template, *CONVERSATION[:2]) == "Be terse.|Hi|"


def test_a_refusal_is_one_line() -> None:
    with pytest.raises(EngineError, match="refuses this conversation: roles must alternate") as caught:
        text("{{ raise_exception('roles must alternate\nreally') }}", *CONVERSATION)
    assert "\n" not in str(caught.value)
    with pytest.raises(EngineError, match="template is damaged"):
        text("{% for %}", *CONVERSATION)


def test_templates_cannot_reach_the_machine() -> None:
    with pytest.raises(EngineError):
        text("{{ messages.__class__.__mro__[1].__subclasses__() }}", *CONVERSATION)
    with pytest.raises(EngineError):
        text("{{ messages.append(1) }}", *CONVERSATION)


def test_named_templates() -> None:
    asked = CONVERSATION[:2]
    assert text(None, *asked, name="chatml") == (
        "<|im_start|>system\nBe terse.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    )
    assert text(None, *asked, name="llama-2") == "<s>[INST] <<SYS>>\nBe terse.\n<</SYS>>\n\nHi [/INST]"
    assert text(None, *asked, name="mistral") == "<s>[INST] Be terse.\n\nHi [/INST]"
    assert text(None, *asked, name="alpaca") == "Be terse.\n\n### Instruction:\nHi\n\n### Response:\n"
    assert text(None, *asked, name="zephyr") == "<|system|>\nBe terse.</s>\n<|user|>\nHi</s>\n<|assistant|>\n"
    assert (
        text(None, *CONVERSATION[1:], name="llama-2") == "<s>[INST] Hi [/INST] Hello. </s><s>[INST] 3 < 4 & 5? [/INST]"
    )


def test_who_adds_bos() -> None:
    asked = Request(CONVERSATION[1:2], template="mistral")
    assert render(asked, None, TOKENS).complete
    assert not render(Request(CONVERSATION[1:2], template="chatml"), None, TOKENS).complete
    assert render(Request(CONVERSATION[1:2]), NAMED["chatml"], TOKENS).complete


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(OptionError, match="Did you mean llama-2"):
        text(None, *CONVERSATION, name="llama2")


def test_where_a_folder_keeps_its_template(tmp_path: Path) -> None:
    assert template_of(tmp_path) is None
    (tmp_path / "chat_template.json").write_text(json.dumps({"chat_template": "third"}))
    assert template_of(tmp_path) == "third"
    several = [{"name": "tool_use", "template": "no"}, {"name": "default", "template": "second"}]
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": several}))
    assert template_of(tmp_path) == "second"
    (tmp_path / "chat_template.jinja").write_text("first")
    assert template_of(tmp_path) == "first"
