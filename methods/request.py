"""What a method gets: the samples to explain, their targets, and every question it may ask of the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import BadInput, NotApplicable
from ..models.base import Model
from ..models.engine import Chunk, Maker, Pairs, unchanged
from ..models.queries import BackwardRule, Layer, Query, ScoreFunction, ScoreKind
from ..models.random_bank import LazyRows, RandomBank
from ..models.tensors import Tensor, TensorOperations


@dataclass(frozen=True)
class LayerAnswer:
    """A layer's outputs and the score's gradients there, channels first.

    Attributes
    ----------
    activations, gradients
        (n, channels, *layer's spatial shape).
    """

    activations: Tensor
    gradients: Tensor


class Request:
    """Some samples of one model whose targets are to be explained.

    Attributes
    ----------
    model
        The model.
    x
        (n, *input_shape), raw domain, on the device, in the native layout.
    target
        (n,) int64 on the device: fixed once, the same in every query.
    bank
        Random numbers that depend on the seed alone.
    operations
        The array namespace.
    """

    def __init__(self, model: Model, x: Tensor, target: np.ndarray, seed: int = 0) -> None:
        self.model = model
        self.x = x
        self.target = model.from_numpy(target)
        self.bank = RandomBank(seed)
        self._streams: dict[str, LazyRows] = {}

    @property
    def operations(self) -> TensorOperations:
        """The array namespace of the model's framework."""
        return self.model.operations

    @property
    def count(self) -> int:
        """The number of samples."""
        return int(self.x.shape[0])

    # Questions about the input

    def gradient(self, score: ScoreKind | ScoreFunction = "logit", rule: BackwardRule | None = None) -> Tensor:
        """Return the gradient of each sample's score with respect to its input, shape of ``x``."""
        return self._summed(Query(score, input_gradient=True, rule=rule), 1, unchanged, None)

    def mean_gradient(
        self,
        make: Maker,
        variants: int,
        transform: Callable[[Tensor, Chunk], Tensor] | None = None,
        score: ScoreKind | ScoreFunction = "logit",
    ) -> Tensor:
        """Return each sample's mean gradient over its variants, shape of ``x``.

        Parameters
        ----------
        make
            Makes the variants of a chunk.
        variants
            How many each sample has.
        transform
            What is done to each gradient before it is averaged (weights, absolute values, squares).
        score
            What the gradient is of.
        """
        return self._summed(Query(score, input_gradient=True), variants, make, transform) / variants

    def scores(self, make: Maker, variants: int, score: ScoreKind | ScoreFunction = "probability") -> Tensor:
        """Return the score of every variant, shape (variants, n)."""
        pairs = Pairs.grid(self.count, variants)
        flat = self.model.engine.scores(self.x, self.target, pairs, make, score)
        return self.operations.reshape(flat, (variants, self.count))

    def _summed(
        self,
        query: Query,
        variants: int,
        make: Maker,
        transform: Callable[[Tensor, Chunk], Tensor] | None,
    ) -> Tensor:
        pairs = Pairs.grid(self.count, variants)
        return self.model.engine.summed_gradients(query, self.x, self.target, pairs, make, transform)

    # Questions about a layer

    def layer(self, name: str | None) -> Layer:
        """Return the named layer, or the default (the last feature map); NotApplicable where it has no positions."""
        try:
            layer = self.model.layer(name)
        except BadInput as error:
            raise NotApplicable(str(error)) from error
        if len(layer.shape) != len(self.model.input_shape) or self.model.channel_axis is None:
            raise NotApplicable(
                f"The layer {layer.name!r} of {self.model.name} has no spatial positions: {layer.shape}."
            )
        return layer

    def at_layer(self, name: str | None, score: ScoreKind | ScoreFunction = "logit") -> LayerAnswer:
        """Return a layer's outputs and the score's gradients there for all samples."""
        query = Query(score, layers=(self.layer(name).name,), layer_gradients=True)
        stream = self.model.engine.stream(query, self.x, self.target, Pairs.grid(self.count, 1))
        answers = [answer for _, answer in stream]
        activations = self.operations.concat([answer.activations[0] for answer in answers])
        gradients = self.operations.concat([answer.layer_gradients[0] for answer in answers])
        return LayerAnswer(self.model.channels_first(activations), self.model.channels_first(gradients))

    # Pictures and noise in the native layout

    def upsampled(self, maps: Tensor) -> Tensor:
        """Return (n, *any spatial shape) maps at the input's size, linearly."""
        return self.operations.resize(maps, self.model.spatial_shape)

    def masked(self, mask: Tensor, x: Tensor, fill: Tensor | float = 0.0) -> Tensor:
        """Return ``mask * x + (1 - mask) * fill`` for (m, *spatial) masks and (m, *input_shape) samples."""
        mask = self.model.with_channel_axis(mask)
        return x * mask + (1.0 - mask) * fill

    def noise(self, stream: str, chunk: Chunk) -> Tensor:
        """Return standard normal noise for a chunk, one picture per variant, the same for every sample."""
        if stream not in self._streams:
            self._streams[stream] = self.bank.normal(stream, (self.model.channels, *self.model.spatial_shape))
        drawn = self._streams[stream][chunk.variants]
        return self.model.from_numpy(self.model.native_array(drawn))
