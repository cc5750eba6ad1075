"""Nodes of vision transformers for an `Architecture`: their values are tokens, canonical shape (tokens, channels).

Tokens keep this order of axes in both frameworks, also where PyTorch has channels first for pictures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ...errors import BadInput
from .nodes import Node, Shape


@dataclass(frozen=True)
class TransformerNode(Node):
    """A node that gives or takes tokens."""

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        return self.tokens_of(shapes)

    def tokens_of(self, shapes: Sequence[Shape]) -> Shape:
        """Return the (tokens, channels) of the only input; BadInput where it has another rank."""
        (shape,) = shapes
        if len(shape) != 2:
            raise BadInput(f"Node {self.name!r} needs (tokens, channels) but gets the shape {shape}.")
        return shape


@dataclass(frozen=True)
class Tokens(TransformerNode):
    """All positions in reading order, one token each: what follows a patch embedding's convolution."""

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        return (math.prod(shapes[0][:-1]), shapes[0][-1])


@dataclass(frozen=True)
class ClassToken(TransformerNode):
    """Puts one learned token before the others."""

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        tokens, channels = self.tokens_of(shapes)
        return (tokens + 1, channels)

    def parameter_shapes(self, shapes: Sequence[Shape]) -> dict[str, Shape]:
        return {"weight": (1, shapes[0][1])}


@dataclass(frozen=True)
class PositionEmbedding(TransformerNode):
    """Adds one learned vector to each token."""

    def parameter_shapes(self, shapes: Sequence[Shape]) -> dict[str, Shape]:
        return {"weight": shapes[0]}


@dataclass(frozen=True)
class LayerNorm(TransformerNode):
    """Normalises each token over its channels, then scales and shifts every channel."""

    epsilon: float = 1e-6

    def parameter_shapes(self, shapes: Sequence[Shape]) -> dict[str, Shape]:
        return dict.fromkeys(("weight", "bias"), (shapes[0][1],))


@dataclass(frozen=True)
class TokenDense(TransformerNode):
    """A fully connected layer on each token by itself."""

    units: int

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        return (self.tokens_of(shapes)[0], self.units)

    def parameter_shapes(self, shapes: Sequence[Shape]) -> dict[str, Shape]:
        return {"weight": (self.units, shapes[0][1]), "bias": (self.units,)}


@dataclass(frozen=True)
class Gelu(TransformerNode):
    """x times the normal distribution function of x (exact, Hendrycks and Gimpel 2016, arXiv 1606.08415)."""


@dataclass(frozen=True)
class SelfAttention(TransformerNode):
    """Scaled dot-product attention of all tokens to all, in several heads.

    It has no weights: its input holds queries, keys and values side by side, (tokens, 3 x channels), each with one
    head after another; a `TokenDense` before it and one after it have them.
    """

    heads: int = 1

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        tokens, channels = self.tokens_of(shapes)
        if channels % (3 * self.heads):
            raise BadInput(
                f"Node {self.name!r}: {channels} channels are not queries, keys and values for {self.heads} heads."
            )
        return (tokens, channels // 3)


@dataclass(frozen=True)
class FirstToken(TransformerNode):
    """The first token alone, as a vector."""

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        return (self.tokens_of(shapes)[1],)


@dataclass(frozen=True)
class MeanToken(TransformerNode):
    """The mean of all tokens, as a vector."""

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        return (self.tokens_of(shapes)[1],)
