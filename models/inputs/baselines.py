"""Baselines: the inputs that stand for "nothing there"."""

from __future__ import annotations

import numpy as np

from ...errors import BadInput, suggestion
from ..arrays.operations import Tensor
from ..base import Model
from ..random_bank import RandomBank
from .blur import gaussian_blur

BASELINES = ("black", "white", "mean", "blur", "noise")


def baseline_of(model: Model, x: Tensor, baseline: str | float | np.ndarray, bank: RandomBank) -> Tensor:
    """Return the baseline for each sample, in a shape that broadcasts against ``x``.

    Parameters
    ----------
    model
        The model, for its layout.
    x
        (n, *input_shape), raw domain [0, 1].
    baseline
        ``black`` (0), ``white`` (1), ``mean`` (each sample's mean colour), ``blur`` (the sample under a Gaussian
        whose standard deviation is a tenth of its shorter side), ``noise`` (one picture of uniform noise, the same for
        all samples), a number, or an array of shape (*input_shape,) or (n, *input_shape).
    bank
        Where the noise comes from.

    Raises
    ------
    BadInput
        For an unknown name or an array of another shape.
    """
    if isinstance(baseline, np.ndarray):
        if baseline.shape not in (model.input_shape, tuple(x.shape)):
            raise BadInput(f"The baseline has shape {baseline.shape}; give {model.input_shape} or {tuple(x.shape)}.")
        array = baseline if baseline.shape == tuple(x.shape) else baseline[None]
        return model.from_numpy(array.astype(np.float32))
    if isinstance(baseline, (int, float)):
        return model.from_numpy(np.full((1,) * (len(model.input_shape) + 1), baseline, np.float32))
    if baseline in ("black", "white"):
        return baseline_of(model, x, float(baseline == "white"), bank)
    if baseline == "mean":
        return model.operations.mean(x, axis=model.spatial_axes, keepdims=True)
    if baseline == "blur":
        return gaussian_blur(model, x, 0.1 * min(model.spatial_shape))
    if baseline == "noise":
        return noise_picture(model, bank)
    raise BadInput(
        f"Unknown baseline {baseline!r}: give {', '.join(BASELINES)}, a number or an array."
        f"{suggestion(baseline, BASELINES)}"
    )


def noise_picture(model: Model, bank: RandomBank, number: int = 0) -> Tensor:
    """Return one of the bank's pictures of uniform noise in [0, 1), (1, *input_shape); number 0 is the baseline."""
    drawn = bank.uniform("baseline", (model.channels, *model.spatial_shape))[np.array([number])]
    return model.from_numpy(model.native_array(drawn))
