"""pytorch-grad-cam's methods as entries, run by that library on the user's network."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import redirect_stderr
from typing import Any

from ...errors import NotApplicable
from ...models.arrays.operations import Tensor
from ...models.queries import BATCH
from ...registry import Reference
from ..cam.cams import LayerName
from ..libraries import PYTORCH_GRAD_CAM
from ..registry import MethodFunction, Need
from ..request import Request
from .wrapping import register_peer


def _maps(request: Request, kind: str, layer: str | None, rows: int) -> Tensor:
    """Return the maps of one of the library's classes, each between 0 and 1, so many samples at a time."""
    import torch

    from ...models.networks.whole_on_torch import whole

    model = request.model
    if len(model.spatial_shape) != 2:
        raise NotApplicable("pytorch-grad-cam takes pictures alone")
    name = request.layer(layer).name
    _import_torchvision()
    library = PYTORCH_GRAD_CAM.module("pytorch_grad_cam")
    targets = PYTORCH_GRAD_CAM.module("pytorch_grad_cam.utils.model_targets")
    parts = []
    with whole(model) as network, redirect_stderr(io.StringIO()):  # it draws progress bars there
        explainer: Any = getattr(library, kind)(network, [network.net.get_submodule(name)])
        try:
            for first in range(0, request.count, rows):
                # The network's parameters are frozen: gradients exist only where the input asks for them.
                x = request.x[first : first + rows].detach().requires_grad_(explainer.uses_gradients)
                chosen = [targets.ClassifierOutputTarget(int(one)) for one in request.target[first : first + rows]]
                with torch.set_grad_enabled(explainer.uses_gradients):
                    parts.append(explainer(x, chosen))
        finally:
            explainer.activations_and_grads.release()
    return request.operations.concat([model.from_numpy(part) for part in parts])


def _import_torchvision() -> None:
    """The library imports torchvision, which may need help to be imported."""
    from ...models.zoo.torchvision_operators import import_torchvision

    import_torchvision()


def _register(
    name: str, kind: str, reference: Reference, summary: str, needs: Sequence[Need], cost: str, rows: int = BATCH
) -> MethodFunction:
    def method(request: Request, *, layer: LayerName = None) -> Tensor:
        return _maps(request, kind, layer, rows)

    method.__name__ = name
    method.__doc__ = summary
    decorate = register_peer(PYTORCH_GRAD_CAM, name, signed=False, cost=cost, reference=reference, needs=needs)
    return decorate(method)


_BOTH: Sequence[Need] = ("gradients", "layers")
_ONE = "1 forward and 1 backward pass"

grad_cam = _register(
    "grad_cam",
    "GradCAM",
    Reference("Selvaraju et al.", 2016, "Grad-CAM", "1610.02391"),
    "pytorch-grad-cam's GradCAM; like all of its maps stretched to between 0 and 1.",
    _BOTH,
    _ONE,
)
grad_cam_plus_plus = _register(
    "grad_cam_plus_plus",
    "GradCAMPlusPlus",
    Reference("Chattopadhyay et al.", 2017, "Grad-CAM++", "1710.11063"),
    "pytorch-grad-cam's GradCAMPlusPlus.",
    _BOTH,
    _ONE,
)
xgrad_cam = _register(
    "xgrad_cam", "XGradCAM", Reference("Fu et al.", 2020, "Axiom-based Grad-CAM", "2008.02312"),
    "pytorch-grad-cam's XGradCAM.", _BOTH, _ONE,
)  # fmt: skip
hires_cam = _register(
    "hires_cam", "HiResCAM", Reference("Draelos, Carin", 2020, "HiResCAM", "2011.08891"),
    "pytorch-grad-cam's HiResCAM.", _BOTH, _ONE,
)  # fmt: skip
layer_cam = _register(
    "layer_cam", "LayerCAM", Reference("Jiang et al.", 2021, "LayerCAM"),
    "pytorch-grad-cam's LayerCAM.", _BOTH, _ONE,
)  # fmt: skip
eigen_cam = _register(
    "eigen_cam", "EigenCAM", Reference("Muhammad, Yeasin", 2020, "Eigen-CAM", "2008.00299"),
    "pytorch-grad-cam's EigenCAM: no class, and the sign that the decomposition happens to have.",
    ("layers",), "1 forward pass",
)  # fmt: skip
eigen_grad_cam = _register(
    "eigen_grad_cam", "EigenGradCAM", Reference("Muhammad, Yeasin", 2020, "Eigen-CAM", "2008.00299"),
    "pytorch-grad-cam's EigenGradCAM, with the sign that the decomposition happens to have.", _BOTH, _ONE,
)  # fmt: skip
score_cam = _register(
    "score_cam", "ScoreCAM", Reference("Wang et al.", 2019, "Score-CAM", "1910.01279"),
    "pytorch-grad-cam's ScoreCAM; it holds one masked input for every channel of the layer at once.",
    ("layers",), "1 forward pass, and 1 for each channel of the layer", 1,
)  # fmt: skip
ablation_cam = _register(
    "ablation_cam", "AblationCAM", Reference("Desai, Ramaswamy", 2020, "Ablation-CAM"),
    "pytorch-grad-cam's AblationCAM.", ("layers",), "2 forward passes, and 1 for each channel of the layer", 1,
)  # fmt: skip
