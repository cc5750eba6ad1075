"""Bringing one sample to a model's input: size, channels, value range and layout."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from ..errors import BadInput
from .samples import UNIT, Framing, InputFormat, Sample, Sizing

# ITU-R BT.601, the weights by which PIL, OpenCV and scikit-learn's readers make grey pictures of colour ones.
LUMINANCE = (0.299, 0.587, 0.114)
FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}
# Rounding of float32 arithmetic may leave the domain by this share of its width; more is an error of the dataset.
RANGE_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Target:
    """A model's input in canonical terms."""

    spatial: tuple[int, ...]
    """The sizes of the spatial axes."""
    channels: int | None
    """The number of channels, or None for flat vectors."""
    channels_first: bool
    """True where the model's layout is (channels, *spatial)."""
    sizing: Sizing
    """The rule for pictures."""
    domain: tuple[float, float] | None = None
    """The lowest and the highest raw value that it takes, where it states them."""

    @property
    def text(self) -> str:
        """The expected shape with its axes named."""
        if self.channels is None:
            return f"{self.spatial[0]} features"
        return f"{' x '.join(str(size) for size in self.spatial)} with {self.channels} channel(s)"


def target_of(model: InputFormat) -> Target:
    """Return the canonical form of a model's input.

    Raises
    ------
    BadInput
        If the input shape is empty or not positive, or the channel axis is neither 1 nor -1, or there is neither.
    """
    if not hasattr(model, "input_shape") or not hasattr(model, "channel_axis"):
        raise BadInput(
            f"Expected a heatmark model (or an ArrayFormat), got {type(model).__name__}. Make one with "
            "heatmark.wrap(net) or heatmark.load_model(name)."
        )
    shape, domain = tuple(model.input_shape), getattr(getattr(model, "conventions", None), "domain", None)
    if not shape or any(not isinstance(size, (int, np.integer)) or size < 1 for size in shape):
        raise BadInput(f"The model's input shape {shape} must hold positive sizes. Give input_shape=... to wrap().")
    if len(shape) == 1:
        return Target(shape, None, False, model.sizing, domain)
    if model.channel_axis == 1:
        return Target(shape[1:], shape[0], True, model.sizing, domain)
    if model.channel_axis in (-1, len(shape)):
        return Target(shape[:-1], shape[-1], False, model.sizing, domain)
    raise BadInput(f"The model's channel axis is {model.channel_axis} for inputs of shape {shape}; it must be 1 or -1.")


def framed(
    sample: Sample, target: Target, framing: Framing = "whole", domain: tuple[float, float] = UNIT
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return a sample as the model takes it, and its mask.

    The values are worked out once, channels last, and only then laid out, so every layout holds the same bits.

    Parameters
    ----------
    sample
        In the canonical layout (see `Sample`).
    target
        The model's input.
    framing
        The dataset's framing; ``cropped`` pictures are resized whole.
    domain
        The lowest and the highest value of the dataset; uint8 stands for [0, 1] whatever it says.

    Returns
    -------
    array, mask
        float32 in the model's domain, where it states one, else in the dataset's, in the model's layout; boolean
        (*spatial), or None.

    Raises
    ------
    BadInput
        If the sample's shape, channels or values do not fit; the message has both shapes and the sample's id.
    """
    if sample.array.dtype == np.uint8:
        domain = UNIT
    values, mask = _values(sample, domain), sample.mask
    if mask is not None and mask.shape != values.shape[: len(mask.shape)]:
        raise BadInput(f"Sample {sample.id!r}: its mask has shape {mask.shape} but its array {values.shape}.")
    if target.channels is None:
        flat, mask = _flat(sample, values, mask, target)
        return _in_domain(sample, flat, domain, target), mask
    if values.ndim != len(target.spatial) + 1:
        raise _mismatch(sample, target)
    if values.ndim == 3:
        values = _with_channels(sample, values, target)
        crop = target.sizing.crop if framing == "whole" else None
        values = np.clip(resized(values, target.spatial, crop, target.sizing.interpolation), *domain)
        mask = None if mask is None else resized_mask(mask, target.spatial, crop)
    elif values.shape != (*target.spatial, target.channels):
        raise _mismatch(sample, target)
    if target.channels_first:
        values = np.moveaxis(values, -1, 0)
    return np.ascontiguousarray(_in_domain(sample, values, domain, target), dtype=np.float32), mask


def geometry(
    size: tuple[int, int], goal: tuple[int, int], crop: float | None
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the size to resize to and the (top, left) corner of the crop of size ``goal`` in it.

    The picture is scaled until it just covers ``round(goal / crop)``; sizes and corner are rounded as torchvision's
    ``Resize`` and ``CenterCrop`` do.
    """
    if crop is None:
        return goal, (0, 0)
    (height, width), (wanted_height, wanted_width) = size, (round(goal[0] / crop), round(goal[1] / crop))
    if height * wanted_width <= width * wanted_height:
        scaled = (wanted_height, width * wanted_height // height)
    else:
        scaled = (height * wanted_width // width, wanted_width)
    return scaled, (round((scaled[0] - goal[0]) / 2), round((scaled[1] - goal[1]) / 2))


def resized(picture: np.ndarray, goal: tuple[int, ...], crop: float | None, interpolation: str) -> np.ndarray:
    """Return a float32 picture (height, width, channels) resized with antialiasing and centre-cropped to ``goal``.

    Each channel is filtered in floating point; bicubic filtering may overshoot [0, 1].
    """
    (height, width), (top, left) = geometry(picture.shape[:2], (goal[0], goal[1]), crop)
    channels = []
    for channel in np.moveaxis(picture, -1, 0):
        if channel.shape != (height, width):
            image = Image.fromarray(np.ascontiguousarray(channel, dtype=np.float32))
            channel = np.asarray(image.resize((width, height), FILTERS[interpolation]))
        channels.append(channel[top : top + goal[0], left : left + goal[1]])
    return np.stack(channels, axis=-1)


def resized_mask(mask: np.ndarray, goal: tuple[int, ...], crop: float | None) -> np.ndarray:
    """Return a boolean mask (height, width) resized by nearest neighbour and cropped like its picture."""
    (height, width), (top, left) = geometry((mask.shape[0], mask.shape[1]), (goal[0], goal[1]), crop)
    image = Image.fromarray(np.where(mask, np.uint8(255), np.uint8(0)))
    whole = np.asarray(image.resize((width, height), Image.Resampling.NEAREST)) > 0
    return np.ascontiguousarray(whole[top : top + goal[0], left : left + goal[1]])


def _values(sample: Sample, domain: tuple[float, float]) -> np.ndarray:
    """Return the sample's values as float32 in the domain, in an array of their own or a read-only view."""
    array = sample.array
    if array.size == 0:
        raise BadInput(f"Sample {sample.id!r} is empty (shape {array.shape}).")
    if array.dtype == np.uint8:
        return array.astype(np.float32) / np.float32(255)
    if array.dtype.kind != "f":
        raise BadInput(f"Sample {sample.id!r} has type {array.dtype}; a dataset gives uint8 or float32.")
    low, high = float(array.min()), float(array.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise BadInput(f"Sample {sample.id!r} holds NaN or infinite values. Clean the data first.")
    least, most = domain
    beyond = RANGE_TOLERANCE * (most - least)
    if low < least - beyond or high > most + beyond:
        raise BadInput(
            f"Sample {sample.id!r} has values from {low:g} to {high:g}; the raw domain is [{least:g}, {most:g}]. "
            "Rescale the data and let the model's preprocessing undo it, or give the dataset its domain."
        )
    clipped: np.ndarray = np.clip(array, least, most, dtype=np.float32)
    return clipped


def _in_domain(sample: Sample, values: np.ndarray, domain: tuple[float, float], target: Target) -> np.ndarray:
    """Return values of [0, 1] in the domain that the model states; those of another domain are not guessed at."""
    if target.domain is None or target.domain == domain:
        return values
    low, high = target.domain
    if domain != UNIT:
        raise BadInput(
            f"Sample {sample.id!r} has values of the domain {domain[0]:g} to {domain[1]:g}, but {low:g} to {high:g} "
            "was stated for the model. Choose a dataset and a model that fit, or state the domain of the data."
        )
    return (low + (high - low) * values).astype(np.float32)


def _with_channels(sample: Sample, values: np.ndarray, target: Target) -> np.ndarray:
    """Return the picture with the model's number of channels: grey repeated, colour by luminance."""
    found = values.shape[-1]
    if found == target.channels:
        return values
    if found == 1 and target.channels == 3:
        return np.repeat(values, 3, axis=-1)
    if found == 3 and target.channels == 1:
        red, green, blue = (np.float32(weight) * values[..., i] for i, weight in enumerate(LUMINANCE))
        return (red + green + blue)[..., np.newaxis]
    raise _mismatch(sample, target)


def _flat(
    sample: Sample, values: np.ndarray, mask: np.ndarray | None, target: Target
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the values as one vector, row by row, where their number is the model's number of features."""
    if values.size != target.spatial[0] or (mask is not None and mask.size != values.size):
        raise _mismatch(sample, target)
    return np.ascontiguousarray(values.reshape(-1)), None if mask is None else mask.astype(bool).reshape(-1)


def _mismatch(sample: Sample, target: Target) -> BadInput:
    """Return the error that names the sample's shape and the model's."""
    return BadInput(
        f"Sample {sample.id!r} has shape {sample.array.shape} (spatial axes, then channels) but the model takes "
        f"{target.text}. Choose a dataset and a model that fit."
    )
