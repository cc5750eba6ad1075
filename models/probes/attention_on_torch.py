"""Attention probabilities of PyTorch networks, kept in the graph, however the network computes them.

A ``TorchFunctionMode`` sees every softmax and every fused attention while it is active. Fused attention is computed
step by step instead; neither the network's modules nor PyTorch's settings are touched.
"""

from __future__ import annotations

import math
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from ..queries import AttentionLayer, Query

_SOFTMAXES: tuple[Callable[..., Any], ...] = (
    functional.softmax, torch.softmax, torch.special.softmax, torch.Tensor.softmax,
)  # fmt: skip


class AttentionWatch(TorchFunctionMode):
    """Hands the probabilities of every self-attention, (rows, heads, tokens, tokens), to ``keep`` while active.

    Parameters
    ----------
    keep
        Gets the probabilities and returns what the network goes on with.
    """

    def __init__(self, keep: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self._keep = keep
        self._heads: int | None = None

    def __torch_function__(
        self, function: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if function is functional.scaled_dot_product_attention:
            return self._stepwise(*args, **kwargs)
        if function is functional.multi_head_attention_forward:
            heads, self._heads = self._heads, args[4] if len(args) > 4 else kwargs["num_heads"]
            try:
                with self:  # the mode is off in here, and what is inside must be seen
                    return _entered(function)(*args, **kwargs)
            finally:
                self._heads = heads
        result = function(*args, **kwargs)
        if function in _SOFTMAXES and _over_last_axis(result, args, kwargs):
            return self._kept(result)
        return result

    def _stepwise(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attn_mask: torch.Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> torch.Tensor:
        """Compute `torch.nn.functional.scaled_dot_product_attention` with a softmax of its own."""
        if enable_gqa:
            repeats = query.shape[-3] // key.shape[-3]
            key, value = (item.repeat_interleave(repeats, dim=-3) for item in (key, value))
        likeness = query @ key.transpose(-2, -1) * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
        if is_causal:
            attn_mask = torch.ones(likeness.shape[-2:], dtype=torch.bool, device=query.device).tril()
        if attn_mask is not None:
            if attn_mask.dtype == torch.bool:
                likeness = likeness.masked_fill(~attn_mask, -math.inf)
            else:
                likeness = likeness + attn_mask
        probabilities = torch.softmax(likeness, dim=-1)
        return torch.dropout(self._kept(probabilities), dropout_p, dropout_p > 0.0) @ value

    def _kept(self, probabilities: torch.Tensor) -> torch.Tensor:
        """Hand over what is an attention of tokens to tokens; anything else goes on as it is."""
        shape = probabilities.shape
        if len(shape) not in (3, 4) or shape[-1] != shape[-2] or shape[-1] < 2:
            return probabilities
        if len(shape) == 4:
            return self._keep(probabilities)
        # Without an axis for the heads there is one, except inside nn.MultiheadAttention: (rows x heads, ...).
        return self._keep(probabilities.reshape(-1, self._heads or 1, *shape[1:])).reshape(shape)


@contextmanager
def captured_attention(net: torch.nn.Module, query: Query) -> Iterator[list[torch.Tensor]]:
    """Yield a list that a forward pass fills with the attentions a query asks for; take its shortcut meanwhile.

    As for layers, the graph starts at the first attention where no gradient before it is wanted.
    """
    found: list[torch.Tensor] = []

    def keep(probabilities: torch.Tensor) -> torch.Tensor:
        if query.layer_gradients and not probabilities.requires_grad:
            probabilities = probabilities.detach().requires_grad_()
        found.append(probabilities)
        return probabilities.clone()  # what follows may change it in place

    with _shortcut(net, query.shortcut):
        if query.attention:
            with AttentionWatch(keep):
                yield found
        else:
            yield found


def attention_layers(net: torch.nn.Module, forward: Callable[[], Any]) -> tuple[AttentionLayer, ...]:
    """Return the self-attentions that ``forward`` computes for one sample."""
    found: list[AttentionLayer] = []
    norms: list[str] = []

    def keep(probabilities: torch.Tensor) -> torch.Tensor:
        parts, heads, tokens, _ = probabilities.shape
        found.append(AttentionLayer(heads, tokens, parts, tuple(norms)))
        norms.clear()
        return probabilities

    def note(name: str) -> Callable[..., None]:
        return lambda module, arguments, output: norms.append(name)

    with ExitStack() as stack:
        for name, module in net.named_modules():
            if name and "Norm" in type(module).__name__:
                stack.enter_context(module.register_forward_hook(note(name)))
        stack.enter_context(torch.no_grad())
        stack.enter_context(AttentionWatch(keep))
        forward()
    return tuple(found)


@contextmanager
def _shortcut(net: torch.nn.Module, names: tuple[str, str] | None) -> Iterator[None]:
    """While active, give the second module what the first was given."""
    if names is None:
        yield
        return
    given: list[Any] = []
    first, second = map(net.get_submodule, names)
    with (
        second.register_forward_pre_hook(lambda module, arguments: (given[0], *arguments[1:])),
        # Before the other one, in case both are one module.
        first.register_forward_pre_hook(lambda module, arguments: given.append(arguments[0]), prepend=True),
    ):
        yield


def _entered(function: Any) -> Any:
    """Return a copy of a Python function of PyTorch's that does not hand itself to the active mode again.

    Its body runs as PyTorch wrote it, with all its masks and projections; only its own first question, whether a
    mode is active, is answered with no.
    """
    copy = types.FunctionType(
        function.__code__,
        {**function.__globals__, "has_torch_function": lambda tensors: False},
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


def _over_last_axis(result: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Return whether a softmax call went over the last axis of its result."""
    axis = kwargs.get("dim", kwargs.get("axis", args[1] if len(args) > 1 else None))
    return isinstance(result, torch.Tensor) and isinstance(axis, int) and axis in (-1, result.ndim - 1)
