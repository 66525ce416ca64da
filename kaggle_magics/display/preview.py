"""A prompt before it is sent: its tokens in the colours of where they come from, and what of the context they take.

Origins are told by colour, underline and a title each, and in text by marks in brackets.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from kaggle_magics.display import escape
from kaggle_magics.display.bundle import View, join, note, table, title
from kaggle_magics.display.formats import fenced
from kaggle_magics.display.tokens import PART, legend, marked, named, run_of

if TYPE_CHECKING:
    from kaggle_magics.generation.preview import Origin, Preview, PreviewToken

NAMES: dict[Origin, str] = {
    "template": "template",
    "system": "system text",
    "history": "earlier turns",
    "context": "added to your text",
    "variable": "value of a variable",
    "text": "your text",
}
_LONGEST = 2000
"""Characters of one part in the text form; of a longer one its beginning and its end."""
_SOURCE = 20_000
"""Characters that are shown of messages whose tokens only the server knows."""


def preview_view(preview: Preview) -> View:
    """What would be sent, token by token, and whether it fits."""
    head = title(f"What {preview.model} would be sent (nothing was)")
    notes = [_verdict(preview)]
    if preview.left_out:
        turns = f"the {preview.left_out} earliest turns" if preview.left_out > 1 else "the earliest turn"
        notes.append(note(f"To fit, {turns} of the conversation would be left out."))
    if preview.images:
        images = f"{preview.images} images go" if preview.images > 1 else "An image goes"
        notes.append(note(f"{images} along; what they take of the context is not counted."))
    if not preview.exact:
        return join("preview", [head, *notes, _messages(preview), _budget(preview)])
    return join("preview", [head, *notes, _tokens(preview), _budget(preview)])


def _verdict(preview: Preview) -> View:
    """One line: how many tokens, and whether there is room."""
    about = "" if preview.exact else "about "
    count = f"{about}{preview.prompt_tokens:,} prompt tokens in a context of {preview.context_length:,}"
    if not preview.fits:
        return note(
            f"Too long by {about}{preview.too_many:,} token{'s' * (preview.too_many != 1)}: {count}. "
            "Shorten it, or load the model with a larger --context.",
            warn=True,
        )
    if preview.room < preview.max_tokens:
        asked = f"max_tokens asks for {preview.max_tokens:,}"
        return note(f"{count} leave {about}{preview.room:,} for the answer; {asked}.", warn=True)
    return note(f"{count}, and {preview.max_tokens:,} for the answer: it fits.".capitalize())


def _tokens(preview: Preview) -> View:
    tokens = preview.tokens

    def gap(middle: range) -> str:
        counts: dict[str, int] = {}
        for place in middle:
            name = NAMES[tokens[place].origin]
            counts[name] = counts.get(name, 0) + 1
        told = ", ".join(f"{count:,} {name}" for name, count in counts.items())
        return f"... {len(middle):,} tokens not shown: {told} ..."

    drawn = run_of(len(tokens), lambda place: _token(tokens[place]), gap)
    entries = [(f"km-o-{origin}", NAMES[origin]) for origin in preview.counts]
    if any(token.special for token in tokens):
        entries.append(("km-o-template km-special", "special token"))
    text = "\n".join(_marked_parts(preview))
    return View("tokens", drawn + legend(entries), fenced(text), text)


def _token(token: PreviewToken) -> str:
    where = NAMES[token.origin] + (f" {token.name}" if token.name else "")
    about = f"{where} · token {token.id}" + (" · special" if token.special else "")
    special = " km-special" if token.special else ""
    text = marked(token.text) if token.text else PART
    return f'<span class="km-t km-o-{token.origin}{special}" title="{escape.attribute(about)}">{text}</span>'


def _marked_parts(preview: Preview) -> Iterator[str]:
    """The text form: each part after a mark that tells where it comes from."""
    for (origin, name), group in groupby(preview.spans, key=lambda span: (span.origin, span.name)):
        text = escape.plain("".join(preview.text[span.start : span.end] for span in group))
        if len(text) > _LONGEST:
            left = len(text) - _LONGEST
            text = f"{text[: _LONGEST * 2 // 3]} ... {left:,} characters not shown ... {text[-_LONGEST // 3 :]}"
        label = NAMES[origin] + (f" {name}" if name else "")
        yield f"[{escape.plain(label)}] {named(text) if not text.strip() or origin == 'template' else text}"


def _messages(preview: Preview) -> View:
    """The messages, where only the server knows what becomes of them."""
    text = escape.plain(preview.text)
    if len(text) > _SOURCE:
        left = len(text) - _SOURCE
        text = f"{text[: _SOURCE * 2 // 3]}\n... {left:,} characters not shown ...\n{text[-_SOURCE // 3 :]}"
    body = View("messages", f"<pre><code>{escape.code(text)}</code></pre>", fenced(text, "json"), text)
    told = "The server puts these messages into its own template: which tokens they become is not known here."
    return join("messages", [note(told), body])


def _budget(preview: Preview) -> View:
    """Tokens by origin, and what is left of the context."""
    context = preview.context_length
    rows: list[tuple[str, str, str]] = [
        (NAMES[origin], f"{count:,}", _share(count, context)) for origin, count in preview.counts.items()
    ]
    about = "" if preview.exact else "about "
    free = context - preview.prompt_tokens - preview.room
    rows += [
        ("prompt", f"{about}{preview.prompt_tokens:,}", _share(preview.prompt_tokens, context)),
        ("answer, at most", f"{about}{preview.room:,}", _share(preview.room, context)),
        ("left", f"{about}{max(0, free):,}", _share(max(0, free), context)),
    ]
    counted = table("", ("", "tokens", "of the context"), rows, numbers=("tokens", "of the context"))
    return join("budget", [_bar(preview) if preview.exact else None, counted])


def _bar(preview: Preview) -> View:
    """The context as a bar, parts in the colours of their origins; the table says the same in numbers."""
    whole = max(preview.context_length, preview.prompt_tokens)
    parts = [(f"km-o-{origin}", count, NAMES[origin]) for origin, count in preview.counts.items()]
    parts.append(("km-o-answer", preview.room, "answer, at most"))
    drawn = "".join(
        f'<span class="{css}" style="width:{100 * count / whole:.3f}%" title="{name}: {count:,}"></span>'
        for css, count, name in parts
        if count
    )
    return View("bar", f'<div class="km-bar" aria-hidden="true">{drawn}</div>', "", "")


def _share(count: int, whole: int) -> str:
    share = 100 * count / whole
    return f"{share:.0f} %" if share >= 9.95 or not count else f"{share:.1f} %" if share >= 0.05 else "< 0.1 %"
