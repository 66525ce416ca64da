"""The memory of token sequences in transformers: cut, copied, and laid side by side for a batch.

Attention keeps keys and values of shape (rows, heads, slots, head dimension). All layers are of the kind that grows
("DynamicLayer", also where the model slides a window: the mask sees to the window), so they can be cut at any length.
They grow by concatenation and never change in place, so a copy is a view that costs nothing.

A block holds rows that are computed together. Their last tokens stand in the same slot; a shorter row has empty slots
in front, which the attention mask hides. So distances between tokens are right for every kind of position.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kaggle_magics.models.engines.local_model import Row


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


def view(block: Block, row: Row, length: int) -> Any:
    """A cache of its own with the first `length` tokens of one row of a block: views, no copies."""
    place = block.place_of(row)
    begin = block.empty[place]
    alone = len(block.rows) == 1
    cache = shallow(block.cache)
    for layer in layers_of(cache):
        rows = slice(None) if alone else slice(place, place + 1)
        layer.keys = layer.keys[rows, :, begin : begin + length]
        layer.values = layer.values[rows, :, begin : begin + length]
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
        for name in ("keys", "values"):
            like = getattr(layer, name)
            whole = like.new_zeros((len(caches), like.shape[1], slots, like.shape[3]))
            for place, (cache, length) in enumerate(zip(caches, lengths, strict=True)):
                if length:
                    whole[place, :, slots - length :] = getattr(cache.layers[number], name)[0, :, :length]
            setattr(layer, name, whole)
    return joined


def select(torch: Any, block: Block, rows: Sequence[Row]) -> Block:
    """The block with only some of its rows, in their order, and without slots that are empty in all of them."""
    places = [block.place_of(row) for row in rows]
    empty = [block.empty[place] for place in places]
    begin = min(empty)
    cache = shallow(block.cache)
    for layer in layers_of(cache):
        chosen = torch.tensor(places, device=layer.keys.device)
        layer.keys = layer.keys[:, :, begin:].index_select(0, chosen)
        layer.values = layer.values[:, :, begin:].index_select(0, chosen)
    return Block(cache, list(rows), [count - begin for count in empty])


def bytes_of(cache: Any) -> int:
    """Memory of a cache's tensors, of any kind of layer."""
    return sum(tensor.nbytes for layer in getattr(cache, "layers", ()) for tensor in _tensors(vars(layer)))


def _tensors(value: Any) -> list[Any]:
    if hasattr(value, "nbytes") and hasattr(value, "device"):
        return [value]
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return []
    return [tensor for part in value for tensor in _tensors(part)]
