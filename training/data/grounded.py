"""Questions about numbered passages of invented facts: answers with a citation, and refusals with hard negatives."""

# ruff: noqa: E501, SIM905  (tables of wordings: one line reads better than many)

from __future__ import annotations

import random

from kaggle_magics import wording

from . import clauses
from .fact_types import PERSON_FACTS, PLACE_FACTS, FactType
from .fact_types_more import EVENT_FACTS, HOUSE_FACTS, RULE_FACTS, THING_FACTS
from .names import Names
from .sample import Sample
from .tables import table_world

FACTS = {
    "place": PLACE_FACTS,
    "person": PERSON_FACTS,
    "event": EVENT_FACTS,
    "thing": THING_FACTS,
    "rule": RULE_FACTS,
    "house": HOUSE_FACTS,
    "many": [fact for facts in clauses.PLURAL_TYPES.values() for fact in facts],
    "one": [fact for facts in clauses.SINGULAR_TYPES.values() for fact in facts],
}
KINDS = (
    "place",
    "place",
    "place",
    "person",
    "person",
    "event",
    "thing",
    "thing",
    "rule",
    "house",
    "many",
    "many",
    "one",
    "one",
    "one",
)
PLACES = (
    "library|museum|laboratory|workshop|archive|canteen|guest room|garden|tower|bridge|school|theatre|cafe|hall|pool|observatory|"
    "greenhouse|seminar room|reading room|kitchen|clinic|harbour|mill|station|gallery|shop|lecture hall|bakery|farm|hotel|lighthouse|"
    "castle|market|office|gym|cinema|park|zoo|chapel|sauna|storage room|computer room|meeting room|darkroom|boathouse|institute|college"
).split("|")
LABS = "laser chemistry robotics water optics soil music plant wind glass metal wood paper animal sound light ice fire data map".split()
ADJECTIVES = "old new small large north south east west main upper lower first second green red blue white central quiet public".split()
EVENTS = (
    "festival|summer school|concert|lecture|workshop|race|exhibition|conference|party|seminar|market|course|tour|meeting|tournament|"
    "fire drill|choir|dance class|reading evening|chess club|open day|excursion|film night|language course|safety course|yoga class"
).split("|")
EVENT_PREFIX = "pottery spring autumn winter summer annual English French music robotics garden children's science staff first-aid".split()
THINGS = (
    "printer|microscope|kettle|telescope|ladder|boat|van|camera|clock|lamp|drill|piano|desk|violin|map|bell|kiln|statue|freezer|"
    "oven|saw|laser cutter|projector|bicycle|sewing machine|scanner|balance|pump|robot|drum|tent|loom|carpet|mirror|engine|crane|"
    "tractor|centrifuge|coffee machine|painting|chest|bench|vase|sword|wheel|flag|globe"
).split("|")
RULE_SUBJECTS = (
    "books|bicycles|keys|laptops|parcels|visitor badges|umbrellas|lockers|magazines|tools|films|lost items|batteries|chemicals|"
    "printer cartridges|tents|games|cameras|skis|towels|used bottles|prams|dogs|helmets|lab coats|letters|gloves|maps|headphones|"
    "sheets|travel forms|old newspapers|chargers|plants|musical instruments|drinks|microscope slides|samples|cups|projectors"
).split("|")
PRONOUN = {
    "many": ("They",),
    "one": ("It",),
    "place": ("It",),
    "event": ("It",),
    "thing": ("It",),
    "rule": ("They",),
    "person": ("She", "He"),
}


def capital(text: str) -> str:
    """`text` with its first letter in upper case."""
    return text[:1].upper() + text[1:]


def subject(n: Names, kind: str) -> str:
    """What a passage is about, as it stands in the middle of a sentence."""
    r = n.rng
    if kind == "person":
        return n.person()
    if kind == "house":
        return ""
    if kind == "rule":
        return r.choice(RULE_SUBJECTS)
    if kind in ("many", "one"):
        return clauses.subject(n, kind)
    nouns = {"place": PLACES, "event": EVENTS, "thing": THINGS}[kind]
    noun = r.choice(nouns)
    draw = r.random()
    if draw < 0.45:
        name = n.word() if r.random() < 0.7 else f"{n.word()} {n.word()}"
        if kind == "place" and r.random() < 0.25:
            return f"the {name} {r.choice(LABS)} laboratory"
        if kind == "place" and r.random() < 0.15:
            return f"{name} {r.choice(('House', 'Hall', 'Tower', 'Park', 'Castle', 'Station', 'College', 'Bridge', 'Institute'))}"
        if r.random() < 0.2:
            return f"the {noun} {name}"
        return f"the {name} {noun if r.random() < 0.5 else noun.title()}"
    if kind == "place" and draw < 0.6:
        return f"the {r.choice(LABS)} {r.choice(('laboratory', 'workshop', 'room', 'archive', 'museum', 'store'))}"
    if kind == "event" and draw < 0.75:
        return f"the {r.choice(EVENT_PREFIX)} {noun}"
    if draw < 0.8:
        return f"the {r.choice(ADJECTIVES)} {noun}"
    return f"the {noun}"


class World:
    """Facts about a few subjects, written as passages; remembers which passage holds which fact."""

    def __init__(self, n: Names, size: int, long: bool):
        self.n, self.long = n, long
        self.facts: list[tuple[int, str, FactType, dict[str, str]]] = []  # passage, subject, type, value
        self.passages: list[tuple[str, str]] = []
        self.used: set[tuple[str, str]] = set()
        r = n.rng
        same_kind = r.choice(KINDS) if r.random() < 0.45 else None
        shared = r.choice(FACTS[same_kind]) if same_kind and same_kind != "house" and r.random() < 0.6 else None
        title = (
            f"{n.word()} {r.choice(('Institute', 'Handbook', 'Guide', 'House', 'Centre', 'Manual', 'Report', 'Notes'))}"
        )
        headings = r.random() < 0.3
        for _ in range(size):
            kind = same_kind or r.choice(KINDS)
            self.add(kind, shared, title if headings else "")

    def fact(self, about: str, kind: FactType) -> dict[str, str] | None:
        """A value for one attribute, or None where it is told already."""
        if (about, kind.key) in self.used:
            return None
        self.used.add((about, kind.key))
        return kind.value(self.n)

    def add(self, kind: str, shared: FactType | None, title: str) -> None:
        """One more passage: one to three facts (up to six in long texts) about one subject, or house rules."""
        r, sentences, number = self.n.rng, [], len(self.passages)
        about = subject(self.n, kind)
        many = r.randint(3, 6) if self.long else r.choice((1, 1, 1, 2, 2, 3))
        types = r.sample(FACTS[kind], min(many, len(FACTS[kind])))
        if shared and shared not in types:
            types[r.randrange(len(types))] = shared
        pronoun = r.choice(PRONOUN.get(kind, ("It",)))
        if kind in ("many", "one") and r.random() < 0.85:
            types = self.clause_types(kind, many, shared)
            if r.random() < 0.6 and len(types) > 1:
                values = [self.fact(about, type_) for type_ in types]
                joined = None if None in values else clauses.together(self.n, types, values, about)  # type: ignore[arg-type]
                if joined:
                    self.facts += [(number, about, type_, value) for type_, value in zip(types, values, strict=True)]  # type: ignore[misc]
                    self.passages.append(
                        (capital(joined), f"{title} > {capital(about.removeprefix('the '))}" if title else "")
                    )
                    return
                self.used -= {(about, type_.key) for type_ in types}
        for type_ in types:
            value = self.fact(about, type_)
            if value is None:
                continue
            start = capital(about)
            if sentences and kind != "house" and r.random() < 0.5:
                start = pronoun
            statement = r.choice(type_.statements)
            if start == pronoun and "{S}" not in statement:
                start = capital(about)
            sentences.append(capital(statement.format(S=start, s=about, **value)))
            self.facts.append((number, about, type_, value))
        if not sentences:
            sentences = [capital(f"{about or 'the house'} is described on the next page.")]
        heading = ""
        if title:
            heading = title + (f" > {capital(about.removeprefix('the '))}" if about and r.random() < 0.5 else "")
        self.passages.append((" ".join(sentences), heading))

    def clause_types(self, kind: str, count: int, shared: FactType | None) -> list[FactType]:
        """Facts of one verb, or of several."""
        r = self.n.rng
        verbs = clauses.PLURAL_TYPES if kind == "many" else clauses.SINGULAR_TYPES
        verb = shared.key.split(":")[0] if shared else r.choice(list(verbs))
        own = verbs.get(verb) or next((facts for facts in verbs.values() if shared in facts), FACTS[kind])
        return r.sample(own, min(count, len(own), 3))

    def question(self) -> tuple[str, str, int] | None:
        """A question about one told fact, its answer without citation, and the passage's number from 0."""
        if not self.facts:
            return None
        number, about, type_, value = self.n.rng.choice(self.facts)
        return (*ask(self.n.rng, about, type_, value), number)

    def unanswerable(self) -> str:
        """A question that no passage answers: hard negatives first."""
        r, n = self.n.rng, self.n
        draw = r.random()
        for _ in range(20):
            if draw < 0.42 and self.facts:  # a told subject, another attribute
                _, about, known, _ = r.choice(self.facts)
                type_ = r.choice(FACTS[known.about])
                if known.about in ("many", "one") and r.random() < 0.6:
                    same = [fact for fact in FACTS[known.about] if fact.key.split(":")[0] == known.key.split(":")[0]]
                    type_ = r.choice(same)
            elif draw < 0.84 and self.facts:  # the attribute is told, of another subject
                _, _, type_, _ = r.choice(self.facts)
                if type_.about == "house":
                    draw = r.random()
                    continue
                about = subject(n, type_.about)
            else:
                kind = r.choice(KINDS)
                about, type_ = subject(n, kind), r.choice(FACTS[kind])
            if self.clear(about, type_):
                question, _ = ask(r, about, type_, type_.value(n))
                if about and about.lower() not in question.lower():
                    continue  # a question by value only could be answered by chance
                return question
            draw = r.random()
        return f"What is the favourite number of {n.person()}?"

    def clear(self, about: str, type_: FactType) -> bool:
        """Whether no passage tells this attribute, or a near one, of this subject."""
        near = {
            "opened",
            "founded",
            "hours",
            "closed",
            "where",
            "town",
            "head",
            "contact",
            "founder",
            "keeper",
            "owner",
            "when",
            "weekly",
            "born",
            "studied",
            "role",
            "room",
            "cleaner",
            "fee",
            "ticket",
            "books",
            "borrow",
            "limit",
            "period",
            "loan",
            "birthday",
            "joined",
            "maker",
            "married",
            "duty",
            "ask",
            "kept",
            "collect",
            "emergency",
            "bicycles",
            "until",
            "office_hours",
            "phone",
            "holiday",
            "lunch",
            "count",
            "capacity",
            "leader",
            "cost",
            "price",
            "away",
            "day",
            "forbidden",
            "staff",
            "people",
            "guest",
            "email",
            "boss",
        }
        for _, told, known, _ in self.facts:
            if told == about or told.endswith(about) or about.endswith(told):
                if known.key == type_.key:
                    return False
                groups = (
                    {"opened", "founded", "hours", "closed"},
                    {"where", "town", "room", "kept", "collect", "forbidden"},
                    {"head", "contact", "founder", "keeper", "owner", "cleaner", "maker", "named", "architect"},
                    {"when", "weekly", "office_hours", "away"},
                    {"born", "studied", "birthday"},
                    {"boss", "married"},
                    {"fee", "ticket", "price", "cost"},
                    {"borrow", "limit", "period", "loan"},
                    {"until", "day"},
                    {"count", "capacity", "people"},
                    {"role", "duty"},
                    {"phone", "room", "emergency"},
                    {"colour", "material"} if type_.about == "place" else set(),
                )
                if (
                    ":" in type_.key
                    and type_.key.split(":")[1] in ("when", "often", "need", "with")
                    and (known.key.split(":")[-1] in ("when", "often", "need", "with"))
                ):
                    return False
                if any(known.key in g and type_.key in g for g in groups) and known.key in near:
                    return False
        return True


def ask(r: random.Random, about: str, type_: FactType, value: dict[str, str]) -> tuple[str, str]:
    """One question about a fact and its answer without citation."""
    question, answer = r.choice(type_.questions)
    fields = {**value, "s": about, "S": about}
    return capital(question.format(**fields)), capital(answer.format(**fields))


def grounded(n: Names, level: float = 1.0, turns: int | None = None) -> Sample:
    """A conversation about numbered passages. `level` from 0 (mostly one short passage) to 1 (up to five, some long).

    `turns` questions are asked; the first stands below the passages as `%%ask` writes it, later ones (training
    only: more answers for one reading of the passages) follow alone.
    """
    r = n.rng
    most = 1 if level < 0.05 else 2 if level < 0.45 else 3 if level < 0.6 else 5
    size = r.randint(1, most if r.random() < 0.85 else 5)
    if level < 0.7 and r.random() < 0.35:
        size = 1
    long = level > 0.7 and r.random() < (0.25 if size <= 3 else 0.08)
    world = table_world(n, size) if r.random() < 0.12 else World(n, size, long)
    turns = turns or r.choice((1, 2, 3, 4, 5, 6))
    messages = [{"role": "system", "content": wording.GROUNDED_SYSTEM}]
    skill, asked = "grounded", set()
    for _ in range(turns):
        drawn = None if r.random() < 0.25 else world.question()
        if drawn and drawn[0] in asked:
            continue
        if drawn is None:
            question, answer = world.unanswerable(), wording.REFUSAL
        else:
            question, answer = drawn[0], f"{drawn[1]} {wording.citation(drawn[2] + 1)}"
        asked.add(question)
        text = wording.grounded_question(world.passages, question) if not messages[1:] else f"Question: {question}"
        messages += [{"role": "user", "content": text}, {"role": "assistant", "content": answer}]
        skill = "refusal" if drawn is None else "grounded"
    return Sample(skill, messages, {"kind": "exact"})
