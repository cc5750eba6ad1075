"""Everything that a PyTorch network's answers depend on besides its code, as bytes that tell two networks apart."""

from __future__ import annotations

import enum
import io
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import numpy as np
import torch

from ...errors import BadInput
from .reach_on_torch import scripted_parts

_PLAIN = (type(None), bool, int, float, complex, str, bytes, torch.dtype, torch.device, torch.memory_format, enum.Enum)


def state_bytes(net: torch.nn.Module) -> Iterator[tuple[str, bytes]]:
    """Yield every entry of a network's state: its name, type and shape, and its bytes.

    That is what its state dictionary holds (parameters, buffers, packed parameters of quantised layers, extra state),
    the buffers that it leaves out of it, and the tensors that tracing put into compiled code.

    Raises
    ------
    BadInput
        If an entry is of a kind of which it cannot be told what it depends on.
    """
    state: dict[str, Any] = net.state_dict()
    kept = {name: value for name, value in net.named_buffers() if name not in state}
    for name, value in sorted(state.items()):
        yield from _entries(name, value)
    for name, value in sorted(kept.items()):
        yield from _entries(f"{name} (not in the state dictionary)", value)
    for name, module in scripted_parts(net).items():
        constants: Any = module.inlined_graph
        for place, node in enumerate(constants.findAllNodes("prim::Constant")):
            if node.hasAttribute("value") and node.kindOf("value") == "t":
                yield from _entries(f"{name} constant {place}", node.t("value"))


def hidden_tensors(net: torch.nn.Module, forward: Callable[[], Any]) -> list[str]:
    """Return the names of tensors that modules hold as plain attributes, which are no part of any state.

    Those that a forward pass makes anew are none: features that are kept, weights that pruning or a weight norm
    computes of others.
    """
    before = _plain_tensors(net)
    forward()
    return [name for name, tensor in _plain_tensors(net).items() if before.get(name) is tensor]


def _plain_tensors(net: torch.nn.Module) -> dict[str, torch.Tensor]:
    known = {id(tensor) for tensor in (*net.parameters(), *net.buffers())}
    return {
        f"{name}.{attribute}".lstrip("."): value
        for name, module in net.named_modules()
        if not isinstance(module, torch.jit.ScriptModule)
        for attribute, value in vars(module).items()
        if isinstance(value, torch.Tensor) and id(value) not in known
    }


def _entries(name: str, value: Any) -> Iterator[tuple[str, bytes]]:
    if isinstance(value, torch.Tensor):
        yield from _of_tensor(name, value)
    elif isinstance(value, np.ndarray) and value.dtype != object:
        yield f"{name}{value.dtype}{value.shape}", np.ascontiguousarray(value).tobytes()
    elif isinstance(value, _PLAIN):
        yield f"{name}{type(value).__name__}", repr(value).encode()
    elif isinstance(value, io.BytesIO):
        yield f"{name}BytesIO", value.getvalue()
    elif isinstance(value, Mapping):
        yield f"{name}{type(value).__name__}", str(len(value)).encode()
        for key in sorted(value, key=repr):
            yield from _entries(f"{name}[{key!r}]", value[key])
    elif isinstance(value, list | tuple):
        yield f"{name}{type(value).__name__}", str(len(value)).encode()
        for place, item in enumerate(value):
            yield from _entries(f"{name}[{place}]", item)
    elif isinstance(value, torch.ScriptObject) and cast(Any, value)._has_method("__getstate__"):
        yield from _entries(f"{name}.state", value.__getstate__())
    else:
        raise BadInput(
            f"The entry {name!r} of the network's state is a {type(value).__module__}.{type(value).__qualname__}, of "
            "which heatmark cannot tell what two of them differ in: results could be taken for another network's. "
            "Give what identifies the weights: heatmark.wrap(net, weights_id='...')."
        )


def _of_tensor(name: str, tensor: torch.Tensor) -> Iterator[tuple[str, bytes]]:
    tensor = tensor.detach()
    if tensor.is_meta:
        raise BadInput(f"The parameter or buffer {name!r} has no values (it lies on the meta device): load them first.")
    if tensor.is_quantized:
        scheme = tensor.qscheme()
        yield from _of_tensor(f"{name}{scheme}", tensor.int_repr())
        if scheme in (torch.per_channel_affine, torch.per_channel_affine_float_qparams, torch.per_channel_symmetric):
            yield from _of_tensor(f"{name}.scales", tensor.q_per_channel_scales())
            yield from _of_tensor(f"{name}.zero_points", tensor.q_per_channel_zero_points())
            yield f"{name}.axis", str(tensor.q_per_channel_axis()).encode()
        else:
            yield f"{name}.scale", repr((tensor.q_scale(), tensor.q_zero_point())).encode()
        return
    if tensor.layout != torch.strided:
        tensor = tensor.to_dense()
        name = f"{name} (not strided)"
    raw = tensor.cpu().contiguous()
    values = raw.flatten().view(torch.uint8).numpy().tobytes() if raw.numel() else b""
    yield f"{name}{raw.dtype}{tuple(raw.shape)}", values
