"""``digits``: scikit-learn's 8 x 8 handwritten digits."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from ...parameters import Doc
from ...registry import Reference
from ..arrays import split_dataset
from ..base import Dataset
from ..registry import register_dataset

LICENSE = "UCI optical recognition of handwritten digits (CC BY 4.0), as distributed with scikit-learn."
DIGIT_NAMES = tuple(str(digit) for digit in range(10))


@register_dataset(
    "digits",
    title="Digits",
    family="small images",
    summary="1,797 handwritten digits of 8 x 8 pixels from scikit-learn; nothing is downloaded",
    reference=Reference("Alpaydin and Kaynak", 1998, "Optical recognition of handwritten digits, UCI"),
    license=LICENSE,
)
def load_digits(*, split: Annotated[str, Doc("which part", choices=("test", "train"))] = "test") -> Dataset:
    """Return a split of the digits (359 test, 1,438 train; fixed), 8 x 8 x 1, grey levels 0 to 16 scaled to [0, 1]."""
    from sklearn import datasets

    images, labels = datasets.load_digits(return_X_y=True)
    x = (np.asarray(images) / 16).astype(np.float32).reshape(-1, 8, 8, 1)
    return split_dataset("digits", x, np.asarray(labels), split, DIGIT_NAMES, neutral=0.0)
