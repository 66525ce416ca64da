"""What the views of results say."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from kaggle_magics.chains.run import ChainResult, StepResult
from kaggle_magics.code.check import Check, CodeAnswer
from kaggle_magics.display import bundle, theme
from kaggle_magics.display.answers import answer_view, code_view, fields_note, footer
from kaggle_magics.display.chains import chain_view
from kaggle_magics.display.formatters import VIEWS
from kaggle_magics.display.grounded import grounded_view
from kaggle_magics.display.hits import hits_view
from kaggle_magics.errors import EngineError
from kaggle_magics.generation.answer import Answer, RunCard
from kaggle_magics.models.request import Sampling, Usage
from kaggle_magics.rag.answering.answer import Citation, GroundedAnswer
from kaggle_magics.rag.passages import Hit, Passage, Place

CARD = RunCard("tiny", "/models/tiny", "scripted", "lib 1", "cpu", "float32", (), "auto", Sampling(), "0.1.0", "now")
USAGE = Usage(prompt_tokens=20, reused_tokens=0, generated_tokens=11, seconds_to_first_token=0.5, seconds=2.5)
ANSWER = Answer(text="Lima.", stop_reason="end", usage=USAGE, card=CARD)
PASSAGE = Passage("p1", "d1", "a <b>.pdf", 0, 9, "It is <i>.", "Head > Sub", Place(page=3))


def grounded(**changes: Any) -> GroundedAnswer:
    base = {name: getattr(ANSWER, name) for name in Answer.__dataclass_fields__}
    return GroundedAnswer(**{**base, **changes})


def test_the_footer_tells_model_tokens_time_and_speed() -> None:
    assert "[tiny · 20 prompt tokens · 11 generated · 2.5 s · 5.0 tokens/s]" in answer_view(ANSWER).text


def test_the_footer_tells_what_is_not_default() -> None:
    sampling = Sampling(temperature=0.7, top_k=40, seed=3, stop=("\n",))
    text = answer_view(replace(ANSWER, card=replace(CARD, sampling=sampling))).text
    assert "temperature 0.7 · top_k 40 · seed 3 · stop '\\n'" in text
    assert "seed" not in answer_view(replace(ANSWER, card=replace(CARD, sampling=Sampling(seed=3)))).text
    assert "20 prompt tokens (15 reused)" in answer_view(replace(ANSWER, usage=replace(USAGE, reused_tokens=15))).text


@pytest.mark.parametrize(
    ("reason", "says"),
    [
        ("length", "max_tokens 512"),
        ("interrupted", "text so far"),
        ("stop_sequence", "stop text"),
        ("error", "an error"),
    ],
)
def test_the_footer_tells_why_it_ended(reason: Any, says: str) -> None:
    view = answer_view(replace(ANSWER, stop_reason=reason))
    assert says in view.text and says in view.html
    assert says not in answer_view(ANSWER).text


def test_an_empty_answer_says_so() -> None:
    assert "The answer is empty" in answer_view(replace(ANSWER, text=" \n")).text


def test_code_that_holds_backticks_stays_in_its_fence() -> None:
    base = {name: getattr(ANSWER, name) for name in Answer.__dataclass_fields__}
    code = "x = '''\n```\n<script>\n'''"
    view = code_view(CodeAnswer(**base, code=code, language="Python", checks=(Check("syntax", True, "parses"),)))
    assert view.markdown.startswith(f"````python\n{code}\n````")
    assert "<script" not in view.html and "passed: syntax, parses" in view.text


def test_a_chain_shows_answers_and_folds_prompts() -> None:
    steps = {
        "a": StepResult("a", "Ask <b>", answer=ANSWER),
        "b": StepResult("b", "Then", error=EngineError("It broke.")),
    }
    view = chain_view(ChainResult(steps, {}, complete=False))
    assert view.html.count("<details><summary>Prompt</summary>") == 2 and "Ask &lt;b&gt;" in view.html
    assert "Step b failed: It broke." in view.text and "ended early" in view.text


def test_citations_lead_to_open_sources_and_the_rest_is_folded() -> None:
    other = replace(PASSAGE, id="p2", source="other.md")
    hits = (Hit(PASSAGE, 1, {"fused": 1.0}), Hit(other, 2, {"fused": 0.5}))
    view = grounded_view(grounded(text="So it is [1].", citations=(Citation(1, PASSAGE),), hits=hits))
    target = re.search(r'<a class="km-chip" href="#(km-[\w-]+)" title="([^"]*)">\[1\]</a>', view.html)
    assert target is not None and f'<details id="{target[1]}" open>' in view.html
    assert target[2] == "a &lt;b&gt;.pdf, page 3 · Head &gt; Sub: It is &lt;i&gt;."
    assert "Head &gt; Sub" in view.html and "Given, but not cited: 1" in view.html and "other.md" in view.html
    assert "<b>" not in view.html and "<i>" not in view.html
    assert "[1] a <b>.pdf, page 3" in view.text


def test_two_outputs_never_share_an_id() -> None:
    answer = grounded(text="[1]", citations=(Citation(1, PASSAGE),))
    ids = [re.findall(r' id="([^"]+)"', grounded_view(answer).html) for _ in range(2)]
    assert ids[0] != ids[1] and all(found[0].startswith("km-") for found in ids)


def test_a_grounded_answer_is_labelled_by_its_kind() -> None:
    assert "cites no source" in grounded_view(grounded()).text
    assert "cites no source" not in grounded_view(grounded(refused=True)).text
    extract = grounded_view(grounded(extractive=True, citations=(Citation(1, PASSAGE),)))
    assert "Extract:" in extract.text and "tokens" not in extract.text
    assert "[7], [9] in this answer" in grounded_view(grounded(unknown_citations=(7, 9))).text


def test_hits_show_why_and_where() -> None:
    """Marks stand at the words, between them everything is escaped; a bar is never wider than its frame."""
    hit = Hit(PASSAGE, 1, {"dense": -0.2, "lexical": 0.0}, ((0, 2), (6, 9), (500, 600)), ("b.md, page 2",), 4000, 7)
    view = hits_view([hit, Hit(PASSAGE, 2, {"dense": 0.5, "lexical": 3.0}, document_characters=1)])
    assert "<mark>It</mark> is <mark>&lt;i&gt;</mark>" in view.html and "<i>." not in view.html
    assert "page 3 of 7" in view.html and "The same text stands in b.md, page 2." in view.text
    widths = [float(width) for width in re.findall(r"width:([\d.]+)%", view.html)]
    assert widths and all(0 <= width <= 100 for width in widths) and "-0.200" in view.html


def test_hits_tell_their_scores() -> None:
    view = hits_view([Hit(PASSAGE, 1, {"dense": 0.5, "lexical": 2.0})])
    assert "1. a <b>.pdf, page 3 · Head > Sub\n  dense 0.500, lexical 2.000" in view.text
    assert "Nothing was found" in hits_view([]).text


def test_missing_names_are_told() -> None:
    assert fields_note((), ()) is None
    note = fields_note(("a",), ("x", "y"))
    assert note is not None and "{x}, {y} are not defined and were left as written" in note.text


def test_tables_align_and_escape() -> None:
    view = bundle.table("Caption", ("name", "n"), [("a|b", 5), ("<i>", None)], numbers=("n",))
    assert view.text.splitlines() == ["Caption", "name  n", "----  -", "a|b   5", "<i>"]
    assert '<td class="km-number">5</td>' in view.html and "&lt;i&gt;" in view.html and '<th scope="col">' in view.html
    assert "a\\|b" in view.markdown and "<i>" not in view.markdown


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (999_600, "1.0 MB"), (6.8e6, "6.8 MB"), (3e12, "3.0 TB")],
)
def test_sizes(number: float, text: str) -> None:
    assert bundle.size(number) == text


@pytest.mark.parametrize(
    ("number", "text"), [(0.042, "0.04 s"), (2.25, "2.2 s"), (38.2, "38 s"), (125, "2 min 5 s"), (59.7, "1 min 0 s")]
)
def test_durations(number: float, text: str) -> None:
    assert bundle.seconds(number) == text


@pytest.mark.parametrize(("number", "text"), [(999, "999"), (3.4e6, "3.4 M"), (124e6, "124 M"), (7.6e9, "7.6 B")])
def test_counts(number: float, text: str) -> None:
    assert bundle.count(number) == text


def test_every_view_exists() -> None:
    import importlib

    for path, view in VIEWS.items():
        module, _, name = path.rpartition(".")
        assert hasattr(importlib.import_module(module), name), path
        module, _, name = view.rpartition(".")
        assert callable(getattr(importlib.import_module(f"kaggle_magics.display.{module}"), name))


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_text_has_contrast_in_both_themes() -> None:
    light = re.search(r"--km-link:(#\w+);--km-warn:(#\w+)", theme.STYLE)
    dark = re.search(r"data-jp-theme-light=false.*?--km-link:(#\w+);--km-warn:(#\w+)", theme.STYLE)
    assert light is not None and dark is not None
    for found, background in ((light, "#ffffff"), (dark, "#1e1e1e")):
        for colour in found.groups():
            bright, dim = sorted((luminance(colour), luminance(background)), reverse=True)
            assert (bright + 0.05) / (dim + 0.05) >= 4.5, (colour, background)


def test_the_style_touches_only_our_own_elements() -> None:
    rules = re.sub(r"@media[^{]*\{(.*?\})\}", r"\1", theme.STYLE)
    for selectors in re.findall(r"([^{}]+)\{[^{}]*\}", rules):
        assert all(".km-root" in selector for selector in selectors.split(",")), selectors
    assert len(theme.STYLE) < 6000 and "url(" not in theme.STYLE and "@import" not in theme.STYLE


def test_views_hold_no_script() -> None:
    view = bundle.join("x", [answer_view(ANSWER), None, bundle.note("<script>")])
    assert "<script" not in view.mime()["text/html"]
    assert view.html in view.mime()["text/html"]


def test_a_model_without_a_chat_template_says_so_with_the_names_to_choose_from() -> None:
    card = replace(CARD, chat_template=False)
    line = footer(replace(ANSWER, card=card)).text
    assert "no chat template" in line and "alpaca, chatml, llama-2, mistral, plain, vicuna, zephyr or none" in line
    for named in ("none", "chatml"):
        assert "no chat template" not in footer(replace(ANSWER, card=replace(card, template=named))).text
    assert "no chat template" not in footer(ANSWER).text


def test_estimated_tokens_are_marked() -> None:
    usage = replace(ANSWER.usage, estimated=True)
    line = footer(replace(ANSWER, usage=usage)).text
    assert f"about {usage.prompt_tokens} prompt tokens" in line and "estimated" in line
    assert "about" not in footer(ANSWER).text
