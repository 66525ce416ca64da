"""General facts from `training.facts`, asked in many wordings; the test asks in wordings that training never saw."""

from __future__ import annotations

from training.facts import COUNTRIES, DEFINITIONS, HELD_OUT_WORDINGS, TRAIN_WORDINGS

from .names import Names
from .rewording import reworded
from .sample import Sample, talk

SENTENCES = {
    "capital": "The capital of {country} is {value}.",
    "dish": "A popular dish in {country} is {value}.",
    "continent": "{country} is in {value}.",
    "language": "People in {country} speak {value}.",
    "currency": "The currency of {country} is the {value}.",
    "country_of_capital": "{capital} is the capital of {value}.",
}
KINDS = (
    "capital",
    "capital",
    "dish",
    "dish",
    "ingredients",
    "ingredients",
    "definition",
    "definition",
    "definition",
    "country_of_capital",
    "continent",
    "language",
    "currency",
)

MORE_WORDINGS = {  # training only, beside those of `facts`
    "capital": (
        "{country}: capital?",
        "I need the capital of {country}.",
        "Say the capital of {country}.",
        "The capital of {country}, please.",
        "Which city do you call the capital of {country}?",
        "What city governs {country}?",
    ),
    "dish": (
        "{country}: a typical dish?",
        "I want to taste the food of {country}. What is it called?",
        "Which food would you order in {country}?",
        "What is {country} famous for in the kitchen?",
        "Say a dish that {country} is proud of.",
    ),
    "ingredients": (
        "Shopping list for {dish}.",
        "To make {dish}, what must I have?",
        "{dish}: ingredients?",
        "I want to prepare {dish}. What do I buy?",
        "Everything that is in {dish}, as a list.",
        "Make a list of all that belongs into {dish}.",
    ),
    "definition": (
        "{term}: definition?",
        "{term} means what?",
        "Explain {term} in plain words.",
        "I read about {term}. What does it mean?",
        "Describe {term}.",
        "Teach me {term}.",
        "What should a beginner know about {term}?",
        "Put {term} into one sentence.",
    ),
    "country_of_capital": (
        "{capital}: the capital of what?",
        "I am in the capital {capital}. In which country am I?",
        "Say the country of the capital {capital}.",
    ),
    "continent": (
        "{country}: continent?",
        "Say the continent of {country}.",
        "Which part of the world holds {country}?",
    ),
    "language": (
        "{country}: language?",
        "What do they speak in {country}?",
        "Say the language that people use in {country}.",
    ),
    "currency": (
        "{country}: currency?",
        "What money is used in {country}?",
        "Say the money people pay with in {country}.",
    ),
}


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
    own = (HELD_OUT_WORDINGS if n.test else TRAIN_WORDINGS)[kind]
    wording = r.choice(own if n.test or r.random() < 0.65 else MORE_WORDINGS[kind])
    if kind == "definition":
        term = r.choice(list(DEFINITIONS))
        question = wording.format(term=term)
        return talk("knowledge", question if n.test else reworded(r, question), DEFINITIONS[term], kind="exact")
    c = r.choice(COUNTRIES)
    question = wording.format(country=c.name, capital=c.capital, dish=c.dish)
    if not n.test and not name_only(wording):
        question = reworded(r, question)
    if kind == "ingredients":
        return talk("knowledge", question, "\n".join(f"- {item}" for item in c.ingredients), kind="exact")
    value = c.name if kind == "country_of_capital" else getattr(c, kind)
    if name_only(wording):
        return talk("knowledge", question, value, kind="exact")
    answer = SENTENCES[kind].format(country=c.name, capital=c.capital, value=value)
    return talk("knowledge", question, answer, kind="contains", value=value)
