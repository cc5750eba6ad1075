"""The input shape of a network that does not say which inputs it takes: that of the data."""

from __future__ import annotations

import re

import numpy as np

from ...datasets.base import Framing, Sample
from ...errors import BadInput, NotApplicable
from ...models.base import Model

PHOTOGRAPH = (224, 224)
"""Photographs differ in size and have to be brought to one; this one is what most networks for them take."""

HOW_TO_STATE_IT = {
    "torch": "return heatmark.wrap(net, input_shape=(channels, height, width)) from the function that builds it",
    "tensorflow": "begin it with keras.Input((height, width, channels)), or return heatmark.wrap(net, "
    "input_shape=(height, width, channels)) from the function that builds it",
}
"""What the owner of a network can do to choose its inputs."""


def settle_input_shape(model: Model, sample: Sample, framing: Framing) -> None:
    """Give a network that was wrapped without an input shape that of a dataset's samples.

    Data of one size (``framing`` is ``cropped``) keep it. Photographs are brought to `PHOTOGRAPH`. What a Keras
    network says of its input is kept to. Of one and three channels, the sample's own number is tried first.

    Raises
    ------
    BadInput
        If the network takes none of these shapes; the message says how it can say which it takes.
    """
    shapes = _shapes(model, sample, framing)
    errors: list[BadInput] = []
    for shape in shapes:
        try:
            model.inputs(np.full((1, *shape), model.domain[0], np.float32))
            return
        except NotApplicable:
            raise
        except BadInput as error:
            errors.append(error)
    # Without a framework's error behind it, it is what the network returns that cannot be used.
    if answered := next((error for error in errors if error.__cause__ is None), None):
        raise answered
    tried, reason = " or ".join(str(shape) for shape in shapes), _in_one_line(errors[0].__cause__ or errors[0])
    raise BadInput(
        f"{model.name} does not say which inputs it takes, and it does not take {tried} ({reason}). To say it, "
        f"{HOW_TO_STATE_IT[model.framework]}."
    )


def _shapes(model: Model, sample: Sample, framing: Framing) -> list[tuple[int, ...]]:
    """Return the shapes to try, in the model's layout."""
    *spatial, channels = sample.array.shape
    if not spatial:
        return [(channels,)]
    size = PHOTOGRAPH if framing == "whole" and len(spatial) == 2 else tuple(spatial)
    numbers = dict.fromkeys((channels, *((3, 1) if len(spatial) == 2 else ())))
    shapes = [(number, *size) if model.channels_stand_first else (*size, number) for number in numbers]
    return list(dict.fromkeys(_as_stated(model, shape) for shape in shapes))


def _as_stated(model: Model, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape with the sizes that a Keras network fixes, such as the channels of ``(None, None, 3)``."""
    stated = model.stated_shape
    if stated is None or len(stated) != len(shape):
        return shape
    return tuple(size if fixed is None else int(fixed) for size, fixed in zip(shape, stated, strict=True))


def _in_one_line(error: BaseException) -> str:
    """Return the gist of an error: Keras wraps its own in several lines, with colours for a terminal."""
    lines = [line.strip() for line in re.sub(r"\x1b\[[0-9;]*m", "", str(error)).splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith(("Exception encountered", "Arguments received"))]
    return (told or lines or [type(error).__name__])[0].rstrip(".")[:300]
