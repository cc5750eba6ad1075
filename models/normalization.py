"""The normalisation that belongs to a model: from the raw domain [0, 1] to what its network was trained on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import BadInput


@dataclass(frozen=True)
class Normalization:
    """(x - mean) / std for each channel, then the channels in reverse where the network wants BGR.

    Raises
    ------
    BadInput
        If the lengths differ, or a standard deviation is not a positive number.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    """One number per channel, or a single one for all; in raw units and in the raw order of the channels."""
    flip_channels: bool = False
    """Whether the network takes the channels in reverse."""

    def __post_init__(self) -> None:
        if not self.mean or len(self.mean) != len(self.std) or not np.all(np.isfinite([*self.mean, *self.std])):
            raise BadInput(f"Normalization needs as many finite means as deviations, got {self.mean} and {self.std}.")
        if min(self.std) <= 0:
            raise BadInput(f"Normalization needs standard deviations above 0, got {self.std}.")

    @property
    def zero(self) -> tuple[float, ...]:
        """The raw value that becomes 0, per channel: the mean."""
        return self.mean

    def in_units(self, zero: float, width: float) -> Normalization:
        """Return what does to v what this does to (v - zero) / width."""
        means = tuple(zero + width * mean for mean in self.mean)
        return Normalization(means, tuple(width * std for std in self.std), self.flip_channels)

    def apply(
        self,
        x: Any,
        channel_axis: int | None,
        constant: Callable[[np.ndarray], Any] = lambda array: array,
        flip: Callable[[Any, int], Any] = np.flip,
    ) -> Any:
        """Return the normalised batch.

        Parameters
        ----------
        x
            A batch in the raw domain: an array or tensor of any framework.
        channel_axis
            The axis of the channels in ``x``, or None for flat vectors (then there must be one mean for all).
        constant
            Makes a tensor of the kind of ``x`` from a float32 NumPy array that broadcasts against it.
        flip
            Reverses a tensor along an axis; only called where ``flip_channels`` is set.
        """
        shape = [1] * len(x.shape)
        if channel_axis is not None:
            shape[channel_axis] = len(self.mean)
        elif len(self.mean) != 1:
            raise BadInput(f"Flat vectors have no channels: give one mean instead of {len(self.mean)}.")
        mean, std = (np.asarray(values, np.float32).reshape(shape) for values in (self.mean, self.std))
        normalised = (x - constant(mean)) / constant(std)
        return flip(normalised, channel_axis) if self.flip_channels and channel_axis is not None else normalised
