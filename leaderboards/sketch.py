"""A method's map of one digit in characters, made by the method itself on a small network: a picture for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..datasets.registry import load_dataset
from ..errors import NotApplicable
from ..methods.explain import explain
from ..methods.registry import method_from
from ..models.zoo.loading import load_model

FOR, AGAINST = " ░▒▓█", " .:oO"
"""From nothing to the largest size: what speaks for the class, and what speaks against it."""
NETWORKS = ("small-cnn", "vit-tiny")
"""The networks that are tried, in this order: the first to which a method applies is asked."""


def sketch(method: str, framework: str | None = None) -> Iterator[str]:
    """Yield a digit and its map side by side, as lines of characters, below a line that says what they are.

    Parameters
    ----------
    method
        A selection, such as ``"grad_cam"``.
    framework
        ``torch`` or ``tensorflow``; the first that is installed where None.

    Raises
    ------
    NotApplicable
        If the method applies to none of the small networks.
    """
    network, label, picture, map_ = _explained(method, framework)
    yield f"A handwritten {label}, and the map of {method} for the class {label} in {network}:"
    for left, right in zip(lines(picture), lines(map_), strict=True):
        yield f"|{left}|   |{right}|"
    against = f"; against it: {AGAINST[1:]}" if map_.min() < 0 else ""
    yield f"for the class, from little to much: {FOR[1:]}{against}"


def lines(values: np.ndarray) -> Iterator[str]:
    """Yield the rows of a picture (height, width) as characters, two a position, by shares of its largest size."""
    largest = np.abs(values).max()
    shares = values / largest if largest > 0 else values
    steps = np.rint(np.abs(shares) * (len(FOR) - 1)).astype(int)
    for row, signs in zip(steps, shares, strict=True):
        yield "".join(2 * (FOR if sign >= 0 else AGAINST)[step] for step, sign in zip(row, signs, strict=True))


def _explained(method: str, framework: str | None) -> tuple[str, int, np.ndarray, np.ndarray]:
    """Return the first network to which a method applies, a digit's class, its picture, and the map for its class."""
    reasons = []
    for network in NETWORKS:
        model = load_model(network, framework=framework, device="cpu")
        reason = method_from(method).why_not(model)
        if reason is None:
            batch = load_dataset("digits").take(1, model)
            map_ = np.asarray(explain(model, batch.x, method=method, target=batch.y)[0], np.float64)
            return network, int(batch.y[0]), np.asarray(batch.x, np.float64).reshape(map_.shape), map_
        reasons.append(f"{network}: {reason}")
    raise NotApplicable(f"There is no picture of {method}: {'; '.join(reasons)}.")
