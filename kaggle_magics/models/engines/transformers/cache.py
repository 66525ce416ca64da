"""The memory of token sequences in transformers: cut, copied, and laid side by side for a batch.

Attention keeps keys and values of shape (rows, heads, slots, head dimension). All layers are of the kind that grows
("DynamicLayer", also where the model slides a window: the mask sees to the window), so they can be cut at any length.
What is written never changes (see `growing`), so a copy is a view that costs nothing.

A block holds rows that are computed together. Their last tokens stand in the same slot; a shorter row has empty slots
in front, which the attention mask hides. So distances between tokens are right for every kind of position.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kaggle_magics.models.engines.local_model import Row
from kaggle_magics.models.engines.transformers.growing import Room


@dataclass(eq=False, slots=True)
class Block:
    """Rows whose keys and values lie in one cache."""

    cache: Any
    """`transformers.DynamicCache`, one row each in this order."""
    rows: list[Row]
    empty: list[int]
    """Slots before each row's first token."""

    @property
    def slots(self) -> int:
        """Slots in use: the longest row has no empty one."""
        return max(len(row.tokens) for row, empty in zip(self.rows, self.empty, strict=True) if not empty)

    def place_of(self, row: Row) -> int:
        return next(place for place, one in enumerate(self.rows) if one is row)


def layers_of(cache: Any) -> list[Any]:
    """The layers that hold something; some models have layers that read another one's keys."""
    return [layer for layer in cache.layers if getattr(layer, "keys", None) is not None]


def cut(block: Block, row: Row, length: int) -> Any:
    """A cache with the first `length` tokens of a row that leaves its block: views, no copies."""
    if len(block.rows) > 1:
        return view(block, row, length)
    cache = shallow(block.cache)
    for layer in layers_of(cache):
        layer.cut(length)
    return cache


def view(block: Block, row: Row, length: int) -> Any:
    """A cache of its own with the first `length` tokens of a row that stays in its block: views, no copies."""
    place = block.place_of(row)
    begin = block.empty[place]
    alone = len(block.rows) == 1
    cache = shallow(block.cache)
    for layer in layers_of(cache):
        layer.share(begin + length)
        rows = slice(None) if alone else slice(place, place + 1)
        layer.keys = layer.keys[rows, :, begin : begin + length]
        layer.values = layer.values[rows, :, begin : begin + length]
        if not alone:
            layer.room = None
    return cache


def shallow(cache: Any) -> Any:
    """The same keys and values in a cache that grows by itself."""
    twin = copy.copy(cache)
    twin.layers = [copy.copy(layer) for layer in cache.layers]
    return twin


def side_by_side(caches: Sequence[Any], lengths: Sequence[int], slots: int) -> Any:
    """One cache of `slots` slots with a row for each cache's first `lengths[i]` tokens, their ends in the last slot."""
    joined = shallow(next(cache for cache, length in zip(caches, lengths, strict=True) if length))
    for number, layer in enumerate(joined.layers):
        if getattr(layer, "keys", None) is None:
            continue
        tensors = []
        for name in ("keys", "values"):
            like = getattr(layer, name)
            shape = (len(caches), like.shape[1], layer.growth.slots(slots), like.shape[3])
            whole = like.new_empty(shape)
            for place, (cache, length) in enumerate(zip(caches, lengths, strict=True)):
                # What the mask hides must be numbers all the same.
                whole[place, :, : slots - length] = 0
                if length:
                    whole[place, :, slots - length : slots] = getattr(cache.layers[number], name)[0, :, :length]
            tensors.append(whole)
        layer.hold(Room(tensors[0], tensors[1], used=slots, rows=len(caches)))
    return joined


def select(block: Block, rows: Sequence[Row]) -> Block:
    """The block with only some of its rows, and without slots that are empty in all of them.

    Rows may change places: where the others are no longer needed the last ones move into the gaps.
    """
    alone = all(row.memory is not block or any(row is one for one in rows) for row in block.rows)
    places = sorted(block.place_of(row) for row in rows)
    if alone:
        last = [place for place in places if place >= len(places)]
        stay = {place for place in places if place < len(places)}
        places = [place if place in stay else last.pop() for place in range(len(places))]
    empty = [block.empty[place] for place in places]
    begin = min(empty)
    cache = shallow(block.cache)
    for layer in layers_of(cache):
        layer.keep(places, begin, alone=alone)
    return Block(cache, [block.rows[place] for place in places], [count - begin for count in empty])


def bytes_of(cache: Any) -> int:
    """Memory of a cache's tensors, of any kind of layer; of growing ones also what is not in use yet."""
    return sum(_bytes_of_layer(layer) for layer in getattr(cache, "layers", ()))


def _bytes_of_layer(layer: Any) -> int:
    room: Room | None = getattr(layer, "room", None)
    return room.nbytes if room is not None else sum(tensor.nbytes for tensor in _tensors(vars(layer)))


def bytes_per_token(block: Block) -> int:
    """Memory of the keys and values of one token."""
    used = sum(layer.keys.nbytes + layer.values.nbytes for layer in layers_of(block.cache))
    return int(used) // (block.slots * len(block.rows))


def _tensors(value: Any) -> list[Any]:
    if hasattr(value, "nbytes") and hasattr(value, "device"):
        return [value]
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return []
    return [tensor for part in value for tensor in _tensors(part)]
