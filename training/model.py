"""A minimal Llama in float32 for training on a CPU, with the names and numbers of `LlamaForCausalLM` at the border."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Shape:
    """The model's shape; every row length is a multiple of 32, as Q8_0 wants."""

    vocabulary: int = 2048
    hidden: int = 256
    layers: int = 5
    heads: int = 8
    inner: int = 640
    context: int = 2048
    theta: float = 10000.0
    epsilon: float = 1e-5

    def to_dict(self) -> dict[str, float]:
        """For the checkpoint."""
        return asdict(self)


class Block(nn.Module):
    """Attention and gated feed-forward, each after an RMS norm; q, k, v and gate, up are stored joined."""

    def __init__(self, s: Shape):
        super().__init__()
        self.heads, self.eps = s.heads, s.epsilon
        self.norm1 = nn.Parameter(torch.ones(s.hidden))
        self.norm2 = nn.Parameter(torch.ones(s.hidden))
        deep = (2 * s.layers) ** -0.5
        self.qkv = nn.Parameter(torch.randn(3 * s.hidden, s.hidden) * s.hidden**-0.5 * 0.7)
        self.out = nn.Parameter(torch.randn(s.hidden, s.hidden) * s.hidden**-0.5 * 0.7 * deep)
        self.gate_up = nn.Parameter(torch.randn(2 * s.inner, s.hidden) * s.hidden**-0.5 * 0.7)
        self.down = nn.Parameter(torch.randn(s.hidden, s.inner) * s.inner**-0.5 * 0.7 * deep)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor) -> Tensor:
        """`x` is (batch, length, hidden), `mask` (batch, 1, length, length) what a token may look at."""
        b, t, c = x.shape
        q, k, v = F.linear(F.rms_norm(x, (c,), self.norm1, self.eps), self.qkv).view(b, t, 3, self.heads, -1).unbind(2)
        q, k, v = turn(q, cos, sin).transpose(1, 2), turn(k, cos, sin).transpose(1, 2), v.transpose(1, 2)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        x = x + F.linear(y.transpose(1, 2).reshape(b, t, c), self.out)
        gate, up = F.linear(F.rms_norm(x, (c,), self.norm2, self.eps), self.gate_up).chunk(2, -1)
        return x + F.linear(F.silu(gate) * up, self.down)


def turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary position embedding of (batch, length, heads, width), halves as in transformers' Llama."""
    first, second = x.chunk(2, -1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), -1)


class Model(nn.Module):
    """Embeddings (tied to the output), blocks, a last norm."""

    def __init__(self, s: Shape):
        super().__init__()
        self.shape = s
        self.embedding = nn.Parameter(torch.randn(s.vocabulary, s.hidden))
        self.blocks = nn.ModuleList(Block(s) for _ in range(s.layers))
        self.norm = nn.Parameter(torch.ones(s.hidden) / 50)
        width = s.hidden // s.heads
        angle = torch.outer(torch.arange(s.context).float(), s.theta ** (-torch.arange(0, width, 2).float() / width))
        self.register_buffer("cos", angle.cos()[:, None, :], persistent=False)
        self.register_buffer("sin", angle.sin()[:, None, :], persistent=False)

    def forward(self, ids: Tensor, position: Tensor, trunk: Tensor, branch: Tensor) -> Tensor:
        """The last hidden states (batch, length, hidden) of lines of several samples; all four are (batch, length).

        A token sees what stands before it in its own sample (`trunk`) and there in the common part (`branch` 0) or in
        its own branch. `position` counts from 0 along the common part and on into each branch.
        """
        x = F.embedding(ids, self.embedding)
        seen = (trunk[:, None, :] == trunk[:, :, None]) & (
            (branch[:, None, :] == 0) | (branch[:, None, :] == branch[:, :, None])
        )
        mask = torch.zeros(seen.shape).masked_fill(~seen.tril(), float("-inf"))[:, None]
        cos, sin = self.cos[position], self.sin[position]
        for block in self.blocks:
            x = block(x, cos, sin, mask)
        return F.rms_norm(x, (x.shape[-1],), self.norm, self.shape.epsilon)


def to_llama(model: Model) -> dict[str, Tensor]:
    """The weights under the names of transformers' `LlamaForCausalLM` (embeddings tied)."""
    s, state = model.shape, {"model.embed_tokens.weight": model.embedding, "model.norm.weight": model.norm}
    for i, block in enumerate(model.blocks):
        p = f"model.layers.{i}."
        q, k, v = block.qkv.view(3, s.hidden, s.hidden).unbind(0)
        gate, up = block.gate_up.chunk(2, 0)
        state |= {
            p + "input_layernorm.weight": block.norm1,
            p + "post_attention_layernorm.weight": block.norm2,
            p + "self_attn.q_proj.weight": q,
            p + "self_attn.k_proj.weight": k,
            p + "self_attn.v_proj.weight": v,
            p + "self_attn.o_proj.weight": block.out,
            p + "mlp.gate_proj.weight": gate,
            p + "mlp.up_proj.weight": up,
            p + "mlp.down_proj.weight": block.down,
        }
    return {name: tensor.detach().contiguous() for name, tensor in state.items()}
