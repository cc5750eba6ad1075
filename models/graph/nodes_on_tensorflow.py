"""What each Keras layer and operation is in the graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from .graph import Diagonal, GraphBuilder, Linear, Maximum, Mixing, Nonlinearity, Rearrangement, unsupported

_IDENTITIES = frozenset({
    "InputLayer", "Identity", "Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "AlphaDropout",
    "GaussianDropout", "GaussianNoise", "ActivityRegularization", "RandomFlip", "RandomRotation", "RandomZoom",
    "RandomTranslation", "RandomContrast", "RandomBrightness",
})  # fmt: skip
_FUNCTIONS = frozenset({
    "relu", "relu6", "sigmoid", "tanh", "silu", "swish", "gelu", "elu", "celu", "selu", "leaky_relu", "softplus",
    "softsign", "mish", "exponential", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh", "log_sigmoid",
    "tanh_shrink",
})  # fmt: skip
_NONNEGATIVE = frozenset({"relu", "relu6", "sigmoid", "softplus", "exponential", "hard_sigmoid"})
_ACTIVATION_LAYERS = frozenset({"ReLU", "LeakyReLU", "ELU", "PReLU"})
_ACTIVATION_OPERATIONS = frozenset({
    "Relu", "Relu6", "Sigmoid", "Tanh", "Silu", "Gelu", "Elu", "Celu", "Selu", "LeakyRelu", "Softplus", "Softsign",
    "HardSigmoid", "HardSilu", "HardTanh", "LogSigmoid", "Clip",
})  # fmt: skip
_MAXIMA = frozenset({
    "MaxPooling1D", "MaxPooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D", "AdaptiveMaxPooling1D",
    "AdaptiveMaxPooling2D", "MaxPool", "Max",
})  # fmt: skip
_AVERAGES = frozenset({
    "AveragePooling1D", "AveragePooling2D", "GlobalAveragePooling1D", "GlobalAveragePooling2D",
    "AdaptiveAveragePooling1D", "AdaptiveAveragePooling2D", "AveragePool", "Mean", "Sum", "Average",
})  # fmt: skip
_MOVES = frozenset({
    "Flatten", "Reshape", "Permute", "RepeatVector", "ZeroPadding1D", "ZeroPadding2D", "Cropping1D", "Cropping2D",
    "UpSampling1D", "UpSampling2D", "Concatenate", "Transpose", "Squeeze", "ExpandDims", "GetItem", "Pad", "Flip",
    "Moveaxis", "Swapaxes",
})  # fmt: skip
_AFFINE = frozenset({"Rescaling", "Normalization"})
_ARITHMETIC = frozenset({"Add", "Subtract", "Multiply", "Divide", "TrueDivide"})
_CONVOLUTIONS: Any = (keras.layers.Conv1D, keras.layers.Conv2D)
_DEPTHWISE: Any = (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)
_SEPARABLE: Any = (keras.layers.SeparableConv1D, keras.layers.SeparableConv2D)


class NodeMaker:
    """Adds graph nodes for each Keras operation.

    Parameters
    ----------
    builder
        Where nodes go.
    ending
        The layer whose softmax or sigmoid is left out, because it ends the network; or None.
    """

    def __init__(self, builder: GraphBuilder, ending: Any) -> None:
        self._builder = builder
        self._ending = ending

    def add(self, operation: Any, read: tuple[int, ...], node: Any, prefix: str = "") -> int:
        """Add what an operation computes and return its position; NotApplicable names it where it is not supported.

        Parameters
        ----------
        operation
            A layer, or another operation on Keras tensors.
        read
            The positions of its inputs.
        node
            Keras' record of its inputs and outputs; None inside a Sequential without one.
        prefix
            Of its name.
        """
        kind, name = _kind(operation), f"{prefix}{operation.name}"
        is_layer = isinstance(operation, keras.layers.Layer)
        if not is_built_in(operation):
            raise unsupported(name, type(operation).__name__, "with a call of its own")
        if kind in _IDENTITIES or (kind == "Softmax" and operation is self._ending):
            return read[0]
        if isinstance(operation, (*_CONVOLUTIONS, *_DEPTHWISE, *_SEPARABLE, keras.layers.Dense)):
            return self._activated(operation, name, self._weighted(operation, name, read))
        if isinstance(operation, keras.layers.BatchNormalization):
            return self._builder.add(_batch_norm(operation, name, read))
        if kind == "Activation":
            return self._activated(operation, name, read[0])
        given: dict[str, Any] = {"name": name, "inputs": read, "function": _function(operation, node)}
        if node is not None and node.outputs[0].shape[0] is not None:
            raise unsupported(name, kind, "its output has no batch axis")
        if kind in _ACTIVATION_LAYERS or (kind in _ACTIVATION_OPERATIONS and not is_layer):
            plain = kind == "ReLU" and not operation.negative_slope
            return self._builder.add(Nonlinearity(**given, nonnegative=plain or kind in ("Relu", "Relu6", "Sigmoid")))
        if kind in _MAXIMA:
            return self._builder.add(Maximum(**given))
        if kind in _AVERAGES or (kind in _MOVES and getattr(operation, "interpolation", "nearest") != "nearest"):
            return self._builder.add(Mixing(**given))
        if kind in _MOVES:
            if kind == "Pad" and (operation.mode != "constant" or getattr(operation, "constant_values", 0)):
                raise unsupported(name, kind, "padding by other values than zero")
            return self._builder.add(Rearrangement(**given))
        if kind in _AFFINE:
            return self._builder.add(Diagonal(**given))
        if kind in _ARITHMETIC:
            return self._arithmetic(kind, node, given, is_layer=is_layer)
        raise unsupported(name, kind)

    def _activated(self, layer: Any, name: str, place: int) -> int:
        """Add a layer's fused activation after its node."""
        function = layer.activation
        kind = getattr(function, "__name__", type(function).__name__)
        if function is None or kind == "linear" or layer is self._ending:
            return place
        if kind not in _FUNCTIONS:
            raise unsupported(name, f"{type(layer).__name__} with the activation {kind}")
        return self._builder.add(
            Nonlinearity(
                name=name, inputs=(place,), function=lambda x: layer.activation(x), nonnegative=kind in _NONNEGATIVE
            )
        )

    def _arithmetic(self, kind: str, node: Any, given: dict[str, Any], *, is_layer: bool) -> int:
        """Add a sum of tensors, or a tensor with a constant; products of tensors are not linear."""
        if kind == "Add" and (is_layer or len(given["inputs"]) > 1):
            return self._builder.add(Mixing(**given))
        if node is not None and not is_layer and len(node.input_tensors) == 1:
            (symbol,) = node.input_tensors
            divided = "Div" not in kind or node.arguments.args[0] is symbol
            if divided and tuple(node.outputs[0].shape) == tuple(symbol.shape):
                return self._builder.add(Diagonal(**given))
        raise unsupported(given["name"], kind, "arithmetic between tensors other than their sum")

    # Linear nodes

    def _weighted(self, layer: Any, name: str, read: tuple[int, ...]) -> int:
        """Add the linear node of a layer, two for a separable convolution, without its activation."""
        first = getattr(layer, "data_format", None) == "channels_first"
        if isinstance(layer, keras.layers.Dense):
            return self._linear(name, read, lambda: layer.kernel, layer, tf.matmul, convolution=False)
        options = {
            "strides": _plain(layer.strides), "dilation_rate": _plain(layer.dilation_rate),
            "data_format": layer.data_format,
        }  # fmt: skip
        causal = layer.padding == "causal"
        padding = "valid" if causal else layer.padding

        def padded(x: tf.Tensor) -> tf.Tensor:
            if not causal:
                return x
            width = layer.dilation_rate[0] * (layer.kernel_size[0] - 1)
            return tf.pad(x, [[0, 0], [0, 0], [width, 0]] if first else [[0, 0], [width, 0], [0, 0]])

        def convolve(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
            return keras.ops.conv(padded(x), kernel, padding=padding, **options)

        def depthwise(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
            return keras.ops.depthwise_conv(padded(x), kernel, padding=padding, **options)

        if isinstance(layer, _SEPARABLE):
            place = self._linear(name, read, lambda: layer.depthwise_kernel, None, depthwise, first=first)
            one = {"strides": 1, "padding": "valid", "data_format": layer.data_format}
            return self._linear(
                name, (place,), lambda: layer.pointwise_kernel, layer,
                lambda x, kernel: keras.ops.conv(x, kernel, **one), first=first,
            )  # fmt: skip
        if isinstance(layer, _DEPTHWISE):
            return self._linear(name, read, lambda: layer.kernel, layer, depthwise, first=first, channels=2)
        return self._linear(name, read, lambda: layer.kernel, layer, convolve, first=first)

    def _linear(
        self,
        name: str,
        read: tuple[int, ...],
        kernel: Callable[[], Any],
        biased: Any,
        product: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
        *,
        convolution: bool = True,
        first: bool = False,
        channels: int = 1,
    ) -> int:
        """Add a linear node whose output features are the last ``channels`` axes of its kernel."""

        def parameters() -> tuple[tf.Tensor, tf.Tensor | None]:
            bias = None if biased is None or not biased.use_bias else _tensor(biased.bias)
            return _tensor(kernel()), bias

        def apply(x: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor | None) -> tf.Tensor:
            output = product(x, weight)
            if bias is None:
                return output
            return output + (tf.reshape(bias, (-1, *(1,) * (output.shape.rank - 2))) if first else bias)

        return self._builder.add(
            Linear(
                name=name, inputs=read, function=apply, parameters=parameters, convolution=convolution,
                feature_axis=1 if first else -1,
                scaled=lambda weight, scale: weight * tf.reshape(scale, weight.shape[-channels:]),
            )
        )  # fmt: skip


def is_built_in(operation: Any) -> bool:
    """Return whether what an operation computes is defined by Keras itself, not by a user's class."""
    definer = next(kind for kind in type(operation).__mro__ if "call" in vars(kind))
    return definer.__module__.startswith("keras.")


def _kind(operation: Any) -> str:
    """Return the name of Keras' own class that an operation is of."""
    return next((kind.__name__ for kind in type(operation).__mro__ if kind.__module__.startswith("keras.")), "")


def _function(operation: Any, node: Any) -> Callable[..., tf.Tensor]:
    """Return an operation's function of its input tensors alone."""
    if node is None:
        return lambda x: operation.call(x)

    def function(*tensors: tf.Tensor) -> tf.Tensor:
        found = {id(symbol): item for symbol, item in zip(node.input_tensors, tensors, strict=True)}
        args, kwargs = node.arguments.fill_in(found)
        kwargs = {key: value for key, value in kwargs.items() if key not in ("training", "mask")}
        return operation.call(*args, **kwargs)

    return function


def _batch_norm(layer: Any, name: str, read: tuple[int, ...]) -> Diagonal:
    """Return the node of a batch normalisation in its inference form."""
    axis = layer.axis if isinstance(layer.axis, int) else layer.axis[0]
    axis = -1 if axis == layer.input_spec.ndim - 1 else axis

    def parameters() -> tuple[tf.Tensor, tf.Tensor]:
        scale = tf.math.rsqrt(_tensor(layer.moving_variance) + layer.epsilon)
        scale = scale * _tensor(layer.gamma) if layer.scale else scale
        shift = -_tensor(layer.moving_mean) * scale
        return scale, shift + _tensor(layer.beta) if layer.center else shift

    def apply(x: tf.Tensor, scale: tf.Tensor, shift: tf.Tensor) -> tf.Tensor:
        shape = [1] * x.shape.rank
        shape[axis] = -1
        return x * tf.reshape(scale, shape) + tf.reshape(shift, shape)

    return Diagonal(name=name, inputs=read, function=apply, parameters=parameters, feature_axis=axis)


def _tensor(variable: Any) -> tf.Tensor:
    """Return a weight as it is now, in float32."""
    return tf.cast(tf.convert_to_tensor(variable), tf.float32)


def _plain(sizes: Any) -> Any:
    """Return strides as Keras' functions take them."""
    return tuple(sizes) if isinstance(sizes, (list, tuple)) else sizes
