"""A follow-up question made to stand alone, so that it can be searched; what a model wrote for it is checked."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kaggle_magics.rag.answering.words import content_terms, stem

_POINTING = re.findall(
    r"\S+",
    "it its they them their theirs he him his she her hers this that these those there one ones same former latter "
    "then er ihn ihm sie ihr ihre ihrem ihren es dies diese dieser dieses dort davon darin dazu deren dessen "
    "il elle ils elles lui leur celui celle ceux cela él ella ellos ellas ello eso esto esa ese",
)
_POINTS = re.compile(rf"\b(?:{'|'.join(_POINTING)})\b", re.I)
_BEGINS = re.compile(
    r"^\s*(?:(?:and|but|or|so|und|aber|oder|et|mais|y|pero)\b[\s,]*)?"
    r"(?:(?:what|how) about|was ist mit|wie steht es mit|et pour|qué hay de)?\s*",
    re.I,
)
_ASKS = re.compile(r"(?:who|what|when|where|why|how|which)\b", re.I)
_SUBJECT = re.compile(r"\b(?:it|they|he|she|this one|that one)\b", re.I)
_OWNER = re.compile(r"\b(?:its|their|his)\b", re.I)
_OBJECT = re.compile(r"\bthem\b", re.I)
_PARTS = re.compile(r"(?:\b(?:the|a|an)\s+)?[^\W\d_][\w'\u2019-]*(?:\s+(?:of(?:\s+the)?\s+)?[^\W\d_][\w'\u2019-]*)*")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\u0e00-\u0e7f]")
_NOT_A_THING = frozenset(
    re.findall(
        r"\w+",
        "what who whom whose which when where why how is are was were do does did can could will would shall should "
        "may has have had be been i you we many much long old far often open opens close closes cost costs",
    )
)
FEWEST_WORDS = 2
"""A question with fewer content words says too little to be searched."""


def depends(question: str) -> bool:
    """Whether a question seems to need what was said before it: it points back, begins in the middle or is short."""
    words = content_terms(question)
    return bool(
        _POINTS.search(question)
        or _beginning(question)
        or (len(words) < FEWEST_WORDS and not _UNSPACED.search(question))
    )


def stand_alone(question: str, previous: str) -> str:
    """The question with what it points at, taken from the one before it (which stands alone already).

    A pronoun becomes the thing that was asked about, a fragment ("And on Sundays?") goes behind the earlier question,
    and where neither is clear the earlier question's words follow in brackets. One that depends on nothing
    stays.
    """
    question = question.strip()
    if not previous.strip() or not depends(question):
        return question
    thing = _thing(previous)
    if thing:
        for pattern, text in ((_OWNER, f"{thing}'s"), (_SUBJECT, thing), (_OBJECT, thing)):
            if len(pattern.findall(question)) == 1:
                return pattern.sub(text.replace("\\", ""), question)
    rest = _BEGINS.sub("", question).rstrip(" ?!.")
    if _beginning(question) and rest and not _ASKS.match(rest):
        return _instead(previous, rest)
    known = set(content_terms(question))
    told = [word for word in re.findall(r"\w[\w'\u2019-]*", previous) if stem(word) in content_terms(previous)]
    missing = [word for word in dict.fromkeys(told) if stem(word) not in known and word.casefold() not in _NOT_A_THING]
    return f"{question.rstrip(' ?')} ({' '.join(missing)})?" if missing else question


def is_rewriting(text: str, question: str, earlier: Sequence[str]) -> bool:
    """Whether what a model wrote can be a follow-up made to stand alone: one line, not much longer than it has to be,
    that keeps half of the question's words and brings none from nowhere."""
    text = text.strip()
    if not text or "\n" in text or len(text) > 3 * (len(question) + max(map(len, earlier), default=0)):
        return False
    words, wanted = set(content_terms(text)), set(content_terms(question))
    wanted -= {stem(word) for word in _POINTING}
    known = wanted | {word for one in earlier for word in content_terms(one)}
    return len(words & wanted) >= len(wanted) / 2 and bool(words) and len(words & known) >= 0.7 * len(words)


def _beginning(question: str) -> str:
    """What a question begins with that joins it to the one before: "And", "What about"."""
    found = _BEGINS.match(question)
    return found.group().strip() if found else ""


def _instead(previous: str, rest: str) -> str:
    """The earlier question, asked of something else: a name takes the place of a name, anything else is added."""
    asked = previous.rstrip(" ?!.")
    names = list(re.finditer(r"(?<=\s)[A-Z][\w'\u2019-]*(?:\s+[A-Z][\w'\u2019-]*)*", asked))
    bare = re.sub(r"^(?:the|a|an|in|on|at|for|of)\s+", "", rest, flags=re.I)
    if names and bare[:1].isupper() and rest == bare:
        last = names[-1]
        return f"{asked[: last.start()]}{bare}{asked[last.end() :]}?"
    return f"{asked}, {rest}?"


def _thing(question: str) -> str:
    """What a question is about: its longest run of words that name something; "" where there is none."""
    runs: list[list[str]] = [[]]
    for word in re.findall(r"\w[\w'\u2019-]*|[^\w\s]", question):
        plain = word.casefold()
        if not word[0].isalnum() or (plain in _NOT_A_THING and word[0].islower()) or plain in _NOT_A_THING:
            runs.append([])
        elif plain in ("of", "in", "for") and runs[-1] and plain == "of":
            runs[-1].append(word)
        elif plain in ("the", "a", "an"):
            if runs[-1] and runs[-1][-1].casefold() != "of":
                runs.append([])
            runs[-1].append("the")
        elif not content_terms(word) or stem(word) not in content_terms(f"{word} thing") or word.isdigit():
            runs.append([])
        else:
            runs[-1].append(word)
    trimmed = [_trim(run) for run in runs]
    named = [run for run in trimmed if run]
    if not named:
        return ""
    determined = [run for run in named if run[0] == "the" or any(word[0].isupper() for word in run)]
    return " ".join(sorted(determined, key=len)[-1]) if determined else ""


def _trim(run: list[str]) -> list[str]:
    while run and run[-1].casefold() in ("of", "the"):
        run = run[:-1]
    return run
