"""The nodes of transformers as PyTorch modules on (n, tokens, channels)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from ...errors import BadInput
from . import transformer_nodes
from .nodes import Shape
from .transformer_nodes import TransformerNode


class PositionsToTokens(nn.Module):
    """(n, channels, *spatial) to (n, tokens, channels)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the positions in reading order."""
        return x.flatten(2).transpose(1, 2)


class Prepended(nn.Module):
    """Puts a learned token before the others."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (n, tokens + 1, channels)."""
        return torch.cat([self.weight.to(x.dtype).expand(len(x), 1, -1), x], dim=1)


class Positioned(nn.Module):
    """Adds a learned vector to each token."""

    def __init__(self, tokens: int, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(tokens, channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the sum, in a new tensor."""
        return x + self.weight


class Attention(nn.Module):
    """Self-attention whose softmax is a step of its own, so that its probabilities can be seen."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.heads = heads

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (n, tokens, channels) from queries, keys and values (n, tokens, 3 x channels)."""
        count, tokens, channels = x.shape
        query, key, value = x.view(count, tokens, 3, self.heads, channels // (3 * self.heads)).permute(2, 0, 3, 1, 4)
        likeness = query @ key.transpose(-2, -1) * query.shape[-1] ** -0.5
        mixed: torch.Tensor = torch.softmax(likeness, dim=-1) @ value
        return mixed.transpose(1, 2).reshape(count, tokens, channels // 3)


class First(nn.Module):
    """The first token."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (n, channels)."""
        return x[:, 0]


class Mean(nn.Module):
    """The mean token."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (n, channels)."""
        return x.mean(1)


def transformer_module(node: TransformerNode, shapes: Sequence[Shape]) -> nn.Module:
    """Return the module of a node whose inputs have these canonical shapes."""
    match node:
        case transformer_nodes.Tokens():
            return PositionsToTokens()
        case transformer_nodes.ClassToken():
            return Prepended(shapes[0][1])
        case transformer_nodes.PositionEmbedding():
            return Positioned(*shapes[0])
        case transformer_nodes.LayerNorm():
            return nn.LayerNorm(shapes[0][1], eps=node.epsilon)
        case transformer_nodes.TokenDense():
            return nn.Linear(shapes[0][1], node.units)
        case transformer_nodes.Gelu():
            return nn.GELU()
        case transformer_nodes.SelfAttention():
            return Attention(node.heads)
        case transformer_nodes.FirstToken():
            return First()
        case transformer_nodes.MeanToken():
            return Mean()
    raise BadInput(f"Node {node.name!r}: no PyTorch module is known for {type(node).__name__}.")
