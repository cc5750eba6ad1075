"""The input shape of a network that does not say which inputs it takes: that of the data."""

from __future__ import annotations

import numpy as np

from ..datasets.base import Framing, Sample
from ..errors import BadInput
from ..models.base import Model

PHOTOGRAPH = (224, 224)
"""Photographs differ in size and have to be brought to one; this one is what most networks for them take."""


def settle_input_shape(model: Model, sample: Sample, framing: Framing) -> None:
    """Give a PyTorch network that was wrapped without an input shape that of a dataset's samples.

    Data of one size (``framing`` is ``cropped``) keep it. Photographs are brought to `PHOTOGRAPH`. Of one and three
    channels, the sample's own number is tried first.

    Raises
    ------
    BadInput
        If the network takes none of these shapes; the message says how it can say which it takes.
    """
    problems = []
    for shape in _shapes(sample, framing):
        try:
            model.inputs(np.zeros((1, *shape), np.float32))
            return
        except BadInput as error:
            problems.append(str(error))
    raise BadInput(
        f"{problems[0]} If it takes inputs of another shape, return heatmark.wrap(net, input_shape=(channels, height, "
        "width)) from the function that builds it."
    )


def _shapes(sample: Sample, framing: Framing) -> list[tuple[int, ...]]:
    """Return the shapes to try, channels first."""
    *spatial, channels = sample.array.shape
    if not spatial:
        return [(channels,)]
    size = PHOTOGRAPH if framing == "whole" and len(spatial) == 2 else tuple(spatial)
    return [(number, *size) for number in dict.fromkeys((channels, *((3, 1) if len(spatial) == 2 else ())))]
