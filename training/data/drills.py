"""Bare sums in a row: the steps that word problems and formulas are made of. For training only.

What a held-out word problem or formula would ask in one step (its operands with its operation) is left out.
"""

from __future__ import annotations

from .arithmetic import in_words
from .formulas import operands, pi_times, times
from .names import Names
from .sample import Sample, held_out


def free(operation: str, *values: int) -> bool:
    """Whether no held-out item is this very step."""
    if operation == "pi":
        (a,) = values
        root = round(a**0.5)
        return not (
            held_out(operands("diameter", [a]), 4)
            or (a % 2 == 0 and held_out(operands("circumference", [a // 2]), 4))
            or (root * root == a and held_out(operands("circle", [root]), 4))
        )
    if held_out(f"{operation} {' '.join(map(str, values))}", 6):
        return False
    a, b = values
    if operation == "*":
        pairs = ((a, b), (b, a))
        kinds = ("rectangle", "triangle")
        alone = (a == b and held_out(operands("square", [a]), 4)) or (a == b * b and held_out(operands("cube", [b]), 4))
        swapped = held_out(f"* {b} {a}", 6) or held_out(f"price {a} {b}", 6) or held_out(f"price {b} {a}", 6)
        return not (alone or swapped or any(held_out(operands(kind, [*pair]), 4) for kind in kinds for pair in pairs))
    return True


def drill(n: Names) -> tuple[str, str]:
    """One step and its answer."""
    r = n.rng
    sign = r.choice("+++----**//p")
    while True:
        top = r.choice((12, 20, 20, 40, 100))
        if sign == "+":
            a, b = r.randint(1, top), r.randint(1, top)
            result = str(a + b)
        elif sign == "-":
            a = r.randint(2, r.choice((20, 20, 60, 100, 220)))
            b = 32 if a > 32 and r.random() < 0.1 else r.randint(1, min(a, r.choice((10, 20, 100))))
            result = str(a - b)
        elif sign == "*":
            a, b = r.randint(2, r.choice((10, 10, 20, 80))), r.randint(2, 10)
            a, b = (a, b) if r.random() < 0.6 else (b, a)
            result = times(a, b)
        elif sign == "/":
            b, c = r.randint(2, 10), r.randint(2, r.choice((10, 10, 20)))
            a, result = b * c, str(c)
            if held_out(f"/ {b} {c}", 6):
                continue
        else:
            a = r.choice((r.randint(2, 9), r.randint(2, 40), r.randint(2, 400), 10 * r.randint(1, 30)))
            if free("pi", a):
                return f"3.14 * {a} = ?", f"3.14 * {a} = {pi_times(a)}"
            continue
        if free(sign, a, b):
            break
    if max(a, b) < 100 and r.random() < 0.15:
        spoken = {"+": "plus", "-": "minus", "*": "times", "/": "divided by"}[sign]
        return f"What is {in_words(a)} {spoken} {in_words(b)}?", f"{a} {sign} {b} = {result}"
    return f"{a} {sign} {b} = ?", f"{a} {sign} {b} = {result}"


def drills(n: Names) -> Sample:
    """Three to six steps, one after the other."""
    messages = []
    for _ in range(n.rng.randint(3, 6)):
        question, answer = drill(n)
        messages += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return Sample("arithmetic", messages, {"kind": "exact"})
