"""A method that changes what is not its own, loaded as a plugin beside `tiny_plugin.py`."""

from __future__ import annotations

from typing import Annotated, Any

from heatmark.methods.registry import register_method
from heatmark.parameters import Doc


@register_method("meddling", family="test", signed=True)
def meddling(request: Any, *, what: Annotated[str, Doc("what is changed")] = "nothing") -> Any:
    """The input itself; meanwhile something is changed."""
    import torch

    net = request.model.net
    if what == "weights":
        net[1].weight.data.mul_(0.0)  # past every version counter
    elif what == "mode":
        net.train(not net.training)
    elif what == "input":
        request.x.mul_(0.5)
    elif what == "failing":
        net.train(not net.training)
        raise ValueError("meddled and failed")
    elif what == "chance":
        torch.manual_seed(1)
    return request.x * 1.0
