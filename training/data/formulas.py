"""Areas, volumes and other simple formulas, with every step shown; pi is taken as 3.14, as the answer says."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from .names import Names
from .sample import Sample, held_out, talk

UNITS = ("cm", "m", "metres", "centimetres", "feet", "inches", "", "", "")
CALLS = (
    "What is {x}?",
    "Calculate {x}.",
    "Find {x}.",
    "Compute {x}.",
    "How large is {x}?",
    "Please work out {x}.",
    "What is {x}? Show the steps.",
    "Work out {x} step by step.",
    "Tell me {x}.",
    "Can you calculate {x}?",
)


def show(value: Decimal | int) -> str:
    """A decimal number without trailing zeros."""
    text = f"{Decimal(value):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def times(a: int, b: int) -> str:
    """The steps of `a * b`: direct up to 10 * 10, else by the tens and ones of the larger factor."""
    big, small = max(a, b), min(a, b)
    if big <= 10 or big % 10 == 0 or small == 1:
        return show(a * b)
    if big > 100:
        hundreds, rest = big - big % 100, big % 100
        tens, ones = rest - rest % 10, rest % 10
        parts = [hundreds * small] + [part * small for part in (tens, ones) if part]
        return " + ".join(map(str, parts)) + f" = {a * b}"
    tens, ones = big - big % 10, big % 10
    return f"{tens * small} + {ones * small} = {a * b}"


def pi_times(value: int) -> str:
    """The steps of `3.14 * value`, digit by digit."""
    pi = Decimal("3.14")
    parts = [
        int(digit) * 10**power
        for power, digit in zip(range(len(str(value)) - 1, -1, -1), str(value), strict=True)
        if digit != "0"
    ]
    if len(parts) == 1:
        return show(pi * value)
    steps = " + ".join(show(pi * part) for part in parts)
    if len(parts) == 3:
        steps += f" = {show(pi * parts[0])} + {show(pi * (parts[1] + parts[2]))}"
    return f"{steps} = {show(pi * value)}"


def draw(n: Names, kind: str, *ranges: tuple[int, int], valid: Callable[..., bool] = lambda *_: True) -> list[int]:
    """Operands for `kind` from this side of the split, `valid` ones; in training also larger ones, so that the steps
    are learnt and not the results."""
    if not n.test and n.rng.random() < 0.5:
        ranges = tuple((low, high * 2) for low, high in ranges)
    while True:
        values = [n.rng.randint(*bounds) for bounds in ranges]
        n.operands = operands(kind, values)
        if valid(*values) and held_out(n.operands, 4) == n.test:
            return values


def operands(kind: str, values: list[int]) -> str:
    """A formula with its operands, by which the split is made."""
    return f"{kind} {' '.join(map(str, values))}"


def formulas(n: Names) -> Sample:
    """One formula question with its worked answer."""
    r = n.rng
    unit = r.choice(UNITS)
    u = f" {unit}" if unit else ""
    kind = r.choice(
        (
            "circle",
            "circle",
            "circle",
            "rectangle",
            "rectangle",
            "perimeter",
            "triangle",
            "square",
            "square perimeter",
            "cube",
            "box",
            "circumference",
            "diameter",
            "speed",
            "average",
            "average3",
            "percent",
            "fahrenheit",
            "distance",
            "celsius",
            "time",
        )
    )
    if kind == "circle":
        (a,) = draw(n, kind, (1, 10) if not n.test and r.random() < 0.5 else (1, 20))
        x = r.choice(
            (
                f"the area of a circle with radius {a}{u}",
                f"the area of a circle of radius {a}{u}",
                f"the area of a circle whose radius is {a}{u}",
                f"the area of a circle with a radius of {a}{u}",
            )
        )
        value = Decimal("3.14") * a * a
        if a <= 10:
            square = "" if a == 1 else f" = 3.14 * {a * a}"
            answer = f"Area = pi * r^2 = 3.14 * {a} * {a}{square} = {pi_times(a * a)}"
        else:
            answer = (
                f"Area = pi * r^2 = 3.14 * {a} * {a}, {a} * {a} = {times(a, a)}, 3.14 * {a * a} = {pi_times(a * a)}"
            )
    elif kind == "circumference":
        (a,) = draw(n, kind, (1, 20))
        x, value = f"the circumference of a circle with radius {a}{u}", Decimal("6.28") * a
        answer = f"Circumference = 2 * pi * r = 2 * 3.14 * {a} = 3.14 * {2 * a} = {pi_times(2 * a)}"
    elif kind == "diameter":
        (a,) = draw(n, kind, (1, 20))
        x, value = f"the circumference of a circle with diameter {a}{u}", Decimal("3.14") * a
        answer = f"Circumference = pi * d = 3.14 * {a} = {pi_times(a)}"
    elif kind == "rectangle":
        a, b = draw(
            n, kind, (2, 20), (2, 10), valid=lambda a, b: a > 10 or held_out(operands(kind, [b, a]), 4) == n.test
        )
        a, b = (a, b) if r.random() < 0.6 else (b, a)
        x = r.choice(
            (
                f"the area of a rectangle with length {a} and width {b}",
                f"the area of a rectangle of {a}{u} by {b}{u}",
                f"the area of a rectangle with the sides {a} and {b}",
                f"the area of a {a} by {b} rectangle",
            )
        )
        value, answer = Decimal(a * b), f"Area = length * width = {a} * {b} = {times(a, b)}"
    elif kind == "perimeter":
        a, b = draw(n, kind, (2, 15), (2, 15))
        x = r.choice(
            (
                f"the perimeter of a rectangle with length {a} and width {b}",
                f"the perimeter of a rectangle of {a}{u} by {b}{u}",
            )
        )
        value = Decimal(2 * (a + b))
        answer = f"Perimeter = 2 * (length + width) = 2 * ({a} + {b}) = 2 * {a + b} = {2 * (a + b)}"
    elif kind == "triangle":
        a, b = draw(n, kind, (2, 20), (2, 10), valid=lambda a, b: a * b % 2 == 0)
        x = r.choice(
            (
                f"the area of a triangle with base {a} and height {b}",
                f"the area of a triangle with base {a}{u} and height {b}{u}",
            )
        )
        value, answer = (
            Decimal(a * b) / 2,
            f"Area = base * height / 2 = {a} * {b} / 2 = {times(a, b).split(' = ')[-1]} / 2 = {a * b // 2}",
        )
    elif kind == "square":
        (a,) = draw(n, kind, (2, 20))
        x, value = f"the area of a square with side {a}{u}", Decimal(a * a)
        tens, ones = a - a % 10, a % 10
        steps = str(a * a) if a <= 10 or not ones else f"{tens * a} + {ones * a} = {a * a}"
        answer = f"Area = side * side = {a} * {a} = {steps}"
    elif kind == "square perimeter":
        (a,) = draw(n, kind, (2, 25))
        x, value = f"the perimeter of a square with side {a}{u}", Decimal(4 * a)
        answer = f"Perimeter = 4 * side = 4 * {a} = {times(4, a)}"
    elif kind == "cube":
        (a,) = draw(n, kind, (2, 15))
        x, value = f"the volume of a cube with side {a}{u}", Decimal(a**3)
        answer = f"Volume = side^3 = {a} * {a} * {a} = {a * a} * {a} = {times(a * a, a)}"
    elif kind == "box":
        a, b, c = draw(n, kind, (2, 9), (2, 9), (2, 9))
        x = r.choice(
            (
                f"the volume of a box of {a} by {b} by {c}",
                f"the volume of a box with length {a}, width {b} and height {c}",
            )
        )
        value, answer = (
            Decimal(a * b * c),
            f"Volume = length * width * height = {a} * {b} * {c} = {a * b} * {c} = {times(a * b, c)}",
        )
    elif kind in ("speed", "distance", "time"):
        factor = r.choice((1, 5))

        def same_speed(
            h: int, s: int
        ) -> bool:  # 10 km per hour may be 10 * 1 or 2 * 5: all ways on one side of the split
            ways = {s * factor, s * factor // 5 if s * factor % 5 == 0 else 0}
            return all(held_out(operands("speed", [h, way]), 4) == n.test for way in ways if 2 <= way <= 20)

        hours, speed = draw(n, "speed", (2, 9), (2, 20), valid=same_speed)
        speed *= factor
        way = hours * speed
        who = r.choice(("A car", "A train", "A bus", "A cyclist", "A boat", n.first()))
        if kind == "speed":
            x = ""
            question = f"{who} travels {way} km in {hours} hours. What is the speed?"
            value, answer = Decimal(speed), f"Speed = distance / time = {way} / {hours} = {speed} km per hour"
        elif kind == "distance":
            x = ""
            question = f"{who} travels at {speed} km per hour for {hours} hours. What is the distance?"
            value, answer = Decimal(way), f"Distance = speed * time = {speed} * {hours} = {times(speed, hours)} km"
        else:
            x = ""
            question = f"{who} travels {way} km at {speed} km per hour. How long does it take?"
            value, answer = Decimal(hours), f"Time = distance / speed = {way} / {speed} = {hours} hours"
    elif kind == "average":
        a, b = draw(n, kind, (1, 20), (1, 20), valid=lambda a, b: (a + b) % 2 == 0)
        x, value = f"the average of {a} and {b}", Decimal(a + b) / 2
        answer = f"Average = ({a} + {b}) / 2 = {a + b} / 2 = {(a + b) // 2}"
    elif kind == "average3":
        a, b, c = draw(n, kind, (1, 12), (1, 12), (1, 12), valid=lambda a, b, c: (a + b + c) % 3 == 0)
        x, value = f"the average of {a}, {b} and {c}", Decimal(a + b + c) / 3
        answer = f"Average = ({a} + {b} + {c}) / 3 = {a + b + c} / 3 = {(a + b + c) // 3}"
    elif kind == "percent":
        p, q = draw(n, kind, (1, 9), (1, 20))
        percent, whole = p * 10, q * 10
        x, value = r.choice((f"{percent}% of {whole}", f"{percent} percent of {whole}")), Decimal(p * q)
        answer = f"{percent}% of {whole} = {percent} / 100 * {whole} = {p} * {q} = {times(p, q)}"
    elif kind == "fahrenheit":
        (a,) = draw(n, kind, (0, 20))
        c, value = a * 5, Decimal(9 * a + 32)
        x, question = (
            "",
            r.choice(
                (
                    f"Convert {c} degrees Celsius to Fahrenheit.",
                    f"How much is {c} degrees Celsius in Fahrenheit?",
                    f"What is {c} Celsius in Fahrenheit?",
                )
            ),
        )
        answer = f"F = C / 5 * 9 + 32 = {c} / 5 * 9 + 32 = {a} * 9 + 32 = {9 * a} + 32 = {9 * a + 32}"
    else:
        (a,) = draw(n, "celsius", (0, 20))
        f, value = a * 9 + 32, Decimal(5 * a)
        x, question = (
            "",
            r.choice((f"Convert {f} degrees Fahrenheit to Celsius.", f"What is {f} Fahrenheit in Celsius?")),
        )
        answer = f"C = (F - 32) / 9 * 5 = ({f} - 32) / 9 * 5 = {9 * a} / 9 * 5 = {a} * 5 = {5 * a}"
    if x:
        call = r.choice(CALLS[:6] if "%" in x else CALLS)
        question = call.format(x=x)
    check = {"kind": "number", "value": float(value), "tolerance": 0.002, "steps": True, "operands": n.operands}
    return talk("formulas", question, answer, **check)
