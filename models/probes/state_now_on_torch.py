"""What stands for the state that a PyTorch network and PyTorch itself are in."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import torch

from ..arrays.tensor_float_32 import tensor_float_32

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def state_now(net: torch.nn.Module) -> dict[str, Any]:
    """Return what stands for each part of a network and for PyTorch's settings; see `models/unharmed.py`."""
    found: dict[str, Any] = {
        "the default type": torch.get_default_dtype(),
        "whether gradients are recorded": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "automatic mixed precision": (torch.is_autocast_enabled("cpu"), torch.is_autocast_enabled("cuda")),
        "deterministic algorithms": torch.are_deterministic_algorithms_enabled(),
        "the precision of products": tensor_float_32("torch"),
        "the number of threads": torch.get_num_threads(),
        "cuDNN's settings": tuple(
            getattr(torch.backends.cudnn, name) for name in ("enabled", "benchmark", "deterministic")
        ),
        "TensorFloat-32": tensor_float_32("torch"),
    }
    for name, module in net.named_modules():
        hooks = tuple(len(getattr(module, kind, ())) for kind in _HOOKS)
        here = repr(name) if name else "the network"
        found[f"which module {here} is"] = (id(module), "forward" in vars(module))
        found[f"the mode of {here} (training or evaluation)"] = module.training
        found[f"the hooks of {here}"] = hooks
    tensors = {**dict(net.named_parameters()), **dict(net.named_buffers())}
    gradients = {name: tensor.grad for name, tensor in tensors.items() if tensor.grad is not None}
    for name, tensor in tensors.items():
        found[f"whether {name!r} needs a gradient"] = tensor.requires_grad
    found |= {f"the weights {name!r}": total for name, total in _sums(tensors).items()}
    return found | {f"the gradient kept at {name!r}": total for name, total in _sums(gradients).items()}


def _sums(tensors: dict[str, torch.Tensor]) -> dict[str, Any]:
    """Return the sum of each tensor's bits, with its shape and type; one wait for each device."""
    waiting: dict[torch.device, dict[str, torch.Tensor]] = defaultdict(dict)
    found: dict[str, Any] = {}
    with torch.inference_mode():
        for name, tensor in tensors.items():
            found[name] = (tuple(tensor.shape), tensor.dtype)
            if tensor.layout == torch.strided and not tensor.is_meta and tensor.numel():
                waiting[tensor.device][name] = _bits(tensor.detach()).sum(dtype=torch.int64)
        for sums in waiting.values():
            for name, total in zip(sums, torch.stack(list(sums.values())).tolist(), strict=True):
                found[name] = (*found[name], total)
    return found


def _bits(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor's values as integers."""
    if tensor.is_quantized:
        tensor = tensor.int_repr()
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor)
    return tensor.contiguous().view(_INTEGERS[tensor.element_size()])
