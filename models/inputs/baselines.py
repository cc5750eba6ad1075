"""Baselines: the inputs that stand for "nothing there"."""

from __future__ import annotations

import numpy as np

from ...datasets.base import RawValues
from ...datasets.samples import UNIT, Neutral
from ...errors import BadInput, suggestion
from ..arrays.operations import Tensor
from ..base import Model
from ..random_bank import RandomBank
from .blur import gaussian_blur

NEUTRAL = "neutral"
"""The baseline that stands for nothing being there in this data: `Interface.raw_values` tells which it is."""

BASELINES = (NEUTRAL, "black", "white", "mean", "blur", "noise")


def baseline_of(
    model: Model,
    x: Tensor,
    baseline: str | float | np.ndarray,
    bank: RandomBank,
    values: RawValues | None = None,
) -> Tensor:
    """Return the baseline for each sample, in a shape that broadcasts against ``x``.

    Parameters
    ----------
    model
        The model, for its layout.
    x
        (n, *input_shape), raw values.
    baseline
        ``neutral`` (the value that stands for nothing being there), ``black`` and ``white`` (the lowest and the highest
        value of the domain), ``mean`` (each sample's mean colour), ``blur`` (the sample under a Gaussian whose standard
        deviation is a tenth of its shorter side), ``noise`` (one picture of uniform noise over the domain, the same
        for all samples), a number, or an array of shape (*input_shape,) or (n, *input_shape).
    bank
        Where the noise comes from.
    values
        What raw values mean, from `Interface.raw_values`; by default what it gives where no data is known.

    Raises
    ------
    BadInput
        For an unknown name, an array of another shape, or a neutral value for another number of channels.
    """
    low, high, neutral = _known(model, values)
    if isinstance(baseline, str) and baseline == NEUTRAL:
        if neutral != "mean":
            return per_channel(model, np.atleast_1d(np.asarray(neutral, np.float32)))
        baseline = "mean"
    if isinstance(baseline, np.ndarray):
        if baseline.shape not in (model.input_shape, tuple(x.shape)):
            raise BadInput(f"The baseline has shape {baseline.shape}; give {model.input_shape} or {tuple(x.shape)}.")
        array = baseline if baseline.shape == tuple(x.shape) else baseline[None]
        return model.from_numpy(array.astype(np.float32))
    if isinstance(baseline, (int, float)):
        return model.from_numpy(np.full((1,) * (len(model.input_shape) + 1), baseline, np.float32))
    if baseline in ("black", "white"):
        return baseline_of(model, x, high if baseline == "white" else low, bank, values)
    if baseline == "mean":
        return model.operations.mean(x, axis=model.spatial_axes, keepdims=True)
    if baseline == "blur":
        return gaussian_blur(model, x, 0.1 * min(model.spatial_shape))
    if baseline == "noise":
        return noise_picture(model, bank, values=values)
    raise BadInput(
        f"Unknown baseline {baseline!r}: give {', '.join(BASELINES)}, a number or an array."
        f"{suggestion(baseline, BASELINES)}"
    )


def noise_picture(model: Model, bank: RandomBank, number: int = 0, *, values: RawValues | None = None) -> Tensor:
    """Return one of the bank's pictures of noise, uniform over the domain, (1, *input_shape); 0 is the baseline."""
    drawn = bank.uniform("baseline", (model.channels, *model.spatial_shape))[np.array([number])]
    return model.from_numpy(model.native_array(over_domain(drawn, model, values)))


def over_domain(shares: np.ndarray, model: Model, values: RawValues | None = None) -> np.ndarray:
    """Return float32 numbers of [0, 1) as numbers of the domain; in [0, 1) itself they stay, to the bit."""
    low, high, _ = _known(model, values)
    return shares if (low, high) == UNIT else (low + (high - low) * shares).astype(np.float32)


def width_of(model: Model, values: RawValues | None = None) -> float:
    """Return the width of the domain, which sizes of noise are shares of."""
    low, high, _ = _known(model, values)
    return high - low


def per_channel(model: Model, values: np.ndarray) -> Tensor:
    """Return per-channel values (or one for all) as a tensor that broadcasts against a native batch.

    Raises
    ------
    BadInput
        If there are neither one nor as many as the model has channels.
    """
    if values.size not in (1, model.channels):
        raise BadInput(f"{model.name} has {model.channels} channels, but {values.size} values were given for them.")
    shape = [1] * (len(model.input_shape) + 1)
    if model.channel_axis is not None and values.size > 1:
        shape[model.channel_axis] = values.size
    return model.from_numpy(np.asarray(values, np.float32).reshape(shape))


def _known(model: Model, values: RawValues | None) -> tuple[float, float, Neutral]:
    found = values or model.raw_values()
    if found.domain is None or found.neutral is None:
        found = model.raw_values(found)
    assert found.domain is not None and found.neutral is not None
    return (*found.domain, found.neutral)
