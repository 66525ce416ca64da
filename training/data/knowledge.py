"""General facts from `training.facts`, asked in many wordings; the test asks in wordings that training never saw."""

from __future__ import annotations

from training.facts import COUNTRIES, DEFINITIONS, HELD_OUT_WORDINGS, TRAIN_WORDINGS

from .names import Names
from .sample import Sample, talk

SENTENCES = {
    "capital": "The capital of {country} is {value}.",
    "dish": "A popular dish in {country} is {value}.",
    "continent": "{country} is in {value}.",
    "language": "People in {country} speak {value}.",
    "currency": "The currency of {country} is the {value}.",
    "country_of_capital": "{capital} is the capital of {value}.",
}
KINDS = ("capital", "capital", "dish", "dish", "ingredients", "ingredients", "definition", "definition", "definition",
         "country_of_capital", "continent", "language", "currency")


def name_only(wording: str) -> bool:
    """Whether a wording asks for the bare name."""
    text = wording.lower()
    if "one sentence" in text or "single sentence" in text:
        return False
    return any(mark in text for mark in ("only", "just", "nothing more", "one word", "name it", "with its name"))


def knowledge(n: Names, kind: str | None = None) -> Sample:
    """One fact; bare where only the name is asked for, else in a sentence, ingredients as bullet points."""
    r = n.rng
    kind = kind or r.choice(KINDS)
    wording = r.choice((HELD_OUT_WORDINGS if n.test else TRAIN_WORDINGS)[kind])
    if kind == "definition":
        term = r.choice(list(DEFINITIONS))
        answer = DEFINITIONS[term]
        return talk("knowledge", wording.format(term=term), answer, kind="exact")
    c = r.choice(COUNTRIES)
    question = wording.format(country=c.name, capital=c.capital, dish=c.dish)
    if kind == "ingredients":
        return talk("knowledge", question, "\n".join(f"- {item}" for item in c.ingredients), kind="exact")
    value = c.name if kind == "country_of_capital" else getattr(c, kind)
    if kind == "dish" and not name_only(wording) and r.random() < -1:
        return talk("knowledge", question, value, kind="contains", value=value)
    if name_only(wording):
        return talk("knowledge", question, value, kind="exact")
    answer = SENTENCES[kind].format(country=c.name, capital=c.capital, value=value)
    return talk("knowledge", question, answer, kind="contains", value=value)
