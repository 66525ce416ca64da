"""General facts from `training.facts`, asked in many wordings; the test asks in wordings that training never saw."""

from __future__ import annotations

from training.facts import COUNTRIES, DEFINITIONS, HELD_OUT_WORDINGS, TRAIN_WORDINGS

from .names import Names
from .requests import request
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

CORES = {  # training only: questions that `BARE` may follow
    "capital": (
        "I am looking for the capital of {country}.",
        "{country} has which capital?",
        "Please say what the capital of {country} is called.",
        "Which capital does {country} have?",
        "Which city do the people of {country} call their capital?",
        "You know {country}. What is its capital city?",
        "From which city is {country} governed?",
    ),
    "dish": (
        "Which food does {country} make best?",
        "What do the people of {country} love to eat?",
        "What would a cook from {country} make for guests?",
        "Recommend a dish from {country}.",
        "Which speciality comes from {country}?",
        "For what food is {country} known everywhere?",
        "Tourists in {country} should taste what?",
        "Think of {country}: which dish comes to mind?",
    ),
    "ingredients": (
        "What do I need for {dish}?",
        "What do I have to get from the market for {dish}?",
        "Show what {dish} contains.",
        "Say what is in {dish}.",
        "Bullet points, please: what is in {dish}?",
        "Name the parts of {dish}.",
        "Tell me which ingredients {dish} has.",
        "My guests want {dish}. What must be in it?",
    ),
    "definition": (
        "Say what {term} is.",
        "What do people mean by {term}?",
        "Give the meaning of {term}.",
        "A child asks: what is {term}?",
        "Make {term} clear to me.",
        "Explain to me the idea of {term}.",
        "State what {term} means.",
        "I want to understand {term}.",
        "How do you define {term}?",
        "What is the sense of the term {term}?",
    ),
    "country_of_capital": (
        "{capital} belongs to which country?",
        "Which country has {capital} as its capital?",
        "The government sits in {capital}. Which country is it?",
        "Name the country with the capital {capital}.",
        "{capital} is the capital. Of what?",
    ),
    "continent": (
        "To which continent does {country} belong?",
        "{country} is part of which continent?",
        "On a map, on which continent do I find {country}?",
        "Name the continent of {country}.",
    ),
    "language": (
        "What is spoken in {country}?",
        "What do people from {country} speak?",
        "Which words do I need in {country}: in what language?",
        "Name the language of {country}.",
    ),
    "currency": (
        "How do people pay in {country}?",
        "What is the money of {country} called?",
        "Which money do I need in {country}?",
        "Which currency does {country} have?",
        "For {country} I change my euros into what?",
    ),
}
BARE = (
    " Just the name.",
    " The name alone, please.",
    " One name is enough.",
    " Answer with nothing but the name.",
    " Name only.",
    " No sentence, just the name.",
    " Give the bare name.",
    " Only the answer.",
    " Say the name and stop.",
    " I want the name, nothing else.",
    " Write its name only.",
    " Name it, no more.",
)


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
    if not n.test and r.random() < 0.6:
        return composed(n, kind)
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
        return talk("knowledge", question, "\n".join(f"- {item}" for item in c.ingredients), kind="bullets")
    value = c.name if kind == "country_of_capital" else getattr(c, kind)
    if name_only(wording):
        return talk("knowledge", question, value, kind="exact")
    answer = SENTENCES[kind].format(country=c.name, capital=c.capital, value=value)
    return talk("knowledge", question, answer, kind="contains", value=value)


def composed(n: Names, kind: str) -> Sample:
    """A training question with or without a wish for the bare name behind it (or before it)."""
    r = n.rng
    plain = [w for w in (*TRAIN_WORDINGS[kind], *MORE_WORDINGS[kind]) if not name_only(w) and "sentence" not in w]
    draw = r.random()
    wording = request(r, kind) if draw < 0.5 else r.choice(CORES[kind] if draw < 0.8 else plain)
    if kind == "definition":
        term = r.choice(list(DEFINITIONS))
        return talk("knowledge", reworded(r, wording.format(term=term)), DEFINITIONS[term], kind="exact")
    c = r.choice(COUNTRIES)
    question = wording.format(country=c.name, capital=c.capital, dish=c.dish)
    if kind == "ingredients":
        question = reworded(r, question)
        return talk("knowledge", question, "\n".join(f"- {item}" for item in c.ingredients), kind="bullets")
    value = c.name if kind == "country_of_capital" else getattr(c, kind)
    if r.random() < 0.5:
        if r.random() < 0.3:
            question = reworded(r, question)
        form = r.choice(BARE)
        question = f"{form.strip().rstrip('.')}: {question}" if r.random() < 0.2 else question.rstrip(":") + form
        return talk("knowledge", question, value, kind="exact")
    answer = SENTENCES[kind].format(country=c.name, capital=c.capital, value=value)
    return talk("knowledge", reworded(r, question), answer, kind="contains", value=value)
