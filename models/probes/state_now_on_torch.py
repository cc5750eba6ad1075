"""What stands for the state that a PyTorch network and PyTorch itself are in."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import torch

from ..arrays.tensor_float_32 import tensor_float_32

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}

_SETTINGS = (bool, int, float, str, tuple)
"""The types of what a layer is set to, such as its stride, its epsilon or its slope."""


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
        "the default device": str(torch.get_default_device()),
        "TensorFloat-32": tensor_float_32("torch"),
    }
    everywhere: Any = torch.nn.modules.module  # PyTorch does not export them
    found["the hooks of all modules (register_module_forward_hook and others)"] = tuple(
        tuple(getattr(everywhere, f"_global{kind}", ())) for kind in _HOOKS
    )
    for name, module in net.named_modules():
        hooks = tuple(tuple(getattr(module, kind, ())) for kind in _HOOKS)
        here = repr(name) if name else "the network"
        found[f"which module {here} is"] = (id(module), "forward" in vars(module))
        found[f"the mode of {here} (training or evaluation)"] = module.training
        found[f"the hooks of {here}"] = hooks
        if type(module).__module__.startswith("torch.nn."):  # others may keep what they like of a pass
            found[f"the settings of {here}"] = {
                key: value for key, value in vars(module).items() if isinstance(value, _SETTINGS) and key != "training"
            }
    tensors = {**dict(net.named_parameters()), **dict(net.named_buffers())}
    gradients = {name: tensor.grad for name, tensor in tensors.items() if tensor.grad is not None}
    for name, tensor in tensors.items():
        found[f"whether {name!r} needs a gradient"] = tensor.requires_grad
    found |= {f"the weights {name!r}": total for name, total in _sums(tensors).items()}
    return found | {f"the gradient kept at {name!r}": total for name, total in _sums(gradients).items()}


def _sums(tensors: dict[str, torch.Tensor]) -> dict[str, Any]:
    """Return sums of each tensor's bits, with its shape and type; one wait for each device."""
    waiting: dict[torch.device, dict[str, torch.Tensor]] = defaultdict(dict)
    found: dict[str, Any] = {}
    with torch.inference_mode():
        for name, tensor in tensors.items():
            found[name] = (tuple(tensor.shape), tensor.dtype)
            if tensor.layout == torch.strided and not tensor.is_meta and tensor.numel():
                waiting[tensor.device][name] = _two_sums(_bits(tensor.detach()).reshape(-1))
        for sums in waiting.values():
            for name, totals in zip(sums, torch.stack(list(sums.values())).tolist(), strict=True):
                found[name] = (*found[name], *totals)
    return found


def _two_sums(bits: torch.Tensor) -> torch.Tensor:
    """Return the sum of integers (n,), and one in which their places count, so that a new order is seen; (2,).

    Places are weighted twice, as rows and as columns of a square, so that nothing as large as the tensor is made. Sums
    of 32 bits may overflow, which hides no change of a single number, and are many times as fast.
    """
    side = max(1, math.isqrt(bits.numel()))
    square = bits[: side * (bits.numel() // side)].reshape(side, -1)
    kind = torch.int32 if bits.dtype == torch.int32 else torch.int64
    parts = [square.sum(dim=1, dtype=kind), square.sum(dim=0, dtype=kind), bits[square.numel() :]]
    rows, columns, rest = (part.to(torch.int64) for part in parts)
    total, placed = rows.sum() + rest.sum(), torch.zeros_like(rows.sum())
    for number, part in enumerate((rows, columns, rest)):
        placed = placed + (2 * number + 1) * (part * torch.arange(1, len(part) + 1, device=bits.device)).sum()
    return torch.stack([total, placed])


def _bits(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor's values as integers."""
    if tensor.is_quantized:
        tensor = tensor.int_repr()
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor)
    return tensor.contiguous().view(_INTEGERS[tensor.element_size()])
