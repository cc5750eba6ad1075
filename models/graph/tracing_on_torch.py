"""Symbolic tracing of a PyTorch module with values at hand, so that shapes may decide what is computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import fx, nn

from ..probes.at_rest import attributes_kept


def traced(net: nn.Module, probe: torch.Tensor) -> fx.Graph:
    """Return the operations of a module, each with its value for the input ``probe`` in ``node.meta["value"]``.

    What its code keeps of the input while it is traced, and the constants that tracing puts into it, do not stay there.
    """
    with attributes_kept(net):
        own = set(vars(net))
        graph = _Tracer(probe).trace(net)
        for node in graph.find_nodes(op="get_attr"):
            if str(node.target) in vars(net).keys() - own:
                node.meta["constant"] = getattr(net, str(node.target))
    return graph


def computed(net: nn.Module, node: fx.Node, value_of: Callable[[fx.Node], Any]) -> Any:
    """Return what a traced node computes from the values of the nodes that it reads, weights as they are now."""
    args: Any = fx.node.map_arg(node.args, value_of)
    kwargs: Any = fx.node.map_arg(node.kwargs, value_of)
    if "constant" in node.meta:
        return node.meta["constant"]
    if node.op == "get_attr":
        found: Any = net
        for part in str(node.target).split("."):
            found = getattr(found, part)
        return found.detach() if isinstance(found, torch.Tensor) else found
    if node.op == "call_module":
        return net.get_submodule(str(node.target))(*args, **kwargs)
    if node.op == "call_method":
        return getattr(args[0], str(node.target))(*args[1:], **kwargs)
    assert callable(node.target)
    return node.target(*args, **kwargs)


class _Tracer(fx.Tracer):
    def __init__(self, probe: torch.Tensor) -> None:
        super().__init__()
        self._probe = probe
        self._computing = False

    def proxy(self, node: fx.Node) -> fx.Proxy:
        return _KnownProxy(node, self)

    def create_proxy(self, kind: str, target: Any, args: Any, kwargs: Any, *rest: Any, **options: Any) -> fx.Proxy:
        proxy = super().create_proxy(kind, target, args, kwargs, *rest, **options)
        if kind != "output":
            proxy.node.meta["value"] = self._value(proxy.node)
        return proxy

    def call_module(self, m: nn.Module, forward: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Return the module's value while values are computed, and a proxy otherwise."""
        return forward(*args, **kwargs) if self._computing else super().call_module(m, forward, args, kwargs)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        """Return the attribute itself while values are computed, and a proxy for parameters otherwise."""
        return attr_val if self._computing else super().getattr(attr, attr_val, parameter_proxy_cache)

    def _value(self, node: fx.Node) -> Any:
        if node.op == "placeholder":
            # Only the first argument is the input; others must have defaults.
            return self._probe if len(self.graph.find_nodes(op="placeholder")) == 1 else (*node.args, None)[0]
        self._computing = True
        try:
            return computed(self.root, node, self._known)
        finally:
            self._computing = False

    def _known(self, node: fx.Node) -> Any:
        return node.meta["value"] if "value" in node.meta else computed(self.root, node, self._known)


class _KnownProxy(fx.Proxy):
    """A proxy that tells the shape and kind of its value, as plain numbers."""

    @property
    def shape(self) -> torch.Size:
        return self._value().shape  # type: ignore[no-any-return]

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def dtype(self) -> torch.dtype:
        return self._value().dtype  # type: ignore[no-any-return]

    @property
    def device(self) -> torch.device:
        return self._value().device  # type: ignore[no-any-return]

    def size(self, axis: int | None = None) -> Any:
        return self.shape if axis is None else self.shape[axis]

    def dim(self) -> int:
        return self.ndim

    def numel(self) -> int:
        return self.shape.numel()

    def __len__(self) -> int:
        return len(self._value())

    def __iter__(self) -> Iterator[Any]:
        mine: Any = self
        return iter([mine[place] for place in range(len(self))])

    def _value(self) -> Any:
        return self.node.meta["value"]
