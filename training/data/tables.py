"""Passages that are rows of a table: `name: Tova; room: 12; day: Monday`; in training also as the reader of CSV writes them."""

# ruff: noqa: E501, SIM905  (tables of wordings: one line reads better than many)

from __future__ import annotations

from collections.abc import Callable

from .names import COLOURS, DAYS, Names

Column = tuple[str, Callable[[Names], str], tuple[str, ...]]
ITEMS = "hammer|rope|kettle|ladder|violin|lamp|tent|camera|drum|saw|bench|globe|mirror|clock|pump|boat|bread|soup|tea|cake".split(
    "|"
)
COURSES = "pottery|French|yoga|chess|painting|robotics|cooking|judo|piano|history|botany|dancing|sewing|Spanish|first aid".split(
    "|"
)

PEOPLE: list[Column] = [
    ("room", Names.room, ("Which room does {k} have?", "What is the room of {k}?", "In which room is {k}?")),
    (
        "day",
        lambda n: n.rng.choice(DAYS),
        ("On which day is {k} there?", "What is the day of {k}?", "Which day does {k} have?"),
    ),
    ("phone", Names.phone, ("What is the phone number of {k}?", "How can I call {k}?", "What is {k}'s phone number?")),
    ("town", Names.word, ("What is the town of {k}?", "Which town does {k} come from?", "Where is {k} from?")),
    ("age", lambda n: str(n.number(5, 99)), ("How old is {k}?", "What is the age of {k}?")),
    (
        "role",
        lambda n: n.rng.choice(("cook", "driver", "guard", "nurse", "editor", "pilot", "teacher", "clerk", "engineer")),
        ("What is the role of {k}?", "What does {k} work as?", "Which role does {k} have?"),
    ),
    ("email", Names.email, ("What is the e-mail address of {k}?", "What is the email of {k}?")),
    ("points", lambda n: str(n.number(0, 900)), ("How many points does {k} have?", "What are the points of {k}?")),
]
THINGS: list[Column] = [
    ("price", Names.money, ("How much does the {k} cost?", "What is the price of the {k}?")),
    ("colour", lambda n: n.rng.choice(COLOURS), ("What colour is the {k}?", "Which colour does the {k} have?")),
    ("stock", lambda n: str(n.number(0, 300)), ("How many of the {k} are in stock?", "What is the stock of the {k}?")),
    (
        "shelf",
        lambda n: f"{n.rng.choice('ABCDEF')}{n.number(1, 60)}",
        ("On which shelf is the {k}?", "What is the shelf of the {k}?"),
    ),
    ("owner", Names.person, ("Who owns the {k}?", "Who is the owner of the {k}?")),
    ("weight", lambda n: f"{n.number(2, 400)} kg", ("How heavy is the {k}?", "What is the weight of the {k}?")),
]
CLASSES: list[Column] = [
    ("teacher", Names.person, ("Who teaches {k}?", "Who is the teacher of {k}?")),
    ("day", lambda n: n.rng.choice(DAYS), ("On which day is {k}?", "What day is {k}?")),
    ("time", Names.clock, ("At what time is {k}?", "When does {k} begin?", "What is the time of {k}?")),
    ("room", Names.room, ("In which room is {k}?", "What is the room of {k}?")),
    ("fee", Names.money, ("How much does {k} cost?", "What is the fee of {k}?")),
    ("places", lambda n: str(n.number(3, 60)), ("How many places does {k} have?", "How many places are there in {k}?")),
]


class Table:
    """Rows of one table as passages, with the two methods of `grounded.World`.

    With `styles` 2 half of the tables have bare cells between bars and the header in the context.
    """

    def __init__(self, n: Names, size: int, styles: int = 1):
        r = self.rng = n.rng
        self.n = n
        self.first, columns, key = r.choice(
            (
                ("name", PEOPLE, Names.person),
                ("item", THINGS, lambda n: n.rng.choice(ITEMS)),
                ("course", CLASSES, lambda n: n.rng.choice(COURSES)),
            )
        )
        self.key = key
        several = r.random() < 0.3  # several rows in one passage
        columns = r.sample(columns, r.randint(2, 4))
        self.hidden = columns.pop() if len(columns) > 2 else None
        header = " > ".join((f"{n.word()} list",)) if r.random() < 0.3 else ""
        bars = styles > 1 and r.random() < 0.6
        if bars:
            titles = [self.first, *(column[0] for column in columns)]
            capitals = r.random() < 0.6
            header = " | ".join(title.capitalize() if capitals else title for title in titles)
            several = r.random() < 0.6
        self.passages: list[tuple[str, str]] = []
        self.rows: list[tuple[int, str, list[tuple[Column, str]]]] = []
        seen: set[str] = set()
        for number in range(size):
            lines = []
            for _ in range(r.randint(2, 4) if several else 1):
                k = key(n)
                if k in seen:
                    continue
                seen.add(k)
                cells = [(column, column[1](n)) for column in columns]
                if bars:
                    lines.append(" | ".join([k, *(value for _, value in cells)]))
                else:
                    lines.append(
                        "; ".join([f"{self.first}: {k}", *(f"{column[0]}: {value}" for column, value in cells)])
                    )
                self.rows.append((number, k, cells))
            self.passages.append(("\n".join(lines) or f"{self.first}: none", header))
        self.seen = seen

    def question(self) -> tuple[str, str, int]:
        """Question, answer without citation, passage from 0."""
        number, key, cells = self.rng.choice(self.rows)
        column, value = self.rng.choice(cells)
        return self.rng.choice(column[2]).format(k=key), value[:1].upper() + value[1:], number

    def unanswerable(self) -> str:
        """A row that is not there, or a column that is not."""
        _, key, cells = self.rng.choice(self.rows)
        if self.hidden and self.rng.random() < 0.5:
            return self.rng.choice(self.hidden[2]).format(k=key)
        for _ in range(20):
            other = self.key(self.n)
            if not any(other in k or k in other for k in self.seen):
                break
        return self.rng.choice(self.rng.choice(cells)[0][2]).format(k=other)


def table_world(n: Names, size: int) -> Table:
    """A table of `size` passages."""
    return Table(n, size)
