"""What a network is told about the meaning of its inputs and outputs, where that cannot be read off the network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from ..datasets.samples import Neutral

OutputKind = Literal["logits", "probabilities", "binary", "multi-label"]


@dataclass(frozen=True)
class Conventions:
    """What goes into a network and what comes out, as its user states it; None where heatmark is to find out."""

    output: OutputKind | None = None
    """What its outputs are: ``logits`` (of classes that exclude each other, or the log odds of one), ``probabilities``
    (of classes that exclude each other), ``binary`` (one probability), or ``multi-label`` (classes that do not exclude
    each other: one logit, or one probability, each).
    """
    outputs: Callable[[Any], Any] | None = None
    """Takes the tensor (n, classes) out of what the network returns."""
    domain: tuple[float, float] | None = None
    """The lowest and the highest raw value; None for [0, 1]."""
    neutral: Neutral | None = None
    """The raw value, for all channels or for each, that stands for nothing being there; ``mean``: that is each sample's
    own mean; None to go by the data, or by a rule (`Interface.raw_values`).
    """
    channel_axis: int | None = None
    """The channel axis of a batch, 1 or -1; None for the framework's usual one."""
