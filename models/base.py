"""The one interface over a network of either framework: a few queries, each described as data.

Everything that a method or a metric asks of a network is a `Query` (`models/queries.py`); a `Model` answers it for one
chunk of inputs (`Model.run`), and the engine (`models/engine.py`) cuts work of any size into such chunks.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import numpy as np

from ..datasets.base import Sizing
from ..errors import BadInput, HeatmarkError, UnknownName, suggestion
from .arrays.operations import Tensor, TensorOperations
from .normalization import Normalization
from .queries import Answer, AttentionLayer, Framework, Layer, LayerBias, PassCount, Precision, Query
from .token_grid import Tokens, maps_of_tokens

if TYPE_CHECKING:
    from .copies.randomised import ParameterLayer
    from .engine import Engine

#: What a network does to raw inputs first: a normalisation, or a function from native batch to native batch.
Preprocess = Normalization | Callable[[Any], Any]


class Description(TypedDict):
    """What a model is told about itself, besides its network and device."""

    name: str
    precision: Precision
    input_shape: tuple[int, ...] | None
    class_names: tuple[str, ...] | None
    sizing: Sizing
    preprocess: Preprocess | None
    weights_id: str | None


class Model(ABC):
    """A network of either framework behind one interface.

    Attributes
    ----------
    name
        Its name in tables.
    framework
        ``torch`` or ``tensorflow``.
    device
        Where it runs, in the framework's spelling.
    precision
        ``float32``, or ``bf16`` by automatic mixed precision.
    class_names
        One name per class, or None.
    sizing
        How photographs get the input size.
    operations
        The array namespace on its device.
    """

    framework: Framework
    operations: TensorOperations

    def __init__(self, *, device: str, **description: Unpack[Description]) -> None:
        self.device = device
        self.name = description["name"]
        self.precision = description["precision"]
        self.class_names = description["class_names"]
        self.sizing = description["sizing"]
        self._preprocess = description["preprocess"]
        self._weights_id = description["weights_id"]
        self._shape = description["input_shape"]
        self._fixed_shape = self._shape is not None
        self._classes: int | None = None
        self._from_probabilities = False
        self._passes = PassCount()
        self._shifted: dict[float, Model] = {}

    # Shapes, and what the native layout means

    @property
    def layouts(self) -> tuple[str, ...]:
        """The memory formats that the engine may choose from."""
        return ("native",)

    @property
    def stated_shape(self) -> tuple[int | None, ...] | None:
        """What the network itself says of one input's shape, None for what it leaves open; None if it says nothing."""
        return None

    @property
    def knows_shape(self) -> bool:
        """Whether the input shape is known; if not, that of the first input is taken."""
        return self._shape is not None

    @property
    def input_shape(self) -> tuple[int, ...]:
        """One raw input's shape in the native layout, without the batch axis; BadInput while it is unknown."""
        if self._shape is None:
            raise BadInput(
                f"The input shape of {self.name} is not known yet. Give it: heatmark.wrap(net, input_shape=(...))."
            )
        return self._shape

    @property
    def num_classes(self) -> int:
        """The number of logits; BadInput while no input shape is known."""
        if self._classes is None:
            self.probe()
        assert self._classes is not None
        return self._classes

    @property
    def zero(self) -> np.ndarray | None:
        """The raw value (scalar or per channel) that the preprocessing maps to zero; None where that is unknown."""
        if isinstance(self._preprocess, Normalization):
            return np.asarray(self._preprocess.zero, np.float32)
        return np.zeros(1, np.float32) if self._preprocess is None else None

    @property
    def channel_axis(self) -> int | None:
        """The channel axis of a batch: 1 in PyTorch, -1 in Keras, None for flat feature vectors."""
        if len(self.input_shape) == 1:
            return None
        return 1 if self.framework == "torch" else -1

    @property
    def spatial_axes(self) -> tuple[int, ...]:
        """The spatial axes of a batch, as positive numbers; a flat vector's only axis counts as spatial."""
        if self.channel_axis is None:
            return (1,)
        first = 2 if self.channel_axis == 1 else 1
        return tuple(range(first, first + len(self.input_shape) - 1))

    @property
    def spatial_shape(self) -> tuple[int, ...]:
        """The size of each spatial axis."""
        return tuple(self.input_shape[axis - 1] for axis in self.spatial_axes)

    @property
    def channels(self) -> int:
        """The number of input channels (1 for flat vectors)."""
        return 1 if self.channel_axis is None else self.input_shape[0 if self.channel_axis == 1 else -1]

    def channels_first(self, tensor: Tensor) -> Tensor:
        """Return a native batch (inputs or a layer's output with a channel axis) as (n, channels, *spatial).

        Tokens (n, tokens, channels) are brought to the grid of their patches, without class token and registers.
        """
        rank = len(tensor.shape)
        grid = self.tokens.grid_of_output(tuple(tensor.shape[1:]))
        if grid is not None:
            return maps_of_tokens(self.operations, tensor, grid)
        if self.channel_axis == -1:
            return self.operations.transpose(tensor, (0, rank - 1, *range(1, rank - 1)))
        return tensor[:, None] if self.channel_axis is None else tensor

    def native(self, tensor: Tensor) -> Tensor:
        """Return (n, channels, *spatial) in the native layout: the inverse of `channels_first`."""
        rank = len(tensor.shape)
        if self.channel_axis == -1:
            return self.operations.transpose(tensor, (0, *range(2, rank), 1))
        return tensor[:, 0] if self.channel_axis is None else tensor

    def native_array(self, array: np.ndarray) -> np.ndarray:
        """Return a NumPy (n, channels, *spatial) array in the native layout."""
        if self.channel_axis == -1:
            return np.moveaxis(array, 1, -1)
        return array[:, 0] if self.channel_axis is None else array

    def with_channel_axis(self, maps: Tensor) -> Tensor:
        """Return (n, *spatial) maps with a channel axis of size one, so that they broadcast against inputs."""
        if self.channel_axis is None:
            return maps
        return maps[:, None] if self.channel_axis == 1 else maps[..., None]

    def without_channel_axis(self, maps: Tensor) -> Tensor:
        """Return what `with_channel_axis` gave without that axis, (n, *spatial)."""
        if self.channel_axis is None:
            return maps
        return maps[:, 0] if self.channel_axis == 1 else maps[..., 0]

    # Conversions

    def from_numpy(self, array: np.ndarray) -> Tensor:
        """Return the array as a tensor on the model's device."""
        return self.operations.from_numpy(array)

    def to_numpy(self, tensor: Tensor) -> np.ndarray:
        """Return the tensor as a NumPy array."""
        return self.operations.to_numpy(tensor)

    def inputs(self, x: Any) -> Tensor:
        """Return ``x`` (array or tensor, native layout) as a checked float32 batch on the device, never aliased.

        Raises
        ------
        BadInput
            For a wrong layout or shape, an empty batch, or NaN and infinite values, with where they are.
        """
        shape = tuple(int(size) for size in np.shape(x))
        if not self._fixed_shape and len(shape) > 1 and shape[1:] != self._shape:
            self._adopt(shape[1:])
        if len(shape) != len(self.input_shape) + 1 or shape[1:] != self.input_shape:
            raise BadInput(self._shape_message(shape))
        if shape[0] == 0:
            raise BadInput("The batch is empty: give at least one sample.")
        tensor = self.as_tensor(x)
        finite = self.to_numpy(self.operations.is_finite(tensor)).reshape(shape[0], -1)
        if not finite.all():
            rows = np.flatnonzero(~finite.all(axis=1))
            raise BadInput(
                f"The input has {int((~finite).sum())} NaN or infinite values, in sample(s) {_some(rows)}. "
                "Remove or repair them first."
            )
        return tensor

    def targets(self, target: Any, count: int) -> np.ndarray:
        """Return ``target`` (one class or one per sample) as int64 (count,); BadInput when out of range."""
        classes = np.asarray(self.plain(target))
        whole = classes.dtype.kind in "iu" or (classes.dtype.kind == "f" and np.array_equal(classes, np.rint(classes)))
        if not whole:
            raise BadInput(f"The target must be whole class numbers, got {classes.dtype} values.")
        classes = classes.astype(np.int64)
        if classes.shape not in ((), (1,), (count,)):
            raise BadInput(f"The target has shape {classes.shape}; give one class, or one per sample: ({count},).")
        classes = np.broadcast_to(classes, (count,)).copy()
        wrong = classes[(classes < 0) | (classes >= self.num_classes)]
        if wrong.size:
            raise BadInput(
                f"Target class {_some(np.unique(wrong))} is out of range: {self.name} has classes 0 to "
                f"{self.num_classes - 1}."
            )
        return classes

    def probe(self, num_classes: int | None = None) -> None:
        """Send two inputs through the network and learn what comes out.

        Raises
        ------
        BadInput
            If the network does not take inputs of its shape, or its output is not (n, classes), or there are not
            ``num_classes`` of them.
        """
        noise = np.random.default_rng(0).random((2, *self.input_shape), dtype=np.float32)
        try:
            logits = self.to_numpy(self.run(Query(), self.from_numpy(noise), None).logits)
        except (RuntimeError, ValueError, TypeError, AttributeError) as error:
            if isinstance(error, HeatmarkError) or self.is_out_of_memory(error):
                raise
            raise BadInput(
                f"{self.name} ({self.framework}) failed on inputs of shape {self.input_shape}: {error}"
            ) from error
        if logits.ndim != 2 or len(logits) != 2:
            raise BadInput(
                f"{self.name} returns an output of shape {logits.shape} for 2 inputs; heatmark needs logits of shape "
                "(n, classes). Wrap a network that ends in its class scores."
            )
        if num_classes is not None and logits.shape[1] != num_classes:
            raise BadInput(f"{self.name} has {logits.shape[1]} outputs, but num_classes={num_classes} was given.")
        self._classes = int(logits.shape[1])
        if self._classes > 1 and (logits >= 0).all() and np.allclose(logits.sum(axis=1), 1, atol=1e-4):
            self._from_probabilities = True
            warnings.warn(
                f"The output of {self.name} looks like probabilities, and the softmax cannot be taken off: their "
                "logarithm is used as logits. Give a network that returns logits for gradients of the true logits.",
                stacklevel=3,
            )

    def _adopt(self, shape: tuple[int, ...]) -> None:
        """Take the shape of an input as the model's own, and forget what held for another shape."""
        before = self._shape
        self._shape = shape
        try:
            self.probe(self._classes)
        except HeatmarkError:
            self._shape = before
            raise
        self.forget_shape()
        self._shifted = {}
        self.__dict__.pop("engine", None)
        self.__dict__.pop("tokens", None)

    def _shape_message(self, shape: tuple[int, ...]) -> str:
        wanted = f"(n, {', '.join(map(str, self.input_shape))})"
        message = f"The input has shape {shape} but {self.name} ({self.framework}) takes {wanted}."
        one = shape[1:] if len(shape) == len(self.input_shape) + 1 else shape
        if len(shape) == len(self.input_shape) and shape == self.input_shape:
            return f"{message} Add the batch axis: x[None]."
        moved = one[-1:] + one[:-1] if self.framework == "torch" else one[1:] + one[:1]
        if len(one) == len(self.input_shape) and moved == self.input_shape and one != self.input_shape:
            layout = "channels first" if self.framework == "torch" else "channels last"
            return f"{message} Its channels stand on the wrong side: {self.framework} models take {layout}."
        return message

    # The queries

    @abstractmethod
    def as_tensor(self, x: Any) -> Tensor:
        """Return an array or tensor as float32 on the device, sharing no memory with ``x``."""

    @abstractmethod
    def plain(self, value: Any) -> Any:
        """Return a framework tensor as a NumPy array, anything else as it is."""

    @abstractmethod
    def run(
        self,
        query: Query,
        x: Tensor,
        target: Tensor | None,
        layout: str | None = None,
        replacement: Tensor | None = None,
    ) -> Answer:
        """Answer a query for one chunk (m, *input_shape), leaving the network as it was.

        ``target`` (m,) int64 may be None for a query without gradients; ``layout`` is one of `layouts`;
        ``replacement`` (m, *layer's shape) is what `Query.replaced` asks for.
        """

    @abstractmethod
    def biases(self) -> tuple[LayerBias, ...]:
        """Return the layers that add a constant to each channel, with it: what FullGrad calls biases."""

    @abstractmethod
    def has_rectifiers(self) -> bool:
        """Return whether the network computes any ReLU or ReLU6."""

    @abstractmethod
    def attentions(self) -> tuple[AttentionLayer, ...]:
        """Return the places where tokens attend to tokens, in the order in which they are computed."""

    def has_attention(self) -> bool:
        """Return whether the network computes any attention of tokens to tokens."""
        return bool(self.attentions())

    @cached_property
    def tokens(self) -> Tokens:
        """What is known of the network's tokens, where it has any."""
        return Tokens(self)

    @abstractmethod
    def forget_shape(self) -> None:
        """Drop everything that was worked out for the previous input shape."""

    @abstractmethod
    def layers(self) -> tuple[Layer, ...]:
        """Return the layers in the order in which their outputs are last computed."""

    @abstractmethod
    def parameter_layers(self) -> tuple[ParameterLayer, ...]:
        """Return the layers that have parameters, in the order in which they are computed."""

    def randomised(self, layers: Sequence[str], seed: int) -> AbstractContextManager[Model]:
        """Return a context (``with model.randomised(...) as other``) in which layers have fresh random parameters.

        What it yields is this model, whose network holds the random values until the context is left or raises; then
        it has its own again, to the bit. Contexts may be nested. See `models/copies/randomised.py` for what is drawn.

        Parameters
        ----------
        layers
            Names of `parameter_layers`; UnknownName for others, on entering.
        seed
            Of the values. A layer's depend on this and its name alone, not on which others are named.
        """
        from .copies.randomised import randomised

        return randomised(self, layers, seed)

    def shifted(self, shift: float) -> Model:
        """Return a model, kept, of the same network that gives for x + ``shift`` what this one gives for x."""
        from .copies.shifted import shifted

        if shift not in self._shifted:
            self._shifted[shift] = shifted(self, shift)
        return self._shifted[shift]

    @abstractmethod
    def synchronise(self) -> None:
        """Wait until the device has done all that was asked, so that a clock read next is honest."""

    @abstractmethod
    def is_out_of_memory(self, error: BaseException) -> bool:
        """Return whether the exception is the framework's way of saying that memory ran out."""

    @abstractmethod
    def hash_weights(self) -> str:
        """Return the SHA-256 of all weights as they are now."""

    def weights_id(self) -> str:
        """Return what identifies the weights: the zoo's digest, or the hash of the weights."""
        return self._weights_id or self.hash_weights()

    @cached_property
    def engine(self) -> Engine:
        """The engine that runs queries over any number of rows."""
        from .engine import Engine

        return Engine(self)

    @property
    def passes(self) -> PassCount:
        """Rows sent through the network so far, exactly."""
        return self._passes

    def count(self, query: Query, rows: int) -> None:
        """Add the passes of one answered chunk."""
        self.add_passes(PassCount(rows, rows if query.backward else 0))

    def add_passes(self, passes: PassCount) -> None:
        """Add passes that went through the network without the engine, in another library's loop."""
        self._passes += passes

    @property
    def chunks(self) -> dict[str, int]:
        """The chunk sizes that the engine has settled on, by kind of query."""
        return self.engine.chunk_sizes()

    def outputs(self, x: Any) -> np.ndarray:
        """Return the logits (n, classes), float32, for raw inputs in the native layout."""
        return self.to_numpy(self.engine.outputs(self.inputs(x)))

    def layer(self, name: str | None = None) -> Layer:
        """Return the named layer, or the default: the last one whose output still has positions and is no pooling.

        A transformer's tokens have positions too: see `Tokens.default_layer`.

        Raises
        ------
        UnknownName
            If there is no such layer, with near names.
        BadInput
            If no layer has spatial positions.
        """
        layers = self.layers()
        if name is not None:
            for layer in layers:
                if layer.name == name:
                    return layer
            names = [layer.name for layer in layers]
            raise UnknownName(f"{self.name} has no layer {name!r}.{suggestion(name, names)} It has {_ends(names)}.")
        maps = self.feature_maps()
        if not maps:
            raise BadInput(f"{self.name} has no layer with spatial positions.")
        return maps[-1]

    def feature_maps(self) -> tuple[Layer, ...]:
        """Return the layers whose outputs have positions and are no pooled, flattened or padded copies, in order.

        Of a transformer's layers of tokens it is the one that `Tokens.default_layer` tells.
        """
        tokens = self.tokens
        return tuple(
            layer
            for layer in self.layers()
            if layer == tokens.default_layer or (self._is_feature_map(layer) and not tokens.is_inside(layer))
        )

    def _is_feature_map(self, layer: Layer) -> bool:
        """Return whether a layer's output is a map of features rather than a pooled, flattened or padded copy."""
        if len(layer.shape) != len(self.input_shape) or self.channel_axis is None:
            return False
        spatial = layer.shape[1:] if self.channel_axis == 1 else layer.shape[:-1]
        passing = ("Pool", "Flatten", "Dropout", "Pad", "Identity", "Input", "Permute")
        return max(spatial) > 1 and not any(word in layer.kind for word in passing)

    def __repr__(self) -> str:
        return f"<{self.framework} model {self.name!r} {self.input_shape} -> {self.num_classes} on {self.device}>"


def _ends(names: Sequence[str], most: int = 20) -> str:
    """Return all names as text, or the last few, which are those that methods look at."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{len(names)} layers, the last of them: {', '.join(names[-most:])}"


def _some(values: np.ndarray, most: int = 5) -> str:
    """Return the first few values as text."""
    shown = ", ".join(str(value) for value in values[:most])
    return f"{shown}, ... ({len(values)} in all)" if len(values) > most else shown
