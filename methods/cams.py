"""Class activation maps: a layer's feature maps, weighted by gradients and summed."""

from __future__ import annotations

from typing import Annotated

from ..models.tensors import Tensor
from ..parameters import Doc
from ..registry import Reference
from .registry import register_method
from .request import Request

LayerName = Annotated[
    str | None, Doc("the layer; by default the last one with positions, after its activation", source="Selvaraju 2016")
]


@register_method(
    "grad_cam",
    family="cam",
    signed=False,
    pooling="none",
    needs=["gradients", "layers"],
    cost="1 forward pass, and 1 backward pass down to the layer",
    reference=Reference("Selvaraju et al.", 2016, "Grad-CAM", "1610.02391"),
)
def grad_cam(request: Request, *, layer: LayerName = None) -> Tensor:
    """The positive part of a layer's maps, each weighted by the mean gradient of the logit over its positions."""
    answer = request.at_layer(layer)
    positions = _positions(answer.activations)
    weights = request.operations.mean(answer.gradients, axis=positions, keepdims=True)
    return _positive_map(request, weights * answer.activations)


@register_method(
    "grad_cam_plus_plus",
    family="cam",
    signed=False,
    pooling="none",
    needs=["gradients", "layers"],
    cost="1 forward pass, and 1 backward pass down to the layer",
    reference=Reference("Chattopadhyay et al.", 2017, "Grad-CAM++", "1710.11063"),
)
def grad_cam_plus_plus(request: Request, *, layer: LayerName = None) -> Tensor:
    """Grad-CAM with pixel-wise weights of the positive gradients (equation 19; the score is exp(logit))."""
    operations = request.operations
    answer = request.at_layer(layer)
    positions = _positions(answer.activations)
    squared = answer.gradients * answer.gradients
    total = operations.sum(answer.activations, axis=positions, keepdims=True)
    denominator = 2.0 * squared + total * squared * answer.gradients
    # Where the gradient vanishes so does the weight; elsewhere the denominator may still be zero by cancellation.
    safe = operations.where(denominator == 0.0, 1.0 + 0.0 * denominator, denominator)
    alpha = operations.where(denominator == 0.0, 0.0 * denominator, squared / safe)
    weights = operations.sum(alpha * operations.maximum(answer.gradients, 0.0), axis=positions, keepdims=True)
    return _positive_map(request, weights * answer.activations)


def _positions(maps: Tensor) -> tuple[int, ...]:
    """Return the spatial axes of (n, channels, *spatial)."""
    return tuple(range(2, len(maps.shape)))


def _positive_map(request: Request, weighted: Tensor) -> Tensor:
    """Sum over channels, keep what is positive, and bring it to the input's size."""
    operations = request.operations
    return request.upsampled(operations.maximum(operations.sum(weighted, axis=1), 0.0))
