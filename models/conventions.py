"""What a network is told about the meaning of its inputs and outputs, where that cannot be read off the network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

from ..datasets.samples import Neutral
from ..errors import BadInput, suggestion

OutputKind = Literal["logits", "probabilities", "binary", "multi-label"]
OUTPUT_KINDS: tuple[OutputKind, ...] = get_args(OutputKind)


@dataclass(frozen=True)
class Conventions:
    """What goes into a network and what comes out, as its user states it; None where heatmark is to find out.

    Raises
    ------
    BadInput
        If the kind of output is unknown, or ``outputs`` is no function.
    """

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
    """The channel axis of a batch, 1 or -1 (the last); None for the framework's usual one."""

    def __post_init__(self) -> None:
        if self.output is not None and self.output not in OUTPUT_KINDS:
            raise BadInput(
                f"Unknown output {self.output!r}.{suggestion(str(self.output), OUTPUT_KINDS)} Choose one of "
                f"{', '.join(OUTPUT_KINDS)}."
            )
        if self.outputs is not None and not callable(self.outputs):
            raise BadInput("outputs is a function from what the network returns to the tensor of class scores.")
        if self.channel_axis not in (None, 1, -1):
            raise BadInput(
                f"channel_axis is {self.channel_axis!r}: give 1 where a batch is (n, channels, *positions), -1 where "
                "it is (n, *positions, channels)."
            )

    def require_axes(self, input_shape: tuple[int, ...]) -> None:
        """Raise BadInput where a channel axis is stated for inputs that have no channels."""
        if self.channel_axis is not None and len(input_shape) == 1:
            raise BadInput(
                f"channel_axis={self.channel_axis} was given, but one input is a flat vector of shape {input_shape}, "
                "which has no channels. Leave channel_axis out."
            )
