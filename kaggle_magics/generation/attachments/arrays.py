"""Arrays of numpy and tensors of torch."""

from __future__ import annotations

from typing import Any

from kaggle_magics.generation.attachments.description import Words, counted

_MOST = 10_000_000
"""Elements that are looked at for the range of an array."""
_SHOWN = 1000
"""Elements that are shown at most."""


def describe_array(array: Any, room: int) -> Words:
    """Shape, type and range; the values as far as there is room."""
    import numpy as np

    what = f"a numpy array of shape {tuple(array.shape)}, {array.dtype}{_range(np, array)}"
    first = array.reshape(-1)[:_SHOWN] if array.flags.c_contiguous else np.asarray(array.flat[:_SHOWN])
    if array.size <= _SHOWN:
        text = np.array2string(array, threshold=_SHOWN, max_line_width=120, precision=6)
        if len(text) <= room:
            return Words(what, text)
    return _values(what, first.tolist(), int(array.size), room)


def describe_tensor(tensor: Any, room: int) -> Words:
    """Shape, type, device and range; the first values."""
    what = f"a torch tensor of shape {tuple(tensor.shape)}, {str(tensor.dtype).removeprefix('torch.')}"
    what += f" on {tensor.device}"
    if tensor.device.type == "meta" or tensor.is_sparse or not tensor.numel():
        return Words(what)
    flat = tensor.detach().reshape(-1)[:_MOST]
    if not flat.dtype.is_complex:
        finite = flat[~flat.isnan()] if flat.dtype.is_floating_point else flat
        if len(finite):
            low, high = finite.min().item(), finite.max().item()
            what += f", from {_number(low)} to {_number(high)}" + _only_first(tensor.numel())
        if len(finite) < len(flat):
            what += f", {counted(len(flat) - len(finite), 'value')} not a number"
    return _values(what, flat[:_SHOWN].tolist(), int(tensor.numel()), room)


def _range(np: Any, array: Any) -> str:
    if not array.size or array.dtype.kind not in "iuf":
        return ""
    flat = array.reshape(-1)[:_MOST]
    missing = int(np.isnan(flat).sum()) if array.dtype.kind == "f" else 0
    told = f", {counted(missing, 'value')} not a number" if missing else ""
    if missing == len(flat):
        return told
    low, high = (np.nanmin(flat), np.nanmax(flat)) if missing else (flat.min(), flat.max())
    return f", from {_number(low.item())} to {_number(high.item())}{_only_first(array.size)}{told}"


def _only_first(size: int) -> str:
    return f" in the first {_MOST:,} values" if size > _MOST else ""


def _values(what: str, first: list[Any], size: int, room: int) -> Words:
    parts: list[str] = []
    for value in first:
        text = _number(value)
        room -= len(text) + 2
        if room < 0:
            break
        parts.append(text)
    left_out = f"all values after the first {len(parts)}" if len(parts) < size else ""
    return Words(what, f"Values: {', '.join(parts)}" if parts else "", left_out)


def _number(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)[:60]
