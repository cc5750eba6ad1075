"""The parameters of a ``torch.nn.Module``, layer by layer, as `models/copies/randomised.py` takes them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ..queries import Layer
from .randomised import Freshness, Owner, ParameterArray, ParameterLayer, grouped, in_order

_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, *_TRANSPOSED, nn.MultiheadAttention)
_NORMALISATIONS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm)
_STATISTICS = ("running_mean", "running_var")
_KERNELS = ("weight", "in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight")
_BIASES = ("bias", "in_proj_bias")


@dataclass(frozen=True, kw_only=True)
class TorchArray(ParameterArray):
    """See `ParameterArray`.

    Attributes
    ----------
    tensor
        The parameter or buffer. Its memory is written to, so that whatever shares it sees the same.
    """

    tensor: torch.Tensor

    def value(self) -> np.ndarray:
        """See `ParameterArray.value`."""
        return self.tensor.detach().cpu().float().contiguous().numpy()

    def assign(self, values: np.ndarray) -> None:
        """See `ParameterArray.assign`."""
        # Through .data: neither a frozen parameter nor a graph that the user holds shall notice.
        self.tensor.data.copy_(torch.from_numpy(np.ascontiguousarray(values)))

    def kept(self) -> torch.Tensor:
        """See `ParameterArray.kept`."""
        return self.tensor.data.clone()

    def restore(self, kept: torch.Tensor) -> None:
        """See `ParameterArray.restore`."""
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
    shape = tuple(tensor.shape)
    if normalises and name in ("weight", "bias", *_STATISTICS):
        fresh: Freshness = "one" if name in ("weight", "running_var") else "zero"
        return TorchArray(name=name, fresh=fresh, shape=shape, native=_same, tensor=tensor)
    if isinstance(module, _WEIGHTED):
        if isinstance(module, _TRANSPOSED) and name == "weight":
            # (inputs, outputs / groups, *window): drawn with the outputs first.
            canonical = (shape[1], shape[0], *shape[2:])
            inputs = math.prod(canonical[1:])
            return TorchArray(
                name=name, fresh="kernel", shape=canonical, inputs=inputs, native=_first_two_swapped, tensor=tensor
            )
        if name in _KERNELS:
            inputs = math.prod(shape[1:])
            return TorchArray(name=name, fresh="kernel", shape=shape, inputs=inputs, native=_same, tensor=tensor)
        if name in _BIASES:
            return TorchArray(name=name, fresh="zero", shape=shape, native=_same, tensor=tensor)
    return TorchArray(name=name, fresh="like", shape=shape, native=_same, tensor=tensor)


def _same(values: np.ndarray) -> np.ndarray:
    return values


def _first_two_swapped(values: np.ndarray) -> np.ndarray:
    return values.swapaxes(0, 1)
