"""Text token by token: how tokens are drawn, and an answer with how likely the model held each of its tokens.

Nothing depends on colour alone: each shade has an underline of its own, the legend has numbers, and the places where
the model was least certain are listed in words.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from kaggle_magics.display import escape
from kaggle_magics.display.bundle import View, join, note, table

if TYPE_CHECKING:
    from kaggle_magics.generation.answer import Answer
    from kaggle_magics.models.request import TokenProbability

MOST_TOKENS = 1500
"""Tokens that are drawn; of more, the first two thirds of these and the last third."""
PART = '<span class="km-sign">◦</span>'
"""Stands for a token that is part of a character; the token that makes it whole shows the character."""
LEVELS = ((0.9, "sure"), (0.5, "likely"), (0.2, "open"), (0.05, "unsure"), (0.0, "unlikely"))
"""From which probability on a token is drawn in which shade."""
MEAN = "probability: the mean of the answer's tokens; each answer's .tokens has them one by one."
"""Said below a table that has a column of them."""
_LEAST = 5
"""Places that are listed as the least certain."""
_CERTAIN = 0.5
"""From this probability on a place is not listed."""
_BEFORE = 24
"""Characters of what comes before such a place."""


def marked(text: str) -> str:
    """A token's text as HTML, with signs for the white space that would not be seen."""
    drawn = escape.code(text.replace("\t", "⇥\t").replace("\xa0", "⍽"))
    return drawn.replace("\n", '<span class="km-sign">⏎</span>\n')


def named(text: str) -> str:
    """A token's text on one line, for titles and lists, with a sign for a space at its beginning."""
    if not text.strip():
        return repr(text)
    drawn = repr(escape.plain(text))[1:-1]
    return f"␣{drawn[1:]}" if drawn.startswith(" ") else drawn


def folded(count: int, most: int = MOST_TOKENS) -> tuple[range, range]:
    """Which of `count` tokens are drawn: those at the beginning and those at the end."""
    if count <= most:
        return range(count), range(0)
    head = most * 2 // 3
    return range(head), range(count - (most - head), count)


def run_of(count: int, draw: Callable[[int], str], gap: Callable[[range], str], most: int = MOST_TOKENS) -> str:
    """Tokens one after the other, `draw`n by their places, with a word about those in the middle that are left out."""
    head, tail = folded(count, most)
    middle = range(len(head), tail.start) if tail else range(0)
    left_out = f'<span class="km-gap">{escape.html(gap(middle))}</span>' if middle else ""
    inner = "".join(map(draw, head)) + left_out + "".join(map(draw, tail))
    return f'<div class="km-scroll"><div class="km-tokens">{inner}</div></div>'


def legend(entries: Iterable[tuple[str, str]]) -> str:
    """What each way of drawing means: (class, words) pairs."""
    items = "".join(
        f'<span><span class="km-t {css}">&nbsp;ab&nbsp;</span> {escape.html(text)}</span>' for css, text in entries
    )
    return f'<div class="km-legend">{items}</div>'


def probabilities_view(answer: Answer) -> View:
    """The answer's tokens, each shaded by its probability, with alternatives on hover."""
    tokens = answer.tokens

    def draw(place: int) -> str:
        token = tokens[place]
        title = escape.attribute(_title(token)).replace("\n", "&#10;")
        return f'<span class="km-t km-p{_level(token)}" title="{title}">{_drawn(token)}</span>'

    shades = [(f"km-p{level}", words) for level, words in enumerate(_bands())]
    shown = run_of(len(tokens), draw, lambda middle: f" ... {len(middle):,} tokens not shown ... ")
    plain = escape.plain(answer.text.strip())
    drawn = View("probabilities", shown + legend(shades), escape.markdown(answer.text.strip()), plain)
    return join("probabilities", [drawn, doubts(tokens)])


def doubts(tokens: Sequence[TokenProbability]) -> View | None:
    """What the probabilities come to, and the places where the model was least certain, in words."""
    return join("doubts", [note(_summary(tokens)), _least_certain(tokens)]) if tokens else None


def mean_probability(answer: Answer | None) -> str | None:
    """How likely the model held the answer's tokens on average; None where that was not asked for."""
    return f"{_mean(answer.tokens):.0%}" if answer is not None and answer.tokens else None


def _mean(tokens: Sequence[TokenProbability]) -> float:
    return sum(math.exp(token.logprob) for token in tokens) / len(tokens)


def _drawn(token: TokenProbability) -> str:
    if not token.piece and "\ufffd" in token.text:
        return PART
    return marked(token.piece or token.text)


def _summary(tokens: Sequence[TokenProbability]) -> str:
    mean = sum(token.logprob for token in tokens) / len(tokens)
    first = sum(bool(token.top) and token.top[0][2] > token.logprob for token in tokens)
    parts = [
        f"{len(tokens)} token{'s' * (len(tokens) != 1)}",
        f"mean probability {_mean(tokens):.0%}",
        f"perplexity {math.exp(min(-mean, 700)):.3g}",
    ]
    if first:
        parts.append(f"{first} of them not the likeliest")
    return f"{', '.join(parts)}. Probabilities are the model's own, before temperature and filters."


def _least_certain(tokens: Sequence[TokenProbability]) -> View | None:
    """The places where another token was nearly as likely, or likelier."""
    places = sorted(range(len(tokens)), key=lambda place: tokens[place].logprob)[:_LEAST]
    places = sorted(place for place in places if math.exp(tokens[place].logprob) < _CERTAIN)
    if not places:
        return None
    rows = []
    for place in places:
        token = tokens[place]
        others = [f"{named(text)} {percent(value)}" for _, text, value in _others(token)[:3]]
        said = named(token.piece or token.text)
        rows.append((_before(tokens, place), said, percent(token.logprob), ", ".join(others)))
    columns = ("after", "it said", "probability", "rather than")
    return table("Where the model was least certain", columns, rows, numbers=("probability",))


def _before(tokens: Sequence[TokenProbability], place: int) -> str:
    text = "".join(each.piece or each.text for each in tokens[:place][-_BEFORE:])
    drawn = repr(escape.plain(text[-_BEFORE:]))[1:-1]
    if not drawn.strip():
        return "(the beginning)"
    return f"...{drawn}" if len(text) > _BEFORE else drawn


def _others(token: TokenProbability) -> list[tuple[int, str, float]]:
    return [one for one in token.top if (one[0], one[1]) != (token.token, token.text)]


def _title(token: TokenProbability) -> str:
    """What pointing at a token tells."""
    chosen = f"{named(token.text)}: {percent(token.logprob)}"
    return "\n".join([chosen, *(f"{percent(value)}  {named(text)}" for _, text, value in _others(token))])


def percent(logprob: float) -> str:
    """A probability for people, from its logarithm."""
    value = 100 * math.exp(logprob)
    return f"{value:.0f} %" if value >= 10 else f"{value:.1f} %" if value >= 0.1 else "< 0.1 %"


def _level(token: TokenProbability) -> int:
    probability = math.exp(token.logprob)
    return next(level for level, (least, _) in enumerate(LEVELS) if probability >= least)


def _bands() -> list[str]:
    """The bands of probability in words: "90 % and more", "50 to 90 %", ..."""
    edges = [round(100 * least) for least, _ in LEVELS]
    inner = [f"{low} to {high} %" for high, low in pairwise(edges[:-1])]
    return [f"{edges[0]} % and more", *inner, f"below {edges[-2]} %"]
