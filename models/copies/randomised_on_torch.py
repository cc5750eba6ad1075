"""The parameters of a ``torch.nn.Module``, layer by layer, as `models/copies/randomised.py` takes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from ..queries import Layer
from .randomised import Owner, ParameterArray, ParameterLayer, grouped, in_order

_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, *_TRANSPOSED, nn.MultiheadAttention)
_NORMALISATIONS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm)
_STATISTICS = ("running_mean", "running_var")
_KERNELS = ("weight", "in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight")
_BIASES = ("bias", "in_proj_bias")


@dataclass(frozen=True, kw_only=True)
class TorchArray(ParameterArray):
    """See `ParameterArray`."""

    tensor: torch.Tensor
    """The parameter or buffer. Its memory is written to, so that whatever shares it sees the same."""

    def value(self) -> np.ndarray:
        return self.tensor.detach().cpu().float().contiguous().numpy()

    def assign(self, values: np.ndarray) -> None:
        # Through .data: neither a frozen parameter nor a graph that the user holds shall notice.
        self.tensor.data.copy_(torch.from_numpy(np.ascontiguousarray(values)))

    def kept(self) -> torch.Tensor:
        return self.tensor.data.clone()

    def restore(self, kept: torch.Tensor) -> None:
        self.tensor.data.copy_(kept)


def torch_parameter_layers(net: nn.Module, layers: Sequence[Layer]) -> tuple[ParameterLayer, ...]:
    """Return the layers with parameters in the order in which they are computed, as ``layers`` are listed."""
    owners = [Owner(name, tuple(_arrays(module))) for name, module in net.named_modules()]
    return grouped(in_order(owners, layers, "."))


def _arrays(module: nn.Module) -> Iterator[TorchArray]:
    """Yield a module's own floating-point parameters, and its statistics where it normalises."""
    frozen = type(module).__name__.startswith("FrozenBatchNorm")  # torchvision's, all of whose arrays are buffers
    normalises = frozen or isinstance(module, _NORMALISATIONS)
    for name, tensor in [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]:
        known = isinstance(tensor, nn.Parameter) or (normalises and (frozen or name in _STATISTICS))
        if known and tensor.is_floating_point() and tensor.numel():
            yield _array(module, name, tensor, normalises=normalises)


def _array(module: nn.Module, name: str, tensor: torch.Tensor, *, normalises: bool) -> TorchArray:
    array = TorchArray(name=name, fresh="like", shape=tuple(tensor.shape), tensor=tensor)
    if normalises and name in ("weight", "bias", *_STATISTICS):
        return replace(array, fresh="one" if name in ("weight", "running_var") else "zero")
    if isinstance(module, _TRANSPOSED) and name == "weight":
        # (inputs, outputs / groups, *window): drawn with the outputs first.
        inputs, outputs, *window = array.shape
        return replace(
            array, fresh="kernel", shape=(outputs, inputs, *window), native=lambda values: values.swapaxes(0, 1)
        )
    if isinstance(module, _WEIGHTED) and name in (*_KERNELS, *_BIASES):
        return replace(array, fresh="kernel" if name in _KERNELS else "zero")
    return array
