"""Keys and values that grow in place: a layer of transformers' `DynamicCache` that does not copy itself at every token.

The library's own layer grows by concatenation, which copies the keys and values of all rows once a token. Here they are
a view of the beginning of a larger tensor, and a token is written behind it.

Views of one tensor can belong to several rows. What they have in common is never written again: only the row whose
tokens end where the written part ends goes on in place; any other one copies its own part first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

STEP = 128
"""Slots there are to spare when keys and values have been copied: enough that the copies no longer count."""


@dataclass(eq=False, slots=True)
class Growth:
    """How large the tensors of a model are made."""

    most: int
    """The context: nothing grows beyond it."""
    wanted: int = 0
    """Slots that the evaluation under way will need."""

    def slots(self, end: int) -> int:
        """Slots of a new tensor in which `end` are in use."""
        return max(end, min(max(end, self.wanted) + STEP, self.most))


@dataclass(eq=False, slots=True)
class Room:
    """The tensors that views begin in, of shape (rows, heads, slots, head dimension)."""

    keys: Any
    values: Any
    used: int
    """Slots that have been written, from the first one."""
    shared: int = 0
    """Slots that several views may see: they must stay as they are. At most one view ends beyond them, and if one
    does it ends with `used`."""
    rows: int = 0
    """Rows it was made with; it may have been narrowed since."""

    @property
    def nbytes(self) -> int:
        return int(self.keys.nbytes + self.values.nbytes)


class GrowingLayer:
    """What a layer that grows in place adds to transformers' `DynamicLayer`; see `layer_class`."""

    growth: Growth
    keys: Any
    values: Any
    room: Room | None = None

    def update(self, key_states: Any, value_states: Any, *_: Any, **__: Any) -> tuple[Any, Any]:
        """Write keys and values of shape (rows, heads, new slots, head dimension) behind those there are; all of them.

        The rest of the arguments, which differ from version to version, is of no use to a layer of this kind.
        """
        known = (key_states[:, :, :0], value_states[:, :, :0]) if self.keys is None else (self.keys, self.values)
        begin, new = int(known[0].shape[2]), int(key_states.shape[2])
        end, room = begin + new, self.room
        if room is None or room.used != begin or room.keys.shape[2] < end:
            room = self._new_room(*known, more=new)
        room.keys[:, :, begin:end] = key_states
        room.values[:, :, begin:end] = value_states
        room.used = end
        self.hold(room)
        return self.keys, self.values

    def hold(self, room: Room) -> None:
        """See all that is written in `room`."""
        self.room, self.keys, self.values = room, room.keys[:, :, : room.used], room.values[:, :, : room.used]
        # What the library's own layer knows after its first update, under the names of several versions.
        self.is_initialized, self.dtype, self.device = True, room.keys.dtype, room.keys.device

    def cut(self, length: int) -> None:
        """See only the first `length` slots, and go on in place where nobody else sees what was behind them."""
        room, end = self.room, int(self.keys.shape[2])
        self.keys, self.values = self.keys[:, :, :length], self.values[:, :, :length]
        if room is None or room.used != end or length < room.shared:
            self.room = None
        else:
            room.used = length

    def share(self, length: int) -> None:
        """Another view sees the first `length` slots from now on."""
        if self.room is not None:
            self.room.shared = max(self.room.shared, length)

    def keep(self, places: Sequence[int], begin: int, *, alone: bool) -> None:
        """Have only the rows at `places`, without the first `begin` slots.

        `alone`: nobody needs the other rows any more, so that rows may change places; a row whose number is its place
        costs nothing then. Half of the tensors may be of rows that have gone, before they are made anew.
        """
        room = self.room
        if room is None or room.shared or not alone or 2 * len(places) <= room.rows:
            chosen = self.keys.new_tensor(places, dtype=int)
            parts = (part[:, :, begin:].index_select(0, chosen) for part in (self.keys, self.values))
            self.hold(self._new_room(*parts))
            return
        for place, source in enumerate(places):
            if place != source:
                self.keys[place].copy_(self.keys[source])
                self.values[place].copy_(self.values[source])
        room.keys, room.values = room.keys[: len(places), :, begin:], room.values[: len(places), :, begin:]
        room.used -= begin
        self.hold(room)

    def _new_room(self, keys: Any, values: Any, more: int = 0) -> Room:
        """New tensors that begin with these, for at least `more` slots behind them."""
        used = int(keys.shape[2])
        slots = self.growth.slots(used + more)
        tensors = []
        for part in (keys, values):
            tensor = part.new_empty((*part.shape[:2], slots, part.shape[3]))
            tensor[:, :, :used] = part
            tensors.append(tensor)
        return Room(tensors[0], tensors[1], used=used, rows=int(keys.shape[0]))


def layer_class(dynamic_layer: type, growth: Growth) -> type:
    """transformers' `DynamicLayer` that grows in place. The tensors are as large as `growth` says at that time."""
    return type("GrowingLayer", (GrowingLayer, dynamic_layer), {"growth": growth})
