"""The preprocessing of a model whose inputs are shifted by a constant, which takes it off again."""

from __future__ import annotations

from ..interface import Preprocess
from ..normalization import Normalization


def shifted_preprocess(preprocess: Preprocess | None, shift: float) -> Preprocess:
    """Return the preprocessing that gives for x + ``shift`` what ``preprocess`` gives for x; see `Model.shifted`.

    The shift is absorbed where inputs enter, which is exact. (In the first layer's bias it would be exact only where
    no position lies beside padding with zeros.) A normalisation stays one, with other means, so that whatever reads
    the value that it maps to zero finds the shifted one.
    """
    if preprocess is None:
        return Normalization((shift,), (1.0,))
    if isinstance(preprocess, Normalization):
        means = tuple(mean + shift for mean in preprocess.mean)
        return Normalization(means, preprocess.std, preprocess.flip_channels)
    return lambda x: preprocess(x - shift)
