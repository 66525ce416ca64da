"""Keys and values that grow in place: cheap, and no view ever sees what another one has written."""

from __future__ import annotations

import random
from typing import Any

import pytest

from kaggle_magics.models.engines.local_model import Row
from kaggle_magics.models.engines.transformers.cache import Block, cut, layers_of, select, side_by_side, view
from kaggle_magics.models.engines.transformers.growing import STEP, Growth, layer_class

transformers: Any = pytest.importorskip("transformers", reason="transformers is not installed")
torch: Any = pytest.importorskip("torch", reason="torch is not installed")


def new_cache(growth: Growth | None = None) -> Any:
    cache = transformers.DynamicCache()
    cache.layer_class_to_replicate = layer_class(transformers.cache_utils.DynamicLayer, growth or Growth(4096))
    return cache


def write(cache: Any, rows: list[list[int]]) -> None:
    """Tokens of each row as keys of one head and one dimension; the values are their negatives."""
    keys = torch.tensor(rows, dtype=torch.float32)[:, None, :, None]
    seen, values = cache.update(keys, -keys, 0)
    assert torch.equal(seen, -values)


def held(cache: Any, place: int = 0) -> list[int]:
    """The tokens of one row."""
    if not layers_of(cache):
        return []
    [layer] = layers_of(cache)
    assert layer.get_seq_length() == layer.keys.shape[2]
    assert torch.equal(layer.keys, -layer.values)
    return [int(token) for token in layer.keys[place, 0, :, 0]]


def address(cache: Any) -> int:
    return int(cache.layers[0].keys.data_ptr())


def test_tokens_are_written_behind_those_there_are() -> None:
    cache = new_cache(Growth(10_000, wanted=300))
    write(cache, [[0]])
    first = address(cache)
    for token in range(1, 300 + STEP):
        write(cache, [[token]])
        assert address(cache) == first
    write(cache, [[-1]])
    assert address(cache) != first
    assert held(cache) == [*range(300 + STEP), -1]


def test_nothing_is_larger_than_the_context() -> None:
    cache = new_cache(Growth(20, wanted=5))
    write(cache, [[1, 2, 3]])
    assert cache.layers[0].room.keys.shape[2] == 20
    write(cache, [[4] * 30])
    assert held(cache) == [1, 2, 3, *[4] * 30]


def test_views_of_one_tensor_never_disturb_each_other() -> None:
    chooser = random.Random(7)
    for _ in range(30):
        caches: list[tuple[Block, Row, list[int]]] = []
        first = Row()
        first.memory = Block(new_cache(Growth(4096, wanted=chooser.choice((0, 40)))), [first], [0])
        caches.append((first.memory, first, []))
        for token in range(120):
            place = chooser.randrange(len(caches))
            block, row, known = caches[place]
            action = chooser.choice(("write", "write", "write", "cut", "fork", "forget"))
            length = chooser.randint(0, len(known))
            if action == "write":
                tokens = [token * 10 + n for n in range(chooser.randint(1, 3))]
                write(block.cache, [tokens])
                known.extend(tokens)
                row.tokens = list(known)
            elif action == "cut" and length:
                caches[place] = (Block(cut(block, row, length), [row], [0]), row, known[:length])
            elif action == "fork" and length:
                twin = Row(tokens=known[:length])
                caches.append((Block(view(block, row, length), [twin], [0]), twin, known[:length]))
            elif action == "forget" and len(caches) > 1:
                caches.pop(place)
            for other, _, wanted in caches:
                assert held(other.cache) == wanted


def batch(count: int, growth: Growth | None = None) -> Block:
    """Rows that hold 100 * place + 0, 1, ...; each is one token longer than the one before."""
    caches = []
    for place in range(count):
        caches.append(new_cache(growth))
        write(caches[-1], [[100 * place + n for n in range(place + 1)]])
    lengths = [place + 1 for place in range(count)]
    rows = [Row(tokens=[100 * place + n for n in range(place + 1)]) for place in range(count)]
    block = Block(side_by_side(caches, lengths, count), rows, [count - length for length in lengths])
    for row in rows:
        row.memory = block
    return block


def tokens_of(block: Block, row: Row) -> list[int]:
    place = block.place_of(row)
    return held(block.cache, place)[block.empty[place] :]


def test_rows_that_have_gone_cost_one_move_each() -> None:
    block = batch(6)
    before, rows = address(block.cache), list(block.rows)
    rows[1].memory = None
    smaller = select(block, [row for row in rows if row is not rows[1]])
    # The last row has taken the empty place; nothing was made anew, but the tensor begins where the longest row does.
    assert smaller.rows == [rows[0], rows[5], rows[2], rows[3], rows[4]] and address(smaller.cache) == before
    for row in smaller.rows:
        assert tokens_of(smaller, row) == row.tokens
        row.memory = smaller
    write(smaller.cache, [[7], [8], [9], [10], [11]])
    assert tokens_of(smaller, rows[5]) == [*rows[5].tokens, 8]


def test_when_half_have_gone_their_memory_is_given_back() -> None:
    block = batch(6)
    for row in block.rows[2:]:
        row.memory = None
    smaller = select(block, block.rows[:2])
    assert smaller.cache.layers[0].room.rows == 2 and smaller.slots == 2 and smaller.empty == [1, 0]
    assert [tokens_of(smaller, row) for row in smaller.rows] == [[0], [100, 101]]


def test_rows_that_are_left_out_but_still_needed_stay_as_they_are() -> None:
    block = batch(5)
    chosen = select(block, [block.rows[3], block.rows[4]])
    assert [tokens_of(chosen, row) for row in chosen.rows] == [row.tokens for row in chosen.rows]
    write(chosen.cache, [[1], [2]])
    assert [tokens_of(block, row) for row in block.rows] == [row.tokens for row in block.rows]


def test_a_view_of_a_row_outlives_what_its_batch_does_next() -> None:
    block = batch(4)
    kept = view(block, block.rows[3], 3)
    block.rows[0].memory = None
    smaller = select(block, block.rows[1:])
    write(smaller.cache, [[5]] * 3)
    write(kept, [[6]])
    assert held(kept) == [300, 301, 302, 6]
    assert [tokens_of(smaller, row) for row in smaller.rows] == [[*row.tokens, 5] for row in smaller.rows]
