"""The methods of a gallery: those asked for, and those that are left out with the reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import HeatmarkError, MissingExtra, NotApplicable
from ..standings.results import FRAMEWORK_NAMES

if TYPE_CHECKING:
    from ...methods.registry import Method
    from ...models.base import Model

EVERY = "all"
"""Stands for every registered method at its default parameters."""


@dataclass(frozen=True)
class LeftOut:
    """A method that has no heatmaps here, and why; ``failed`` where that is an error and not its nature."""

    method: str
    framework: str
    reason: str
    failed: bool = False


@dataclass(frozen=True)
class Drawn:
    """A written gallery: its file, and the methods that are not in it (of ``all`` only; others say so in the file)."""

    path: Path
    left_out: tuple[LeftOut, ...] = ()


def in_words(left_out: Iterable[LeftOut]) -> list[str]:
    """Return one line per reason, with all the methods that it holds for."""
    by_reason: dict[tuple[str, str], list[str]] = {}
    for item in left_out:
        by_reason.setdefault((item.framework, item.reason), []).append(item.method)
    places = {framework: f" ({FRAMEWORK_NAMES.get(framework, framework)})" for framework, _ in by_reason if framework}
    return [
        f"left out {', '.join(methods)}{places.get(framework, '')}: {reason}"
        for (framework, reason), methods in by_reason.items()
    ]


@dataclass(frozen=True)
class Wanted:
    """The methods of a gallery: those that can be named, those that cannot, and whether ``all`` were asked for."""

    methods: tuple[Method, ...]
    left_out: tuple[LeftOut, ...]
    every: bool


def wanted_methods(methods: str | Iterable[str]) -> Wanted:
    """Return the methods that selections name, ``all`` replaced by every registered method.

    Raises
    ------
    UnknownName, BadInput
        For an unknown method, or a parameter that it does not have.
    """
    from ...methods.registry import METHODS, method_from
    from ...selection import parse_selections

    found: dict[str, Method] = {}
    left_out = []
    selections = parse_selections(methods)
    for selection in selections:
        if selection.text != EVERY:
            method = method_from(selection)
            found.setdefault(method.id, method)
            continue
        for entry in METHODS:
            try:
                # A name that ends in a colon stands for many, none of which is the default.
                if entry.name.endswith(":"):
                    raise NotApplicable(f"it is a family of methods; name one, such as {entry.name}NAME")
                method = method_from(entry.name)
                found.setdefault(method.id, method)
            except HeatmarkError as reason:
                left_out.append(LeftOut(entry.name, "", str(reason)))
    return Wanted(tuple(found.values()), tuple(left_out), any(selection.text == EVERY for selection in selections))


def columns_of(methods: Sequence[Method], frameworks: Sequence[str]) -> dict[tuple[str, str], str]:
    """Return the titles of a gallery's columns by (method, framework): the frameworks stand beside one another."""
    return {(method.id, name): _column(method.id, name, frameworks) for method in methods for name in frameworks}


def signs_of(methods: Sequence[Method], columns: dict[tuple[str, str], str]) -> dict[str, bool]:
    """Return by column title whether its maps are signed."""
    signed = {method.id: method.entry.signed for method in methods}
    return {title: signed[method] for (method, _), title in columns.items()}


def loaded_model(name: str, framework: str, device: str) -> Model:
    """Return a registered model, or one that the user's own code or file holds."""
    from ...benchmark.work import named_models
    from ...benchmark.work.messages import NamedModel
    from ...models.zoo.loading import load_model

    if named_models.is_own(name):
        named_models.check_name(name)
        return named_models.loaded_model(NamedModel(name, framework, device, "float32"))
    return load_model(name, framework=framework, device=device)


def left_out_of(error: Exception, method: Method, framework: str) -> LeftOut:
    """Return why a method has no heatmap, from the exception that said so."""
    if isinstance(error, NotApplicable):
        return LeftOut(method.id, framework, f"not applicable: {_bare(error, method)}")
    if isinstance(error, MissingExtra):
        return LeftOut(method.id, framework, str(error))
    what = str(error) if isinstance(error, HeatmarkError) else f"{type(error).__name__}: {error}"
    return LeftOut(method.id, framework, f"failed: {what}", failed=True)


def maps_of(
    model: Model,
    method: Method,
    x: Any,
    target: np.ndarray,
    seed: int,
    *,
    lenient: bool,
    masks: np.ndarray | None = None,
) -> np.ndarray | LeftOut:
    """Return a batch's maps, or why there are none; where not ``lenient``, an error is raised instead.

    ``masks`` are the dataset's ground truth, where it has any.
    """
    from ...methods.explain import explain_batch

    try:
        return np.asarray(explain_batch(model, method, x, target, seed=seed, ground_truth=masks))
    except NotApplicable as reason:
        return left_out_of(reason, method, model.framework)
    except Exception as error:
        # Of all methods, one that fails must not cost the others.
        if not lenient:
            raise
        return left_out_of(error, method, model.framework)


def channels_last(model: Model, x: Any) -> np.ndarray:
    """Return native inputs as (n, *spatial, channels), or (n, features)."""
    array = np.asarray(model.to_numpy(x))
    return array if model.channel_axis is None else np.moveaxis(array, model.channel_axis, -1)


def _column(method: str, framework: str, frameworks: Sequence[str]) -> str:
    return method if len(frameworks) == 1 else f"{method}\n{FRAMEWORK_NAMES.get(framework, framework)}"


def _bare(reason: NotApplicable, method: Method) -> str:
    """Return a reason without the name of the method that it begins with."""
    head, _, rest = str(reason).partition(": ")
    return rest if head.startswith(f"{method.id} is not applicable") and rest else str(reason)
