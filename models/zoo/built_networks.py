"""Architectures of heatmark's own with their weights, built in the framework asked for."""

from __future__ import annotations

import numpy as np

from ...datasets.base import Sizing
from ..architecture.nodes import Architecture, Shape
from ..catalogue import LoadedNetwork
from ..conventions import Conventions
from ..normalization import Normalization
from ..training.kept import RestoredNetwork


def native_shape(shape: Shape, framework: str) -> Shape:
    """Return a canonical (spatial..., channels) in the framework's layout; flat vectors stay as they are."""
    return shape if framework == "tensorflow" or len(shape) == 1 else (shape[-1], *shape[:-1])


def built(
    architecture: Architecture,
    weights: dict[str, np.ndarray],
    normalization: Normalization,
    framework: str,
    *,
    sizing: Sizing,
    class_names: tuple[str, ...] | None = None,
    weights_id: str | None = None,
    conventions: Conventions | None = None,
) -> LoadedNetwork:
    """Return an architecture with its weights in the framework asked for."""
    if framework == "torch":
        from ..architecture.on_torch import build_torch as build
    else:
        from ..architecture.on_tensorflow import build_keras as build
    return LoadedNetwork(
        build(architecture, weights),
        normalization,
        native_shape(architecture.input_shape, framework),
        architecture.num_classes,
        sizing,
        class_names,
        weights_id,
        conventions or Conventions(),
    )


def built_small_network(
    restored: RestoredNetwork, framework: str, conventions: Conventions | None = None
) -> LoadedNetwork:
    """Return a trained network in the framework asked for; by default with what its file states of its inputs."""
    return built(
        restored.architecture,
        restored.weights,
        restored.normalization,
        framework,
        sizing=Sizing(),
        class_names=restored.class_names,
        weights_id=restored.digest,
        conventions=conventions or restored.conventions,
    )
