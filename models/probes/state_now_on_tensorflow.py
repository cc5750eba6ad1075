"""What stands for the state that a Keras network, Keras and TensorFlow are in."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ..arrays.tensor_float_32 import tensor_float_32
from .keras_layers import named_layers, plain_variables

_INTEGERS = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64, 16: np.uint64}

_SETTINGS = (bool, int, float, str, tuple)
"""The types of what a layer is set to, such as its strides, its epsilon or its rate."""


def state_now(net: keras.Model) -> dict[str, Any]:
    """Return what stands for each part of a network and for the frameworks' settings; see `models/unharmed.py`."""
    found: dict[str, Any] = {
        "Keras's default type": (keras.config.floatx(), keras.config.dtype_policy().name),
        "Keras's epsilon": keras.config.epsilon(),
        "Keras's image data format": keras.config.image_data_format(),
        "whether tf.functions run eagerly": tf.config.functions_run_eagerly(),
        "the precision of products": tensor_float_32("tensorflow"),
    }
    for name, layer in {"the network": net, **{repr(name): one for name, one in named_layers(net).items()}}.items():
        found[f"which layer {name} is"] = (id(layer), "call" in vars(layer), id(getattr(layer, "activation", None)))
        found[f"whether {name} is trainable"] = layer.trainable
        if type(layer).__module__.startswith("keras."):  # others may keep what they like of a pass
            found[f"the settings of {name}"] = {
                key: value for key, value in vars(layer).items() if isinstance(value, _SETTINGS) and key[0] != "_"
            }
    variables = {f"{place} {variable.path}": variable.value for place, variable in enumerate(net.weights)}
    for name, value in {**variables, **dict(plain_variables(net))}.items():
        found[f"the weights {name!r}"] = (tuple(value.shape), value.dtype.name, *_two_sums(value))
    return found


def _two_sums(value: Any) -> tuple[int, int]:
    """Return the sum of a variable's bits, and one in which their places count, so that a new order is seen.

    As in PyTorch's: rows and columns of a square, and sums of 32 bits that may overflow.
    """
    array = np.ascontiguousarray(value.numpy()).reshape(-1)
    if array.dtype == object:
        return 0, 0
    bits = array.view(_INTEGERS[array.dtype.itemsize])
    kind = np.uint32 if bits.dtype == np.uint32 else np.uint64
    side = max(1, math.isqrt(bits.size))
    square, rest = bits[: side * (bits.size // side)].reshape(side, -1), bits[side * (bits.size // side) :]
    parts = [part.astype(np.uint64) for part in (square.sum(axis=1, dtype=kind), square.sum(axis=0, dtype=kind), rest)]
    places = [np.arange(1, len(part) + 1, dtype=np.uint64) for part in parts]
    placed = sum(
        (2 * n + 1) * int((part * place).sum()) for n, (part, place) in enumerate(zip(parts, places, strict=True))
    )
    return int(parts[0].sum() + parts[2].sum()), placed
