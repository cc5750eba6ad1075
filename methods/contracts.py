"""The contract that every attribution method keeps, as questions that are asked of any method with any model.

The project's own tests ask them of every registered method; ``heatmark test FILE`` asks them, and more, of yours; in
Python::

    from heatmark.methods.contracts import violations
    assert violations(model, x, "my_method") == []
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..errors import BadInput, NetworkChanged, NotApplicable, error_in_words, where_raised
from ..models.base import Model
from ..models.checking.finding import Finding
from .explain import explain
from .registry import Method, method_from

MAPS = "maps have the right shape, in float32 and finite"
UNSIGNED = "maps declared unsigned are nowhere negative"
UNCHANGED = "inputs and network stay as they were"
REPEATS = "the same seed gives the same maps"
ALONE = "maps do not depend on batch, order and chunk"

_TOLERANCE = 1e-4
"""How far, relative to a map's largest value, float32 sums may differ between ways to cut the same work."""
_DRAW = "Draw random numbers from request.bank or request.noise: they depend on the seed alone."
_SAME = "Do the same for every row: compute nothing across samples, such as a mean over the batch."


def violations(model: Model, x: Any, method: str | Method, target: Any = None, seed: int = 0) -> list[str]:
    """Return what a method does wrong on some samples, in words; an empty list if it keeps the contract.

    See `contract`, whose findings that fail these are.
    """
    found = contract(model, x, method, target, seed)
    return [f"{finding.question}: {finding.evidence}" for finding in found if finding.verdict == "fails"]


def contract(model: Model, x: Any, method: str | Method, target: Any = None, seed: int = 0) -> tuple[Finding, ...]:
    """Return what is found when a method is asked on some samples in several ways; what raises is a finding too.

    Asked are: shape and type; finite values; no negative values in a map declared unsigned; inputs and network left as
    they were; the same maps for the same seed; independence of batch composition, order and chunk size.

    Parameters
    ----------
    model
        Any model.
    x
        At least two samples, (n, *input_shape).
    method
        A selection or a bound method.
    target
        As in `heatmark.explain`; fixed to the predicted classes where None.
    seed
        Of the method's random numbers.

    Raises
    ------
    NotApplicable
        If the method has no meaning for the model; the message is the reason.
    """
    chosen = method_from(method) if isinstance(method, str) else method
    samples = np.array(model.plain(x), np.float32)
    original = samples.copy()
    count = len(samples)
    classes = model.outputs(samples).argmax(axis=1) if target is None else model.targets(target, count)

    def maps(rows: Any = slice(None)) -> np.ndarray:
        return explain(model, samples[rows], chosen, classes[rows], seed=seed)

    try:
        first = maps()
    except NotApplicable:
        raise
    except Exception as error:
        return (_raised(MAPS, error),)
    found = [_of_maps(first, (count, *model.spatial_shape))]
    if found[0].verdict == "fails":
        return tuple(found)
    if not chosen.signed:
        low = float(first.min())
        found.append(
            Finding(UNSIGNED, "holds", f"the lowest value is {low:.3g}.")
            if low >= 0
            else Finding(
                UNSIGNED,
                "fails",
                f"negative values, down to {low:.3g}.",
                "Register the method with signed=True, or take absolute values or the positive part.",
            )
        )
    largest = np.abs(first).reshape(count, -1).max(axis=1)
    found.append(_same(REPEATS, first, largest, {"a second call with the same seed": maps}, _DRAW))
    ways: Mapping[str, Callable[[], np.ndarray]] = {
        "chunks of one": lambda: _in_chunks(model, 1, maps),
        "chunks of three": lambda: _in_chunks(model, 3, maps),
        "one sample at a time": lambda: np.concatenate([maps([row]) for row in range(count)]),
        "the reverse order": lambda: maps(slice(None, None, -1))[::-1],
    }
    found.append(_same(ALONE, first, largest, ways, _SAME))
    if any(finding.question == UNCHANGED for finding in found):
        return tuple(found)
    same = np.array_equal(samples, original)
    evidence = (
        "inputs, targets, weights, modes, hooks and settings were compared." if same else "the input was changed."
    )
    return (*found, Finding(UNCHANGED, "holds" if same else "fails", evidence))


def _of_maps(maps: np.ndarray, wanted: tuple[int, ...]) -> Finding:
    """Return what is to be said of the maps themselves."""
    if maps.shape != wanted:
        return Finding(MAPS, "fails", f"the shape is {maps.shape} instead of {wanted}.", "Return a value per position.")
    if maps.dtype != np.float32:
        return Finding(MAPS, "fails", f"the type is {maps.dtype} instead of float32.")
    if not np.isfinite(maps).all():
        odd = int((~np.isfinite(maps)).sum())
        return Finding(
            MAPS,
            "fails",
            f"NaN or infinite values: {odd} of {maps.size}.",
            "Look for a division by zero, a logarithm of zero, or a square root of something negative.",
        )
    if np.ptp(maps.reshape(len(maps), -1), axis=1).max() == 0:
        return Finding(
            MAPS,
            "doubtful",
            f"every map is constant ({float(maps.flat[0]):.3g} everywhere), so it ranks nothing.",
            "See whether the gradient or the score that it is made of is zero.",
        )
    return Finding(MAPS, "holds", f"{maps.shape}, values from {float(maps.min()):.3g} to {float(maps.max()):.3g}.")


def _same(
    question: str,
    first: np.ndarray,
    largest: np.ndarray,
    ways: Mapping[str, Callable[[], np.ndarray]],
    remedy: str,
) -> Finding:
    """Return whether maps made in other ways are the first ones."""
    told, most = [], 0.0
    for how, make in ways.items():
        try:
            other = make()
        except Exception as error:
            return _raised(question, error, f"with {how} ")
        if other.shape != first.shape:
            told.append(f"the shape {other.shape} with {how}")
            continue
        apart = np.abs(first - other).reshape(len(first), -1).max(axis=1)
        most = max(most, float(np.nanmax(apart / np.maximum(largest, 1e-12))))
        if not (apart <= _TOLERANCE * largest + 1e-12).all():
            told.append(f"other values with {how} (by {float(apart.max()):.3g}, of at most {float(largest.max()):.3g})")
    if told:
        return Finding(question, "fails", f"{'; '.join(told)}.", remedy)
    return Finding(question, "holds", f"with {', '.join(ways)} maps differ by at most {most:.1g} of the largest value.")


def _raised(question: str, error: Exception, how: str = "") -> Finding:
    """Return the finding for a question that ended in an error."""
    if isinstance(error, NetworkChanged) or (isinstance(error, BadInput) and "changed the inputs" in str(error)):
        return Finding(UNCHANGED, "fails", str(error))
    return Finding(question, "fails", f"{how}it raised {error_in_words(error)}{where_raised(error)}")


def _in_chunks(model: Model, size: int, maps: Callable[[], np.ndarray]) -> np.ndarray:
    """Return maps that are made in chunks of a size."""
    chunk = model.engine.chunk
    try:
        model.engine.chunk = size
        return maps()
    finally:
        model.engine.chunk = chunk
