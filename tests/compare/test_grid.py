"""From options with several values to variants of a prompt."""

from __future__ import annotations

import pytest

from kaggle_magics.compare.grid import MOST, by_seat, variants
from kaggle_magics.errors import OptionError
from kaggle_magics.generation.prompt import Prompt

PROMPT = Prompt.of("Hello", max_tokens=7, stop=("x",))


def test_every_combination_in_order_with_the_rest_of_the_prompt_kept() -> None:
    found = variants({"temperature": [0.5, 1.0], "model": ["a", "b"], "seed": [1, 2]}, PROMPT)
    assert [(variant.model, asked.sampling.temperature, asked.sampling.seed) for variant, asked in found] == [
        (model, temperature, seed) for model in "ab" for temperature in (0.5, 1.0) for seed in (1, 2)
    ]
    assert {(asked.text, asked.sampling.max_tokens, asked.sampling.stop) for _, asked in found} == {
        ("Hello", 7, ("x",))
    }
    assert found[0][0].label == "a, temperature 0.5, seed 1"


def test_seeds_count_once_at_temperature_0() -> None:
    found = variants({"temperature": [0, 0.7], "seed": [1, 2, 3]}, PROMPT)
    assert [(asked.sampling.temperature, asked.sampling.seed) for _, asked in found] == [
        (0, 1), (0.7, 1), (0.7, 2), (0.7, 3),
    ]  # fmt: skip


def test_without_a_seed_one_is_drawn_for_all() -> None:
    found = variants({"temperature": [0.5, 0.7]}, PROMPT)
    assert len({asked.sampling.seed for _, asked in found}) == 1
    assert found[0][1].sampling.seed is not None


def test_template_and_system_are_axes_and_one_variant_needs_no_label() -> None:
    found = variants({"system": ["a", "b"], "template": ["none", "chatml"]}, PROMPT)
    assert [(asked.template, asked.system) for _, asked in found] == [
        ("none", "a"), ("none", "b"), ("chatml", "a"), ("chatml", "b"),
    ]  # fmt: skip
    [(variant, _)] = variants({}, PROMPT)
    assert variant.label == ""


def test_variants_of_one_model_run_together_and_loaded_ones_first() -> None:
    found = variants({"model": ["new", "old"], "temperature": [0.1, 0.2]}, PROMPT)
    assert by_seat(found, {"old"}) == [[2, 3], [0, 1]]


@pytest.mark.parametrize(
    ("axes", "says"),
    [
        ({"seed": []}, "seed has no values"),
        ({"seed": [1, 1]}, "seed has the value 1 twice"),
        ({"temperature": [0, 0.0]}, "twice"),
        ({"top_p": [0.5, 2.0]}, "top_p must be above 0"),
        ({"template": ["chatmll"]}, "chatml"),
        ({"stop": ["a", "b"]}, "no axis"),
        ({"seed": range(MOST + 1)}, f"{MOST + 1} variants"),
    ],
)
def test_what_makes_no_grid(axes: dict[str, list[object]], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        variants(axes, PROMPT)
