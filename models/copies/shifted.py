"""A model whose inputs are shifted by a constant that its preprocessing takes off again."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from ..base import Model, Preprocess
from ..normalization import Normalization
from ..queries import PassCount


def shifted(model: Model, shift: float) -> Model:
    """Return the model that gives for x + ``shift`` what ``model`` gives for x; see `Model.shifted`.

    The shift is absorbed where inputs enter, which is exact. (In the first layer's bias it would be exact only where
    no position lies beside padding with zeros.) A normalisation stays one, with other means, so that whatever reads
    the value that it maps to zero finds the shifted one.
    """
    other = copy.copy(model)  # the network is the same object; everything that was worked out is dropped
    other._preprocess = _shifted_preprocess(model, shift)
    other._passes = PassCount()
    other._shifted = {}
    for name in ("engine", "tokens"):
        other.__dict__.pop(name, None)
    other.forget_shape()
    return other


def _shifted_preprocess(model: Model, shift: float) -> Preprocess:
    before = model._preprocess
    if before is None:
        return Normalization((shift,), (1.0,))
    if isinstance(before, Normalization):
        return Normalization(tuple(mean + shift for mean in before.mean), before.std, before.flip_channels)
    function: Callable[[Any], Any] = before
    return lambda x: function(x - shift)
