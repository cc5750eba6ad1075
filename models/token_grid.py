"""Where the tokens of a transformer stand in the picture or series.

A vision transformer's values are (n, tokens, channels): the patches in reading order, after at most a few leading
tokens (a class token, registers). What is known of the patches' grid lets layers of tokens be read as feature maps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..errors import NotApplicable
from .arrays.operations import Tensor, TensorOperations
from .interface import Interface
from .layers.channel_axes import BY_OPERATIONS
from .queries import Layer, Query

_MOST_LEADING = 8
"""Leading tokens that are looked for: a class token and up to four registers are usual."""


@dataclass(frozen=True)
class TokenGrid:
    """How a row of tokens covers the input."""

    leading: int
    """Tokens before the patches; where there are any, the first is the class token."""
    spatial: tuple[int, ...]
    """Patches along each spatial axis."""


class TokenLayout:
    """What can be found out about a model's tokens; nothing is run before it is asked for.

    Parameters
    ----------
    model
        The model; its input shape must stay as it is.
    """

    def __init__(self, model: Interface) -> None:
        self._model = model
        self._positional = 2 <= len(model.input_shape) <= 3

    def grid(self, count: int) -> TokenGrid | None:
        """Return how ``count`` tokens cover the input, or None where they cannot.

        The last convolution with as many positions tells; where there is none, so do square patches that fit exactly.
        """
        if not self._positional:
            return None
        model = self._model
        convolved = [
            layer.spatial
            for layer in model.layers()
            if "Conv" in layer.kind and len(layer.shape) == len(model.input_shape) and layer.spatial is not None
        ]
        shorter = min(model.spatial_shape)
        cut = [
            tuple(size // side for size in model.spatial_shape)
            for side in range(1, shorter + 1)
            if all(size % side == 0 for size in model.spatial_shape)
        ]
        for candidates in (convolved[::-1], cut):
            for leading in range(min(_MOST_LEADING, count - 1) + 1):
                for spatial in candidates:
                    if math.prod(spatial) == count - leading:
                        return TokenGrid(leading, tuple(spatial))
        return None

    def grid_of(self, layer: Layer) -> TokenGrid | None:
        """Return the grid of a layer whose output is (tokens, channels), or None where it is something else."""
        if "Conv" in layer.kind or (not self._counts and "Norm" not in layer.kind):
            return None  # without attention (mixers) only a normalisation of tokens is told from other matrices
        return self.grid_of_output(layer)

    def grid_of_output(self, layer: Layer) -> TokenGrid | None:
        """Return the grid of a layer's output where its shape may be (tokens, channels), or None."""
        shape = layer.shape
        if len(shape) != 2 or not self._positional or shape == self._model.input_shape:
            return None
        if layer.channel_axis == 1 and layer.axis_told_by == BY_OPERATIONS:
            return None
        if self._counts:
            return self.grid(shape[0]) if shape[0] in self._counts else None
        return self.grid(shape[0]) if len(self._model.input_shape) == 3 else None

    def is_inside(self, layer: Layer) -> bool:
        """Return whether a layer's output has the rank of a feature map but an axis of tokens.

        Channels that could be followed to a layer of a picture's rank make it a feature map, however long its axes are:
        heads, queries and keys are made by cutting channels up.
        """
        if "Conv" in layer.kind or (len(layer.shape) > 2 and layer.axis_told_by == BY_OPERATIONS):
            return False
        return any(size in self._counts for size in layer.shape)

    @cached_property
    def default_layer(self) -> Layer | None:
        """The last normalisation of tokens that the logits still depend on at the patches; None without tokens.

        In a transformer that is read at its class token, no patch matters after the last attention, so this is the
        first normalisation of the last block: the layer that the field takes for CAMs (Gildenblat, pytorch-grad-cam).
        In one that is read at the mean token it is the last normalisation. Where the logits depend on nothing (a
        classifier that starts at zero), a leading token tells which of the two it is.
        """
        model = self._model
        layers = [(layer, grid) for layer in model.layers() if (grid := self.grid_of(layer)) is not None]
        candidates = [item for item in layers if "Norm" in item[0].kind] or layers
        if not candidates:
            return None
        noise = np.random.default_rng(0).random((1, *model.input_shape), dtype=np.float32)
        query = Query(_all_logits, layers=tuple(layer.name for layer, _ in candidates), layer_gradients=True)
        answer = model.run(query, model.from_numpy(noise), model.from_numpy(np.zeros(1, np.int64)))
        for place in reversed(range(len(candidates))):
            layer, grid = candidates[place]
            if np.any(model.to_numpy(answer.layer_gradients[place])[:, grid.leading :]):
                return layer
        final, grid = candidates[-1]
        before = model.attentions()[-1].norms[-1:] if grid.leading and model.has_attention() else ()
        return next((layer for layer, _ in candidates if layer.name in before), final)

    def why_no_attention(self) -> str | None:
        """Return why attention cannot be read as a map over the input, or None where it can."""
        attentions, name = self._model.attentions(), self._model.name
        if not attentions:
            return f"{name} has no attention layers"
        if any(attention.parts != 1 for attention in attentions) or len({item.tokens for item in attentions}) > 1:
            return f"the attention layers of {name} do not all see the same tokens of the whole input"
        if self.grid(attentions[0].tokens) is None:
            return f"the {attentions[0].tokens} tokens of {name} are no grid of patches"
        return None

    def heads_of_blocks(self) -> tuple[tuple[str, str], ...]:
        """Return, for each attention, the shortcut from its block's output to the classifier's normalisation.

        A block's output is what the normalisation before the next attention is given.

        Raises
        ------
        NotApplicable
            If the blocks are not the same sequence of normalisations each, with one more behind the last of them.
        """
        attentions, model = self._model.attentions(), self._model
        tokens = {layer.name: layer for layer in model.layers() if self.grid_of(layer) is not None}
        norms = [[name for name in attention.norms if name in tokens] for attention in attentions]
        names = list(tokens)
        last = names.index(norms[-1][-1]) if norms and norms[-1] else len(names)
        behind = [name for name in names[last + 1 :] if "Norm" in tokens[name].kind]
        if not all(norms) or not behind or any(len(item) != len(behind) for item in norms[1:]):
            raise NotApplicable(
                f"{model.name} is no transformer that normalises before each attention and, all tokens, before its "
                "classifier: features of its blocks cannot be classified."
            )
        return tuple((item[-1], behind[-1]) for item in (*norms[1:], [behind[-1]]))

    @cached_property
    def _counts(self) -> frozenset[int]:
        """The numbers of tokens that attend; empty at no cost for a picture's network without matrices inside."""
        if len(self._model.input_shape) == 3 and all(len(layer.shape) != 2 for layer in self._model.layers()):
            return frozenset()
        return frozenset(attention.tokens for attention in self._model.attentions())


def maps_of_tokens(operations: TensorOperations, tokens: Tensor, grid: TokenGrid) -> Tensor:
    """Return (m, tokens, channels) as (m, channels, *grid), without the leading tokens."""
    count, _, channels = tokens.shape
    patches = operations.transpose(tokens[:, grid.leading :], (0, 2, 1))
    return operations.reshape(patches, (count, channels, *grid.spatial))


def _all_logits(operations: TensorOperations, logits: Tensor, target: Tensor) -> Tensor:
    """Return a sum of logits in which each has a weight of its own, so that they do not cancel."""
    weights = np.arange(1, int(logits.shape[1]) + 1, dtype=np.float32)
    return operations.sum(logits * operations.from_numpy(weights)[None], axis=1)
