"""Small word problems of one and two steps; the answer shows one working line and then says the result."""

# ruff: noqa: E501, SIM905  (tables of wordings: one line reads better than many)

from __future__ import annotations

from collections.abc import Callable

from .names import Names
from .sample import Sample, held_out, talk

ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
THINGS = "apples pears plums books pens coins stamps marbles cards eggs cakes balls flowers shells stones nuts sweets lemons buttons tickets cups keys oranges cookies".split()
BOXES = (
    ("box", "boxes"),
    ("bag", "bags"),
    ("basket", "baskets"),
    ("shelf", "shelves"),
    ("jar", "jars"),
    ("tray", "trays"),
    ("drawer", "drawers"),
)


def in_words(value: int) -> str:
    """A number from 0 to 99 in English words."""
    if value < 20:
        return ONES[value]
    ten, one = divmod(value, 10)
    return TENS[ten - 2] + (f"-{ONES[one]}" if one else "")


Problem = tuple[str, str, int, str]
"""Question, worked answer, result, operation with operands."""


class Numbers:
    """Draws operands whose combination lies on the wanted side of the split, and writes them as digits or words."""

    def __init__(self, n: Names):
        self.n, self.rng = n, n.rng
        self.words = n.rng.random() < 0.35
        self.operands = ""

    def draw(self, operation: str, *ranges: tuple[int, int], valid: Callable[..., bool] = lambda *_: True) -> list[int]:
        """Operands within `ranges` (inclusive) for `operation` which are `valid`; in training also larger ones."""
        if not self.n.test and self.rng.random() < 0.4:
            ranges = tuple((low, high * (3 if operation in ("+", "-", "+-", "-+") else 2)) for low, high in ranges)
        while True:
            values = [self.rng.randint(*bounds) for bounds in ranges]
            self.operands = f"{operation} {' '.join(map(str, values))}"
            if valid(*values) and held_out(self.operands, 6) == self.n.test:
                return values

    def __call__(self, value: int) -> str:
        return in_words(value) if self.words and value < 100 else str(value)


def one_step(n: Names) -> Problem:
    """One step."""
    num, r = Numbers(n), n.rng
    a_name, b_name, thing = n.first(), n.first(), r.choice(THINGS)
    (box, boxes) = r.choice(BOXES)
    kind = r.choice("+++---***//m")
    if kind == "+":
        a, b = num.draw("+", (2, 20), (2, 12))
        question = r.choice(
            (
                f"{a_name} has {num(a)} {thing}. {b_name} gives {a_name} {num(b)} more. How many {thing} does {a_name} have now?",
                f"{a_name} has {num(a)} {thing} and {b_name} has {num(b)} {thing}. How many {thing} do they have together?",
                f"{a_name} has {num(a)} {thing} and buys {num(b)} more. How many {thing} does {a_name} have?",
                f"{b_name} has {num(a)} {thing}. {a_name} has {num(b)} {thing} more than {b_name}. How many {thing} does {a_name} have?",
                f"{a_name} has {num(a)} {thing} more than {b_name}. {b_name} has {num(b)} {thing}. How many {thing} does {a_name} have?",
                f"There are {num(a)} {thing} in one {box} and {num(b)} in another. How many {thing} are there in all?",
                f"{a_name} finds {num(a)} {thing} on Monday and {num(b)} on Tuesday. How many {thing} does {a_name} find altogether?",
                f"{a_name} has {num(a)} {thing} more than {num(b)} {thing}. How many {thing} does {a_name} have?",
            )
        )
        result, work = a + b, f"{a} + {b} = {a + b}"
    elif kind == "-":
        a, b = num.draw("-", (5, 20), (2, 15), valid=lambda a, b: a > b)
        question = r.choice(
            (
                f"{a_name} has {num(a)} {thing} and gives {num(b)} to {b_name}. How many {thing} does {a_name} have left?",
                f"{a_name} has {num(a)} {thing}. {a_name} loses {num(b)} of them. How many {thing} are left?",
                f"{a_name} has {num(a)} {thing} and {b_name} has {num(b)}. How many more {thing} does {a_name} have than {b_name}?",
                f"There are {num(a)} {thing} in a {box}. {a_name} takes out {num(b)}. How many {thing} remain in the {box}?",
                f"{a_name} has {num(a)} {thing}. {b_name} has {num(b)} {thing} fewer. How many {thing} does {b_name} have?",
                f"{a_name} had {num(a)} {thing} and ate {num(b)}. How many {thing} does {a_name} have now?",
            )
        )
        result, work = a - b, f"{a} - {b} = {a - b}"
        a_name = "" if "are left" in question or "remain" in question else b_name if "fewer" in question else a_name
        if "How many more" in question:
            return question, f"{work}. {a_name} has {result} more {thing}.", result, num.operands
        if not a_name:
            return question, f"{work}. There are {result} {thing} left.", result, num.operands
    elif kind == "*":
        a, b = num.draw("*", (2, 10), (2, 10))
        question = r.choice(
            (
                f"There are {num(a)} {boxes} with {num(b)} {thing} each. How many {thing} are there in all?",
                f"{a_name} has {num(a)} {boxes}. Each {box} holds {num(b)} {thing}. How many {thing} does {a_name} have?",
                f"{a_name} buys {num(a)} {boxes} of {thing} with {num(b)} {thing} in each. How many {thing} does {a_name} have?",
                f"{a_name} collects {num(b)} {thing} every day for {num(a)} days. How many {thing} does {a_name} have?",
            )
        )
        result, work = a * b, f"{a} * {b} = {a * b}"
    elif kind == "/":
        b, c = num.draw("/", (2, 10), (2, 10))
        a = b * c
        question = r.choice(
            (
                f"{a_name} shares {num(a)} {thing} equally among {num(b)} friends. How many {thing} does each friend get?",
                f"{num(a).capitalize()} {thing} are put into {num(b)} {boxes} equally. How many {thing} are in each {box}?",
                f"{a_name} divides {num(a)} {thing} between {num(b)} children. How many {thing} does each child get?",
            )
        )
        result, work = c, f"{a} / {b} = {c}"
        whom = "friend" if "friend" in question else "child" if "child" in question else box
        return question, f"{work}. Each {whom} {'has' if whom == box else 'gets'} {c} {thing}.", c, num.operands
    else:
        (a, b) = num.draw("price", (2, 12), (2, 9))
        question = r.choice(
            (
                f"One {thing[:-1]} costs {num(a)} euros. How much do {num(b)} {thing} cost?",
                f"A {box} of {thing} costs {num(a)} dollars. How much do {num(b)} {boxes} cost?",
            )
        )
        unit = "euros" if "euros" in question else "dollars"
        return question, f"{b} * {a} = {a * b}. They cost {a * b} {unit}.", a * b, num.operands
    closing = (
        f"There are {result} {thing} in all."
        if ("are there" in question)
        else (
            f"They have {result} {thing} together."
            if "they have" in question
            else f"{a_name} {'finds' if ' find ' in question else 'has'} {result} {thing}."
        )
    )
    return question, f"{work}. {closing}", result, num.operands


def two_steps(n: Names) -> Problem:
    """Two steps."""
    num, r = Numbers(n), n.rng
    a_name, b_name, thing = n.first(), n.first(), r.choice(THINGS)
    _, boxes = r.choice(BOXES)
    kind = r.randrange(8)
    end = "has"
    if kind == 0:
        a, b, c = num.draw("+-", (3, 20), (2, 20), (2, 12), valid=lambda a, b, c: c < a + b)
        question = f"{a_name} has {num(a)} {thing}, buys {num(b)} more and gives {num(c)} to {b_name}. How many {thing} does {a_name} have now?"
        work, result = f"{a} + {b} = {a + b}, {a + b} - {c} = {a + b - c}", a + b - c
    elif kind == 1:
        a, b, c = num.draw("-+", (5, 20), (2, 18), (2, 12), valid=lambda a, b, c: b < a)
        question = f"{a_name} has {num(a)} {thing} and eats {num(b)} of them. Then {b_name} brings {num(c)} more. How many {thing} does {a_name} have in the end?"
        work, result = f"{a} - {b} = {a - b}, {a - b} + {c} = {a - b + c}", a - b + c
    elif kind == 2:
        a, b, c = num.draw("*+", (2, 9), (2, 9), (2, 15))
        question = f"{a_name} has {num(a)} {boxes} with {num(b)} {thing} each and {num(c)} more {thing}. How many {thing} does {a_name} have in all?"
        work, result = f"{a} * {b} = {a * b}, {a * b} + {c} = {a * b + c}", a * b + c
    elif kind == 3:
        a, b, c = num.draw("*-", (2, 9), (2, 9), (2, 15), valid=lambda a, b, c: c < a * b)
        question = f"{a_name} has {num(a)} {boxes} of {num(b)} {thing} and gives away {num(c)} {thing}. How many {thing} are left?"
        work, result = f"{a} * {b} = {a * b}, {a * b} - {c} = {a * b - c}", a * b - c
    elif kind == 4:
        a, b = num.draw("more+", (2, 20), (2, 15))
        question = r.choice(
            (
                f"{a_name} has {num(a)} {thing}. {b_name} has {num(b)} more than {a_name}. How many {thing} do they have together?",
                f"{b_name} has {num(b)} {thing} more than {a_name}. {a_name} has {num(a)} {thing}. How many {thing} do they have together?",
            )
        )
        work, result, end = f"{a} + {b} = {a + b}, {a} + {a + b} = {2 * a + b}", 2 * a + b, "together"
    elif kind == 5:
        (a,) = num.draw("twice", (2, 15))
        question = f"{a_name} has {num(a)} {thing}. {b_name} has twice as many as {a_name}. How many {thing} do they have together?"
        work, result, end = f"2 * {a} = {2 * a}, {a} + {2 * a} = {3 * a}", 3 * a, "together"
    elif kind == 6:
        a, b, c = num.draw("+/", (2, 9), (2, 6), (1, 9), valid=lambda a, b, c: c < a * b)
        total = a * b
        question = f"{a_name} has {num(total - c)} {thing} and gets {num(c)} more. {a_name} shares them equally among {num(b)} friends. How many {thing} does each friend get?"
        work, result, end = f"{total - c} + {c} = {total}, {total} / {b} = {a}", a, "each"
    else:
        a, b, c = num.draw("*price", (2, 9), (2, 5), (2, 30))
        money = a * b + c
        question = f"{a_name} has {num(money)} euros and buys {num(b)} {thing} for {num(a)} euros each. How much money is left?"
        return question, f"{b} * {a} = {a * b}, {money} - {a * b} = {c}. There are {c} euros left.", c, num.operands
    closing = {
        "has": f"{a_name} has {result} {thing}.",
        "together": f"They have {result} {thing} together.",
        "each": f"Each friend gets {result} {thing}.",
    }[end]
    if "are left" in question:
        closing = f"There are {result} {thing} left."
    return question, f"{work}. {closing}", result, num.operands


def sum_only(n: Names) -> Problem:
    """A bare sum."""
    num, r = Numbers(n), n.rng
    num.words = r.random() < 0.2
    sign = r.choice("++--*/")
    if sign == "*":
        a, b = num.draw("*", (2, 12), (2, 10))
        result = a * b
    elif sign == "/":
        b, result = num.draw("/", (2, 10), (2, 10))
        a = b * result
    else:
        a, b = num.draw(sign, (2, 20), (2, 15), valid=lambda a, b: sign == "+" or a > b)
        result = a + b if sign == "+" else a - b
    spoken = {"+": "plus", "-": "minus", "*": "times", "/": "divided by"}[sign]
    question = r.choice(
        (
            f"What is {a} {sign} {b}?",
            f"{a} {sign} {b} = ?",
            f"What is {num(a)} {spoken} {num(b)}?",
            f"Calculate {a} {sign} {b}.",
            f"How much is {num(a)} {spoken} {num(b)}?",
        )
    )
    return question, f"{a} {sign} {b} = {result}", result, num.operands


def arithmetic(n: Names, level: float = 1.0) -> Sample:
    """A word problem, one step or two, sometimes a bare sum in training."""
    draw = n.rng.random()
    if not n.test and draw < (0.35 if level < 0.2 else 0.12):
        question, answer, result, operands = sum_only(n)
    elif draw < 0.6:
        question, answer, result, operands = one_step(n)
    else:
        question, answer, result, operands = two_steps(n)
    return talk("arithmetic", question, answer, kind="number", value=result, operands=operands)
