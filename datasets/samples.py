"""The data that datasets hand out, and what they ask of a model to make it fit."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from ..errors import BadInput

Framing = Literal["whole", "cropped"]

#: The raw value that stands for nothing being there: one for all channels, one for each, or each sample's own mean.
Neutral = float | tuple[float, ...] | Literal["mean"]

UNIT: tuple[float, float] = (0.0, 1.0)
"""The domain of pictures, and of whatever states no other."""


@dataclass(frozen=True)
class RawValues:
    """What raw values mean.

    Raises
    ------
    BadInput
        If the domain is empty, or the neutral value is neither a number in it, nor one for each channel, nor "mean".
    """

    domain: tuple[float, float] | None = None
    """The lowest and the highest value; None where nobody says."""
    neutral: Neutral | None = None
    """The value that stands for nothing being there; None where nobody says."""

    def __post_init__(self) -> None:
        low, high = self.domain or (-np.inf, np.inf)
        if not low < high:
            raise BadInput(f"A domain is (lowest, highest) raw value; got ({low:g}, {high:g}).")
        if self.neutral is None or self.neutral == "mean":
            return
        values = np.atleast_1d(np.asarray(self.neutral))
        if values.dtype.kind not in "iuf" or values.ndim != 1 or not values.size or not np.isfinite(values).all():
            raise BadInput(f"The neutral value is a number, one for each channel, or 'mean'; got {self.neutral!r}.")
        if not ((values >= low) & (values <= high)).all():
            raise BadInput(f"The neutral value {self.neutral} is outside the domain from {low:g} to {high:g}.")


def valid_text(name: str) -> str:
    """Return the name of a file or folder as text that can be printed and kept, also where its bytes are no UTF-8.

    Such bytes are spelt out: ``caf\\xe9``.
    """
    return os.fsencode(name).decode("utf-8", "backslashreplace")


@dataclass(frozen=True)
class Sizing:
    """How a photograph is brought to a network's input size.

    Raises
    ------
    BadInput
        If ``crop`` is not above 0 and at most 1, or the filter is unknown.
    """

    crop: float | None = None
    """The share of the shorter side that the centre crop keeps (0.875 is the usual rule of ImageNet networks), or None
    to resize the whole picture, whatever its aspect ratio. Photographs that are cropped already (a dataset's framing
    says so) are resized whole.
    """
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    """The filter: ``bicubic`` or ``bilinear``, both with antialiasing."""

    def __post_init__(self) -> None:
        if self.crop is not None and not 0 < self.crop <= 1:
            raise BadInput(
                f"Sizing.crop is the kept share of the shorter side, above 0 and at most 1; got {self.crop}."
            )
        if self.interpolation not in ("bicubic", "bilinear"):
            raise BadInput(f"Sizing.interpolation is 'bicubic' or 'bilinear'; got {self.interpolation!r}.")


class InputFormat(Protocol):
    """What a dataset asks of a model: its native layout and input size. Every heatmark model has these."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        """One sample's shape in the model's native layout, without the batch axis."""

    @property
    def channel_axis(self) -> int | None:
        """The channel axis of a batch (1 or -1), or None for flat vectors."""

    @property
    def sizing(self) -> Sizing:
        """The rule by which photographs get the model's input size."""

    def from_numpy(self, array: np.ndarray) -> Any:
        """Return the array as a tensor on the model's device."""


@dataclass(frozen=True)
class ArrayFormat:
    """An input format without a model: batches stay NumPy arrays."""

    input_shape: tuple[int, ...]
    """One sample's shape, without the batch axis."""
    channel_axis: int | None = -1
    """1 (channels first), -1 (channels last), or None for flat vectors."""
    sizing: Sizing = Sizing()
    """The rule by which photographs get the input size."""

    def from_numpy(self, array: np.ndarray) -> np.ndarray:
        """Return ``array`` itself."""
        return array


@dataclass(frozen=True)
class Sample:
    """One sample in the canonical, framework-neutral layout."""

    id: str
    """Stable and unique within the dataset."""
    array: np.ndarray
    """uint8 (0 to 255) or float32 in the dataset's domain, spatial axes first and channels last: (height, width,
    channels) for pictures, (length, channels) for series, (features,) for flat vectors.
    """
    label: int
    """The class id, or -1 where it is unknown."""
    mask: np.ndarray | None = None
    """Boolean ground truth over the spatial axes, or None."""

    def __repr__(self) -> str:
        return f"<Sample {self.id!r}: {self.array.dtype} {self.array.shape}, label {self.label}>"


@dataclass(frozen=True)
class Batch:
    """Some samples, ready for one model."""

    x: Any
    """Tensor (n, *model.input_shape) on the model's device, raw values, float32."""
    y: np.ndarray
    """Labels, int64 (n,), -1 where unknown."""
    ids: tuple[str, ...]
    """Sample ids."""
    masks: np.ndarray | None
    """Boolean (n, *spatial), or None where the dataset has none."""
    indices: np.ndarray
    """Positions in the dataset, int64 (n,)."""

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"<Batch of {len(self)} samples: {tuple(self.x.shape)}, from {self.ids[0]!r} to {self.ids[-1]!r}>"


@dataclass(frozen=True)
class Skipped:
    """A file that a dataset left out, and why."""

    path: str
    reason: str


class UnreadableSample(BadInput):
    """One sample's file is damaged or missing; a stream leaves it out and goes on.

    Parameters
    ----------
    path
        The file.
    reason
        What is wrong with it.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"Cannot read {self.path}: {self.reason}. Replace the file or remove it."
