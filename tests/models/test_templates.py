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


@pytest.mark.parametrize(
    "attack",
    [
        "{{ messages.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.append(1) }}",
        "{{ messages[0].update(role='x') }}",
        "{{ ''.__class__.__base__.__subclasses__() }}",
        "{{ raise_exception.__globals__['__builtins__'] }}",
        "{{ self.__init__.__globals__ }}",
        "{{ cycler.__init__.__globals__.os.popen('true').read() }}",
        "{{ dict.__class__.__bases__ }}",
        "{{ '{0.__class__.__mro__}'.format(messages) }}",
        "{{ ('{0.__class__}' | attr('format'))(messages) }}",
        "{{ messages | attr('__class__') | attr('__mro__') }}",
        "{{ [messages] | map(attribute='__class__') | list }}",
        "{{ namespace(__class__=1) }}",
        "{% set n = namespace() %}{% set n.__dict__ = 1 %}",
        "{% import 'os' as os %}",
        "{% include '/etc/passwd' %}",
        "{% extends 'x' %}",
        "{{ lipsum.__globals__ }}",
        "{{ (messages | map('upper')).gi_frame.f_globals }}",
        "{% do messages.append(1) %}",
    ],
)
def test_templates_cannot_reach_the_machine(attack: str) -> None:
    try:
        written = text(attack + "{{ messages[0].content }}", *CONVERSATION)
    except EngineError as error:
        assert "\n" not in str(error)
    else:
        # What is out of reach may also be nothing at all.
        assert "class" not in written and "object" not in written, written


@pytest.mark.parametrize(
    "endless",
    [
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        "{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}",
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% set n = namespace(x='ab') %}{% for i in range(60) %}{% set n.x = n.x + n.x %}{% endfor %}",
        "{% set n = namespace(x='ab') %}{% for i in range(60) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
        "{% set n = namespace(x='ab') %}{% for i in range(60) %}{% set n.x = [n.x, n.x] | join %}{% endfor %}",
        "{% set n = namespace(x='ab') %}{% for i in range(60) %}"
        "{% set y %}{{ n.x }}{{ n.x }}{% endset %}{% set n.x = y %}{% endfor %}",
        "{% macro d(x) %}{{ x }}{{ x }}{% endmacro %}"
        "{% set n = namespace(x='ab') %}{% for i in range(60) %}{% set n.x = d(n.x) %}{% endfor %}",
        "{% set n = namespace(x=[1, 2]) %}{% for i in range(60) %}{% set n.x = n.x + n.x %}{% endfor %}",
        "{% set n = namespace(x='ab') %}{% for i in range(60) %}{% set n.x = n.x.replace('a', n.x) %}{% endfor %}",
        "{% set n = namespace(x='ab') %}{% for i in range(60) %}{% set n.x = n.x | replace('a', n.x) %}{% endfor %}",
        "{% set n = namespace(x='ab') %}{% for i in range(60) %}{% set n.x = n.x.join([n.x, n.x]) %}{% endfor %}",
        "{% set n = namespace(x=3) %}{% for i in range(60) %}{% set n.x = n.x * n.x %}{% endfor %}",
        "{{ 'a' * 9999999999 }}",
        "{{ 9999999999 * 'a' }}",
        "{{ [1] * 9999999999 }}",
        "{{ 9 ** (9 ** 9) }}",
        "{{ 'a' | center(9999999999) }}",
        "{{ 'a'.ljust(9999999999) }}",
        "{{ 'a\\nb' | indent(9999999999) }}",
        "{{ [1] | slice(9999999999) | list }}",
        "{{ [1] | batch(9999999999, 'x') | list }}",
        "{{ messages | tojson(indent=9999999999) }}",
        "{{ '%9999999999d' % 1 }}",
        "{{ '%*d' % (9999999999, 1) }}",
        "{{ '%.9999999999f' | format(1) }}",
        "{{ '{:9999999999}'.format(1) }}",
        "{{ '{:{}}'.format(1, 9999999999) }}",
        "{{ range(9999999999) | list }}",
        "{% set n = namespace(x=[]) %}{% for i in range(99999) %}{% set n.x = n.x + [i] %}{% endfor %}",
    ],
)
def test_templates_cannot_run_or_write_without_end(endless: str) -> None:
    with pytest.raises(EngineError) as caught:
        text(endless + "{{ messages[0].content }}", *CONVERSATION)
    assert "\n" not in str(caught.value)
    # The next one has a budget of its own.
    assert text("{% for m in messages %}{{ m.content }}{% endfor %}", *CONVERSATION[:2]) == "Be terse.Hi"


def test_a_long_conversation_is_no_attack() -> None:
    long = [Message(("user", "assistant")[place % 2], "word " * 300) for place in range(2001)]
    assert len(text(NAMED["llama-2"], *long)) > 3_000_000
    assert len(text(NAMED["chatml"], Message("user", "x" * 5_000_000))) > 5_000_000


@pytest.mark.parametrize(
    "damaged", ["{% for %}", "{{ " + "(" * 20_000, "{{ x", "{% nothing %}", "x" * (2**20 + 1), "{{ 1 | no }}"]
)
def test_a_damaged_template_is_one_line(damaged: str) -> None:
    with pytest.raises(EngineError, match="template is damaged") as caught:
        text(damaged, *CONVERSATION)
    assert "\n" not in str(caught.value)


def test_named_templates() -> None:
    asked = CONVERSATION[:2]
    assert text(None, *asked, name="chatml") == (
        "<|im_start|>system\nBe terse.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    )
    assert text(None, *asked, name="llama-2") == "<s>[INST] <<SYS>>\nBe terse.\n<</SYS>>\n\nHi [/INST]"
    assert text(None, *asked, name="mistral") == "<s>[INST] Be terse.\n\nHi [/INST]"
    assert text(None, *asked, name="alpaca") == "Be terse.\n\n### Instruction:\nHi\n\n### Response:\n"
    assert text(None, *asked, name="plain") == "Be terse.\n\nUser: Hi\n\nAssistant:"
    assert text(None, *asked, name="vicuna") == "<s>Be terse. USER: Hi ASSISTANT:"
    assert text(None, *CONVERSATION[1:3], name="vicuna").endswith(" USER: Hi ASSISTANT: Hello.")
    assert text(None, *asked[1:], name="vicuna").startswith("<s>A chat between a curious user and")
    assert text(None, *asked[1:], name="alpaca").startswith("Below is an instruction that describes a task. Write")
    assert text(None, *asked, name="zephyr") == "<|system|>\nBe terse.</s>\n<|user|>\nHi</s>\n<|assistant|>\n"
    assert (
        text(None, *CONVERSATION[1:], name="llama-2") == "<s>[INST] Hi [/INST] Hello. </s><s>[INST] 3 < 4 & 5? [/INST]"
    )


def test_who_adds_bos() -> None:
    asked = Request(CONVERSATION[1:2], template="mistral")
    assert render(asked, None, TOKENS).complete
    assert not render(Request(CONVERSATION[1:2], template="chatml"), None, TOKENS).complete
    assert render(Request(CONVERSATION[1:2]), NAMED["chatml"], TOKENS).complete


def test_named_templates_do_without_special_tokens() -> None:
    for name in NAMED:
        written = render(Request(CONVERSATION, template=name), None, {}).text
        assert "Be terse." in written and "3 < 4 & 5?" in written and "None" not in written


@pytest.mark.parametrize("name", NAMED)
def test_named_templates_can_continue_an_answer(name: str) -> None:
    rendered = render(Request(CONVERSATION[:3], template=name), None, TOKENS)
    assert rendered.continues and rendered.text.endswith("Hello.")


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
    (tmp_path / "chat_template.jinja").write_bytes(b"\xff{{ bos_token }}")
    assert template_of(tmp_path) == "\ufffd{{ bos_token }}"
