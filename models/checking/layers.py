"""Which layer the methods of feature maps read, how it is laid out, and whether the head sees that and nothing else.

What the head sees is asked of the network itself: two inputs that it tells apart are sent through it, the second with
the default layer's output replaced by that for the first. If everything that the head gets passes through that layer,
the logits are those of the first input. What the logits keep of the second went round the layer, as it does round a
branch without its shortcut, and no map of the layer shows it.
"""

from __future__ import annotations

import numpy as np

from ...errors import BadInput, NotApplicable
from ..arrays.operations import Tensor
from ..base import Model
from ..queries import Layer, Query
from .finding import Finding
from .inputs import two_inputs

LAYER = "default layer"
HEAD = "the head sees the default layer alone"

ACTIVATION = "the default layer is read behind its activation"

ROUNDING = 1e-4
"""What counts as nothing, as a share of the logits or of their difference."""


def default_layer(model: Model, x: Tensor) -> Finding:
    """Say which layer methods of feature maps read by default, its grid and its channels, and how those were told."""
    layer = _layer(model)
    grid = model.tokens.grid_of(layer)
    if grid is not None:
        tokens, channels = layer.shape
        leading = f" after {grid.leading} of no patch" if grid.leading else ""
        evidence = (
            f"{_called(layer)}, {tokens} tokens on a grid of {_sizes(grid.spatial)}{leading}, {channels} channels."
        )
        return Finding(LAYER, "holds", evidence)
    if layer.spatial is None:
        return Finding(
            LAYER,
            "doubtful",
            f"{_called(layer)}, of shape {layer.shape}: where its channels stand cannot be told.",
            "Methods that read it will refuse to; name another layer, as in grad_cam[layer=NAME].",
        )
    axis = "first" if layer.channel_axis == 1 else "last" if layer.channel_axis == -1 else f"axis {layer.channel_axis}"
    channels = layer.shape[model.channel_axis_of(layer) - 1]
    return Finding(
        LAYER,
        "holds",
        f"{_called(layer)}, {channels} channels ({axis}; {layer.axis_told_by}) on {_sizes(layer.spatial)}; the last of "
        f"{len(model.feature_maps())} layers with feature maps.",
    )


def seen_by_the_head(model: Model, x: Tensor) -> Finding:
    """Say whether the logits depend on the default layer's output and on nothing else."""
    layer = _layer(model)
    if model.tokens.grid_of(layer) is not None:
        raise NotApplicable("The sum of a transformer's blocks goes round every normalisation.")
    pair, maps, logits = _watched(model, layer, x)
    apart = _distance(*logits)
    if apart == 0:
        raise NotApplicable("Both inputs have the same logits.")
    stays = _distance(_with_replaced(model, layer, pair[1:2], maps[:1]), logits[0]) / apart
    if stays > ROUNDING:
        return Finding(
            HEAD,
            "doubtful",
            f"where {layer.name} gives what it gives for another input, {stays:.1%} of the difference between the two "
            "inputs' logits stays: that much goes round the layer, and its maps do not show it.",
            "Name a layer that everything passes through, as in grad_cam[layer=NAME], or make what is computed behind "
            "it (a sum, a concatenation) a layer.",
        )
    return Finding(
        HEAD,
        "holds",
        f"where {layer.name} gives what it gives for another input, the logits are those of that input, to "
        f"{stays:.0e} of their difference.",
    )


def behind_activation(model: Model, x: Tensor) -> Finding:
    """Say whether the default layer is read behind the rectifier that follows it."""
    layer = _layer(model)
    pair, maps, logits = _watched(model, layer, x)
    negative = float(np.mean(model.to_numpy(maps) < 0))
    rectified = model.operations.maximum(maps, 0.0)
    lost = max(
        _distance(_with_replaced(model, layer, pair[row : row + 1], rectified[row : row + 1]), logits[row])
        for row in range(2)
    )
    size = float(np.abs(logits).max())
    if negative and size and lost <= ROUNDING * size:
        return Finding(
            ACTIVATION,
            "doubtful",
            f"{negative:.0%} of the values of {layer.name} are negative, and none of them changes the logits: the ReLU "
            "behind it is no layer.",
            "Make that ReLU a layer (torch.nn.ReLU, keras.layers.ReLU), so that maps are read behind it.",
        )
    words = "its negative values count" if negative else "it has no negative values"
    return Finding(ACTIVATION, "holds", f"{layer.name}: {words}.")


def _watched(model: Model, layer: Layer, x: Tensor) -> tuple[Tensor, Tensor, np.ndarray]:
    """Return two inputs, the layer's outputs for them, and their logits."""
    pair = x[:2] if int(x.shape[0]) > 1 else model.from_numpy(two_inputs(model))
    answer = model.run(Query(layers=(layer.name,)), pair, None)
    return pair, answer.activations[0], np.asarray(model.to_numpy(answer.logits), np.float64)


def _with_replaced(model: Model, layer: Layer, x: Tensor, output: Tensor) -> np.ndarray:
    """Return the logits of one input where the layer gives something else."""
    answer = model.run(Query(replaced=layer.name), x, None, replacement=output)
    return np.asarray(model.to_numpy(answer.logits), np.float64)[0]


def _distance(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.abs(first - second).max())


def _layer(model: Model) -> Layer:
    """Return the default layer; NotApplicable where no layer has positions."""
    try:
        return model.layer()
    except BadInput as error:
        raise NotApplicable(str(error)) from error


def _called(layer: Layer) -> str:
    return f"{layer.name} ({layer.kind})"


def _sizes(spatial: tuple[int, ...]) -> str:
    """Return a grid in words."""
    return f"{spatial[0]} positions" if len(spatial) == 1 else " x ".join(str(size) for size in spatial)
