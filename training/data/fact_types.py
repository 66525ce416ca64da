"""The kinds of invented facts: what they are about, how their values are drawn, how they are stated and asked.

`{s}` is the subject in the middle of a sentence, `{S}` at its start (or `It`, `She`, `He` in a later sentence);
other fields come from the value. A question carries the wanted answer; its first letter is capitalised later.
"""

# ruff: noqa: E501, SIM905  (tables of wordings: one line reads better than many)

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .names import COLOURS, DAYS, MATERIALS, Names

Value = Callable[[Names], dict[str, str]]


@dataclass(frozen=True)
class FactType:
    """One attribute of one kind of subject. `questions` are pairs of question and answer templates."""

    about: str
    key: str
    value: Value
    statements: tuple[str, ...]
    questions: tuple[tuple[str, str], ...]


NUMBER_WORDS = "one two three four five six seven eight nine ten eleven twelve".split()
WHERE = (
    "in the {a} wing|in the basement|on the {o} floor|next to the {r}|behind the {r}|opposite the {r}|beside the {r}|"
    "in room {n}|in the {a} corner of the {r}|near the {a} entrance|under the {a} stairs|in front of the {r}|at the {a} gate"
    "|in cupboard {c}|on shelf {c}|in {w} Street|in building {c}|between the {r} and the {q}|on {w} Island|at the {w} pier|in the {r}|at the {r}"
    "|in the village of {w}|outside the {r}|in the {a} {r}"
).split("|")
ROOMS = (
    "kitchen|library|canteen|workshop|office|laboratory|archive|entrance hall|lift|garden|staircase|reception|cafe|chapel|gym|"
    "museum|shop|courtyard|greenhouse|garage|cinema|theatre|nursery|printer room|lecture hall|car park|cloakroom|main gate|pool"
).split("|")
ROLES = (
    "director|librarian|engineer|gardener|treasurer|secretary|curator|pilot|nurse|architect|editor|manager|caretaker|cook|"
    "technician|chemist|teacher|accountant|translator|photographer|mechanic|baker|lawyer|porter|receptionist|historian|"
    "biologist|head of security|deputy director|head of research|press officer|safety officer|network administrator|"
    "head of the workshop|project leader|data officer|house manager|physicist|painter|captain|choir leader|trainer"
).split("|")
REASONS = (
    "the roof was being repaired|the heating had failed|there was not enough money|the river had flooded the cellar|"
    "too few people came|the old one was too small|a new bridge was being built|the staff were on strike|the walls were damp|"
    "the snow was too deep|the lease had ended|the water pipes had burst|nobody had the key|the noise disturbed the neighbours|"
    "the electricity was cut off|the lamp was broken|a storm had damaged the windows|the owner had died|it was painted again|"
    "the bus line was cancelled|the paper had run out|many visitors complained|the wood was rotten|mice had been found|"
    "the permit was missing|the rent had doubled|the machine was too loud|the light was too weak|the fire alarm was tested|"
    "the floor was wet|the boiler was replaced|the road was closed|the order came too late|the wine was sour"
).split("|")
FORBIDDEN = (
    "smoking|eating|drinking coffee|taking photographs|talking on the phone|bringing dogs|using flash|running|playing music|"
    "lighting candles|wearing wet boots|charging batteries|moving the chairs|opening the windows|cooking|shouting|swimming|"
    "leaving bags|using pens|touching the walls|riding a bicycle|storing chemicals|using open fire|wearing sandals"
).split("|")
COUNTED = (
    "rooms|books|windows|chairs|trees|lamps|desks|beds|seats|shelves|computers|doors|paintings|volunteers|employees|members|"
    "students|visitors a day|parking spaces|lockers|microscopes|beehives|boats|horses|maps|instruments|bicycles|machines"
).split("|")
BORROWED = (
    "books|magazines|laptops|tools|bicycles|keys|films|games|cameras|maps|umbrellas|headphones|projectors|tents".split(
        "|"
    )
)
SUBJECTS = (
    "biology|chemistry|physics|history|music|geology|painting|law|medicine|astronomy|botany|mathematics|robotics|pottery|"
    "sculpture|weaving|linguistics|archaeology|statistics|optics|old coins|birds|mosses|volcanoes|glaciers|tides|bees|maps|"
    "bridges|folk songs|wheat|mushrooms|batteries|lasers|whales|clocks|sea ice|insects|soil|wind power|ceramics"
).split("|")
RULE_LIKE = "visitor badges|lost items|lab coats|travel forms|old newspapers|musical instruments|office chairs|work boots".split(
    "|"
)
LANGUAGES = (
    "English French German Spanish Italian Polish Turkish Arabic Dutch Greek Swedish Hindi Russian Danish Czech".split()
)
HOBBIES = (
    "chess|sailing|knitting|gardening|climbing|cycling|painting|fishing|rowing|dancing|skiing|cooking|singing|juggling|"
    "archery|pottery|hiking|photography|fencing|bird watching|swimming|stamp collecting|table tennis|judo"
).split("|")
ORDINALS = "first second third fourth fifth ground top".split()
SIDES = "north south east west left right old new main upper lower".split()
PER = ("a night", "a day", "a week", "a month", "a year", "per person", "an hour")


def where(n: Names) -> dict[str, str]:
    """A place inside a building or a town, with its preposition."""
    r = n.rng
    rooms = r.sample(ROOMS, 2)
    return {
        "v": r.choice(WHERE).format(
            a=r.choice(SIDES),
            o=r.choice(ORDINALS),
            r=rooms[0],
            q=rooms[1],
            n=n.room(),
            w=n.word(),
            c=r.choice("ABCDEFGH") if r.random() < 0.5 else n.number(1, 40),
        )
    }


def hours(n: Names) -> dict[str, str]:
    """Opening and closing times and the days they hold for."""
    r = n.rng
    first = r.randrange(4)
    days = r.choice(
        (
            "on weekdays",
            "every day",
            "on Saturdays",
            "at weekends",
            "daily",
            "on " + r.choice(DAYS) + "s",
            f"from {DAYS[first]} to {DAYS[r.randrange(first + 1, 7)]}",
            f"{DAYS[first]} to {DAYS[r.randrange(first + 1, 7)]}",
        )
    )
    return {"a": n.clock(6, 11), "b": n.clock(13, 23), "d": days}


def count(n: Names) -> dict[str, str]:
    """A number, sometimes as a word, and what is counted."""
    value = (
        NUMBER_WORDS[n.rng.randint(1, 11)]
        if n.rng.random() < 0.2
        else str(n.number(2, n.rng.choice((20, 99, 999, 9999))))
    )
    return {"v": value, "u": n.rng.choice(COUNTED)}


def span(n: Names) -> dict[str, str]:
    """A length of time, like `14 days`, `two weeks`."""
    unit = n.rng.choice(("days", "weeks", "hours", "months", "minutes", "years"))
    value = NUMBER_WORDS[n.rng.randint(1, 11)] if n.rng.random() < 0.4 else str(n.number(2, 60))
    return {"v": f"{value} {unit}"}


def small(n: Names) -> str:
    """A small number, as digits or as a word."""
    return NUMBER_WORDS[n.rng.randint(1, 11)] if n.rng.random() < 0.5 else str(n.number(2, 40))


def text(draw: Callable[[Names], str]) -> Value:
    """A value of one field `v`."""
    return lambda n: {"v": draw(n)}


def choice(options: list[str] | tuple[str, ...]) -> Value:
    """One of a closed list."""
    return lambda n: {"v": n.rng.choice(options)}


def measure(units: tuple[str, ...], high: int = 900) -> Value:
    """A measured value with its unit."""
    return lambda n: {
        "v": f"{n.number(2, high)} {n.rng.choice(units)}"
        if n.rng.random() < 0.75
        else f"{n.rng.randint(1, 40)}.{n.rng.randint(1, 9)} {n.rng.choice(units)}"
    }


def start_time(n: Names) -> dict[str, str]:
    """When something happens: clock, weekday."""
    return {"v": n.clock(7, 21), "d": n.rng.choice(DAYS)}


def borrow(n: Names) -> dict[str, str]:
    """What may be borrowed, how many, for how long."""
    return {"u": n.rng.choice(BORROWED), "v": small(n), "t": span(n)["v"]}


def F(about: str, key: str, value: Value, statements: str, questions: str) -> FactType:
    """Read the compact notation: statements split at `|`, questions `question => answer` split at `|`."""
    pairs = tuple(tuple(part.strip() for part in line.split("=>")) for line in questions.strip().split("|"))
    return FactType(about, key, value, tuple(s.strip() for s in statements.strip().split("|")), pairs)  # type: ignore[arg-type]


PLACE_FACTS = [
    F(
        "place",
        "opened",
        text(lambda n: n.date()),
        "{S} was opened on {v}.|On {v}, {s} opened its doors.|{S} opened on {v}.|The opening of {s} was on {v}.|{S} has been open since {v}.",
        "When was {s} opened? => On {v}|When did {s} open its doors? => On {v}|What is the opening date of {s}? => {v}|Since when has {s} been open? => Since {v}|On which date did {s} open? => On {v}",
    ),
    F(
        "place",
        "founded",
        text(lambda n: str(n.number(1500, 2025))),
        "{S} was founded in {v}.|{S} was built in {v}.|{S} dates from {v}.|In {v}, {s} was built.|The foundation of {s} goes back to {v}.",
        "When was {s} founded? => In {v}|In which year was {s} built? => In {v}|How old is {s}, when was it built? => In {v}|What year does {s} date from? => {v}|Tell me the founding year of {s}. => {v}",
    ),
    F(
        "place",
        "founder",
        text(lambda n: n.person()),
        "{S} was founded by {v}.|{v} founded {s}.|The founder of {s} was {v}.|{S} was set up by {v}.",
        "Who founded {s}? => {v}|Who was the founder of {s}? => {v}|By whom was {s} set up? => By {v}|Name the founder of {s}. => {v}|What did {v} found? => {S}",
    ),
    F(
        "place",
        "architect",
        text(lambda n: n.person()),
        "{S} was designed by {v}.|{v} drew the plans of {s}.|The architect of {s} is {v}.",
        "Who designed {s}? => {v}|Who drew the plans of {s}? => {v}|Who is the architect of {s}? => {v}|Name the architect of {s}. => {v}",
    ),
    F(
        "place",
        "head",
        text(lambda n: n.person()),
        "{S} is run by {v}.|{v} is the head of {s}.|{v} leads {s}.|The head of {s} is {v}.|{v} runs {s}.|{v} manages {s}.|{S} is led by {v}.|{v} is in charge of {s}.",
        "Who runs {s}? => {v}|Who is the head of {s}? => {v}|Who leads {s}? => {v}|Who is in charge of {s}? => {v}|Who manages {s}? => {v}|Name the head of {s}. => {v}|Tell me who leads {s}. => {v}|What does {v} run? => {S}|Which place is led by {v}? => {S}",
    ),
    F(
        "place",
        "contact",
        text(lambda n: n.person()),
        "Questions about {s} go to {v}.|For {s}, ask {v}.|The contact person for {s} is {v}.|{v} answers questions about {s}.|Please contact {v} about {s}.",
        "Who answers questions about {s}? => {v}|Whom should I ask about {s}? => {v}|Who is the contact person for {s}? => {v}|Who do I contact about {s}? => {v}|Name the contact for {s}. => {v}",
    ),
    F(
        "place",
        "cleaner",
        text(lambda n: n.person()),
        "{v} cleans {s}.|{S} is cleaned by {v}.|{v} keeps the key of {s}.",
        "Who cleans {s} or keeps its key? => {v}|Which person looks after {s}? => {v}",
    ),
    F(
        "place",
        "hours",
        hours,
        "{S} is open from {a} to {b} {d}.|{S} opens at {a} and closes at {b} {d}.|{d}, {s} is open from {a} until {b}.|Opening hours of {s}: {a} to {b}, {d}.|You can visit {s} from {a} to {b} {d}.|{S} is open {d} from {a} to {b}.",
        "When does {s} open? => At {a}|At what time does {s} open? => At {a}|When does {s} close? => At {b}|Until when is {s} open? => Until {b}|What are the opening hours of {s}? => From {a} to {b}, {d}|When is {s} open? => From {a} to {b}, {d}|How late is {s} open? => Until {b}|What time does {s} close? => At {b}|On which days is {s} open? => {d}",
    ),
    F(
        "place",
        "closed",
        choice(DAYS),
        "{S} is closed on {v}s.|On {v}s, {s} stays closed.|{S} does not open on {v}s.|{S} has its day off on {v}.",
        "On which day is {s} closed? => On {v}s|When is {s} closed? => On {v}s|On what day does {s} not open? => On {v}s|Which day is {s} shut? => {v}",
    ),
    F(
        "place",
        "count",
        count,
        "{S} has {v} {u}.|There are {v} {u} in {s}.|{S} counts {v} {u}.|In {s} there are {v} {u}.|{S} holds {v} {u}.",
        "How many {u} does {s} have? => {v}|What is the number of {u} in {s}? => {v}|How many {u} are there in {s}? => {v} {u}|How many {u} are in {s}? => {v}|Tell me how many {u} {s} has. => {v}",
    ),
    F(
        "place",
        "capacity",
        text(lambda n: str(n.number(4, 900))),
        "{S} has room for {v} people.|{S} seats {v} people.|Up to {v} people fit into {s}.|The capacity of {s} is {v} people.|At most {v} people may be in {s}.",
        "How many people fit into {s}? => {v} people|What is the capacity of {s}? => {v} people|How many people can {s} hold? => {v} people|How many people may be in {s}? => {v}|How many people does {s} seat? => {v} people",
    ),
    F(
        "place",
        "fee",
        lambda n: {"v": n.money(), "p": n.rng.choice(PER)},
        "{S} costs {v} {p}.|The price of {s} is {v} {p}.|A stay in {s} costs {v} {p}.|You pay {v} {p} for {s}.|The fee for {s} is {v} {p}.",
        "How much does {s} cost? => {v} {p}|What is the price of {s}? => {v} {p}|What does {s} cost {p}? => {v}|How much do I pay for {s}? => {v} {p}|What is the fee for {s}? => {v} {p}|How much is {s} {p}? => {v}",
    ),
    F(
        "place",
        "ticket",
        lambda n: {"v": n.money()},
        "A ticket for {s} costs {v}.|Entry to {s} costs {v}.|The entrance fee of {s} is {v}.|Visitors pay {v} to enter {s}.",
        "How much is a ticket for {s}? => {v}|What does entry to {s} cost? => {v}|How much do visitors pay to enter {s}? => {v}|What is the entrance fee of {s}? => {v}|How much does it cost to enter {s}? => {v}",
    ),
    F(
        "place",
        "phone",
        text(lambda n: n.phone()),
        "The phone number of {s} is {v}.|Call {s} at {v}.|You reach {s} by phone at {v}.|{S} has the telephone number {v}.|Telephone of {s}: {v}.",
        "What is the phone number of {s}? => {v}|Which number do I call to reach {s}? => {v}|How can I reach {s} by phone? => At {v}|What is the telephone number of {s}? => {v}|Give me the phone number of {s}. => {v}|What number should I dial for {s}? => {v}",
    ),
    F(
        "place",
        "email",
        text(lambda n: n.email()),
        "The e-mail address of {s} is {v}.|Write to {s} at {v}.|You reach {s} by e-mail at {v}.|E-mail of {s}: {v}.",
        "What is the e-mail address of {s}? => {v}|Where can I write to {s}? => {v}|Give me the e-mail of {s}. => {v}|Which address do I use to e-mail {s}? => {v}",
    ),
    F(
        "place",
        "where",
        where,
        "{S} is {v}.|You find {s} {v}.|{S} lies {v}.|{S} is located {v}.|{S} can be found {v}.",
        "Where is {s}? => {v}|Where do I find {s}? => {v}|Where is {s} located? => {v}|Where does {s} lie? => {v}|Tell me where {s} is. => {v}|In what place can {s} be found? => {v}",
    ),
    F(
        "place",
        "town",
        lambda n: {"v": n.word()},
        "{S} is in {v}.|{S} stands in {v}.|{S} is in the town of {v}.|The home of {s} is {v}.|{S} is located in {v}.",
        "In which town is {s}? => In {v}|Where does {s} stand? => In {v}|In which place is {s}? => In {v}|What town is {s} in? => {v}|Name the town of {s}. => {v}|Where is {s}? => In {v}",
    ),
    F(
        "place",
        "colour",
        choice(COLOURS),
        "{S} is painted {v}.|The walls of {s} are {v}.|{S} has a {v} door.|The colour of {s} is {v}.",
        "What colour is {s}? => {v}|Which colour does {s} have? => {v}|What is the colour of {s}? => {v}|What colour is used in {s}? => {v}",
    ),
    F(
        "place",
        "material",
        choice(MATERIALS),
        "{S} is built of {v}.|{S} is made of {v}.|The floor of {s} is made of {v}.|{S} was built from {v}.",
        "What is {s} made of? => {v}|Of which material is {s} built? => {v}|What material was used for {s}? => {v}|What is {s} built of? => {v}",
    ),
    F(
        "place",
        "height",
        measure(("metres", "m", "feet")),
        "{S} is {v} high.|{S} reaches a height of {v}.|The height of {s} is {v}.|{S} is {v} tall.",
        "How high is {s}? => {v}|What is the height of {s}? => {v}|How tall is {s}? => {v}",
    ),
    F(
        "place",
        "size",
        measure(("square metres", "hectares", "square feet")),
        "{S} covers {v}.|The area of {s} is {v}.|{S} has a size of {v}.|{S} measures {v}.",
        "How large is {s}? => {v}|What is the area of {s}? => {v}|How big is {s}? => {v}|What size is {s}? => {v}",
    ),
    F(
        "place",
        "temperature",
        lambda n: {"v": f"{n.number(-30, 95)} degrees"},
        "The temperature in {s} is {v}.|{S} is kept at {v}.|It is {v} in {s}.",
        "What is the temperature in {s}? => {v}|How warm is it in {s}? => {v}|At what temperature is {s} kept? => At {v}",
    ),
    F(
        "place",
        "why",
        lambda n: {
            "v": n.rng.choice(REASONS),
            "x": n.rng.choice(("closed", "moved", "rebuilt", "sold", "renamed", "locked", "torn down", "enlarged")),
        },
        "{S} was {x} because {v}.|Because {v}, {s} was {x}.|The reason why {s} was {x}: {v}.|Since {v}, {s} was {x}.",
        "Why was {s} {x}? => Because {v}|For what reason was {s} {x}? => Because {v}|What was the reason that {s} was {x}? => {v}|Tell me why {s} was {x}. => Because {v}",
    ),
    F(
        "place",
        "forbidden",
        choice(FORBIDDEN),
        "{v} is forbidden in {s}.|In {s}, {v} is not allowed.|{v} is not permitted in {s}.|{S} does not allow {v}.",
        "What is forbidden in {s}? => {v}|What is not allowed in {s}? => {v}|What must I not do in {s}? => {v}|Which thing is not permitted in {s}? => {v}",
    ),
    F(
        "place",
        "borrow",
        borrow,
        "At {s}, you may borrow up to {v} {u} for {t}.|{S} lends {v} {u} at a time for {t}.|Members may borrow {v} {u} from {s} for {t}.|Up to {v} {u} may be borrowed from {s} for {t}.|{S}: {v} {u} may be borrowed for {t}.",
        "How many {u} may be borrowed from {s}? => {v}|How many {u} can I borrow from {s}? => {v}|How many {u} may members borrow? => {v}|For how long may {u} be borrowed from {s}? => For {t}|How long can I keep {u} from {s}? => {t}|How many {u} does {s} lend? => {v}|For how long does {s} lend {u}? => For {t}|How many {u} may I borrow at a time? => {v}",
    ),
    F(
        "place",
        "studies",
        choice(SUBJECTS),
        "{S} studies {v}.|{S} works on {v}.|The subject of {s} is {v}.|{S} is known for {v}.|Research at {s} is about {v}.",
        "What does {s} study? => {v}|What is the subject of {s}? => {v}|What does {s} work on? => {v}|What is {s} known for? => {v}|Which topic is researched at {s}? => {v}",
    ),
    F(
        "place",
        "entry",
        lambda n: {
            "v": n.rng.choice(
                (
                    f"card {n.number(2, 99)}",
                    f"code {n.number(100, 9999)}",
                    f"key {n.number(2, 99)}",
                    "the blue badge",
                    "a visitor badge",
                    "a signed form",
                    "the master key",
                    "a library card",
                    "a safety course",
                    "a red card",
                )
            )
        },
        "To enter {s} you need {v}.|{S} can be entered only with {v}.|Nobody may enter {s} without {v}.",
        "What do I need to enter {s}? => {v}|With what can {s} be entered? => With {v}|What is needed to enter {s}? => {v}",
    ),
    F(
        "place",
        "named",
        text(lambda n: n.person()),
        "{S} is named after {v}.|{S} bears the name of {v}.|The name of {s} honours {v}.",
        "After whom is {s} named? => {v}|Who is {s} named after? => {v}|Whose name does {s} bear? => {v}",
    ),
    F(
        "place",
        "distance",
        measure(("kilometres", "km", "miles", "metres")),
        "{S} is {v} from the station.|It is {v} from {s} to the station.|The station is {v} away from {s}.",
        "How far is {s} from the station? => {v}|What is the distance from {s} to the station? => {v}|How far is it from {s} to the station? => {v}",
    ),
]

PERSON_FACTS = [
    F(
        "person",
        "born",
        text(lambda n: n.word()),
        "{S} was born in {v}.|The birthplace of {s} is {v}.|{S} comes from {v}.|{S} grew up in {v}.",
        "Where was {s} born? => In {v}|What is the birthplace of {s}? => {v}|Where does {s} come from? => From {v}|Where did {s} grow up? => In {v}|Name the birthplace of {s}. => {v}|Who comes from {v}? => {S}|Who was born in {v}? => {S}",
    ),
    F(
        "person",
        "birthday",
        text(lambda n: n.date()),
        "{S} was born on {v}.|The birthday of {s} is {v}.|{S} has a birthday on {v}.",
        "When was {s} born? => On {v}|When is the birthday of {s}? => On {v}|What is the birthday of {s}? => {v}|On which date was {s} born? => On {v}",
    ),
    F(
        "person",
        "role",
        lambda n: {"v": n.rng.choice(ROLES), "o": f"the {n.word()} {n.rng.choice(ORGS)}"},
        "{S} is the {v} of {o}.|The {v} of {o} is {s}.|At {o}, {s} works as {v}.|{S} works as {v} at {o}.|{S} has been {v} of {o} for years.|{s}, {v} of {o}, is new.",
        "Who is the {v} of {o}? => {S}|Who works as {v} at {o}? => {S}|What does {s} do at {o}? => {v}|What is the job of {s}? => {v}|Where does {s} work? => At {o}|Name the {v} of {o}. => {S}|Which person is {v} at {o}? => {S}|What is the role of {s}? => {v}",
    ),
    F(
        "person",
        "duty",
        lambda n: {"v": n.rng.choice(DUTIES)},
        "{S} is responsible for {v}.|{S} takes care of {v}.|{v} is the task of {s}.|{S} looks after {v}.|The person responsible for {v} is {s}.",
        "Who is responsible for {v}? => {S}|Who takes care of {v}? => {S}|Who looks after {v}? => {S}|What is {s} responsible for? => {v}|What does {s} take care of? => {v}|Whom do I ask about {v}? => {S}|Name the person responsible for {v}. => {S}",
    ),
    F(
        "person",
        "room",
        text(lambda n: "room " + n.room()),
        "{S} works in {v}.|The office of {s} is {v}.|{S} has {v}.|You find {s} in {v}.|{S} sits in {v}.",
        "In which room does {s} work? => In {v}|Where is the office of {s}? => In {v}|Where do I find {s}? => In {v}|Which room does {s} have? => {v}|Who works in {v}? => {S}|Who has {v}? => {S}",
    ),
    F(
        "person",
        "phone",
        text(lambda n: n.phone()),
        "The phone number of {s} is {v}.|Call {s} at {v}.|{S} can be reached at {v}.|The extension of {s} is {v}.",
        "What is the phone number of {s}? => {v}|How can I reach {s}? => At {v}|Which number do I call for {s}? => {v}|What is the extension of {s}? => {v}|Give me the number of {s}. => {v}",
    ),
    F(
        "person",
        "email",
        text(lambda n: n.email()),
        "The e-mail address of {s} is {v}.|Write to {s} at {v}.|{S} has the address {v}.",
        "What is the e-mail address of {s}? => {v}|What is the e-mail of {s}? => {v}|Where can I write to {s}? => {v}",
    ),
    F(
        "person",
        "age",
        text(lambda n: str(n.number(4, 99))),
        "{S} is {v} years old.|The age of {s} is {v}.|{S} has just turned {v}.",
        "How old is {s}? => {v} years|What is the age of {s}? => {v}|What age is {s}? => {v}",
    ),
    F(
        "person",
        "hobby",
        choice(HOBBIES),
        "{S} likes {v}.|The hobby of {s} is {v}.|In the evening {s} enjoys {v}.|{S} spends the weekend with {v}.",
        "What does {s} like? => {v}|What is the hobby of {s}? => {v}|What does {s} enjoy? => {v}|Which hobby does {s} have? => {v}|Name the hobby of {s}. => {v}",
    ),
    F(
        "person",
        "language",
        choice(LANGUAGES),
        "{S} speaks {v}.|The mother tongue of {s} is {v}.|{S} teaches {v}.",
        "Which language does {s} speak? => {v}|What language does {s} know? => {v}|What is the language of {s}? => {v}",
    ),
    F(
        "person",
        "joined",
        text(lambda n: n.date()),
        "{S} joined on {v}.|{S} started work on {v}.|Since {v}, {s} has been with us.|{S} has worked here since {v}.",
        "When did {s} join? => On {v}|When did {s} start work? => On {v}|Since when has {s} worked here? => Since {v}|On which date did {s} begin? => On {v}",
    ),
    F(
        "person",
        "boss",
        text(lambda n: n.person()),
        "{S} reports to {v}.|The supervisor of {s} is {v}.|{v} supervises {s}.|The boss of {s} is {v}.",
        "Who supervises {s}? => {v}|Who is the supervisor of {s}? => {v}|To whom does {s} report? => To {v}|Who is the boss of {s}? => {v}",
    ),
    F(
        "person",
        "married",
        text(lambda n: n.person()),
        "{S} is married to {v}.|{S} shares an office with {v}.|{S} has a brother called {v}.|{S} works together with {v}.",
        "Which person is named together with {s}? => {v}|With whom is {s} connected? => With {v}",
    ),
    F(
        "person",
        "studied",
        lambda n: {"v": n.rng.choice(SUBJECTS), "t": n.word()},
        "{S} studied {v} in {t}.|{S} holds a degree in {v} from {t}.|In {t}, {s} studied {v}.",
        "What did {s} study? => {v}|Where did {s} study? => In {t}|In which town did {s} study {v}? => In {t}|Which subject did {s} study? => {v}",
    ),
    F(
        "person",
        "away",
        lambda n: {"v": n.rng.choice(DAYS)},
        "{S} is away on {v}s.|{S} has the day off on {v}s.|On {v}s {s} works at home.|{S} is not in the office on {v}s.",
        "On which day is {s} not in the office? => On {v}s|When is {s} away? => On {v}s|Which day does {s} have off? => {v}",
    ),
    F(
        "person",
        "office_hours",
        lambda n: {"d": n.rng.choice(DAYS), "a": n.clock(8, 12), "b": n.clock(13, 18)},
        "The office hours of {s} are on {d}s from {a} to {b}.|{S} can be visited on {d}s from {a} to {b}.|{S} sees visitors on {d}s between {a} and {b}.",
        "When are the office hours of {s}? => On {d}s from {a} to {b}|On which day can I visit {s}? => On {d}s|When does {s} see visitors? => On {d}s from {a} to {b}",
    ),
    F(
        "person",
        "discovered",
        lambda n: {
            "v": f"the {n.word()} {n.rng.choice(('comet', 'cave', 'moss', 'lake', 'star', 'method', 'theorem', 'lamp', 'beetle', 'island', 'alloy'))}",
            "y": str(n.number(1700, 2025)),
        },
        "{S} discovered {v} in {y}.|In {y}, {s} discovered {v}.|{v} was discovered by {s} in {y}.",
        "Who discovered {v}? => {S}|What did {s} discover? => {v}|When was {v} discovered? => In {y}|In which year did {s} discover {v}? => In {y}|By whom was {v} discovered? => By {s}",
    ),
    F(
        "person",
        "wrote",
        lambda n: {
            "v": f'"{n.rng.choice(("The", "A", "My", "Our"))} {n.rng.choice(COLOURS).capitalize()} {n.rng.choice(("River", "House", "Clock", "Winter", "Road", "Garden", "Island", "Letter", "Door"))}"',
            "y": str(n.number(1700, 2025)),
        },
        "{S} wrote {v} in {y}.|{v} is a book by {s}, printed in {y}.|In {y}, {s} published {v}.",
        "Who wrote {v}? => {S}|Which book did {s} write? => {v}|When was {v} published? => In {y}|What did {s} publish in {y}? => {v}",
    ),
]
ORGS = "Institute|Centre|Society|College|Museum|Library|Hospital|Company|Theatre|Foundation|Academy|School|Club|Laboratory|Observatory".split(
    "|"
)
DUTIES = (
    "the keys|the garden|the budget|the printers|the bicycles|safety|the archive|guests|the network|travel costs|first aid|"
    "lost property|the canteen|the website|the microscopes|parking|the heating|the newsletter|new students|the guest rooms|"
    "the lifts|waste and recycling|the fire drill|the accounts|data protection|the coffee machine|room bookings|the mail|"
    "badges|the summer party|the boats|deliveries|the choir|software licences|chemicals|the lecture series|repairs|the windows"
).split("|")
