"""Which layer the methods of feature maps read, how it is laid out, and whether the head sees that and nothing else.

What the head sees is asked of the network itself: two inputs that it tells apart are sent through it, each with the
default layer's output replaced by that for the other. If everything that the head gets passes through that layer, the
logits are those of the other input. What the logits keep of the input itself went round the layer, as it does round a
branch without its shortcut, and no map of the layer shows it.
"""

from __future__ import annotations

import warnings

import numpy as np

from ...errors import BadInput, Doubt, NotApplicable
from ..arrays.operations import Tensor
from ..base import Model
from ..queries import Layer, Query
from .finding import Finding
from .inputs import two_inputs
from .question import Question

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
    evidence = (
        f"{_called(layer)}, {channels} channels ({axis}; {layer.axis_told_by}) on {_sizes(layer.spatial)}; the last of "
        f"{len(model.feature_maps())} layers with feature maps"
    )
    if model.unreached:
        return Finding(
            LAYER, "doubtful", f"{evidence} that can be reached.", f"{model.unreached[0].upper()}{model.unreached[1:]}."
        )
    return Finding(LAYER, "holds", f"{evidence}.")


def seen_by_the_head(model: Model, x: Tensor) -> Finding:
    """Say whether the logits depend on the default layer's output and on nothing else."""
    layer = _layer(model)
    if model.tokens.grid_of(layer) is not None:
        raise NotApplicable("The sum of a transformer's blocks goes round every normalisation.")
    pair, maps, logits = _watched(model, layer, x)
    apart = _distance(*logits)
    if apart == 0:
        raise NotApplicable("Both inputs have the same logits.")
    if _distance(_logits(model, Query(), pair), logits) > ROUNDING * apart:
        raise NotApplicable("Its answers do not repeat.")
    # The inputs change places and the layer's outputs do not, so that nothing changes for what looks at the batch.
    swapped = _logits(model, Query(replaced=layer.name), model.operations.flip(pair, 0), maps)
    stays = _distance(swapped, logits) / apart
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
        f"where {layer.name} gives what it gives for another input, the logits are those of that input"
        + (f", to {stays:.0e} of their difference." if stays else "."),
    )


def behind_activation(model: Model, x: Tensor) -> Finding:
    """Say whether the default layer is read behind the rectifier that follows it."""
    layer = _layer(model)
    pair, maps, logits = _watched(model, layer, x)
    negative = float(np.mean(model.to_numpy(maps) < 0))
    rectified = _logits(model, Query(replaced=layer.name), pair, model.operations.maximum(maps, 0.0))
    size = float(np.abs(logits).max())
    if negative and size and _distance(rectified, logits) <= ROUNDING * size:
        return Finding(
            ACTIVATION,
            "doubtful",
            f"{negative:.0%} of the values of {layer.name} are negative, and none of them changes the logits: the ReLU "
            "behind it is no layer.",
            "Make that ReLU a layer (torch.nn.ReLU, keras.layers.ReLU), so that maps are read behind it.",
        )
    words = "its negative values count" if negative else "it has no negative values"
    return Finding(ACTIVATION, "holds", f"{layer.name}: {words}.")


def warn_of_default_layer(model: Model) -> None:
    """Warn, once for a model, where there may be a later layer, or what the head sees goes round the default one.

    The passes that this takes are not counted as the user's.
    """

    def warn() -> bool:
        before, x = model.passes, model.from_numpy(two_inputs(model))
        questions = [Question(HEAD, seen_by_the_head)]
        if model.unreached:
            questions.insert(0, Question(LAYER, default_layer))
        for finding in [question.answer(model, x) for question in questions]:
            if finding.verdict == "doubtful":
                warnings.warn(f"{model.name}: {finding.sign} {finding.sentence}", Doubt, stacklevel=2)
        model.add_passes(before - model.passes)
        return True

    model.once("default layer's doubts", warn)


def _watched(model: Model, layer: Layer, x: Tensor) -> tuple[Tensor, Tensor, np.ndarray]:
    """Return two inputs, the layer's outputs for them, and their logits."""
    pair = x[:2] if int(x.shape[0]) > 1 else model.from_numpy(two_inputs(model))
    answer = model.run(Query(layers=(layer.name,)), pair, None)
    return pair, answer.activations[0], np.asarray(model.to_numpy(answer.logits), np.float64)


def _logits(model: Model, query: Query, x: Tensor, output: Tensor | None = None) -> np.ndarray:
    """Return the logits of some inputs, where the replaced layer gives ``output``."""
    answer = model.run(query, x, None, replacement=output)
    return np.asarray(model.to_numpy(answer.logits), np.float64)


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
