"""Class activation maps: a layer's feature maps, weighted by gradients and summed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated

import numpy as np

from ...errors import NotApplicable
from ...models.arrays.operations import Tensor, TensorOperations
from ...models.queries import ScoreFunction
from ...parameters import Doc
from ...registry import Reference
from ..registry import register_method
from ..request import LayerAnswer, Request

LayerName = Annotated[
    str | None,
    Doc(
        "the layer; by default the last one with positions, after its activation",
        says={None: "at the last layer with positions", "": "at the layer {}"},
        source="Selvaraju 2016",
    ),
]
_COST = "1 forward pass, and 1 backward pass down to the layer"
_cam = partial(
    register_method, family="cam", signed=False, pooling="none", needs=["gradients", "layers"], cost=_COST, version=2
)


@_cam(
    "cam",
    title="CAM",
    signed=True,
    reference=Reference("Zhou et al.", 2015, "Learning Deep Features for Discriminative Localization", "1512.04150"),
)
def cam(request: Request) -> Tensor:
    """The last feature maps, weighted by the dense layer's weights of the target.

    Only for networks that average those maps over positions and end in one dense layer; there the weights are the
    logit's gradients, which are the same at every position, times the number of positions. Anything else is told.

    Formula
    -------
    R = sum_k w_k A_k, w_k the dense layer's weight from the pooled map k to the class

    Weaknesses
    ----------
    Only for networks that end in global average pooling and one dense layer.
    """
    operations = request.operations
    answer = request.at_layer(None)
    axes = positions_of(answer.activations)
    weights = operations.mean(answer.gradients, axis=axes, keepdims=True)
    apart = operations.max(operations.abs(answer.gradients - weights))
    largest = operations.max(operations.abs(answer.gradients))
    if float(apart) > 1e-4 * float(largest):
        raise NotApplicable(
            f"cam needs a network that ends in an average over positions and one dense layer; in {request.model.name} "
            "the gradient at the last feature map differs between positions. Use grad_cam."
        )
    places = int(np.prod([int(answer.activations.shape[axis]) for axis in axes]))
    return request.upsampled(operations.sum(places * weights * answer.activations, axis=1))


@_cam("grad_cam", title="Grad-CAM", reference=Reference("Selvaraju et al.", 2016, "Grad-CAM", "1610.02391"))
def grad_cam(request: Request, *, layer: LayerName = None) -> Tensor:
    """The positive part of a layer's maps, each weighted by the mean gradient of the logit over its positions.

    Formula
    -------
    R = relu(sum_k w_k A_k), w_k = mean over positions of d f / d A_k

    Weaknesses
    ----------
    Averaged gradients lose where each channel matters; with several objects the map may miss some.
    """
    return positive_map(request, _mean_weighted(request, request.at_layer(layer)))


@_cam(
    "grad_cam_plus_plus",
    title="Grad-CAM++",
    reference=Reference("Chattopadhyay et al.", 2017, "Grad-CAM++", "1710.11063"),
)
def grad_cam_plus_plus(request: Request, *, layer: LayerName = None) -> Tensor:
    """Grad-CAM with pixel-wise weights of the positive gradients (equation 19; the score is exp(logit)).

    Formula
    -------
    R = relu(sum_k w_k A_k), w_k = sum over positions of alpha * relu(d f / d A_k), alpha by equation 19

    Weaknesses
    ----------
    Only positive gradients count, so its maps are larger and depend less on the class.
    """
    operations = request.operations
    answer = request.at_layer(layer)
    positions = positions_of(answer.activations)
    squared = answer.gradients * answer.gradients
    total = operations.sum(answer.activations, axis=positions, keepdims=True)
    denominator = 2.0 * squared + total * squared * answer.gradients
    alpha = _quotient(operations, squared, denominator)
    weights = operations.sum(alpha * operations.maximum(answer.gradients, 0.0), axis=positions, keepdims=True)
    return positive_map(request, weights * answer.activations)


@_cam("xgrad_cam", title="XGrad-CAM", reference=Reference("Fu et al.", 2020, "Axiom-based Grad-CAM", "2008.02312"))
def xgrad_cam(request: Request, *, layer: LayerName = None) -> Tensor:
    """Grad-CAM whose weights are gradients averaged with the activations as shares (equation 8).

    Formula
    -------
    R = relu(sum_k w_k A_k), w_k = sum(A_k * d f / d A_k) / sum(A_k)

    Weaknesses
    ----------
    Divides by sums that may cancel where activations have signs.
    """
    operations = request.operations
    answer = request.at_layer(layer)
    positions = positions_of(answer.activations)
    product = operations.sum(answer.gradients * answer.activations, axis=positions, keepdims=True)
    total = operations.sum(answer.activations, axis=positions, keepdims=True)
    return positive_map(request, _quotient(operations, product, total) * answer.activations)


@_cam(
    "hires_cam",
    title="HiResCAM",
    reference=Reference("Draelos, Carin", 2020, "Use HiResCAM instead of Grad-CAM", "2011.08891"),
)
def hires_cam(request: Request, *, layer: LayerName = None) -> Tensor:
    """The positive part of activation times gradient, position by position, summed over the layer's maps.

    Formula
    -------
    R = relu(sum_k A_k * d f / d A_k), position by position

    Weaknesses
    ----------
    Exact only where the layer is followed by one dense layer; elsewhere gradients are noisy.
    """
    answer = request.at_layer(layer)
    return positive_map(request, answer.gradients * answer.activations)


@_cam(
    "layer_cam",
    title="LayerCAM",
    reference=Reference("Jiang et al.", 2021, "LayerCAM: Exploring Hierarchical Class Activation Maps"),
)
def layer_cam(request: Request, *, layer: LayerName = None) -> Tensor:
    """Activation times the positive part of its gradient, position by position, summed over the layer's maps.

    Formula
    -------
    R = relu(sum_k A_k * relu(d f / d A_k)), position by position

    Weaknesses
    ----------
    Negative gradients are dropped, so evidence against the class is not seen.
    """
    answer = request.at_layer(layer)
    return positive_map(request, request.operations.maximum(answer.gradients, 0.0) * answer.activations)


@_cam(
    "eigen_cam",
    title="Eigen-CAM",
    needs=["layers"],
    cost="1 forward pass",
    reference=Reference("Muhammad, Yeasin", 2020, "Eigen-CAM", "2008.00299"),
)
def eigen_cam(request: Request, *, layer: LayerName = None) -> Tensor:
    """The positive part of the layer's maps along their first principal component; the same for every class.

    Formula
    -------
    R = relu(A v), v the first principal component of the layer's maps over positions

    Weaknesses
    ----------
    The same map for every class: it shows what is salient to the layer, not what speaks for the class.
    """
    return _first_component(request, request.activations(layer))


@_cam(
    "eigen_grad_cam",
    title="Eigen-Grad-CAM",
    reference=Reference("Muhammad, Yeasin", 2020, "Eigen-CAM, on activation x gradient", "2008.00299"),
)
def eigen_grad_cam(request: Request, *, layer: LayerName = None) -> Tensor:
    """Eigen-CAM of activation times gradient, which tells classes apart.

    Formula
    -------
    R = relu((A * grad) v), v the first principal component of A * grad over positions

    Weaknesses
    ----------
    The component's sign is a convention, not a finding.
    """
    answer = request.at_layer(layer)
    return _first_component(request, answer.activations * answer.gradients)


@_cam(
    "guided_grad_cam",
    title="Guided Grad-CAM",
    signed=True,
    needs=["gradients", "layers", "relu"],
    cost="2 forward and 2 backward passes",
    reference=Reference("Selvaraju et al.", 2016, "Grad-CAM", "1610.02391"),
    pooling="sum",
)
def guided_grad_cam(request: Request, *, layer: LayerName = None) -> Tensor:
    """Guided backpropagation times Grad-CAM at the input's size.

    Formula
    -------
    R = guided backpropagation * Grad-CAM, position by position

    Weaknesses
    ----------
    The fine structure is guided backpropagation's, which hardly depends on the network's upper layers.
    """
    return request.gradient(rule="guided") * request.model.with_channel_axis(grad_cam(request, layer=layer))


@dataclass(frozen=True)
class ContrastScore:
    """The target's logit less ``strength`` times the mean logit of the ``count`` classes nearest to it in logit.

    A frozen dataclass rather than a closure: a query that is asked again must be recognised as the same.
    """

    count: int
    strength: float

    def __call__(self, operations: TensorOperations, logits: Tensor, target: Tensor) -> Tensor:
        """Return the score of each row."""
        own = operations.take_class(logits, target)[:, None]
        # The target itself is nearest (distance 0), so ranks 1 to `count` are its rivals.
        rank = operations.rank_descending(-operations.abs(logits - own))
        rivals = operations.to_float((rank >= 1) & (rank <= self.count))
        return own[:, 0] - self.strength * operations.sum(logits * rivals, axis=1) / self.count


@_cam("finer_cam", title="Finer-CAM", reference=Reference("Zhang et al.", 2025, "Finer-CAM", "2501.11309"))
def finer_cam(
    request: Request,
    *,
    layer: LayerName = None,
    rivals: Annotated[
        int,
        Doc(
            "classes to tell the target from",
            says="against the {} classes most like the target",
            source="Zhang et al. 2025: 3",
            low=1,
        ),
    ] = 3,
    strength: Annotated[
        float,
        Doc("of the comparison", says="with a strength of {}", source="Zhang et al. 2025: 1; 0 is Grad-CAM", low=0),
    ] = 1.0,
) -> Tensor:
    """Grad-CAM of the difference between the target's logit and those of the classes most like it.

    Formula
    -------
    Grad-CAM of f_c(x) - strength * mean over rivals of f_rival(x)

    Weaknesses
    ----------
    What the target shares with its rivals is taken off, also where it is the reason.
    """
    if request.model.num_classes <= rivals:
        rivals = max(1, request.model.num_classes - 1)
    score: ScoreFunction = ContrastScore(rivals, strength)
    return positive_map(request, _mean_weighted(request, request.at_layer(layer, score)))


def positions_of(maps: Tensor) -> tuple[int, ...]:
    """Return the spatial axes of (n, channels, *spatial)."""
    return tuple(range(2, len(maps.shape)))


def positive_map(request: Request, weighted: Tensor) -> Tensor:
    """Sum (n, channels, *spatial) over channels, keep what is positive, and bring it to the input's size."""
    operations = request.operations
    return request.upsampled(operations.maximum(operations.sum(weighted, axis=1), 0.0))


def _mean_weighted(request: Request, answer: LayerAnswer) -> Tensor:
    weights = request.operations.mean(answer.gradients, axis=positions_of(answer.gradients), keepdims=True)
    return weights * answer.activations


def _quotient(operations: TensorOperations, above: Tensor, below: Tensor) -> Tensor:
    """Return above / below, and zero where the denominator is zero."""
    safe = operations.where(below == 0.0, 1.0 + 0.0 * below, below)
    return operations.where(below == 0.0, 0.0 * below, above / safe)


def _first_component(request: Request, maps: Tensor) -> Tensor:
    """Return the positive part of the centred maps' projection on their first principal direction.

    A direction's sign is arbitrary; it is chosen so that the projection rises with the mean over channels. In double
    precision on the host: small matrices, and eigenvectors that must agree between frameworks.
    """
    values = request.model.to_numpy(maps).astype(np.float64)
    results = []
    for sample in values:
        rows = sample.reshape(len(sample), -1).T
        centred = rows - rows.mean(axis=0)
        if len(rows) <= rows.shape[1]:
            _, vectors = np.linalg.eigh(centred @ centred.T)
            projection = vectors[:, -1] * np.linalg.norm(centred.T @ vectors[:, -1])
        else:  # the same, from the smaller of the two matrices: a volume has many positions
            _, vectors = np.linalg.eigh(centred.T @ centred)
            projection = centred @ vectors[:, -1]
        sign = 1.0 if projection @ rows.mean(axis=1) >= 0 else -1.0
        results.append(np.maximum(sign * projection, 0).reshape(sample.shape[1:]).astype(np.float32))
    return request.upsampled(request.model.from_numpy(np.stack(results)))
