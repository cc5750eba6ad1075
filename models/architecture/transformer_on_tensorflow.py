"""The nodes of transformers as Keras layers on (n, tokens, channels)."""

from __future__ import annotations

from typing import Any

import keras

from ...errors import BadInput
from . import transformer_nodes
from .transformer_nodes import TransformerNode


class PositionsToTokens(keras.layers.Layer):  # type: ignore[misc]
    """(n, *spatial, channels) to (n, tokens, channels)."""

    def call(self, inputs: Any) -> Any:
        """Return the positions in reading order."""
        tokens = 1
        for size in inputs.shape[1:-1]:
            tokens *= size
        return keras.ops.reshape(inputs, (-1, tokens, inputs.shape[-1]))


class Prepended(keras.layers.Layer):  # type: ignore[misc]
    """Puts a learned token before the others."""

    def build(self, input_shape: Any) -> None:
        """Make the token."""
        self.weight = self.add_weight(shape=(1, input_shape[-1]), initializer="zeros", name="weight")

    def call(self, inputs: Any) -> Any:
        """Return (n, tokens + 1, channels)."""
        weight = keras.ops.cast(self.weight, inputs.dtype)
        first = keras.ops.zeros_like(inputs[:, :1]) + weight
        return keras.ops.concatenate([first, inputs], axis=1)


class Positioned(keras.layers.Layer):  # type: ignore[misc]
    """Adds a learned vector to each token."""

    def build(self, input_shape: Any) -> None:
        """Make the vectors."""
        self.weight = self.add_weight(shape=tuple(input_shape[1:]), initializer="zeros", name="weight")

    def call(self, inputs: Any) -> Any:
        """Return the sum."""
        return inputs + keras.ops.cast(self.weight, inputs.dtype)


class Attention(keras.layers.Layer):  # type: ignore[misc]
    """Self-attention in several heads on queries, keys and values side by side."""

    def __init__(self, heads: int, **options: Any) -> None:
        super().__init__(**options)
        self.heads = heads

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` makes the layer from."""
        return {**super().get_config(), "heads": self.heads}

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        """Return the shape (n, tokens, channels)."""
        return (*input_shape[:-1], input_shape[-1] // 3)

    def call(self, inputs: Any) -> Any:
        """Return (n, tokens, channels) from (n, tokens, 3 x channels)."""
        ops, (tokens, channels) = keras.ops, inputs.shape[1:]
        parts = ops.reshape(inputs, (-1, tokens, 3, self.heads, channels // (3 * self.heads)))
        query, key, value = ops.unstack(ops.transpose(parts, (2, 0, 3, 1, 4)), 3)
        likeness = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2))) * query.shape[-1] ** -0.5
        mixed = ops.matmul(ops.softmax(likeness, axis=-1), value)
        return ops.reshape(ops.transpose(mixed, (0, 2, 1, 3)), (-1, tokens, channels // 3))


class First(keras.layers.Layer):  # type: ignore[misc]
    """The first token."""

    def call(self, inputs: Any) -> Any:
        """Return (n, channels)."""
        return inputs[:, 0]


class Mean(keras.layers.Layer):  # type: ignore[misc]
    """The mean token."""

    def call(self, inputs: Any) -> Any:
        """Return (n, channels)."""
        return keras.ops.mean(inputs, axis=1)


def transformer_layer(node: TransformerNode, common: dict[str, Any]) -> Any:
    """Return the layer of a node; ``common`` are the options that every layer takes."""
    match node:
        case transformer_nodes.Tokens():
            return PositionsToTokens(**common)
        case transformer_nodes.ClassToken():
            return Prepended(**common)
        case transformer_nodes.PositionEmbedding():
            return Positioned(**common)
        case transformer_nodes.LayerNorm():
            return keras.layers.LayerNormalization(epsilon=node.epsilon, **common)
        case transformer_nodes.TokenDense():
            return keras.layers.Dense(node.units, **common)
        case transformer_nodes.Gelu():
            return keras.layers.Activation("gelu", **common)  # Keras' own default is the exact one
        case transformer_nodes.SelfAttention():
            return Attention(node.heads, **common)
        case transformer_nodes.FirstToken():
            return First(**common)
        case transformer_nodes.MeanToken():
            return Mean(**common)
    raise BadInput(f"Node {node.name!r}: no Keras layer is known for {type(node).__name__}.")


def transformer_variable(node: TransformerNode, layer: Any, parameter: str) -> tuple[Any, tuple[int, ...]]:
    """Return the variable of a parameter, and the order of axes that turns the canonical array into it."""
    if isinstance(node, transformer_nodes.LayerNorm):
        return (layer.gamma if parameter == "weight" else layer.beta), (0,)
    if isinstance(node, transformer_nodes.TokenDense):
        return (layer.kernel, (1, 0)) if parameter == "weight" else (layer.bias, (0,))
    return layer.weight, (0, 1)
