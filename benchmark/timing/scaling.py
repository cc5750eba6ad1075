"""How cost grows: with images, input size, steps or masks, and classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from ...errors import BadInput
from ...methods.registry import Method, method_from
from ...selection import select
from .files import RuntimeRecord
from .measure import Choice, measure_runtime
from .rows import ENGINE, FULL, RuntimeCase, RuntimeSettings

Axis = Literal["images", "size", "steps", "classes"]
AXES: tuple[Axis, ...] = get_args(Axis)

AXIS_UNITS: Mapping[Axis, str] = {
    "images": "images a call",
    "size": "input side in pixels",
    "steps": "steps, samples or masks",
    "classes": "classes of the network",
}

POINTS: Mapping[Axis, tuple[int, ...]] = {
    "images": (1, 2, 4, 8),
    "size": (64, 128, 256, 512),
    "steps": (16, 32, 64, 128),
    "classes": (10, 100, 1000, 10000),
}
"""Unless told otherwise; images in multiples of as many as fill the engine's chunk."""

STEP_PARAMETERS = ("steps", "samples", "masks", "iterations")
"""What a method calls the number of its passes; the first of these that it has is varied."""

METHODS = ("saliency", "integrated_gradients", "rise")
"""Of each kind one: one pass, steps of forward and backward passes, masks of forward passes."""

FEW_STEPS = 16
"""Methods that have a number of steps take so many where another axis is varied, so that the rows stay short."""

FILLED = f"2{FULL}"
"""The batch where anything but images is varied, so that chunks are full at every point."""


@dataclass(frozen=True)
class ScalingPoint:
    """One row of a curve."""

    axis: Axis
    """What is varied."""
    curve: RuntimeCase
    """The row that all points of the curve share, without what is varied."""
    x: int | None
    """Where it stands on its axis; None for its number of images."""
    case: RuntimeCase
    """What is measured there."""


def scaling_points(choice: Choice, axes: Sequence[str] = AXES) -> list[ScalingPoint]:
    """Return the rows of every method's curves on every axis.

    Methods without a number of steps have no curve on that axis.

    Parameters
    ----------
    choice
        Methods, models, places and precisions; its batches are not used.
    axes
        Some of `AXES`, with `POINTS`, or with others: ``images=8|16|32``.

    Raises
    ------
    BadInput
        For an unknown axis, or a point that is no positive number.
    """
    values = dict(_axis(text) for text in axes)
    filling = "images" in {text.strip() for text in axes}
    bases = replace(choice, methods=tuple(map(_short, choice.methods)), batches=("",)).cases
    return [
        ScalingPoint(axis, base, None if axis == "images" else x, case)
        for base in bases
        for axis in values
        for x in values[axis]
        if (case := _at(base, axis, x, filling)) is not None
    ]


def measure_scaling(
    choice: Choice, settings: RuntimeSettings, out: Path, axes: Sequence[str], *, progress: bool = True
) -> tuple[list[ScalingPoint], RuntimeRecord]:
    """Measure the rows of every method's curves; return where they stand, and what was measured.

    Raises
    ------
    BadInput
        For an unknown axis, or a device that is not there.
    """
    points = scaling_points(choice, axes)
    cases = list(dict.fromkeys(point.case for point in points))
    # Memory is of no account here, and a process for every row would take longer than the rows.
    return points, measure_runtime(choice, replace(settings, memory=False), out, progress=progress, cases=cases)


def _axis(text: str) -> tuple[Axis, tuple[int, ...]]:
    """Return an axis with its points."""
    name, said, numbers = text.strip().partition("=")
    axis = next((axis for axis in AXES if name == axis), None)
    if axis is None:
        raise BadInput(f"Unknown axis {name!r}: choose from {', '.join(AXES)}.")
    if not said:
        return axis, POINTS[axis]
    words = numbers.split("|")
    if not all(word.isdigit() and int(word) > 0 for word in words) or len(set(words)) < 2:
        raise BadInput(f"The axis {name!r} needs two or more different numbers from 1 on, such as {name}=8|16|32.")
    return axis, tuple(sorted({int(word) for word in words}))


def _short(text: str) -> str:
    """Return a method with few steps, unless its text says how many."""
    if text.startswith(ENGINE):
        return text
    method = method_from(text)
    name = steps_parameter(method)
    said = {key for key, _ in method.selection.parameters}
    return text if name is None or name in said else _with_steps(method, name, FEW_STEPS)


def steps_parameter(method: Method) -> str | None:
    """Return the parameter that says how many passes a method takes, or None where it has none."""
    return next((name for name in STEP_PARAMETERS if isinstance(method.parameters.get(name), int)), None)


def _with_steps(method: Method, name: str, steps: int) -> str:
    chosen = dict(method.selection.parameters) | {name: steps}
    return select(method.selection.name, method.selection.variant, chosen).text


def _at(base: RuntimeCase, axis: Axis, x: int, filling: bool) -> RuntimeCase | None:
    """Return the row at a point of an axis, or None where the method does not have that axis.

    ``filling`` tells that images are counted in fillings of the engine's chunk.
    """
    if axis == "images":
        return replace(base, batch=f"{x}{FULL}" if filling else str(x))
    if axis == "size":
        return replace(base, batch=FILLED, size=x)
    if axis == "classes":
        return replace(base, batch=FILLED, classes=x)
    if base.method.startswith(ENGINE):
        return None
    method = method_from(base.method)
    name = steps_parameter(method)
    return None if name is None else replace(base, method=_with_steps(method, name, x), batch=FILLED)
