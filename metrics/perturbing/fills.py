"""What stands where a metric takes something away."""

from __future__ import annotations

import numpy as np

from ...datasets.base import RawValues
from ...errors import BadInput, NotApplicable, suggestion
from ...models.arrays.operations import Tensor
from ...models.base import Model
from ...models.inputs.baselines import BASELINES, NEUTRAL, baseline_of, noise_picture, per_channel, width_of
from ...models.inputs.blur import correlate, gaussian_blur
from ...models.random_bank import RandomBank

IMPUTED = "linear"
"""The fill that depends on what is kept: noisy linear imputation (ROAD)."""

CANVASES = (*BASELINES, "noise:NUMBER", "zero", "rise_blur", "blur:SIGMA")
"""The fills that are known before it is known what is kept; ``NUMBER`` and ``SIGMA`` stand for numbers."""

FILLS = (*CANVASES, IMPUTED, "linear:NOISE")
"""The names of all fills; ``NOISE`` stands for a number."""

ABSENCE = NEUTRAL
"""The default fill of every metric that takes something away: docs/metrics.md argues for it."""

_NOISE = 0.01
"""The standard deviation of the noise that ROAD adds to what it imputes (Rong et al. 2022, their code)."""


def fill_of(model: Model, x: Tensor, fill: str, seed: int, values: RawValues | None = None) -> Tensor:
    """Return the fill for each sample, in a shape that broadcasts against ``x``.

    Parameters
    ----------
    model
        The model, for its layout and preprocessing.
    x
        (n, *input_shape), raw values.
    fill
        A baseline's name (``neutral``, ``black``, ``white``, ``mean``, ``blur``, ``noise``); ``noise:NUMBER``, another
        picture of noise (``noise`` is number 0); ``blur:SIGMA``, a Gaussian blur of so many positions; ``zero``, the
        raw value that the model's normalisation maps to zero (the mean colour of its training set); or ``rise_blur``,
        the blurred picture of RISE's evaluation code (11 x 11 kernel, zeros beyond the border after normalisation).
        ``linear`` depends on what is kept: see `imputation_noise`.
    seed
        Of the noise.
    values
        What raw values mean: see `baseline_of`.

    Raises
    ------
    BadInput
        For an unknown fill.
    NotApplicable
        If the fill needs a normalisation that the model does not state.
    """
    if fill in BASELINES:
        return baseline_of(model, x, fill, RandomBank(seed), values)
    name, _, number = fill.partition(":")
    if name == "noise":
        return noise_picture(model, RandomBank(seed), int(float(number)), values=values)
    if name == "blur":
        return gaussian_blur(model, x, float(number)) if float(number) > 0 else x
    if fill not in CANVASES:
        raise BadInput(f"Unknown fill {fill!r}: choose one of {', '.join(CANVASES)}.{suggestion(fill, CANVASES)}")
    if model.zero is None:
        raise NotApplicable(
            f"The fill {fill!r} needs to know what {model.name} maps to zero: wrap the network with "
            "preprocess=Normalization(mean, std), or use another fill."
        )
    zero = per_channel(model, model.zero)
    if fill == "zero":
        return zero
    # Blurring after normalisation with zeros outside is blurring the raw difference from the raw zero.
    return zero + correlate(model, x - zero, rise_kernel(len(model.spatial_shape)))


def is_imputed(fill: str) -> bool:
    """Return whether a fill is worked out from what is kept."""
    return fill.partition(":")[0] == IMPUTED


def imputation_noise(model: Model, fill: str, seed: int, values: RawValues | None = None) -> Tensor:
    """Return the noise that is added to imputed positions, (1, *input_shape), the same for all samples.

    ``linear`` has the standard deviation 0.01, ``linear:NOISE`` another, as a share of the domain's width.
    """
    number = fill.partition(":")[2]
    drawn = RandomBank(seed).normal("imputation", (model.channels, *model.spatial_shape))[np.zeros(1, np.int64)]
    return model.from_numpy(model.native_array(drawn)) * (
        (float(number) if number else _NOISE) * width_of(model, values)
    )


def rise_kernel(axes: int) -> np.ndarray:
    """Return the blur kernel of RISE's evaluation: a delta under a Gaussian of 5 px, reflected into 11 px a side.

    The reflection folds the tails back, so the kernel sums to one and is nearly a box.
    """
    from scipy.ndimage import gaussian_filter

    delta = np.zeros((11,) * axes)
    delta[(5,) * axes] = 1.0
    return np.asarray(gaussian_filter(delta, 5.0), np.float32)
