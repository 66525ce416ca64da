"""Obeying a wanted form: only the name, bullet points, one sentence, JSON with given keys, a list."""

# ruff: noqa: E501, SIM905  (tables of wordings: one line reads better than many)

from __future__ import annotations

import json

from .fact_types import HOBBIES, ORGS, ROLES
from .grounded import capital
from .names import COLOURS, DAYS, MATERIALS, Names
from .sample import Sample, talk

WORDS = (
    "apples pears plums bread milk cheese eggs rice salt pepper soap paper pens rope nails paint glue lamps chairs maps boots gloves "
    "coats candles honey coffee tea sugar flour butter onions carrots beans nuts tomatoes lemons fish soup cake wool string tape "
    "batteries matches towels plates cups spoons forks knives bowls sheets pillows stamps letters books coins keys brushes"
).split()
CATEGORIES = {
    "colours": COLOURS[:12],
    "weekdays": DAYS,
    "materials": MATERIALS[:12],
    "fruits": "apple banana cherry grape lemon mango orange peach pear plum".split(),
    "animals": "dog cat horse cow sheep lion tiger bear fox owl".split(),
    "vegetables": "carrot potato onion tomato cabbage pea bean spinach pepper leek".split(),
    "months": "January February March April May June July August September October November December".split(),
    "planets": "Mercury Venus Earth Mars Jupiter Saturn Uranus Neptune".split(),
    "musical instruments": "piano violin guitar flute drum trumpet harp cello clarinet".split(),
    "metals": "iron copper gold silver tin lead zinc aluminium".split(),
    "sports": "football tennis swimming running cycling rowing hockey boxing".split(),
    "continents": "Africa Asia Europe Australia Antarctica".split(),
    "seasons": "spring summer autumn winter".split(),
    "programming languages": "Python Java C Rust Go Ruby Perl Julia".split(),
    "tools": "hammer saw drill pliers wrench chisel file spanner".split(),
    "trees": "oak pine birch maple beech willow ash elm".split(),
}
COUNT = {2: "two", 3: "three", 4: "four", 5: "five"}


def record(n: Names) -> dict[str, str | int]:
    """Facts about an invented person, in a fixed order of keys."""
    r = n.rng
    every = {
        "name": n.person(),
        "city": n.word(),
        "age": n.number(10, 90),
        "job": r.choice(ROLES),
        "hobby": r.choice(HOBBIES),
        "company": f"{n.word()} {r.choice(ORGS)}",
        "day": r.choice(DAYS),
        "colour": r.choice(COLOURS),
        "room": n.room(),
    }
    keys = ["name", *r.sample([k for k in every if k != "name"], r.randint(1, 3))]
    return {key: every[key] for key in keys}


PHRASE = {
    "city": "lives in {v}",
    "age": "is {v} years old",
    "job": "works as {v}",
    "hobby": "likes {v}",
    "company": "works for {v}",
    "day": "comes on {v}",
    "colour": "likes the colour {v}",
    "room": "has room {v}",
}


def told(facts: dict[str, str | int], r) -> str:
    """The facts as one or more sentences."""
    parts = [PHRASE[key].format(v=value) for key, value in facts.items() if key != "name"]
    name = facts["name"]
    if r.random() < 0.6 or len(parts) == 1:
        return f"{name} " + (parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]) + "."
    return f"{name} {parts[0]}. " + " ".join(f"{name} {part}." for part in parts[1:])


def items(n: Names, count: int) -> list[str]:
    """Things for a list: common words, or invented names."""
    if n.test or n.rng.random() < 0.3:
        return [n.word() for _ in range(count)]
    return n.rng.sample(WORDS, count)


def joined(words: list[str], last: str = "and") -> str:
    """`a, b and c`."""
    return ", ".join(words[:-1]) + f" {last} {words[-1]}"


def formats(n: Names) -> Sample:
    """One request for a form."""
    r = n.rng
    kind = r.choice(
        (
            "name",
            "name",
            "value",
            "bullets",
            "bullets",
            "bullets_text",
            "numbered",
            "sentence",
            "json",
            "json",
            "json",
            "comma",
            "category",
            "yes",
            "upper",
            "pylist",
        )
    )
    if n.test and kind in ("category", "upper"):  # closed questions: they hold nothing that training never saw
        return formats(n)
    if kind in ("name", "value"):
        facts = record(n)
        other = record(n)
        keys = [key for key in facts if key != "name" and key not in other]
        text = " ".join(r.sample([told(facts, r), told(other, r)], 2))
        if kind == "name" and keys:
            key = r.choice(keys)
            asked = {
                "city": "lives in {v}",
                "age": "is {v} years old",
                "job": "works as {v}",
                "hobby": "likes {v}",
                "company": "works for {v}",
                "day": "comes on {v}",
                "colour": "likes the colour {v}",
                "room": "has room {v}",
            }[key].format(v=facts[key])
            question = f"Who {asked}?"
            answer = str(facts["name"])
        else:
            keys = [key for key in facts if key != "name"]
            key = r.choice(keys)
            question = {
                "city": "In which city does {s} live?",
                "age": "How old is {s}?",
                "job": "What is the job of {s}?",
                "hobby": "What is the hobby of {s}?",
                "company": "Which company does {s} work for?",
                "day": "On which day does {s} come?",
                "colour": "Which colour does {s} like?",
                "room": "Which room does {s} have?",
            }[key].format(s=facts["name"])
            answer = str(facts[key])
        form = (
            r.choice(
                (
                    "Just return the name.",
                    "Answer with the name only.",
                    "Only the name, please.",
                    "Return only the name.",
                    "Give only the name and nothing else.",
                )
            )
            if kind == "name" and answer == facts["name"]
            else r.choice(
                (
                    "Just return the answer.",
                    "Answer with one or two words.",
                    "Only the answer, please.",
                    "Return only the value.",
                    "No sentence, just the answer.",
                )
            )
        )
        return talk("formats", f"{text} {question} {form}", capital(answer), kind="exact")
    if kind == "bullets":
        words = items(n, r.randint(2, 5))
        question = r.choice(
            (
                f"List {joined(words)} as bullet points.",
                f"Write {joined(words)} as a bulleted list.",
                f"Turn this into bullet points: {', '.join(words)}",
                f"Make {COUNT[len(words)]} bullet points: {joined(words)}.",
                f"Please show {joined(words)} as bullet points.",
            )
        )
        return talk("formats", question, "\n".join(f"- {word}" for word in words), kind="exact")
    if kind == "bullets_text":
        people = [record(n) for _ in range(3)]
        lines = [told({key: p[key] for key in list(p)[:2]}, r) for p in people]
        question = r.choice(
            (
                f"Write three bullet points from this text: {' '.join(lines)}",
                f"Give the facts of this text as three bullet points. {' '.join(lines)}",
                f"{' '.join(lines)} Summarise this in three bullet points.",
            )
        )
        return talk("formats", question, "\n".join(f"- {line}" for line in lines), kind="exact")
    if kind == "numbered":
        words = items(n, r.randint(2, 5))
        question = r.choice(
            (
                f"Write {joined(words)} as a numbered list.",
                f"Make a numbered list of {joined(words)}.",
                f"Number these: {', '.join(words)}",
                f"Return a numbered list: {', '.join(words)}",
            )
        )
        return talk("formats", question, "\n".join(f"{i}. {word}" for i, word in enumerate(words, 1)), kind="exact")
    if kind == "comma":
        words = items(n, r.randint(2, 5))
        lines = "\n".join(f"- {word}" for word in words)
        question = r.choice(
            (
                f"Write these as one comma-separated line:\n{lines}",
                f"Join this list with commas:\n{lines}",
                f"Put this list on one line, separated by commas:\n{lines}",
            )
        )
        return talk("formats", question, ", ".join(words), kind="exact")
    if kind == "pylist":
        words = items(n, r.randint(2, 4))
        question = r.choice(
            (
                f"Write {joined(words)} as a Python list.",
                f"Return {joined(words)} as a Python list of strings.",
                f"Return a JSON list of {joined(words)}.",
            )
        )
        return talk("formats", question, json.dumps(words), kind="json", value=words)
    if kind == "sentence":
        facts = record(n)
        lines = "\n".join(f"{key}: {value}" for key, value in facts.items())
        flat = "; ".join(f"{key}: {value}" for key, value in facts.items())
        body = f"\n{lines}" if r.random() < 0.5 else f" {flat}"
        question = (
            r.choice(
                (
                    "Write one sentence from these facts:",
                    "Say this in one sentence:",
                    "Put these facts into one sentence:",
                    "Describe this person in one sentence:",
                )
            )
            + body
        )
        parts = [PHRASE[key].format(v=value) for key, value in facts.items() if key != "name"]
        answer = f"{facts['name']} " + (parts[0] if len(parts) == 1 else joined(parts)) + "."
        return talk("formats", question, answer, kind="exact")
    if kind == "json":
        facts = record(n)
        keys = list(facts)
        if r.random() < 0.4 and len(keys) > 2:
            keys = r.sample(keys, len(keys) - 1)
        elif r.random() < 0.5:
            r.shuffle(keys)
        named = joined(keys) if len(keys) > 1 else keys[0]
        plural = "keys" if len(keys) > 1 else "key"
        text = told(facts, r)
        question = r.choice(
            (
                f"Return JSON with the {plural} {named}: {text}",
                f"{text} Return this as JSON with the {plural} {named}.",
                f"Extract {named} as JSON. {text}",
                f"{text} Answer with a JSON object with the {plural} {named}.",
                f"Give me a JSON object with the {plural} {named} for this text: {text}",
            )
        )
        value = {key: facts[key] for key in keys}
        return talk("formats", question, json.dumps(value), kind="json", value=value)
    if kind == "category":
        name = r.choice(list(CATEGORIES))
        members = CATEGORIES[name]
        count = r.randint(2, min(5, len(members)))
        form = r.choice(("bullets", "numbered", "comma"))
        ask = {
            "bullets": (
                f"Name {COUNT[count]} {name} as bullet points.",
                f"List {COUNT[count]} {name} as bullet points.",
                f"Write {COUNT[count]} bullet points with {name}.",
            ),
            "numbered": (
                f"Give a numbered list of {COUNT[count]} {name}.",
                f"Write a numbered list of {count} {name}.",
            ),
            "comma": (
                f"Name {COUNT[count]} {name}, separated by commas.",
                f"Give {COUNT[count]} {name} on one line, separated by commas.",
            ),
        }[form]
        words = members[:count]
        answer = {
            "bullets": "\n".join(f"- {w}" for w in words),
            "numbered": "\n".join(f"{i}. {w}" for i, w in enumerate(words, 1)),
            "comma": ", ".join(words),
        }[form]
        return talk("formats", r.choice(ask), answer, kind="list", form=form, count=count, members=list(members))
    if kind == "yes":
        facts = record(n)
        key = r.choice([key for key in facts if key != "name"])
        true = r.random() < 0.5
        value = facts[key] if true else record_value(n, key, facts[key])
        said = PHRASE[key].format(v=value)
        question = f"{told(facts, r)} Is it true that {facts['name']} {said}? Answer with yes or no."
        return talk("formats", question, "Yes" if true else "No", kind="exact")
    word = r.choice(WORDS)
    many = [word, *r.sample(WORDS, r.randint(0, 2))]
    question = r.choice((f"Write {' '.join(many)} in capital letters.", f"Return {' '.join(many)} in upper case."))
    return talk("formats", question, " ".join(many).upper(), kind="exact")


def record_value(n: Names, key: str, wrong: str | int) -> str | int:
    """Another value of the same kind."""
    while True:
        other = record(n)
        if key in other and other[key] != wrong:
            return other[key]
