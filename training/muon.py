"""Muon for the matrices of the blocks: momentum, made orthogonal by five Newton-Schulz steps (Keller Jordan, 2024).

In float32 and batched over matrices of one shape; torch's own runs in bfloat16, which is slow on a CPU without it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def orthogonal(g: Tensor, steps: int = 5) -> Tensor:
    """Nearly orthogonal matrices in the direction of `g` (count, rows, columns)."""
    a, b, c = 3.4445, -4.7750, 2.0315
    flip = g.shape[1] > g.shape[2]
    x = g.mT if flip else g
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        s = x @ x.mT
        x = a * x + (b * s + c * s @ s) @ x
    return x.mT if flip else x


class Muon:
    """`parts[i]` says in how many square-ish parts the i-th joined matrix is taken."""

    def __init__(self, params: list[nn.Parameter], parts: list[int], momentum: float = 0.95):
        self.params, self.parts, self.momentum = params, parts, momentum
        self.buffers = [torch.zeros_like(p) for p in params]

    @torch.no_grad()
    def step(self, lr: float, weight_decay: float = 0.0) -> None:
        """One step at learning rate `lr` (times the root of rows by columns where larger than 1)."""
        groups: dict[tuple[int, int], list[tuple[nn.Parameter, Tensor, int]]] = {}
        for p, parts, buffer in zip(self.params, self.parts, self.buffers, strict=True):
            buffer.lerp_(p.grad, 1 - self.momentum)
            update = p.grad.lerp(buffer, self.momentum).view(parts, p.shape[0] // parts, p.shape[1])
            groups.setdefault(tuple(update.shape[1:]), []).append((p, update, parts))
        for (rows, columns), members in groups.items():
            done = orthogonal(torch.cat([u for _, u, _ in members])) * max(1.0, rows / columns) ** 0.5
            at = 0
            for p, _, parts in members:
                p.mul_(1 - lr * weight_decay).add_(done[at : at + parts].reshape(p.shape), alpha=-lr)
                at += parts
