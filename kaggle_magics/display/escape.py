"""Text that is not ours, made harmless for the three places it is shown in.

Fresh outputs are trusted by notebooks: scripts in them would run, and MathJax typesets what looks like TeX. So every
text goes through one of these functions before it is shown, whoever wrote it.
"""

from __future__ import annotations

import html as _html
import re

_CONTROL = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # operating system commands: titles, links, clipboard
    r"|\x1b\[[0-?]*[ -/]*[@-~]|\x1b[@-_]?"  # colours, cursor movements and the like
    r"|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"
    r"|[\u202a-\u202e\u2066-\u2069]"  # bidirectional overrides, which show a text in another order
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_HTML_START = re.compile(r"<(?=[A-Za-z/!?])")
_ENTITY = re.compile(r"&(?=#?\w+;)")
_UNSAFE_TARGET = re.compile(r"\](?=\s*[(:\[])(?!\(\s*(?:https?://|mailto:))", re.I)


def plain(text: str) -> str:
    """For a terminal: without control characters and sequences, except newline and tab."""
    # File names may hold bytes that are no text; no message could carry what Python makes of them.
    text = _SURROGATE.sub("\ufffd", text)
    return _CONTROL.sub("", text.replace("\r\n", "\n")).replace("\r", "\n")


def attribute(text: str) -> str:
    """For a quoted HTML attribute."""
    return _html.escape(plain(text), quote=True)


def code(text: str) -> str:
    """For inside `<pre>` and `<code>`, which MathJax leaves alone."""
    return _html.escape(plain(text), quote=True)


def html(text: str) -> str:
    """For HTML text. `$` and `\\` get elements of their own, so that no price and no path turns into mathematics."""
    return re.sub(r"[$\\]", r"<span>\g<0></span>", _html.escape(plain(text), quote=True))


def markdown(text: str) -> str:
    """For Markdown: formatting stays, but no HTML, no entity, no image, and no link except to the web or to mail."""
    safe = _ENTITY.sub("&amp;", plain(text))
    safe = _HTML_START.sub("&lt;", safe)
    safe = safe.replace("![", "!\\[")
    return _UNSAFE_TARGET.sub(r"\\]", safe)


def markdown_line(text: str) -> str:
    """For a table cell or a heading in Markdown: one line, every mark of Markdown taken literally."""
    return re.sub(
        r"([\\`*_{}\[\]()#+!|~>])",
        r"\\\1",
        _HTML_START.sub("&lt;", _ENTITY.sub("&amp;", " ".join(plain(text).split()))),
    )
