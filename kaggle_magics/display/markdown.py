"""A model's Markdown as HTML that is safe to show.

markdown-it's "js-default" preset passes no HTML through (its own default preset does). On top of that images are
named, not loaded; links go to the web or to mail only and show where to; headings do not enter the notebook's
outline; mathematics stays for MathJax only where it cannot carry a link or a style.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from kaggle_magics.display import escape

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

_MATH = re.compile(r"\$\$(?=\S)(.+?)(?<=\S)\$\$|\\\((.+?)\\\)|\\\[(.+?)\\\]|\$\$\n(.+?)\n\$\$", re.S)
# Commands with which TeX makes links, sets styles and ids, loads packages or hides one of these behind a new name.
_UNSAFE_TEX = re.compile(
    r"\\(?:href|url|html\w*|style|class|cssId|data|require|include\w*|bbox|def|gdef|edef|let|newcommand|renewcommand|newenvironment|csname|catcode|unicode|texttip|tooltip|mmlToken|enclose)(?![A-Za-z])",
    re.I,
)
_CITED = re.compile(r"\[(\d{1,3})\]")
_SCHEMES = re.compile(r"(?:https?://|mailto:)", re.I)


def render(text: str, citations: Mapping[int, str] | None = None) -> str:
    """Safe HTML of `text`. `citations` maps the numbers of marks like `[1]` to the HTML that stands for them."""
    html: str = _renderer().render(escape.plain(text), {"citations": citations or {}})
    return html


@lru_cache(maxsize=1)
def _renderer() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("js-default", {"html": False, "linkify": False, "typographer": False, "maxNesting": 20})
    # Reference definitions would let a text turn the mark [1] into a link of its own.
    parser.enable("table").disable(["reference"])
    parser.validateLink = lambda url: bool(_SCHEMES.match(url))  # type: ignore[method-assign]
    parser.inline.ruler.before("escape", "math", _math_rule)
    parser.inline.ruler.before("link", "citation", _citation_rule)
    rules: dict[str, Any] = parser.renderer.rules  # type: ignore[attr-defined]
    for name in ("text", "math", "citation", "image", "fence", "code_block", "code_inline", "link_open", "link_close"):
        rules[name] = globals()[f"_{name}"]
    rules["heading_open"] = _heading_open
    rules["heading_close"] = lambda *_: "</div>\n"
    return parser


def _math_rule(state: StateInline, silent: bool) -> bool:
    match = _MATH.match(state.src, state.pos, state.posMax) if state.src[state.pos] in "$\\" else None
    if match is None or _UNSAFE_TEX.search(match[0]):
        return False
    if not silent:
        state.push("math", "", 0).content = match[0]
    state.pos = match.end()
    return True


def _citation_rule(state: StateInline, silent: bool) -> bool:
    match = _CITED.match(state.src, state.pos, state.posMax) if state.src[state.pos] == "[" else None
    if match is None or int(match[1]) not in state.env["citations"]:
        return False
    if not silent:
        state.push("citation", "", 0).content = match[1]
    state.pos = match.end()
    return True


# Renderer rules: (tokens, index, options, env) -> HTML.


def _text(tokens: list[Token], index: int, *_: Any) -> str:
    return escape.html(tokens[index].content)


def _math(tokens: list[Token], index: int, *_: Any) -> str:
    return escape.code(tokens[index].content)


def _citation(tokens: list[Token], index: int, _options: Any, env: Mapping[str, Any]) -> str:
    html: str = env["citations"][int(tokens[index].content)]
    return html


def _image(tokens: list[Token], index: int, *_: Any) -> str:
    token = tokens[index]
    host = _host(str(token.attrs.get("src", "")))
    alt = f"{token.content}: " if token.content else ""
    told = f"[{alt}image not loaded{f' from {host}' if host else ''}]"
    return f'<span class="km-blocked">{escape.html(told)}</span>'


def _fence(tokens: list[Token], index: int, *_: Any) -> str:
    return f"<pre><code>{escape.code(tokens[index].content)}</code></pre>\n"


_code_block = _fence


def _code_inline(tokens: list[Token], index: int, *_: Any) -> str:
    return f"<code>{escape.code(tokens[index].content)}</code>"


def _link_open(tokens: list[Token], index: int, *_: Any) -> str:
    href = str(tokens[index].attrs.get("href", ""))
    return f'<a href="{escape.attribute(href)}" target="_blank" rel="noopener noreferrer nofollow">'


def _link_close(tokens: list[Token], index: int, *_: Any) -> str:
    start = next(i for i in range(index, -1, -1) if tokens[i].type == "link_open")
    host = _host(str(tokens[start].attrs.get("href", "")))
    return f'</a> <span class="km-host">({escape.html(host)})</span>' if host else "</a>"


def _heading_open(tokens: list[Token], index: int, *_: Any) -> str:
    return f'<div class="km-heading" role="heading" aria-level="{int(tokens[index].tag[1:])}">'


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        return (parts.hostname or "") if parts.netloc else parts.path.rpartition("@")[2].partition("?")[0]
    except ValueError:
        return ""
