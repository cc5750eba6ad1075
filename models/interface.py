"""What a framework must answer about a network, and what follows from that alone: shapes, layout, conversions.

The engine, the graph, copies and whatever else looks into a network know it by this interface; the comfortable object
that owns them, `Model`, stands above (`models/base.py`). No framework's module is imported here.
"""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Callable, Hashable, Iterator
from typing import Any, TypedDict, Unpack

import numpy as np

from ..datasets.base import RawValues, Sizing
from ..datasets.samples import UNIT, Neutral
from ..errors import BadInput
from .arrays.operations import Tensor, TensorOperations
from .conventions import Conventions
from .insides import Found, Insides
from .normalization import Normalization
from .queries import Answer, Framework, PassCount, Precision, Query
from .reading.outputs import Ending, Link, OutputReading
from .reading.weights_read import WeightsRead

#: What a network does to raw inputs first: a normalisation, or a function from native batch to native batch.
Preprocess = Normalization | Callable[[Any], Any]


class ModelOptions(TypedDict):
    """What a model is told about itself, besides its network and device."""

    name: str
    precision: Precision
    input_shape: tuple[int, ...] | None
    class_names: tuple[str, ...] | None
    sizing: Sizing
    preprocess: Preprocess | None
    weights_id: str | None
    conventions: Conventions


def _each(function: Callable[[Any], Any], neutral: Neutral) -> Neutral:
    """Return one number, or one for each channel, after a function."""
    return tuple(map(function, neutral)) if isinstance(neutral, tuple) else function(neutral)


class Interface(Insides):
    """A network of either framework, as everything below `Model` knows it.

    Attributes
    ----------
    name
        Its name in tables.
    device
        Where it runs, in the framework's spelling.
    precision
        ``float32``, or ``bf16`` by automatic mixed precision.
    class_names
        One name per class, or None.
    sizing
        How photographs get the input size.
    preprocess
        What is done to raw inputs before the network sees them, or None.
    known_weights_id
        What identifies the weights where that is known; None where they have to be hashed.
    conventions
        What its user states about its inputs and outputs.
    reading
        What its outputs are, and how that was told.
    takes_bytes
        What shows that the network takes values of 0 to 255, so that raw values are given to it times 255; else empty.
    weights_read
        What its builder read into it, where heatmark called the builder.
    loaded_as
        The name by which `load_model` finds it again; empty for a network that was wrapped.
    randomised_now
        The layers that hold random values at the moment, with their seeds, in the order in which they came to.
    shift
        How far its inputs are shifted against those of the model that it was made of; see `Model.shifted`.
    """

    framework: Framework
    """``torch`` or ``tensorflow``."""
    kept_inputs: int
    """What a backward pass keeps of each row until it is done, in sizes of an input, as measured with
    EfficientNet-Lite0.
    """
    net: Any
    """The network itself, a ``torch.nn.Module`` or ``keras.Model``."""
    operations: TensorOperations
    """The array namespace on its device."""
    rows_alone = False
    """Whether the engine asks for one row at a time, because the network's answers depend on the rest of the batch."""

    def __init__(self, *, device: str, **options: Unpack[ModelOptions]) -> None:
        self.device = device
        self.name = options["name"]
        self.precision = options["precision"]
        self.class_names = options["class_names"]
        self.sizing = options["sizing"]
        self.preprocess = options["preprocess"]
        self.known_weights_id = options["weights_id"]
        self.conventions = options["conventions"]
        self._shape = options["input_shape"]
        self.reading = OutputReading()
        self.takes_bytes = ""
        self.weights_read: tuple[WeightsRead, ...] = ()
        self.loaded_as = ""
        self.randomised_now: tuple[tuple[tuple[str, ...], int], ...] = ()
        self.shift = 0.0
        self._passes = PassCount()
        self._found: dict[Hashable, Any] = {}

    @property
    def on_cpu(self) -> bool:
        """Whether it runs on a processor rather than an accelerator."""
        return self.operations.on_cpu

    def once(self, key: Hashable, find: Callable[[], Found]) -> Found:
        """Return what ``find`` gives, worked out once for this network, preprocessing and input shape."""
        if key not in self._found:
            self._found[key] = find()
        found: Found = self._found[key]
        return found

    def forget(self) -> None:
        """Drop everything that was worked out, because the input shape or the preprocessing is another one now."""
        self._found = {}

    # Shapes, and what the native layout means

    @property
    def layouts(self) -> tuple[str, ...]:
        """The memory formats that the engine may choose from."""
        return ("native",)

    @property
    def left_out(self) -> str:
        """Why a memory format that the framework has is not among `layouts`; empty where none is missing."""
        return ""

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
    def domain(self) -> tuple[float, float]:
        """The lowest and the highest raw value: as stated, else 0 and 1."""
        return self.conventions.domain or UNIT

    def from_unit(self, values: Any) -> Any:
        """Return numbers or a tensor in [0, 1] as raw values: 0 becomes the lowest, 1 the highest."""
        low, high = self.domain
        return values if (low, high) == UNIT else low + (high - low) * values

    def to_unit(self, values: Any) -> Any:
        """Return raw values in [0, 1]: the inverse of `from_unit`."""
        low, high = self.domain
        return values if (low, high) == UNIT else (values - low) / (high - low)

    @property
    def is_picture(self) -> bool:
        """Whether an input has two or more spatial axes."""
        return len(self.input_shape) > 2

    @property
    def link(self) -> Link:
        """How its classes share the probability."""
        return self.reading.link

    @property
    def zero(self) -> np.ndarray | None:
        """The raw value (scalar or per channel) that the preprocessing maps to zero; None where that is unknown."""
        if isinstance(self.preprocess, Normalization):
            return np.asarray(self.preprocess.zero, np.float32)
        return np.zeros(1, np.float32) if self.preprocess is None else None

    def raw_values(self, data: RawValues | None = None) -> RawValues:
        """Return what this model's raw values mean, with nothing left open.

        What the model states counts first, then what the data says, then a rule: the domain is [0, 1]; the neutral
        value is each sample's own mean for pictures and for series without negative values, the middle of the domain
        for signed series, and zero (or the end of the domain that is nearest to it) for flat vectors.

        Parameters
        ----------
        data
            What the dataset says (`Dataset.raw_values`), where one is known.
        """
        stated, data = self.conventions, data or RawValues()
        low, high = domain = stated.domain or data.domain or UNIT
        neutral = stated.neutral
        if neutral is None and data.neutral is not None:
            # Data in [0, 1] are given to the model in the domain that it states (`datasets.framing`).
            scaled = data.neutral != "mean" and data.domain in (None, UNIT)
            neutral = _each(self.from_unit, data.neutral) if scaled else data.neutral
        if neutral is None:
            axes = 0 if self.channel_axis is None else len(self.spatial_axes)
            signed_series: Neutral = (low + high) / 2 if low < 0 else "mean"
            neutral = {0: min(max(0.0, low), high), 1: signed_series}.get(axes, "mean")
        return RawValues(domain, neutral)

    @property
    def channel_axis(self) -> int | None:
        """The channel axis of a batch: by default 1 in PyTorch and -1 in Keras; None for flat feature vectors."""
        if len(self.input_shape) == 1:
            return None
        return 1 if self.channels_stand_first else -1

    @property
    def channels_stand_first(self) -> bool:
        """Whether the channels of inputs, where they have any, stand before their positions."""
        stated = self.conventions.channel_axis
        return self.framework == "torch" if stated is None else stated == 1

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

    # What a framework answers

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
    def logits(self, x: Tensor) -> Tensor:
        """Return the logits (m, classes), float32, of raw inputs, by a plain call of the network as it stands."""

    @abstractmethod
    def find_ending(self) -> Ending | None:
        """Return the network's final layer where that makes probabilities of logits and can be left out, else None."""

    @property
    @abstractmethod
    def computes_in_half(self) -> bool:
        """Whether some of the network computes in float16 or bfloat16."""

    @abstractmethod
    def settle(self, x: Tensor) -> None:
        """Find out, with some inputs, in which form the network takes them; a framework may know only one."""

    def prepared(self, x: Tensor) -> Tensor:
        """Return what the network itself gets for raw inputs."""
        if isinstance(self.preprocess, Normalization):
            return self.preprocess.apply(x, self.channel_axis, self.constant, self.operations.flip)
        return x if self.preprocess is None else self.preprocess(x)

    def rebuilt(self) -> bool:
        """Return whether parts of the network are others, or of other types, than when this was last asked."""
        return False

    def blank(self) -> Tensor:
        """Return one raw input of zeros."""
        return self.operations.zeros((1, *self.input_shape))

    def constant(self, array: np.ndarray) -> Tensor:
        """Return the array on the device."""
        return self.from_numpy(array)

    @property
    def resolution(self) -> float:
        """How far apart, as a share of what is summed, the same may be that is computed in two ways."""
        return 2.0**-6 if self.computes_in_half else 1e-5

    @abstractmethod
    def synchronise(self) -> None:
        """Wait until the device has done all that was asked, so that a clock read next is honest."""

    @abstractmethod
    def is_out_of_memory(self, error: BaseException) -> bool:
        """Return whether the exception is the framework's way of saying that memory ran out."""

    def weights_id(self) -> str:
        """Return what identifies the weights: the zoo's digest, or the hash of the weights."""
        return self.known_weights_id or self.hash_weights()

    def hash_weights(self) -> str:
        """Return the SHA-256 of all weights as they are now."""
        hasher = hashlib.sha256()
        for description, values in self._weights():
            hasher.update(description.encode())
            hasher.update(values)
        return hasher.hexdigest()

    def weights_size(self) -> tuple[int, int]:
        """Return how many entries the weights' identity covers, and their bytes."""
        sizes = [len(values) for _, values in self._weights()]
        return len(sizes), sum(sizes)

    @abstractmethod
    def _weights(self) -> Iterator[tuple[str, bytes]]:
        """Yield every array of weights: its name, type and shape, and its bytes."""

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
