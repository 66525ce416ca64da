"""The training's generator: nothing that is held out is drawn, and the steps it shows are right."""

from __future__ import annotations

import random
import re

from training import functions as F
from training.data.code import any_name
from training.data.drills import drill, drills
from training.data.formulas import operands
from training.data.mixture import test_samples as held_out_samples
from training.data.mixture import training_sample
from training.data.names import Names
from training.data.reading import reading
from training.data.sample import held_out
from training.data.tables import Table


def test_every_drill_is_right_in_each_of_its_steps() -> None:
    n = Names(random.Random(2))
    for _ in range(3000):
        _, answer = drill(n)
        values = [eval(part) for part in answer.split(" = ")]
        assert all(abs(value - values[0]) < 1e-6 for value in values), answer


def test_no_drill_is_the_one_step_of_a_held_out_circle_or_square() -> None:
    n = Names(random.Random(4))
    answers = {message["content"] for _ in range(3000) for message in drills(n).messages}
    radii = [a for a in range(2, 21) if held_out(operands("circle", [a]), 4)]
    sides = [a for a in range(2, 21) if held_out(operands("square", [a]), 4)]
    assert radii and sides
    assert not [a for a in radii if any(f"3.14 * {a * a} =" in answer for answer in answers)]
    assert not [a for a in sides if any(answer.startswith(f"{a} * {a} =") for answer in answers)]


def test_free_function_names_are_identifiers_and_none_is_held_out() -> None:
    n = Names(random.Random(6))
    patterns = [re.compile(name.replace("{base}", r"\w+")) for name in F.HELD_OUT_NAMES]
    bases = {function.name for function in F.FUNCTIONS}
    for function in F.FUNCTIONS:
        for _ in range(30):
            name = any_name(n, function.name)
            assert name.isidentifier()
            assert name in bases or function.name.startswith("find_") or not any(p.fullmatch(name) for p in patterns)


def test_a_reading_answers_from_the_passage_it_cites() -> None:
    n = Names(random.Random(8))
    cited = 0
    for _ in range(60):
        sample = reading(n)
        blocks = sample.prefix.strip().split("\n\n[")
        for answer in sample.answers:
            found = re.fullmatch(r"(.*?) ?\[(\d)\]", answer)
            if not found:
                assert answer == "The documents do not say."
                continue
            text = blocks[int(found[2]) - 1].lower()
            content = [word for word in re.findall(r"[A-Za-z0-9.]+", found[1].lower()) if len(word) > 3]
            assert sum(word.rstrip(".") in text for word in content) >= len(content) - 2, (answer, text)
            cited += 1
    assert cited > 100


def test_a_table_of_bars_is_written_as_the_reader_of_csv_writes_it() -> None:
    tables = [Table(Names(random.Random(seed)), 2, styles=2) for seed in range(40)]
    bars = [table for table in tables if " | " in table.passages[0][0]]
    assert 10 < len(bars) < 35
    for table in bars:
        for text, header in table.passages[:1]:  # a later one may be empty, where every drawn row was there already
            assert all(line.count(" | ") == header.count(" | ") for line in text.splitlines())


def test_the_test_sets_are_the_same_each_time_and_hold_no_training_exercise() -> None:
    again = held_out_samples("grounded", 20, 5)
    assert [sample.messages for sample in again] == [sample.messages for sample in held_out_samples("grounded", 20, 5)]
    assert not any(sample.prefix for sample in again)
    rng = random.Random(1)
    assert any(training_sample(rng, 1.0).prefix for _ in range(50))
