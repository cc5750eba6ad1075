"""pytorch-grad-cam's methods as entries, run by that library on the user's network."""

from __future__ import annotations

import io
from contextlib import redirect_stderr
from dataclasses import dataclass
from functools import partial
from typing import Any

from ...errors import NotApplicable
from ...models.arrays.operations import Tensor
from ...models.queries import BATCH
from ...registry import Reference
from ..libraries import PYTORCH_GRAD_CAM
from ..request import Request
from .wrapping import CAM, CHATTOPADHYAY, FORWARD_CAM, JIANG, SELVARAJU, WANG, Peer, at_layer, register_peers


@dataclass(frozen=True, kw_only=True)
class GradCamPeer(Peer):
    """One of pytorch-grad-cam's methods."""

    rows: int = BATCH
    """Samples at a time."""


def _maps(request: Request, peer: GradCamPeer, options: dict[str, Any]) -> Tensor:
    """Return the maps of one of the library's classes, each between 0 and 1, so many samples at a time."""
    import torch

    from ...models.networks.whole_on_torch import whole

    model = request.model
    if len(model.spatial_shape) != 2:
        raise NotApplicable("pytorch-grad-cam takes pictures alone")
    _import_torchvision()
    library = PYTORCH_GRAD_CAM.module("pytorch_grad_cam")
    targets = PYTORCH_GRAD_CAM.module("pytorch_grad_cam.utils.model_targets")
    parts = []
    with whole(model) as network, redirect_stderr(io.StringIO()):  # it draws progress bars there
        explainer: Any = getattr(library, peer.kind)(network, [network.net.get_submodule(options["layer"])])
        try:
            for first in range(0, request.count, peer.rows):
                rows = slice(first, first + peer.rows)
                # The network's parameters are frozen: gradients exist only where the input asks for them.
                x = request.x[rows].detach().requires_grad_(explainer.uses_gradients)
                chosen = [targets.ClassifierOutputTarget(int(one)) for one in request.target[rows]]
                with torch.set_grad_enabled(explainer.uses_gradients):
                    parts.append(explainer(x, chosen))
        finally:
            explainer.activations_and_grads.release()
    return request.operations.concat([model.from_numpy(part) for part in parts])


def _import_torchvision() -> None:
    """The library imports torchvision, which may need help to be imported."""
    from ...models.zoo.torchvision_operators import import_torchvision

    import_torchvision()


_peer = partial(GradCamPeer, signed=False, needs=CAM, options=at_layer)
_EIGEN = Reference("Muhammad, Yeasin", 2020, "Eigen-CAM", "2008.00299")
_ROWS = (
    _peer(
        name="grad_cam", kind="GradCAM", reference=SELVARAJU,
        summary="pytorch-grad-cam's GradCAM; like all of its maps stretched to between 0 and 1.",
    ),
    _peer(
        name="grad_cam_plus_plus", kind="GradCAMPlusPlus", reference=CHATTOPADHYAY,
        summary="pytorch-grad-cam's GradCAMPlusPlus.",
    ),
    _peer(
        name="xgrad_cam", kind="XGradCAM", reference=Reference("Fu et al.", 2020, "Axiom-based Grad-CAM", "2008.02312"),
        summary="pytorch-grad-cam's XGradCAM.",
    ),
    _peer(
        name="hires_cam", kind="HiResCAM", reference=Reference("Draelos, Carin", 2020, "HiResCAM", "2011.08891"),
        summary="pytorch-grad-cam's HiResCAM.",
    ),
    _peer(name="layer_cam", kind="LayerCAM", reference=JIANG, summary="pytorch-grad-cam's LayerCAM."),
    _peer(
        name="eigen_cam", kind="EigenCAM", reference=_EIGEN, needs=FORWARD_CAM, cost="1 forward pass",
        summary="pytorch-grad-cam's EigenCAM: no class, and the sign that the decomposition happens to have.",
    ),
    _peer(
        name="eigen_grad_cam", kind="EigenGradCAM", reference=_EIGEN,
        summary="pytorch-grad-cam's EigenGradCAM, with the sign that the decomposition happens to have.",
    ),
    _peer(
        name="score_cam", kind="ScoreCAM", reference=WANG, needs=FORWARD_CAM, rows=1,
        cost="1 forward pass, and 1 for each channel of the layer",
        summary="pytorch-grad-cam's ScoreCAM; it holds one masked input for every channel of the layer at once.",
    ),
    _peer(
        name="ablation_cam", kind="AblationCAM", reference=Reference("Desai, Ramaswamy", 2020, "Ablation-CAM"),
        needs=FORWARD_CAM, rows=1, cost="2 forward passes, and 1 for each channel of the layer",
        summary="pytorch-grad-cam's AblationCAM.",
    ),
)  # fmt: skip
register_peers(PYTORCH_GRAD_CAM, _ROWS, _maps)
