"""A network for another input size or another number of classes: to measure how cost grows, not to classify."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...datasets.base import Sizing
from ...errors import BadInput, NotApplicable
from ...models.architecture.nodes import Architecture, Dense, initial_weights
from ...models.architecture.small_networks import NETWORKS
from ...models.base import Model
from ...models.devices import resolved_device
from ...models.normalization import Normalization
from ...models.queries import Framework, Precision
from ...models.wrap import wrap, wrapped
from ...models.zoo.built_networks import built
from ...models.zoo.efficientnet_lite import NORMALIZATION, VARIANTS, efficientnet_lite, efficientnet_lite_weights
from ...models.zoo.loading import find_model, load_model
from ...models.zoo.shipped import ZOO

CLASSES = 10
"""Of a small network whose number of classes is not said."""


def changed_network(
    name: str, framework: str, device: str, precision: Precision, size: int | None, classes: int | None
) -> Model:
    """Return a network with another input side, another number of classes, or both.

    Parameters that fit keep their trained values; the others are drawn anew. Speed does not depend on them, as long
    as activations stay in the range of ordinary numbers.

    Parameters
    ----------
    name
        A network of heatmark's own (both changes), or ``torchvision:NAME`` (the size alone).
    framework, device, precision
        Where it runs, and how.
    size
        The side in pixels (the length, for series), or None for the network's own.
    classes
        The number of logits, or None for the network's own.

    Raises
    ------
    NotApplicable
        If the network cannot be changed so.
    """
    chosen: Framework = "torch" if framework == "torch" else "tensorflow"
    resized = _architecture(name, size)
    if resized is None:
        return _of_another_size(name, chosen, device, precision, size, classes)
    architecture, known = resized
    if classes is not None:
        architecture = _with_classes(architecture, classes)
    weights = initial_weights(architecture, 0)
    weights |= {key: value for key, value in known.items() if weights[key].shape == value.shape}
    normalization = NORMALIZATION if name in VARIANTS else Normalization((0.0,), (1.0,))
    loaded = built(architecture, weights, normalization, chosen, sizing=Sizing())
    return wrapped(loaded, name, resolved_device(chosen, device), precision)


def _architecture(name: str, size: int | None) -> tuple[Architecture, dict[str, np.ndarray]] | None:
    """Return a network of heatmark's own for a size, with the trained weights that do not depend on it."""
    if name in VARIANTS:
        return efficientnet_lite(name, size), efficientnet_lite_weights(name)
    own = find_model(name)[0].input_shape
    if name not in ZOO or own is None:
        return None
    shape = own if size is None else (*(size for _ in own[:-1]), own[-1])
    return NETWORKS[ZOO[name].network](shape, CLASSES), {}


def _with_classes(architecture: Architecture, classes: int) -> Architecture:
    """Return the architecture with so many logits."""
    nodes = tuple(
        replace(node, units=classes) if node.name == architecture.output and isinstance(node, Dense) else node
        for node in architecture.nodes
    )
    return replace(architecture, nodes=nodes)


def _of_another_size(
    name: str, framework: Framework, device: str, precision: Precision, size: int | None, classes: int | None
) -> Model:
    """Return a PyTorch network of others, which may take another size as it is."""
    if framework != "torch":
        raise NotApplicable(
            f"{name} is a Keras network of a fixed size; measure {', '.join(VARIANTS)} at several, or a PyTorch network"
        )
    if classes is not None:
        raise NotApplicable(f"{name} has a fixed number of classes; measure {', '.join(VARIANTS)} with several")
    model = load_model(name, framework, device=device, precision=precision)
    shape = (model.input_shape[0], *(size or side for side in model.input_shape[1:]))
    try:
        return wrap(
            model.net, model.preprocess, shape, device=device, precision=precision, name=name,
            **vars(model.conventions),
        )  # fmt: skip
    except BadInput as error:
        raise NotApplicable(f"{name} takes no inputs of {size} positions a side: {error}") from error
