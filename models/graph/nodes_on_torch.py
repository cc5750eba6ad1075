"""What each PyTorch module, function and method is in the graph."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional

from .graph import (
    Diagonal,
    GraphBuilder,
    Linear,
    Maximum,
    Mixing,
    Nonlinearity,
    Operation,
    Parameters,
    Rearrangement,
    unsupported,
)
from .tracing_on_torch import computed

_IDENTITIES = frozenset({
    "Identity", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout",
    "StochasticDepth", "dropout", "dropout1d", "dropout2d", "alpha_dropout", "feature_dropout", "stochastic_depth",
    "contiguous", "clone", "detach", "float",
})  # fmt: skip
_ACTIVATIONS = frozenset({
    "ReLU", "ReLU6", "Sigmoid", "Tanh", "SiLU", "GELU", "ELU", "CELU", "SELU", "LeakyReLU", "PReLU", "Softplus",
    "Softsign", "Mish", "Hardtanh", "Hardsigmoid", "Hardswish", "LogSigmoid", "Tanhshrink",
    "relu", "relu_", "relu6", "sigmoid", "tanh", "silu", "gelu", "elu", "celu", "selu", "leaky_relu", "prelu",
    "softplus", "softsign", "mish", "hardtanh", "hardsigmoid", "hardswish", "clamp", "clamp_min", "clip",
})  # fmt: skip
_NONNEGATIVE = frozenset({"relu", "relu_", "relu6", "sigmoid", "softplus", "hardsigmoid"})
_MAXIMA = frozenset({
    "MaxPool1d", "MaxPool2d", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d",
    "max_pool1d", "max_pool2d", "adaptive_max_pool1d", "adaptive_max_pool2d", "amax",
})  # fmt: skip
_AVERAGES = frozenset({
    "AvgPool1d", "AvgPool2d", "AdaptiveAvgPool1d", "AdaptiveAvgPool2d",
    "avg_pool1d", "avg_pool2d", "adaptive_avg_pool1d", "adaptive_avg_pool2d", "mean", "sum",
})  # fmt: skip
_SAME_ORDER = frozenset({"Flatten", "Unflatten", "flatten", "unflatten", "reshape", "view", "squeeze", "unsqueeze"})
_MOVES = frozenset({
    "ZeroPad1d", "ZeroPad2d", "ConstantPad1d", "ConstantPad2d", "ReflectionPad1d", "ReflectionPad2d",
    "ReplicationPad1d", "ReplicationPad2d", "ChannelShuffle", "PixelShuffle", "PixelUnshuffle", "Permute",
    "pad", "permute", "transpose", "swapaxes", "movedim", "flip", "getitem", "narrow", "select", "roll",
    "channel_shuffle", "pixel_shuffle", "pixel_unshuffle", "cat", "concat", "concatenate",
})  # fmt: skip
_SEVERAL = frozenset({"chunk", "split", "unbind", "tensor_split"})
_ARITHMETIC = frozenset({"add", "iadd", "add_", "sub", "isub", "mul", "imul", "truediv", "div"})
_WEIGHTED = frozenset({
    "Conv1d", "Conv2d", "Linear", "BatchNorm1d", "BatchNorm2d", "conv1d", "conv2d", "linear", "batch_norm"
})  # fmt: skip
_KNOWN = frozenset.union(
    _IDENTITIES, _ACTIVATIONS, _MAXIMA, _AVERAGES, _SAME_ORDER, _MOVES, _SEVERAL, _ARITHMETIC, _WEIGHTED
)


class NodeMaker:
    """Adds one graph node for each traced node.

    Parameters
    ----------
    net
        The traced network.
    builder
        Where nodes go.
    places
        The graph positions of traced nodes so far; those not in it do not depend on the input.
    """

    def __init__(self, net: nn.Module, builder: GraphBuilder, places: dict[fx.Node, int]) -> None:
        self._net = net
        self._builder = builder
        self._places = places

    def add(self, node: fx.Node) -> int:
        """Add what ``node`` computes and return its position; NotApplicable names it where it is not supported."""
        kind, name = self._kind(node), self._name(node)
        shape, sources = self._shape(node), [item for item in node.all_input_nodes if item in self._places]
        if kind not in _KNOWN:
            raise unsupported(name, kind)
        first = sources[0]
        inputs = tuple(self._places[source] for source in sources)
        if kind in _IDENTITIES or kind in _SEVERAL:
            return inputs[0]  # What is chosen of several parts is read by the getitem after them.
        module = self._net.get_submodule(str(node.target)) if node.op == "call_module" else None
        given: dict[str, Any] = {"name": name, "inputs": inputs, "function": self._function(node, module, sources)}
        if kind in _ACTIVATIONS:
            return self._builder.add(Nonlinearity(**given, nonnegative=kind.lower() in _NONNEGATIVE))
        if not shape or shape[0] != self._shape_of(first)[0]:
            raise unsupported(name, kind, "its output has no batch axis")
        linear = self._linear(node, module, kind, name, inputs)
        if linear is not None:
            return self._builder.add(linear)
        if kind in _SAME_ORDER:
            rest = tuple(shape[1:])
            return self._builder.add(Rearrangement(**given | {"function": lambda x: x.reshape(x.shape[0], *rest)}))
        if kind in _MOVES:
            self._check_padding(node, module, kind, name)
            return self._builder.add(Rearrangement(**given))
        if kind in _ARITHMETIC:
            return self._arithmetic(node, kind, given)
        if kind in _WEIGHTED:
            raise unsupported(name, kind, "it is none of PyTorch's own")
        return self._builder.add(Maximum(**given) if kind in _MAXIMA else Mixing(**given))

    # What a traced node is

    def _kind(self, node: fx.Node) -> str:
        if node.op == "call_module":
            return type(self._net.get_submodule(str(node.target))).__name__
        return str(getattr(node.target, "__name__", node.target))

    def _name(self, node: fx.Node) -> str:
        return str(node.target) if node.op == "call_module" else node.name

    def _shape(self, node: fx.Node) -> tuple[int, ...] | None:
        value = node.meta.get("value")
        return tuple(value.shape) if isinstance(value, torch.Tensor) else None

    def _shape_of(self, node: fx.Node) -> tuple[int, ...]:
        value = node.meta["value"]
        return tuple((value if isinstance(value, torch.Tensor) else value[0]).shape)

    # Functions of the input tensors alone

    def _constant(self, node: fx.Node) -> Any:
        """Return the value, as it is now, of a traced node that does not depend on the input."""
        return computed(self._net, node, self._constant)

    def _function(self, node: fx.Node, module: nn.Module | None, sources: list[fx.Node]) -> Callable[..., torch.Tensor]:
        """Return the node's function of the tensors that depend on the input; everything else is filled in.

        Arguments are copied where the operation may overwrite them.
        """
        if module is not None:
            # Not the module's call, which would run the user's hooks. An in-place activation gets a copy.
            here, name, copied = self._net, str(node.target), getattr(module, "inplace", False)
            return lambda x: here.get_submodule(name).forward(x.clone() if copied else x)
        overwrites = bool(node.kwargs.get("inplace")) or any(item is True for item in node.args)
        overwrites = overwrites or self._kind(node).endswith("_") or self._kind(node) in ("iadd", "isub", "imul")

        def function(*tensors: torch.Tensor) -> Any:
            known = dict(zip(sources, tensors, strict=True))

            def value(item: fx.Node) -> Any:
                if item not in known:
                    return self._constant(item)
                return known[item].clone() if overwrites else known[item]

            return computed(self._net, node, value)

        parent = sources[0]
        if node.target is operator.getitem and self._kind(parent) in _SEVERAL:
            parts: Any = self._function(parent, None, [self._tensor_source(parent)])
            place: Any = node.args[1]
            return lambda x: parts(x)[place]
        return function

    def _tensor_source(self, node: fx.Node) -> fx.Node:
        return next(source for source in node.all_input_nodes if source in self._places)

    # Linear nodes

    def _linear(
        self, node: fx.Node, module: nn.Module | None, kind: str, name: str, inputs: tuple[int, ...]
    ) -> Operation | None:
        """Return the node of a convolution, dense layer or batch normalisation; None for anything else."""
        net: Any = self._net
        target = str(node.target)
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Linear):

            def weights() -> tuple[torch.Tensor, torch.Tensor | None]:
                return _live(net, target, "weight"), _live(net, target, "bias")

            def convolve(*tensors: torch.Tensor) -> torch.Tensor:
                output: torch.Tensor = net.get_submodule(target)._conv_forward(*tensors)
                return output

            return self._weighted(node, inputs, weights, functional.linear if kind == "Linear" else convolve)
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            if module.running_mean is None:
                raise unsupported(name, kind, "it normalises by the batch's own statistics")

            def batch_norm() -> tuple[torch.Tensor, torch.Tensor]:
                layer: Any = net.get_submodule(target)
                return _scale_and_shift(layer.running_mean, layer.running_var, layer.weight, layer.bias, layer.eps)

            return Diagonal(name=name, inputs=inputs, function=_channelwise, parameters=batch_norm, feature_axis=1)
        if kind in ("conv1d", "conv2d", "linear") and node.op == "call_function":
            return self._functional(node, kind, inputs)
        if kind == "batch_norm":
            return self._functional_norm(node, inputs)
        return None

    def _weighted(
        self, node: fx.Node, inputs: tuple[int, ...], parameters: Parameters, function: Callable[..., torch.Tensor]
    ) -> Linear:
        dense = self._kind(node).lower() == "linear"
        return Linear(
            name=self._name(node), inputs=inputs, function=function, parameters=parameters, convolution=not dense,
            feature_axis=len(node.meta["value"].shape) - 1 if dense else 1,
            scaled=lambda weight, scale: weight * scale.reshape(-1, *(1,) * (weight.ndim - 1)),
        )  # fmt: skip

    def _functional(self, node: fx.Node, kind: str, inputs: tuple[int, ...]) -> Linear:
        given = _named(node, ("input", "weight", "bias", "stride", "padding", "dilation", "groups"))
        if len(inputs) > 1 or given["input"] not in self._places:
            raise unsupported(self._name(node), kind, "its weights depend on the input")
        options = {key: given[key] for key in ("stride", "padding", "dilation", "groups") if key in given}
        called: Any = node.target

        def parameters() -> tuple[torch.Tensor, torch.Tensor | None]:
            return self._tensor(given["weight"]), self._tensor(given.get("bias"))

        return self._weighted(node, inputs, parameters, lambda x, weight, bias: called(x, weight, bias, **options))

    def _functional_norm(self, node: fx.Node, inputs: tuple[int, ...]) -> Diagonal:
        name = self._name(node)
        order = ("input", "running_mean", "running_var", "weight", "bias", "training", "momentum", "eps")
        given = _named(node, order)
        if given.get("training") or given.get("running_mean") is None or len(inputs) > 1:
            raise unsupported(name, "batch_norm", "it normalises by the batch's own statistics")

        def parameters() -> tuple[torch.Tensor, torch.Tensor]:
            mean, variance, weight, bias = (self._tensor(given.get(key)) for key in order[1:5])
            return _scale_and_shift(mean, variance, weight, bias, given.get("eps", 1e-5))

        return Diagonal(name=name, inputs=inputs, function=_channelwise, parameters=parameters, feature_axis=1)

    def _tensor(self, item: Any) -> Any:
        value = self._constant(item) if isinstance(item, fx.Node) else item
        return value.detach().float() if isinstance(value, torch.Tensor) else value

    # Arithmetic

    def _arithmetic(self, node: fx.Node, kind: str, given: dict[str, Any]) -> int:
        """Add a sum of tensors, or a tensor with a constant; products of tensors are not linear."""
        operands = [item for item in node.args if isinstance(item, fx.Node) and item in self._places]
        if len(operands) == 1 and "alpha" not in node.kwargs:
            if self._shape(node) != self._shape_of(operands[0]):
                raise unsupported(given["name"], kind, "a constant of another shape")
            if "div" in kind and node.args[0] is not operands[0]:
                raise unsupported(given["name"], kind, "division by a tensor that depends on the input")
            return self._builder.add(Diagonal(**given))
        if kind in ("add", "iadd", "add_") and "alpha" not in node.kwargs:
            places = tuple(self._places[item] for item in operands)
            return self._builder.add(Mixing(name=given["name"], inputs=places, function=lambda one, other: one + other))
        raise unsupported(given["name"], kind, "arithmetic between tensors other than their sum")

    def _check_padding(self, node: fx.Node, module: nn.Module | None, kind: str, name: str) -> None:
        """Refuse padding by a value that is neither neutral for sums nor for maxima."""
        if kind == "pad":
            given = _named(node, ("input", "pad", "mode", "value"))
            value = given.get("value") or 0.0
        else:
            value = getattr(module, "value", 0.0)
        if value not in (0, 0.0, float("-inf")):
            raise unsupported(name, kind, f"it pads with {value}")


def _named(node: fx.Node, order: tuple[str, ...]) -> dict[str, Any]:
    """Return a call's arguments by name."""
    return {**dict(zip(order, node.args, strict=False)), **node.kwargs}


def _live(net: nn.Module, target: str, name: str) -> Any:
    """Return a module's parameter as it is now, or None where it has none."""
    value = getattr(net.get_submodule(target), name)
    return value if value is None else value.detach().float()


def _scale_and_shift(mean: Any, variance: Any, weight: Any, bias: Any, epsilon: float) -> tuple[Any, Any]:
    """Return what batch normalisation in inference multiplies by and adds."""
    scale = torch.rsqrt(variance.detach().float() + epsilon)
    scale = scale if weight is None else scale * weight.detach().float()
    shift = -mean.detach().float() * scale
    return scale, shift if bias is None else shift + bias.detach().float()


def _channelwise(x: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    shape = (1, -1, *(1,) * (x.ndim - 2))
    return x * scale.reshape(shape) + shift.reshape(shape)
