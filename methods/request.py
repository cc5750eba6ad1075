"""What a method gets: the samples to explain, their targets, and every question it may ask of the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..datasets.base import RawValues
from ..datasets.samples import UNIT
from ..errors import BadInput, NotApplicable
from ..models.arrays.operations import Tensor, TensorOperations
from ..models.base import Model
from ..models.checking.layers import warn_of_default_layer
from ..models.engine import Chunk, Maker, Pairs, Transform
from ..models.inputs.baselines import baseline_of, width_of
from ..models.queries import Answer, BackwardRule, Layer, Query, ScoreFunction, ScoreKind
from ..models.random_bank import LazyRows, RandomBank
from ..models.token_grid import maps_of_tokens
from .registry import Method


@dataclass(frozen=True)
class LayerAnswer:
    """A layer's outputs and the score's gradients there, channels first."""

    activations: Tensor
    gradients: Tensor
    """(n, channels, *layer's spatial shape)."""


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
    seed
        Of the bank.
    inner
        The method that a wrapper wraps, or None.
    ground_truth
        Boolean masks (n, *spatial), or None where the dataset has none.
    values
        What raw values mean: their domain, and which stands for nothing being there.
    """

    def __init__(
        self,
        model: Model,
        x: Tensor,
        target: np.ndarray,
        seed: int = 0,
        *,
        inner: Method | None = None,
        ground_truth: np.ndarray | None = None,
        values: RawValues | None = None,
    ) -> None:
        self.model = model
        self.values = model.raw_values(values)
        self.x = x
        self.seed = seed
        self.inner = inner
        self.ground_truth = ground_truth
        self.target = model.from_numpy(target)
        self.bank = RandomBank(seed)
        self._streams: dict[str, LazyRows] = {}

    @property
    def operations(self) -> TensorOperations:
        """The array namespace of the model's framework."""
        return self.model.operations

    @property
    def domain(self) -> tuple[float, float]:
        """The lowest and the highest raw value."""
        return self.values.domain or UNIT

    @property
    def count(self) -> int:
        """The number of samples."""
        return int(self.x.shape[0])

    @property
    def target_array(self) -> np.ndarray:
        """The targets as NumPy int64 (n,)."""
        return self.model.to_numpy(self.target)

    def all_as_variant(self, number: int) -> Chunk:
        """Return the chunk in which every sample stands once, as its variant of this number."""
        rows = np.arange(self.count)
        return Chunk(self.operations, rows, np.full(self.count, number), slice(0, self.count))

    # Other inputs

    def baseline(self, given: str | float | np.ndarray) -> Tensor:
        """Return what stands for absence, one for all samples or one for each; see `baseline_of`."""
        return baseline_of(self.model, self.x, given, self.bank, self.values)

    def baselines(self, given: str | float | np.ndarray) -> list[Tensor]:
        """Return several baselines where a text names them, as ``black+white``."""
        return [self.baseline(one) for one in (given.split("+") if isinstance(given, str) else [given])]

    # Questions about the input

    def gradient(self, score: ScoreKind | ScoreFunction = "logit", rule: BackwardRule | None = None) -> Tensor:
        """Return the gradient of each sample's score with respect to its input, shape of ``x``."""
        query = Query(score, input_gradient=True, rule=rule)
        (total,) = self.model.engine.summed_gradients(query, self.x, self.target, Pairs.grid(self.count, 1))
        return total

    def mean_gradient(
        self,
        make: Maker,
        variants: int,
        transform: Transform | None = None,
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
        (mean,) = self.mean_gradients(make, variants, (transform,), score)
        return mean

    def mean_gradients(
        self,
        make: Maker,
        variants: int,
        transforms: Sequence[Transform | None],
        score: ScoreKind | ScoreFunction = "logit",
    ) -> tuple[Tensor, ...]:
        """Return the means of several transforms of the same gradients; see `mean_gradient`."""
        query, pairs = Query(score, input_gradient=True), Pairs.grid(self.count, variants)
        totals = self.model.engine.summed_gradients(query, self.x, self.target, pairs, make, transforms)
        return tuple(total / variants for total in totals)

    def scores(self, make: Maker, variants: int, score: ScoreKind | ScoreFunction = "probability") -> Tensor:
        """Return the score of every variant, shape (variants, n)."""
        pairs = Pairs.grid(self.count, variants)
        flat = self.model.engine.scores(self.x, self.target, pairs, make, score)
        return self.operations.reshape(flat, (variants, self.count))

    # Questions about a layer

    def layer(self, name: str | None) -> Layer:
        """Return the named layer, or the default (the last feature map), with a warning where it is in doubt.

        Raises
        ------
        NotApplicable
            If there is none, it has no positions, or it cannot be told where its channels stand.
        """
        model = self.model
        try:
            layer = model.layer(name)
        except BadInput as error:
            raise NotApplicable(str(error)) from error
        if name is None:
            warn_of_default_layer(model)
        if model.tokens.grid_of(layer) is None:
            flat = len(layer.shape) != len(model.input_shape) or not layer.per_sample
            if flat or model.channel_axis is None:
                raise NotApplicable(
                    f"The layer {layer.name!r} of {model.name} has no spatial positions: {layer.shape}."
                )
            model.channel_axis_of(layer)
        return layer

    def at_layer(self, name: str | None, score: ScoreKind | ScoreFunction = "logit") -> LayerAnswer:
        """Return a layer's outputs and the score's gradients there for all samples."""
        layer = self.layer(name)
        query = Query(score, layers=(layer.name,), layer_gradients=True)
        stream = self.model.engine.stream(query, self.x, self.target, Pairs.grid(self.count, 1))
        parts = ((answer.activations[0], answer.layer_gradients[0]) for _, answer in stream)
        activations, gradients = self.operations.collect(parts, self.count)
        return LayerAnswer(self.model.maps_of(layer, activations), self.model.maps_of(layer, gradients))

    def native_activations(self, name: str | None) -> Tensor:
        """Return a layer's outputs for all samples, as the layer gives them."""
        query = Query(layers=(self.layer(name).name,))
        stream = self.model.engine.stream(query, self.x, None, Pairs.grid(self.count, 1))
        (activations,) = self.operations.collect(((answer.activations[0],) for _, answer in stream), self.count)
        return activations

    def activations(self, name: str | None) -> Tensor:
        """Return a layer's outputs for all samples, channels first."""
        return self.model.maps_of(self.layer(name), self.native_activations(name))

    def attention_map(
        self, reduce: Callable[[Answer], Tensor], *, gradients: bool = False, shortcut: tuple[str, str] | None = None
    ) -> Tensor:
        """Return a map of the input from what its network's attentions say of each token.

        Parameters
        ----------
        reduce
            Makes (m, tokens) of a chunk's answer, whose ``attentions`` are (m, heads, tokens, tokens) per layer.
        gradients
            Whether the answer has the logit's gradients at the attentions too.
        shortcut
            See `Query.shortcut`.

        Returns
        -------
        Tensor
            (n, *spatial): the patches' values at the input's size, without class token and registers.
        """
        query = Query(layer_gradients=gradients, attention=True, shortcut=shortcut)
        stream = self.model.engine.stream(query, self.x, self.target, Pairs.grid(self.count, 1))
        (values,) = self.operations.collect(((reduce(answer),) for _, answer in stream), self.count)
        grid = self.model.tokens.grid(int(values.shape[1]))
        assert grid is not None  # a method that needs attention is refused where there is none
        return self.upsampled(maps_of_tokens(self.operations, values[:, :, None], grid)[:, 0])

    def unit_range(self, maps: Tensor, *, jointly: bool = False) -> Tensor:
        """Return (n, channels, *spatial) scaled to [0, 1]; what is constant becomes zero.

        Each map is scaled by itself, or all channels of a sample ``jointly``.
        """
        operations = self.operations
        axes = tuple(range(1 if jointly else 2, len(maps.shape)))
        low = operations.min(maps, axis=axes, keepdims=True)
        high = operations.max(maps, axis=axes, keepdims=True)
        span = operations.where(high > low, high - low, 1.0 + 0.0 * high)
        return (maps - low) / span

    def channels_first_array(self) -> np.ndarray:
        """Return the samples as NumPy (n, channels, *spatial), the same in both frameworks."""
        return self.model.to_numpy(self.model.channels_first(self.x))

    # Pictures and noise in the native layout

    def upsampled(self, maps: Tensor) -> Tensor:
        """Return (n, *any spatial shape) maps at the input's size, linearly."""
        return self.operations.resize(maps, self.model.spatial_shape)

    def masked(self, mask: Tensor, x: Tensor, fill: Tensor | None = None) -> Tensor:
        """Return ``mask * x + (1 - mask) * fill``, without a fill ``mask * x``.

        Parameters
        ----------
        mask
            (m, *spatial).
        x
            (m, *input_shape).
        fill
            Like ``x``, or one for all.
        """
        mask = self.model.with_channel_axis(mask)
        return x * mask if fill is None else self.operations.blend(mask, x, fill)

    def noise(self, stream: str, chunk: Chunk, deviation: float = 1.0) -> Tensor:
        """Return normal noise for a chunk, one picture per variant, the same for every sample.

        ``deviation`` is a share of the domain's width.
        """
        if stream not in self._streams:
            self._streams[stream] = self.bank.normal(stream, (self.model.channels, *self.model.spatial_shape))
        # Each picture goes to the device once, however many samples of the chunk it is for.
        numbers, places = np.unique(chunk.variants, return_inverse=True)
        size = deviation * width_of(self.model, self.values)
        drawn = size * self.model.from_numpy(self.model.native_array(self._streams[stream][numbers]))
        return self.operations.take(drawn, places)
