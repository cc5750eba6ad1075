"""Inputs as users have them, as one array or tensor."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import BadInput

_NUMBERS = "biuf"
"""The kinds of NumPy's types that are real numbers."""


def given_array(x: Any, framework: str) -> Any:
    """Return ``x`` as an array, or as it is where it is a tensor of the model's own framework.

    Parameters
    ----------
    x
        An array, a tensor of either framework (whether or not it needs a gradient), an image, or nested lists of these.
    framework
        The model's.

    Raises
    ------
    BadInput
        For what is no array of real numbers.
    """
    of_torch = hasattr(x, "detach") and hasattr(x, "is_floating_point")
    if of_torch and framework == "torch":
        return x
    if hasattr(x, "numpy") and hasattr(x, "dtype") and not of_torch and framework == "tensorflow":
        return x
    try:
        array = np.asarray(_plain(x))
    except (TypeError, ValueError) as error:
        raise BadInput(f"The input is no array: {error}. {_GIVE}") from error
    if array.ndim and array.dtype.kind not in _NUMBERS:
        raise BadInput(f"The input is a {type(x).__name__} of {array.dtype} values, no real numbers. {_GIVE}")
    return array


_GIVE = "Give an array or a tensor (n, *input_shape), or a list of inputs of one shape."


def _plain(x: Any) -> Any:
    """Return what NumPy understands."""
    if isinstance(x, list | tuple):
        return [_plain(item) for item in x]
    if hasattr(x, "detach") and hasattr(x, "is_floating_point"):  # a PyTorch tensor
        tensor = x.detach().cpu()
        return (tensor.float() if tensor.is_floating_point() else tensor).numpy()
    return x
