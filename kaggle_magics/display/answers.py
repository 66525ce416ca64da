"""Answers: the text, and one line that tells what it cost and why it ended."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from typing import TYPE_CHECKING

from kaggle_magics.display import escape
from kaggle_magics.display.bundle import View, fold, join, note, seconds
from kaggle_magics.display.formats import fenced, formatted
from kaggle_magics.display.tokens import doubts, probabilities_view
from kaggle_magics.display.values import value_view
from kaggle_magics.generation.record import output_record
from kaggle_magics.models.templates.named import NAMED

if TYPE_CHECKING:
    from kaggle_magics.code.check import CodeAnswer
    from kaggle_magics.generation.answer import Answer, InThread
    from kaggle_magics.models.request import Sampling

ENDED = {
    "length": "cut off: the answer reached its length limit",
    "stop_sequence": "ended at a stop text",
    "interrupted": "stopped: this is the text so far",
    "error": "ended by an error",
}
"""What is said about an answer that did not end by itself."""
NO_TEMPLATE = (
    "this model has no chat template and read the text as it is "
    f"(--template {', '.join(NAMED)} or none, here or with %llm_load, settles it)"
)


def answer_view(answer: Answer) -> View:
    """A model's answer in the format it asks for, with its footer; what the model thought before is folded."""
    return join("answer", [thoughts(answer), body(answer), footer(answer)])


def below(answer: Answer) -> View:
    """What stands below an answer's text."""
    return join("below", [doubts(answer.tokens), footer(answer)])


def body(answer: Answer) -> View:
    """The text of an answer; a sentence of ours where there is none."""
    if answer.tokens:
        return join("body", [not_begun(answer), probabilities_view(answer)])
    return not_begun(answer) or value_view(answer) or formatted(answer.text, answer.format)


def not_begun(answer: Answer) -> View | None:
    """Why there are only thoughts."""
    if not answer.reasoning or answer.text.strip():
        return None
    most = answer.card.sampling.max_tokens
    why = {
        "length": f"max_tokens {most} went into thinking. A larger --max-tokens gives it room",
        "stop_sequence": "a stop text came while the model thought",
        "end": "the model ended after thinking",
    }.get(answer.stop_reason, "it was stopped while the model thought")
    return note(f"The answer did not begin: {why}.", warn=True)


def thoughts(answer: Answer) -> View | None:
    """What the model thought before it answered, folded."""
    if not answer.reasoning:
        return None
    words = len(answer.reasoning.split())
    told = f"What the model thought ({words} word{'s' * (words != 1)})"
    return View("thoughts", fold(told, f'<pre class="km-dim">{escape.code(answer.reasoning)}</pre>'), "", f"[{told}]")


def code_view(answer: CodeAnswer) -> View:
    """The code alone, what was checked, and, folded, all that the model said around it."""
    code = escape.plain(answer.code)
    if not code.strip():
        said_instead = not_begun(answer) or formatted(answer.text, "markdown")
        missing = note("The answer holds no code.", warn=True)
        return join("code", [thoughts(answer), missing, said_instead, footer(answer)])
    shown = View("code", f"<pre><code>{escape.code(code)}</code></pre>", fenced(code, answer.language), code)
    checks = [f"{'passed' if check.passed else 'FAILED'}: {check.name}, {check.detail}" for check in answer.checks]
    listed = View(
        "checks",
        "<ul>"
        + "".join(_check_item(line, check.passed) for line, check in zip(checks, answer.checks, strict=True))
        + "</ul>",
        "\n".join(f"- {escape.markdown_line(line)}" for line in checks),
        "\n".join(f"- {escape.plain(line)}" for line in checks),
    )
    said = None
    if len(answer.text.strip()) > len(code.strip()) + 20:  # more than a fence around the code
        said = View("said", fold("All that the model said", f"<pre>{escape.code(answer.text)}</pre>"), "", "")
    return join("code", [thoughts(answer), shown, listed if checks else None, said, footer(answer)])


def footer(answer: Answer) -> View:
    """Model, tokens, time, speed, the sampling that is not the default, and why the answer ended."""
    usage, card = answer.usage, answer.card
    about = "about " if usage.estimated else ""
    prompt = f"{about}{usage.prompt_tokens} prompt tokens"
    if usage.reused_tokens:
        prompt += f" ({usage.reused_tokens} reused)"
    where = [f"thread {card.thread.name}, turn {card.thread.turn}"] if card.thread else []
    parts = [card.model, *where, prompt, f"{about}{usage.generated_tokens} generated", seconds(usage.seconds)]
    if usage.estimated:
        parts.append("tokens estimated: the server did not tell")
    if usage.tokens_per_second:
        parts.append(f"{usage.tokens_per_second:.1f} tokens/s")
    parts += not_default(card.sampling)
    if card.resumed:
        parts.append(f"resumed after {card.resumed} token{'s' * (card.resumed != 1)}")
    if answer.from_cache:
        parts.append(f"from the cache, answered on {card.created[:10]} (figures of then)")
    ended = ENDED.get(answer.stop_reason)
    if answer.stop_reason == "length":
        ended = f"{ENDED['length']} (max_tokens {card.sampling.max_tokens}; --resume goes on)"
    if answer.stop_reason == "interrupted":
        ended = f"{ENDED['interrupted']} (--resume goes on)"
    if card.template == "auto" and not card.chat_template:
        ended = " · ".join(filter(None, (ended, NO_TEMPLATE)))
    foot = replace(_foot(parts, ended), answers=(output_record(answer),))
    return join("footer", [foot, thread_notes(card.thread)])


def thread_notes(place: InThread | None) -> View | None:
    """What a person should know of an answer's conversation beyond its name."""
    if place is None:
        return None
    lines = []
    if place.restored:
        said = "1 turn" if place.restored == 1 else f"{place.restored} turns"
        lines.append(note(f"Thread {place.name} goes on after {said} from before this kernel; --new starts it over."))
    if place.left_out:
        said = "The earliest turn" if place.left_out == 1 else f"The {place.left_out} earliest turns"
        lines.append(
            note(f"{said} of thread {place.name} did not fit into the context and {_was(place.left_out)} left out.")
        )
    if place.cut:
        said = "the turn" if place.cut == 1 else f"the {place.cut} turns"
        lines.append(
            note(
                f"Turn {place.turn} was asked again, so {said} after it {_was(place.cut)} cut off thread {place.name}: "
                f"run {'its cell' if place.cut == 1 else 'their cells'} again to go on as before."
            )
        )
    return join("thread-notes", lines) if lines else None


def _was(number: int) -> str:
    return "was" if number == 1 else "were"


def not_default(sampling: Sampling) -> list[str]:
    """The options that were set, as `name value`; the seed only where chance plays a part."""
    return [
        f"{option.name} {_value(getattr(sampling, option.name))}"
        for option in fields(sampling)
        if getattr(sampling, option.name) != option.default and (option.name != "seed" or sampling.temperature > 0)
    ]


def fields_note(used: Iterable[str], missing: Iterable[str]) -> View | None:
    """Which names of the notebook went into the prompt, and which look as if they should have."""
    filled, left = list(used), list(missing)
    lines = []
    if filled:
        lines.append(note(f"Filled in from the notebook: {', '.join(filled)}."))
    if left:
        names = ", ".join(f"{{{name}}}" for name in left)
        verb = "is not defined and was" if len(left) == 1 else "are not defined and were"
        lines.append(note(f"{names} {verb} left as written. --raw switches filling in off.", warn=True))
    return join("fields", lines) if lines else None


def _foot(parts: list[str], ended: str | None) -> View:
    line = " · ".join(parts)
    warn = f' · <span class="km-warn">{escape.html(ended)}</span>' if ended else ""
    text = f"{line} · {ended}" if ended else line
    return View(
        "foot",
        f'<div class="km-foot" role="status">{escape.html(line)}{warn}</div>',
        f"*{escape.markdown_line(text)}*",
        escape.plain(f"[{text}]"),
    )


def _check_item(line: str, passed: bool) -> str:
    css = "" if passed else ' class="km-warn"'
    return f"<li{css}>{escape.html(line)}</li>"


def _value(value: object) -> str:
    if isinstance(value, tuple):
        return " ".join(repr(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
