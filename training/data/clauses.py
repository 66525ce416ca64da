"""Facts built from verbs, objects and what goes with them, so that questions come in thousands of combinations.

`Life jackets are inspected every April by Ilse Marwen in the boat shed.`: each part can be asked for alone.
"""

# ruff: noqa: E501, SIM905  (tables of wordings: one line reads better than many)

from __future__ import annotations

from .fact_types import (
    BORROWED,
    NUMBER_WORDS,
    ORDINALS,
    REASONS,
    RULE_LIKE,
    FactType,
    choice,
    measure,
    span,
    text,
    where,
)
from .names import DAYS, MONTHS, Names

VERBS = (  # base, third person, participle
    "repair repairs repaired|lend lends lent|inspect inspects inspected|clean cleans cleaned|order orders ordered|sell sells sold|"
    "paint paints painted|check checks checked|store stores stored|collect collects collected|deliver delivers delivered|"
    "count counts counted|print prints printed|sign signs signed|approve approves approved|feed feeds fed|measure measures measured|"
    "move moves moved|replace replaces replaced|record records recorded|lock locks locked|open opens opened|close closes closed|"
    "guard guards guarded|plan plans planned|review reviews reviewed|install installs installed|wash washes washed|"
    "buy buys bought|pay pays paid|test tests tested|teach teaches taught|serve serves served|book books booked|"
    "announce announces announced|register registers registered|return returns returned|use uses used|make makes made|"
    "build builds built|keep keeps kept|send sends sent|publish publishes published|hand_out hands_out handed_out|"
    "give gives given|choose chooses chosen|train trains trained|weigh weighs weighed|cut cuts cut|heat heats heated|cool cools cooled|"
    "empty empties emptied|fill fills filled|copy copies copied|translate translates translated|show shows shown|hold holds held|"
    "cook cooks cooked|draw draws drawn|grow grows grown|catch catches caught|update updates updated|answer answers answered"
)
PLURALS = (
    "life jackets|field trips|salaries|invoices|boats|radios|samples|permits|badges|keys|backups|servers|filters|windows|doors|"
    "holidays|reports|contracts|seeds|fish|plants|animals|birds|passwords|lamps|batteries|chemicals|gas bottles|gloves|wet suits|"
    "tools|machines|microscopes|lifts|seminars|lectures|exams|courses|theses|letters|parcels|meals|drinks|cakes|vegetables|flags|"
    "tents|maps|photographs|paintings|instruments|costumes|tickets|posters|newsletters|photocopies|expenses|travel costs|visitors|"
    "new members|guests|school classes|volunteers|patients|tables|chairs|carpets|fire doors|smoke alarms|first-aid boxes|bicycles|"
    "cars|trailers|ropes|anchors|nets|buoys|sensors|cables|drones|lasers|pumps|ovens|freezers|data|old journals|rare books|films"
).split("|")
SINGULARS = (
    "wave tank|water tank|roof|boiler|fire alarm|main gate|harbour|pier|boat shed|car park|lawn|pond|greenhouse|aquarium|clock tower|"
    "budget|annual report|newsletter|website|guest list|timetable|menu|weather station|tide gauge|telescope|wind tunnel|flume|"
    "clean room|cold store|swimming pool|coffee machine|mailbox|first-aid box|ice machine|crane|core scanner|computer cluster|plotter|"
    "data archive|seed bank|herbarium|map collection|lost property|key cabinet|flag|lift|kitchen|terrace|summer fair|sledge|tractor"
).split("|")
ADJECTIVES = "old new small large red blue green broken heavy light spare rare foreign used wet dry empty full digital wooden".split()
ACTIVE = "carry carries|hold holds|contain contains|need needs|use uses|produce produces|have has|own owns|offer offers|cover covers".split(
    "|"
)
UNITS = (
    "people|seats|crew members|litres|processor cores|pages|cabins|sensors|volumes|specimens|drawers|shelves|beds|tents|samples|photographs|"
    "windows|screens|batteries|fish|plants|letters|oars|wheels|pumps|lamps|hooks|chairs|kilometres|hectares|tonnes"
).split("|")
NEEDED = (
    "a permit|a signed form|a helmet|a second person|a key|a licence|safety glasses|a course|a doctor's note|a stamp|a reservation|"
    "gloves|a password|a member card|a receipt|two signatures|a life jacket|a visa|an appointment|a written plan|a deposit"
).split("|")
TOOLS = "fresh water|a soft brush|warm oil|red paint|a small hammer|steam|salt water|soap|compressed air|a laser|alcohol|sand|a crane|ropes|hot wax".split(
    "|"
)
SPOKEN_HOURS = "one two three four five six seven eight nine ten eleven".split()


def moment(n: Names) -> str:
    """When something is done, with its preposition."""
    r = n.rng
    month, day = r.choice(MONTHS), r.choice(DAYS)
    part = r.choice(("in the morning", "in the evening", "in the afternoon"))
    return r.choice(
        (
            f"on {day}s",
            f"at {n.clock()}",
            f"at {r.choice(SPOKEN_HOURS)} {part}",
            f"at half past {r.choice(SPOKEN_HOURS)}",
            f"in {month}",
            f"on the {r.choice(ORDINALS[:5])} {day} of each month",
            f"on the {r.choice((5, 10, 15, 20, 25, 28, 30))}th of each month",
            "at noon",
            f"on {n.date()}",
            f"in {n.number(1800, 2026)}",
            "before sunrise",
            "after lunch",
            "at night",
            "during the holidays",
            f"on {day} morning",
            f"between {month} and {r.choice(MONTHS)}",
            "in winter",
            "in summer",
            "at the end of the year",
            f"by {n.clock()}",
        )
    )


def often(n: Names) -> str:
    """How often something is done."""
    return n.rng.choice(
        (
            f"every {span(n)['v']}",
            "twice a week",
            "once a year",
            "every day",
            "every week",
            "three times a day",
            "once a month",
            f"every {n.rng.choice(MONTHS)}",
            "every second year",
            "every hour",
            f"{n.rng.choice(NUMBER_WORDS[2:])} times a year",
        )
    )


def types(be: str, do: str, subject: str) -> dict[str, list[FactType]]:
    """By verb, the facts that can be told of an object with it; `be`, `do` agree with the object."""
    made: dict[str, list[FactType]] = {}
    for forms in VERBS.split("|"):
        base, third, done = (form.replace("_", " ") for form in forms.strip().split())
        head = f"{{S}} {be} {done}"

        def fact(
            slot: str, value, phrases: tuple[str, ...], questions: tuple[tuple[str, str], ...], verb: str = base
        ) -> FactType:
            return FactType(subject, f"{verb}:{slot}", value, phrases, questions)

        made[base] = [
            fact(
                "who",
                text(lambda n: n.person()),
                (f"{head} by {{v}}.", f"{{v}} {third} {{s}}."),
                (
                    (f"Who {third} {{s}}?", "{v}"),
                    (f"By whom {be} {{s}} {done}?", "By {v}"),
                    (f"Which person {third} {{s}}?", "{v}"),
                    (f"Name the person who {third} {{s}}.", "{v}"),
                ),
            ),
            fact(
                "where",
                where,
                (f"{head} {{v}}.",),
                (
                    (f"Where {be} {{s}} {done}?", "{v}"),
                    (f"In which place {be} {{s}} {done}?", "{v}"),
                    (f"Tell me where {{s}} {be} {done}.", "{v}"),
                ),
            ),
            fact(
                "when",
                text(moment),
                (f"{head} {{v}}.", f"{{v}}, {{s}} {be} {done}."),
                (
                    (f"When {be} {{s}} {done}?", "{v}"),
                    (f"At what time or on which day {be} {{s}} {done}?", "{v}"),
                    (f"When do they {base} {{s}}?", "{v}"),
                ),
            ),
            fact(
                "often",
                text(often),
                (f"{head} {{v}}.",),
                ((f"How often {be} {{s}} {done}?", "{v}"), (f"How often do they {base} {{s}}?", "{v}")),
            ),
            fact(
                "why",
                choice(REASONS),
                (f"{head} because {{v}}.", f"Because {{v}}, {{s}} {be} {done}."),
                ((f"Why {be} {{s}} {done}?", "Because {v}"), (f"For what reason {be} {{s}} {done}?", "Because {v}")),
            ),
            fact(
                "with",
                choice(TOOLS),
                (f"{head} with {{v}}.",),
                ((f"With what {be} {{s}} {done}?", "With {v}"), (f"What is used to {base} {{s}}?", "{v}")),
            ),
            fact(
                "need",
                choice(NEEDED),
                (
                    f"{{S}} may be {done} only with {{v}}.",
                    f"You need {{v}} to {base} {{s}}.",
                    f"Nobody may {base} {{s}} without {{v}}.",
                ),
                (
                    (f"What do I need to {base} {{s}}?", "{v}"),
                    (f"What is needed to {base} {{s}}?", "{v}"),
                    (f"With what may {{s}} be {done}?", "With {v}"),
                ),
            ),
            fact(
                "takes",
                span,
                (f"It takes {{v}} to {base} {{s}}.", f"{{S}} must be {done} within {{v}}."),
                (
                    (f"How long does it take to {base} {{s}}?", "{v}"),
                    (f"Within what time must {{s}} be {done}?", "{v}"),
                    (f"How much time is there to {base} {{s}}?", "{v}"),
                ),
            ),
            fact(
                "cost",
                lambda n: {"v": n.money()},
                (f"It costs {{v}} to {base} {{s}}.", f"To {base} {{s}} costs {{v}}."),
                ((f"How much does it cost to {base} {{s}}?", "{v}"), (f"What is the price to {base} {{s}}?", "{v}")),
            ),
        ]
    if do == "does":
        for forms in ACTIVE:
            base, third = forms.split()
            made[f"{base} n"] = [
                FactType(
                    subject,
                    f"{base}:{unit}",
                    text(
                        lambda n: (
                            NUMBER_WORDS[n.rng.randint(1, 11)]
                            if n.rng.random() < 0.25
                            else str(n.number(2, n.rng.choice((20, 99, 999))))
                        )
                    ),
                    (f"{{S}} {third} {{v}} {unit}.", f"{{S}} {third} up to {{v}} {unit}."),
                    (
                        (f"How many {unit} does {{s}} {base}?", "{v}"),
                        (f"What number of {unit} does {{s}} {base}?", "{v}"),
                    ),
                )
                for unit in UNITS
            ]
        made["be"] = [
            FactType(
                subject,
                "be:long",
                measure(("metres", "kilometres", "feet")),
                ("{S} is {v} long.", "{S} has a length of {v}."),
                (("How long is {s}?", "{v}"), ("What is the length of {s}?", "{v}")),
            ),
            FactType(
                subject,
                "be:deep",
                measure(("metres", "feet", "centimetres")),
                ("{S} is {v} deep.",),
                (("How deep is {s}?", "{v}"), ("What is the depth of {s}?", "{v}")),
            ),
            FactType(
                subject,
                "be:old",
                span,
                ("{S} is {v} old.",),
                (("How old is {s}?", "{v}"), ("What is the age of {s}?", "{v}")),
            ),
            FactType(
                subject,
                "be:wide",
                measure(("metres", "cm")),
                ("{S} is {v} wide.",),
                (("How wide is {s}?", "{v}"), ("What is the width of {s}?", "{v}")),
            ),
        ]
    return made


PLURAL_TYPES = types("are", "do", "many")
SINGULAR_TYPES = types("is", "does", "one")
JOINABLE = ("who", "where", "when", "often", "with", "why")
"""Parts that can stand together in one sentence, in this order but for the first."""


def subject(n: Names, kind: str) -> str:
    """The object that clauses are about."""
    r = n.rng
    if kind == "many":
        noun = r.choice(PLURALS + BORROWED + RULE_LIKE)
        return f"{r.choice(ADJECTIVES)} {noun}" if r.random() < 0.3 else noun if r.random() < 0.7 else f"the {noun}"
    noun = r.choice(SINGULARS)
    draw = r.random()
    if draw < 0.2:
        return f"the {n.word()} {noun}"
    if draw < 0.35:
        return f"the {noun} {n.word()}"
    return f"the {r.choice(ADJECTIVES)} {noun}" if draw < 0.55 else f"the {noun}"


def together(n: Names, facts: list[FactType], values: list[dict[str, str]], about: str) -> str | None:
    """One sentence that tells several facts of one verb, or None where they do not join."""
    slots = [fact.key.split(":")[1] for fact in facts]
    if not all(slot in JOINABLE for slot in slots) or len(set(slots)) < len(slots):
        return None
    pairs = list(zip(slots, facts, values, strict=True))
    n.rng.shuffle(pairs)
    pairs.sort(key=lambda pair: pair[0] == "why")
    head = pairs[0][1].statements[0].split("{v}")[0].format(S=about[:1].upper() + about[1:]).rstrip()
    start = " ".join(head.split()) if pairs[0][0] not in ("who", "with", "why") else head.rsplit(" ", 1)[0]
    mark = {"who": "by ", "with": "with ", "why": "because "}
    return f"{start} " + " ".join(mark.get(slot, "") + value["v"] for slot, _, value in pairs) + "."
