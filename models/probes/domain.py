"""What raw inputs may be: values of the domain that is stated for a network, for pictures otherwise of [0, 1]."""

from __future__ import annotations

from typing import Any

from ...errors import BadInput
from ..arrays.operations import Tensor
from ..interface import Interface

_TOLERANCE = 1e-5
"""What rounding may leave the domain by, as a share of its width."""


def check_domain(model: Interface, dtype: Any, x: Tensor) -> None:
    """Refuse inputs that were made for another domain.

    For flat vectors and series there is no usual domain, so theirs is to be asked only where it is stated.

    Parameters
    ----------
    model
        The model, for its domain.
    dtype
        The type of the values that were given.
    x
        The same as float32.

    Raises
    ------
    BadInput
        For values outside of the domain and, where no domain is stated, for whole numbers and truth values: a picture
        of 0 and 1 that was meant as one of 0 to 255 has no other mark.
    """
    (low, high), stated = model.domain, model.conventions.domain is not None
    least, most = (float(model.to_numpy(end(x))) for end in (model.operations.min, model.operations.max))
    kind = getattr(dtype, "name", str(dtype)).removeprefix("torch.")
    whole = not stated and "float" not in kind
    slack = _TOLERANCE * (high - low)
    if not whole and least >= low - slack and most <= high + slack:
        return
    given = f"The input has values of type {kind} from {least:g} to {most:g}"
    if stated:
        raise BadInput(
            f"{given}, but the domain that was stated for {model.name} is {low:g} to {high:g}. Scale the input, or "
            "state another domain: hm.wrap(net, domain=(low, high))."
        )
    remedy = "Turn them into floats" if whole else "Scale them"
    if least >= 0 and 2 < most <= 255:
        remedy = "Divide by 255"
    elif least < 0:
        remedy = "If they are normalised, give raw values, and hm.wrap(net, preprocess=hm.Normalization(mean, std))"
    raise BadInput(
        f"{given}; pictures are floats in [0, 1]. {remedy}. If the network itself takes such values, state it: "
        "hm.wrap(net, domain=(low, high))."
    )
