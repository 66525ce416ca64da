"""The training's samples as tokens: many questions on one reading are, token for token, what the test asks alone."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("sentencepiece", reason="sentencepiece is not installed")

import torch

from training import pages
from training.data.mixture import training_sample
from training.data.names import Names
from training.data.reading import reading
from training.model import Model, Shape
from training.tokenizer import Encoder

TOKENIZER = Path(pages.__file__).parent / "checkpoints" / "tokenizer" / "tokenizer.model"


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder(TOKENIZER)


def test_a_trunk_with_one_branch_is_the_question_asked_alone(encoder: Encoder) -> None:
    n = Names(random.Random(3))
    asked = 0
    for _ in range(40):
        sample = reading(n)
        ids, learnt, branch = encoder.branches(sample.messages, sample.prefix)
        system, turns = sample.messages[0], sample.messages[1:]
        assert max(branch) == len(turns) // 2
        for number in range(1, max(branch) + 1):
            mine = [i for i, b in enumerate(branch) if b in (0, number)]
            alone = encoder.encode([system, *turns[2 * number - 2 : 2 * number]])
            assert ([ids[i] for i in mine], [learnt[i] for i in mine]) == alone
            positions = pages.branch_positions(branch)
            assert [positions[i] for i in mine] == list(range(len(mine)))
            asked += 1
    assert asked > 100


def test_what_is_told_again_is_found_in_the_trunk_and_in_its_own_branch_only() -> None:
    parts = ([5, 6, 7, 8], [5, 6, 7, 9], [9, 5, 6, 7, 1, 2, 3], [1, 2, 3, 1, 2, 3])
    ids = [token for part in parts for token in part]
    branch = [number for number, part in enumerate(parts) for _ in part]
    nothing = [False] * len(ids)
    assert pages.repeated(ids, nothing, branch) == [6, 11, 20]
    assert pages.repeated(ids, [i == 6 for i in range(len(ids))], branch) == [11, 20]


def test_pages_hold_every_sample_once_and_little_padding(encoder: Encoder) -> None:
    rng = random.Random(5)
    rows = [pages.encoded(training_sample(rng, 0.6), encoder) for _ in range(300)]
    rows = [row for row in rows if len(row.ids) <= pages.PAGE]
    full, left = pages.pages(rows)
    packed = [row for page in full for line in page for row in line]
    assert sorted(map(id, packed + left)) == sorted(map(id, rows))
    places = sum(pages.micro_batch(page)[0].size for page in full)
    assert places == pages.PAGE * len(full)
    assert sum(len(row.ids) for row in packed) > 0.95 * places
    assert not pages.pages(rows, every=True)[1]


def test_a_packed_line_gives_each_sample_the_states_it_has_alone(encoder: Encoder) -> None:
    torch.manual_seed(0)
    model = Model(Shape(hidden=64, layers=2, heads=2, inner=96)).eval()
    rng = random.Random(7)
    rows = [pages.encoded(reading(Names(rng), 0.3), encoder) for _ in range(2)]
    rows += [pages.encoded(training_sample(rng, 0.0), encoder) for _ in range(6)]
    for page in pages.pages(rows, every=True)[0]:
        ids, position, trunk, branch, row, column, target, *_ = map(torch.from_numpy, pages.micro_batch(page))
        with torch.inference_mode():
            states = model(ids, position, trunk, branch)
        # Every learnt place predicts a token of its own sample.
        assert torch.equal(ids[row, column + 1], target)
        assert torch.equal(trunk[row, column], trunk[row, column + 1])
        for i, line in enumerate(page):
            for number, one in enumerate(line, start=1):
                for own in range(1, max(one.branch) + 1) if max(one.branch) else (0,):
                    here = (trunk[i] == number) & ((branch[i] == 0) | (branch[i] == own))
                    alone = ids[i][here][None]
                    plain = torch.zeros_like(alone)
                    with torch.inference_mode():
                        wanted = model(alone, torch.arange(alone.shape[1])[None], plain, plain)
                    assert torch.allclose(states[i][here], wanted[0], atol=1e-4)
