"""A preview is exactly what would be evaluated, and says where each token comes from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import kaggle_magics
from kaggle_magics.display.preview import preview_view
from kaggle_magics.errors import ModelNotLoaded, OptionError
from kaggle_magics.generation.preview import Own, origins
from kaggle_magics.interpolation import interpolate
from kaggle_magics.models.find import catalog
from kaggle_magics.models.request import Message, Request
from kaggle_magics.models.templates import render
from kaggle_magics.session import Session
from kaggle_magics.testing import ScriptedEngine

TEMPLATES = sorted((Path(__file__).parents[1] / "models" / "chat_templates").glob("*.jinja"))


@pytest.fixture
def session() -> Session:
    return kaggle_magics.get_session()


@pytest.fixture(params=["transformers", pytest.param("llama.cpp", marks=pytest.mark.gguf)])
def pocket(request: pytest.FixtureRequest, session: Session) -> Any:
    """The bundled model on each engine."""
    pytest.importorskip("transformers", reason="transformers is not installed")
    folder = request.param == "transformers"
    return session.load("pocket" if folder else str(catalog.POCKET / "pocket-Q8_0.gguf"), name="pocket", context=512)


def evaluated(model: Any, ask: Callable[[], object]) -> list[int]:
    """The tokens that a model reads while `ask` runs, its kept contexts forgotten."""
    engine, read = model.engine, []
    engine.forget()
    evaluate = engine._model.evaluate

    def watched(rows: Any, tails: Any, stop: Any) -> Any:
        read.extend(tails[0])
        return evaluate(rows, tails, stop)

    engine._model.evaluate = watched
    try:
        ask()
    finally:
        del engine._model.evaluate
    return read


@pytest.mark.parametrize("template", ["auto", "none", "chatml", "llama-2"])
def test_the_tokens_are_those_that_are_evaluated(session: Session, pocket: Any, template: str) -> None:
    text = "What is  the capital of Perú?\n\n\tAnd <|user|> </s> 🎉 é\u0301 {x} \ud800 end "
    options: dict[str, Any] = {"system": "Be terse. ", "template": template, "max_tokens": 1}
    shown = session.preview(text, **options)
    assert [token.id for token in shown.tokens] == evaluated(pocket, lambda: session.prompt(text, **options))
    assert "".join(token.text for token in shown.tokens) == shown.text
    assert sum(shown.counts.values()) == shown.prompt_tokens == len(shown.tokens)
    assert shown.exact and shown.fits


def test_each_token_tells_where_it_comes_from(session: Session, pocket: Any) -> None:
    session.prompt("Hello there", thread="t", max_tokens=3)
    found = interpolate("What is {what} of {place}?", {"what": "the capital", "place": "Peru"})
    shown = session.preview(found.text, spans=found.spans, system="Be terse.", thread="t")

    def said(origin: str, name: str = "") -> str:
        return "".join(token.text for token in shown.tokens if (token.origin, token.name) == (origin, name))

    assert said("system") == "Be terse."
    assert said("variable", "what") == " the capital" and said("variable", "place") == " Peru"
    assert said("text") == "What is of?"
    assert said("history") == "Hello there" + session.threads["t"].turns[0].answer.text
    assert said("template") == "<s><|system|><|user|><|assistant|></s><|user|><|assistant|>"
    assert next(token.text for token in shown.tokens if token.special) == "<s>"
    # Nothing was asked.
    assert len(session.threads["t"]) == 1


def test_what_is_put_around_the_text_is_no_part_of_it(session: Session, pocket: Any) -> None:
    shown = session.preview("Which city?", attach={"city": "Lima"}, choices=["Lima", "Cusco"])
    own = "".join(token.text for token in shown.tokens if token.origin == "text")
    added = "".join(token.text for token in shown.tokens if token.origin == "context")
    assert own.strip() == "Which city?" and "Lima" in added


def test_a_prompt_that_is_too_long_says_by_how_much(session: Session, pocket: Any) -> None:
    shown = session.preview("word " * 600)
    assert not shown.fits and shown.room == 0
    with pytest.raises(OptionError, match=f"has {shown.prompt_tokens} tokens; the model's context holds 512"):
        session.prompt("word " * 600)
    longest = session.preview("word " * (600 - shown.too_many))
    assert f"Too long by {shown.too_many} tokens" in preview_view(shown).text
    assert longest.prompt_tokens < shown.prompt_tokens
    tight = session.preview("word " * 300)
    assert tight.fits and tight.room == 512 - tight.prompt_tokens < tight.max_tokens
    assert f"leave {tight.room} for the answer" in preview_view(tight).text


class Templated(ScriptedEngine):
    """Renders by a chat template."""

    def __init__(self, template: str) -> None:
        super().__init__()
        self.template = template

    def render(self, request: Request) -> str:
        return render(request, self.template, {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}).text


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_texts_are_found_in_every_familys_template(path: Path) -> None:
    # Words that templates write themselves, white space that they trim, and thoughts that some take out.
    turns = [("system", "user"), ("user", " assistant "), ("assistant", "system\n"), ("user", "im_start user end\n\n")]
    request = Request(tuple(Message(role, text) for role, text in turns))  # type: ignore[arg-type]
    engine = Templated(path.read_text(encoding="utf-8"))
    try:
        text = engine.render(request)
    except Exception as error:
        pytest.skip(f"the template refuses the conversation: {error}")
    spans = origins(engine, request, text, Own("im_start user end\n\n", ((9, 13, "who"),)))
    assert "".join(text[span.start : span.end] for span in spans) == text
    parts = {(span.origin, span.name): text[span.start : span.end].strip() for span in spans}
    assert parts["variable", "who"] == "user" and parts["text", ""] == "end"
    assert {text[span.start : span.end].strip() for span in spans if span.origin == "history"} == {
        "assistant",
        "system",
    }


def test_a_template_that_changes_the_text_leaves_it_to_the_template() -> None:
    engine = Templated("{% for m in messages %}<{{ m['role'] }}>{{ m['content'] | upper }}{% endfor %}<a>")
    request = Request.ask("Hello", system="TERSE")
    spans = origins(engine, request, engine.render(request), Own("Hello"))
    assert [(span.origin, span.end - span.start) for span in spans] == [
        ("template", 8),
        ("system", 5),
        ("template", 14),
    ]


def test_an_endpoint_shows_messages_and_an_estimate(session: Session) -> None:
    class Server(ScriptedEngine):
        prompt_tokens = None  # type: ignore[assignment]

        def render(self, request: Request) -> str:
            return '[{"role": "user", "content": "<b>Hello</b>"}]'

    class Endpoint:
        """As an endpoint's engine: it cannot tell tokens."""

        def __init__(self) -> None:
            inner = Server(["never"], context_length=20)
            for name in ("facts", "stream", "stream_many", "render", "count_tokens", "close"):
                setattr(self, name, getattr(inner, name))

    session.adopt(Endpoint(), name="far")
    shown = session.preview("<b>Hello</b> " * 20)
    assert not shown.exact and shown.tokens == () and not shown.fits and shown.prompt_tokens > 20
    view = preview_view(shown)
    assert "which tokens they become is not known" in view.text and "about" in view.text
    assert "&lt;b&gt;Hello" in view.html and "<b>" not in view.html


def test_nothing_is_asked(session: Session) -> None:
    engine = ScriptedEngine(["never"])
    session.adopt(engine, name="scripted")
    shown = session.preview("one two three", system="four", thread="new")
    assert engine.requests == [] and session.last is None and "new" not in session.threads
    assert [(token.text.strip(), token.origin) for token in shown.tokens] == [
        ("four", "system"),
        ("one", "text"),
        ("two", "text"),
        ("three", "text"),
    ]


def test_bad_input_is_told_as_prompt_tells_it(session: Session) -> None:
    with pytest.raises(ModelNotLoaded):
        session.preview("x")
    session.adopt(ScriptedEngine(), name="scripted")
    for wrong, says in (({"temperature": -1}, "temperature"), ({"new": True}, "thread"), ({"formt": "x"}, "formt")):
        with pytest.raises(OptionError, match=says):
            session.preview("x", **wrong)
    with pytest.raises(OptionError, match="empty"):
        session.preview(" ")
