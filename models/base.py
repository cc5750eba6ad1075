"""The one object over a network of either framework: what methods and metrics ask, and what it owns to answer.

Everything that they ask of a network is a `Query` (`models/queries.py`); a `Model` answers it for one chunk of inputs
(`Model.run`), and its engine (`models/engine.py`) cuts work of any size into such chunks.
"""

from __future__ import annotations

import copy
import warnings
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Self, Unpack

import numpy as np

from ..errors import BadInput, HeatmarkError, NetworkFailed, NotApplicable
from .arrays.operations import Tensor
from .copies.randomised import ParameterLayer, randomised
from .copies.shifted import shifted_preprocess
from .engine import Engine
from .graph.graph import Extraction, Network, require_same
from .interface import Interface, ModelOptions
from .layers.feature_maps import feature_maps, layer_named
from .layers.token_grid import TokenLayout, maps_of_tokens
from .probes.class_scores import far_scores, near_scores
from .probes.domain import check_domain
from .queries import Answer, Layer, PassCount, Query
from .reading.class_names import class_numbers
from .reading.given import given_array
from .reading.outputs import TOLERANCES, OutputReading, read


class Model(Interface):
    """A network of either framework, with its engine, its tokens, its graph and its copies; see `Interface` too."""

    def __init__(self, *, device: str, **options: Unpack[ModelOptions]) -> None:
        super().__init__(device=device, **options)
        self._fixed_shape = self._shape is not None
        self.when_new: Callable[[Model], None] = lambda model: None  # called for a new input shape or rebuilt network
        self._classes: int | None = None
        self._any_values = False

    # Inputs and targets

    @property
    def num_classes(self) -> int:
        """The number of logits; BadInput while no input shape is known."""
        if self._classes is None:
            self.probe()
        assert self._classes is not None
        return self._classes

    @property
    def read_as(self) -> dict[str, Any]:
        """What its numbers depend on besides its weights and code; empty where nothing is stated or told otherwise."""
        given = {name: value for name, value in vars(self.conventions).items() if value is not None}
        if self.conventions.outputs is not None:
            given["outputs"] = getattr(self.conventions.outputs, "__qualname__", "")
        if not self._fixed_shape:  # told by the first input, which decides on no identity
            return {**given, "outputs_are": "told by the first input"}
        told = {**self.reading.identity, **({"takes": self.takes_bytes} if self.takes_bytes else {})}
        return {**given, **told}

    def inputs(self, x: Any) -> Tensor:
        """Return ``x`` (array or tensor, native layout) as a checked float32 batch on the device, never aliased.

        Raises
        ------
        BadInput
            For no array, a wrong layout or shape, an empty batch, NaN and infinite values, with where they are; for
            values outside of the domain, or whole numbers in its place, if the domain is stated or these are pictures.
        """
        x = given_array(x, self.framework)
        shape = tuple(int(size) for size in x.shape)
        if not self._fixed_shape and len(shape) > 1 and shape[1:] != self._shape:
            self._adopt(shape[1:])
        elif self.rebuilt():
            self.reading, self.rows_alone = OutputReading(), False
            self.forget()
            self.probe()
            self.when_new(self)
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
        if not self._any_values and (self.conventions.domain is not None or self.is_picture):
            check_domain(self, x.dtype, tensor)
        return tensor

    @contextmanager
    def any_values(self) -> Iterator[None]:
        """Return a context in which `inputs` takes values outside of the domain, as a sample's neighbours have."""
        before, self._any_values = self._any_values, True
        try:
            yield
        finally:
            self._any_values = before

    def run(
        self,
        query: Query,
        x: Tensor,
        target: Tensor | None,
        layout: str | None = None,
        replacement: Tensor | None = None,
    ) -> Answer:
        """Answer a query for one chunk; see `Interface.run`.

        Raises
        ------
        NotApplicable
            If what is asked has no meaning for the network: a rule without ReLUs, a gradient where nothing is
            differentiable.
        NetworkFailed
            For whatever else the network or its framework raises, but for a lack of memory.
        """
        if query.rule is not None and (reason := self.why_no_rule()) is not None:
            raise NotApplicable(f"The {query.rule} backward pass has no meaning: {reason}.")
        with self.failures_told(query.in_words()):
            return self._answer(query, x, target, layout, replacement)

    @contextmanager
    def failures_told(self, asked: str) -> Iterator[None]:
        """See `Insides.failures_told`."""
        try:
            yield
        except Exception as error:
            if isinstance(error, HeatmarkError) or self.is_out_of_memory(error):
                raise
            raise NetworkFailed(
                f"{self.name} ({self.framework}) failed on inputs of shape {self.input_shape} when it was asked for "
                f"{asked}: {type(error).__name__}: {str(error).strip() or 'no message'}"
            ) from error

    @abstractmethod
    def _answer(
        self, query: Query, x: Tensor, target: Tensor | None, layout: str | None, replacement: Tensor | None
    ) -> Answer:
        """Answer a query, whatever the framework raises."""

    def targets(self, target: Any, count: int) -> np.ndarray:
        """Return ``target`` (one class or one per sample, by number or name) as int64 (count,).

        Raises
        ------
        BadInput
            For what is no class number or out of range, and for names where none are known.
        UnknownName
            For a name that no class has, with near ones.
        """
        classes = np.asarray(self.plain(target))
        if classes.dtype.kind == "U":
            classes = class_numbers(self.class_names, classes, self.name)
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
        """Send two inputs through the network and learn what comes out; the first time, also what that is.

        Raises
        ------
        BadInput
            If the network does not take inputs of its shape, or its output is not (n, classes), or there are not
            ``num_classes`` of them, or they are not what is stated of them.
        """
        self.conventions.require_axes(self.input_shape)
        first, ending = self.reading.told == "not yet", None
        start = self.from_unit(np.random.default_rng(0).random((2, *self.input_shape), dtype=np.float32))
        with self.failures_told(Query().in_words()):
            self.settle(self.from_numpy(start))
            if first and (ending := self.find_ending()) is not None and ending.is_left_out(self.conventions.output):
                self.reading = OutputReading(left_out=ending.name)
            scores = near_scores(self)
        self._classes = classes = int(scores.shape[1])
        if num_classes is not None and classes != num_classes:
            raise BadInput(f"{self.name} has {classes} outputs, but num_classes={num_classes} was given.")
        if first:
            tolerance = TOLERANCES[self.computes_in_half]
            stated, far = self.conventions.output, partial(far_scores, self, classes)
            reading = read(self.name, stated, ending, scores, far, tolerance)
            if reading.undone != "nothing":
                self.forget()  # graphs that were traced return the outputs as they come
            self.reading = reading
            if reading.warning:
                warnings.warn(reading.warning, stacklevel=3)

    def _adopt(self, shape: tuple[int, ...]) -> None:
        """Take the shape of an input as the model's own, and forget what held for another shape."""
        before = self._shape
        self._shape = shape
        try:
            self.probe(self._classes)
        except HeatmarkError:
            self._shape = before
            raise
        self.forget()
        self.when_new(self)

    def _shape_message(self, shape: tuple[int, ...]) -> str:
        wanted = f"(n, {', '.join(map(str, self.input_shape))})"
        message = f"The input has shape {shape} but {self.name} ({self.framework}) takes {wanted}."
        one = shape[1:] if len(shape) == len(self.input_shape) + 1 else shape
        if len(shape) == len(self.input_shape) and shape == self.input_shape:
            return f"{message} Add the batch axis: x[None]."
        first = self.channel_axis == 1
        moved = one[-1:] + one[:-1] if first else one[1:] + one[:1]
        if len(one) == len(self.input_shape) and moved == self.input_shape and one != self.input_shape:
            layout = "channels first" if first else "channels last"
            who = f"{self.framework} models take" if self.conventions.channel_axis is None else "this model takes"
            return f"{message} Its channels stand on the wrong side: {who} {layout}."
        return message

    # What it owns

    @property
    def engine(self) -> Engine:
        """The engine that runs queries over any number of rows."""
        return self.once("engine", lambda: Engine(self))

    @property
    def tokens(self) -> TokenLayout:
        """What is known of the network's tokens, where it has any."""
        return self.once("tokens", lambda: TokenLayout(self))

    @property
    def extraction(self) -> Extraction:
        """The network as a graph that relevance can be propagated on, or why there is none."""
        return self.once("extraction", self._extracted)

    def _extracted(self) -> Extraction:
        try:
            network = self.network()
            require_same(network, self)
        except NotApplicable as error:
            return Extraction(reason=str(error))
        return Extraction(network)

    @abstractmethod
    def network(self) -> Network:
        """Return the network as a graph of known operations; `extraction` keeps it.

        Raises
        ------
        NotApplicable
            If its operations cannot be told, or one is not supported; the message names it.
        """

    @abstractmethod
    def parameter_layers(self) -> tuple[ParameterLayer, ...]:
        """Return the layers that have parameters, in the order in which they are computed."""

    @contextmanager
    def randomised(self, layers: Sequence[str], seed: int) -> Iterator[Self]:
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
        with randomised(self, self.parameter_layers(), layers, seed):
            yield self

    def shifted(self, shift: float) -> Self:
        """Return a model, kept, of the same network that gives for x + ``shift`` what this one gives for x."""
        return self.once(("shifted", shift), lambda: self._shifted(shift))

    def _shifted(self, shift: float) -> Self:
        other = copy.copy(self)  # the network is the same object; everything that was worked out is dropped
        other.preprocess, other.shift = shifted_preprocess(self.preprocess, shift), self.shift + shift
        other._passes = PassCount()
        other.forget()
        return other

    @property
    def chunks(self) -> dict[str, int]:
        """The chunk sizes that the engine has settled on, by kind of query."""
        return self.engine.chunk_sizes()

    def outputs(self, x: Any) -> np.ndarray:
        """Return the logits (n, classes), float32, for raw inputs in the native layout."""
        return self.outputs_of(self.inputs(x))

    def outputs_of(self, inputs: Tensor) -> np.ndarray:
        """Return the logits (n, classes), float32, for what `inputs` returned."""
        return self.to_numpy(self.engine.outputs(inputs))

    # Layers

    def channels_first(self, tensor: Tensor) -> Tensor:
        """Return a batch in the layout of the inputs as (n, channels, *spatial)."""
        return tensor[:, None] if self.channel_axis is None else self._moved(tensor, self.channel_axis)

    def maps_of(self, layer: Layer, tensor: Tensor) -> Tensor:
        """Return a layer's outputs, or anything of their shape, as (n, channels, *spatial).

        Tokens (n, tokens, channels) are brought to the grid of their patches, without class token and registers.

        Raises
        ------
        NotApplicable
            If it cannot be told where the layer's channels stand.
        """
        grid = self.tokens.grid_of_output(layer)
        if grid is not None:
            return maps_of_tokens(self.operations, tensor, grid)
        return self._moved(tensor, self.channel_axis_of(layer))

    def channel_axis_of(self, layer: Layer) -> int:
        """Return the axis of a batch of a layer's outputs that holds channels, counted from 0.

        Raises
        ------
        NotApplicable
            If it cannot be told.
        """
        if self.tokens.grid_of_output(layer) is not None:
            return 2
        if layer.channel_axis is None:
            raise NotApplicable(
                f"Where the channels of the layer {layer.name!r} of {self.name} stand cannot be told: its outputs of "
                f"shape {layer.shape} fit more than one reading, and what makes them cannot be followed. Name another "
                "layer, as in grad_cam[layer=NAME]."
            )
        return layer.channel_axis % (len(layer.shape) + 1)

    def _moved(self, tensor: Tensor, channel_axis: int) -> Tensor:
        """Return a batch with its channels on axis 1."""
        rank = len(tensor.shape)
        place = channel_axis % rank
        if place == 1:
            return tensor
        return self.operations.transpose(tensor, (0, place, *(axis for axis in range(1, rank) if axis != place)))

    def layer(self, name: str | None = None) -> Layer:
        """Return the named layer, or the default: the last one whose output still has positions and is no pooling.

        A transformer's tokens have positions too: see `TokenLayout.default_layer`.

        Raises
        ------
        UnknownName
            If there is no such layer, with near names.
        BadInput
            If no layer has spatial positions.
        """
        if name is not None:
            return layer_named(self.layers(), name, self.name, self.unreached)
        maps = self.feature_maps()
        if not maps:
            why = f": {self.unreached}" if self.unreached else ""
            raise BadInput(f"{self.name} has no layer with spatial positions{why}.")
        return maps[-1]

    def feature_maps(self) -> tuple[Layer, ...]:
        """Return the layers whose outputs have positions and are no copies, in order; see `layers/feature_maps.py`.

        Of a transformer's layers of tokens it is the one that `TokenLayout.default_layer` tells.
        """
        if self.channel_axis is None:
            return ()
        tokens = self.tokens
        return feature_maps(self.layers(), len(self.input_shape), tokens.default_layer, tokens.is_inside)

    def __repr__(self) -> str:
        return f"<{self.framework} model {self.name!r} {self.input_shape} -> {self.num_classes} on {self.device}>"


def _some(values: np.ndarray, most: int = 5) -> str:
    """Return the first few values as text."""
    shown = ", ".join(str(value) for value in values[:most])
    return f"{shown}, ... ({len(values)} in all)" if len(values) > most else shown
