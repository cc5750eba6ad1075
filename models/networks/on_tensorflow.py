"""The model interface over a Keras 3 model on the TensorFlow backend."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Unpack

import keras
import numpy as np
import tensorflow as tf

from ...errors import BadInput, NotApplicable
from ..arrays.on_tensorflow import TensorFlowOperations
from ..base import Description, Model
from ..normalization import Normalization
from ..probes.attention_on_tensorflow import attention_layers, captured_attention, with_heads
from ..probes.rectifiers_on_tensorflow import has_rectifier, rectifier_rule
from ..queries import Answer, AttentionLayer, Layer, LayerBias, Query
from ..scores import target_score

if TYPE_CHECKING:
    from ..copies.randomised import ParameterLayer
    from .whole_on_tensorflow import WholeNetwork

_BEFORE = "@before_activation"
"""Suffix of a layer's name for what it gives to its own activation."""

_OUT_OF_MEMORY = (
    "out of memory",
    "dst tensor is not initialized",
    "alloc_failed",
    "no algorithm worked",
    "failed to alloc",
)
"""What errors of other kinds say where memory on a GPU is short, for numbers or for scratch."""


class TensorFlowModel(Model):
    """A Keras model behind the model interface.

    Each kind of query is traced once into a ``tf.function`` whose batch axis is open: on a processor it ran as fast
    as one traced for a fixed chunk, and needs neither padding nor a second trace for the last chunk. Layers are
    watched, and a final softmax is left out, only while a graph is traced; the Keras model is as before afterwards.
    """

    framework = "tensorflow"

    def __init__(
        self,
        net: keras.Model,
        *,
        device: str,
        **description: Unpack[Description],
    ) -> None:
        super().__init__(device=device, **description)
        self.net = net
        self.operations = TensorFlowOperations(device)
        self._functions: dict[Query, Any] = {}
        self._layers: tuple[Layer, ...] | None = None
        self._attentions: tuple[AttentionLayer, ...] | None = None
        self._running = _bfloat16_copy(net) if self.precision == "bf16" else net

    def forget_shape(self) -> None:
        """See `Model.forget_shape`."""
        self._layers = self._attentions = None
        self._functions = {}
        self.__dict__.pop("whole", None)

    def as_tensor(self, x: Any) -> tf.Tensor:
        """See `Model.as_tensor`."""
        with tf.device(self.device):
            if isinstance(x, tf.Tensor | tf.Variable):
                return tf.identity(tf.cast(x, tf.float32))
            return tf.constant(np.asarray(self.plain(x), dtype=np.float32))

    def plain(self, value: Any) -> Any:
        """See `Model.plain`."""
        return value.numpy() if isinstance(value, tf.Tensor | tf.Variable) else value

    def run(
        self,
        query: Query,
        x: tf.Tensor,
        target: tf.Tensor | None,
        layout: str | None = None,
        replacement: tf.Tensor | None = None,
    ) -> Answer:
        """See `Model.run`."""
        if query.rule is not None and not self.has_rectifiers():
            raise NotApplicable(f"{self.name} has no ReLU, so the {query.rule} backward pass is the plain gradient.")
        function = self._functions.get(query)
        with tf.device(self.device):
            if function is None:
                function = self._functions[query] = self._traced(query)
            target = tf.zeros((x.shape[0],), tf.int64) if target is None else target
            replacement = tf.zeros((0,)) if replacement is None else replacement
            return Answer(*function(x, target, replacement))

    def _traced(self, query: Query) -> Any:
        """Return the graph function of a query, traced."""

        names = query.layers if query.output is None else (*query.layers, query.output)

        def ask(x: tf.Tensor, target: tf.Tensor, replacement: tf.Tensor) -> tuple[Any, ...]:
            with rectifier_rule(query.rule), ExitStack() as stack:
                if query.replaced is not None:
                    layer = _named_layers(self._running)[query.replaced]
                    stack.enter_context(_replaced_call(layer, lambda call: lambda *rest, **options: replacement))
                kept = stack.enter_context(self._captured(names))
                attentions = stack.enter_context(
                    captured_attention(query, _named_layers(self._running), _replaced_call)
                )
                logits = self._logits(x)
            activations = tuple(kept[name] for name in query.layers)
            gradient, inside = None, []
            if query.backward:
                scored = logits if query.output is None else tf.cast(kept[query.output], tf.float32)
                score = tf.reduce_sum(target_score(self.operations, scored, target, query.score))
                inside = [*activations, *attentions] if query.layer_gradients else []
                wanted = ([x] if query.input_gradient else []) + inside
                # tf.gradients, not a tape: it honours overridden gradients and stops at the tensors wanted.
                found = tf.gradients(score, wanted, unconnected_gradients=tf.UnconnectedGradients.ZERO)
                inside = [tf.cast(item, tf.float32) for item in found]
                gradient = inside.pop(0) if query.input_gradient else None
            activations = tuple(tf.cast(item, tf.float32) for item in activations)
            attended = tuple(with_heads(tf.cast(item, tf.float32)) for item in attentions)
            at_attentions = tuple(with_heads(item) for item in inside[len(activations) :])
            return logits, gradient, activations, tuple(inside[: len(activations)]), attended, at_attentions

        shape = (0,) if query.replaced is None else (None, *self.layer(query.replaced).shape)
        signature = [
            tf.TensorSpec((None, *self.input_shape), tf.float32),
            tf.TensorSpec((None,), tf.int64),
            tf.TensorSpec(shape, tf.float32),
        ]
        return tf.function(ask, input_signature=signature, autograph=False).get_concrete_function()

    def _logits(self, x: tf.Tensor) -> tf.Tensor:
        with without_softmax(final_softmax(self._running)):
            output = self._running(self._prepared(x), training=False)
        if not isinstance(output, tf.Tensor):
            raise BadInput(f"{self.name} returns {type(output).__name__}; heatmark needs one tensor of logits.")
        logits = tf.cast(output, tf.float32)
        if self._from_probabilities:
            return tf.math.log(tf.maximum(logits, np.finfo(np.float32).tiny))
        return logits

    def _prepared(self, x: tf.Tensor) -> tf.Tensor:
        if isinstance(self._preprocess, Normalization):
            return self._preprocess.apply(x, self.channel_axis, tf.constant, lambda t, axis: tf.reverse(t, [axis]))
        return x if self._preprocess is None else self._preprocess(x)

    @contextmanager
    def _captured(self, names: tuple[str, ...]) -> Iterator[dict[str, tf.Tensor]]:
        """Yield a dictionary that a traced call fills with the named layers' (last) outputs."""
        layers = _named_layers(self._running)
        kept: dict[str, tf.Tensor] = {}
        with ExitStack() as stack:
            for name in dict.fromkeys(names):
                layer, before = layers[name.removesuffix(_BEFORE)], name.endswith(_BEFORE)
                watch = _watched_activation if before else _watched
                stack.enter_context(watch(layer, partial(kept.__setitem__, name)))
            yield kept

    def biases(self) -> tuple[LayerBias, ...]:
        """See `Model.biases`."""
        found = []
        for name, layer in _named_layers(self._running).items():
            if isinstance(layer, keras.layers.BatchNormalization):
                scale = 1 / np.sqrt(np.asarray(layer.moving_variance) + layer.epsilon)
                scale = scale * np.asarray(layer.gamma) if layer.scale else scale
                shift = np.asarray(layer.beta) if layer.center else 0.0
                found.append(LayerBias(name, shift - scale * np.asarray(layer.moving_mean)))
            elif getattr(layer, "use_bias", False) and hasattr(layer, "activation") and layer.bias.shape.rank == 1:
                linear = layer.activation in (None, keras.activations.linear)
                found.append(LayerBias(name if linear else name + _BEFORE, np.asarray(layer.bias)))
        return tuple(found)

    @cached_property
    def whole(self) -> WholeNetwork:
        """The network with its preprocessing as one Keras model, for other libraries; kept, as they trace it."""
        from .whole_on_tensorflow import WholeNetwork

        return WholeNetwork(self)

    @property
    def stated_shape(self) -> tuple[int | None, ...] | None:
        """See `Model.stated_shape`: nothing where the network is not built yet, or written as a class."""
        try:
            return tuple(self.net.input_shape[1:])
        except (AttributeError, TypeError):
            return None

    def has_rectifiers(self) -> bool:
        """Return whether the network computes any ReLU."""
        plain = Query()
        if plain not in self._functions:
            with tf.device(self.device):
                self._functions[plain] = self._traced(plain)
        return has_rectifier(self._functions[plain])

    def attentions(self) -> tuple[AttentionLayer, ...]:
        """See `Model.attentions`."""
        if self._attentions is None:
            found: list[AttentionLayer] = []

            def trace(x: tf.Tensor) -> tf.Tensor:
                layers = _named_layers(self._running)
                found.extend(attention_layers(lambda: self._logits(x), layers, _replaced_call))
                return x

            signature = [tf.TensorSpec((1, *self.input_shape), tf.float32)]
            tf.function(trace, input_signature=signature, autograph=False).get_concrete_function()
            self._attentions = tuple(found)
        return self._attentions

    def layers(self) -> tuple[Layer, ...]:
        """See `Model.layers`."""
        if self._layers is None:
            found: dict[str, Layer] = {}

            def note(name: str, kind: str) -> Callable[[Any], None]:
                def keep(output: Any) -> None:
                    found.pop(name, None)
                    if isinstance(output, tf.Tensor):
                        found[name] = Layer(name, kind, tuple(output.shape[1:]))

                return keep

            def trace(x: tf.Tensor) -> tf.Tensor:
                with ExitStack() as stack:
                    for name, layer in _named_layers(self._running).items():
                        stack.enter_context(_watched(layer, note(name, type(layer).__name__)))
                    return self._logits(x)

            signature = [tf.TensorSpec((1, *self.input_shape), tf.float32)]
            tf.function(trace, input_signature=signature, autograph=False).get_concrete_function()
            self._layers = tuple(found.values())
        return self._layers

    def parameter_layers(self) -> tuple[ParameterLayer, ...]:
        """See `Model.parameter_layers`."""
        from ..copies.randomised_on_tensorflow import keras_parameter_layers

        return keras_parameter_layers(self)

    def synchronise(self) -> None:
        """See `Model.synchronise`; a processor's operations have ended when their call returns."""
        if "GPU" in self.device:
            tf.test.experimental.sync_devices()

    def is_out_of_memory(self, error: BaseException) -> bool:
        """See `Model.is_out_of_memory`."""
        if isinstance(error, tf.errors.OpError):
            text = str(error).lower()
            return isinstance(error, tf.errors.ResourceExhaustedError) or any(words in text for words in _OUT_OF_MEMORY)
        return isinstance(error, MemoryError)

    def hash_weights(self) -> str:
        """See `Model.hash_weights`."""
        hasher = hashlib.sha256()
        for variable in self.net.weights:
            value = np.asarray(variable)
            hasher.update(f"{variable.path}{value.dtype}{value.shape}".encode())
            hasher.update(value.tobytes())
        return hasher.hexdigest()


def _named_layers(net: keras.Model) -> dict[str, keras.layers.Layer]:
    """Return all layers inside, those of nested models as ``outer/inner``."""
    found: dict[str, keras.layers.Layer] = {}

    def visit(layer: Any, prefix: str) -> None:
        for inner in getattr(layer, "layers", None) or layer._flatten_layers(include_self=False, recursive=False):
            name = f"{prefix}{inner.name}"
            if not isinstance(inner, keras.layers.InputLayer) and name not in found:
                found[name] = inner
                visit(inner, f"{name}/")

    visit(net, "")
    return found


@contextmanager
def _watched(layer: keras.layers.Layer, keep: Callable[[Any], None]) -> Iterator[None]:
    """Hand every output of a layer to ``keep`` while active."""

    def watch(call: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any, **options: Any) -> Any:
            output = call(*arguments, **options)
            keep(output)
            return output

        return watched

    with _replaced_call(layer, watch):
        yield


@contextmanager
def _watched_activation(layer: keras.layers.Layer, keep: Callable[[Any], None]) -> Iterator[None]:
    """Hand what a layer gives to its own activation to ``keep`` while active."""
    activation = layer.activation

    def watched(inputs: Any) -> Any:
        keep(inputs)
        return activation(inputs)

    layer.activation = watched
    try:
        yield
    finally:
        layer.activation = activation


@contextmanager
def _replaced_call(
    layer: keras.layers.Layer, wrap: Callable[[Callable[..., Any]], Callable[..., Any]]
) -> Iterator[None]:
    """Replace a layer's ``call`` by a wrapped one, on the instance, past Keras's attribute tracking."""
    previous = layer.__dict__.get("call")
    layer.__dict__["call"] = wrap(layer.call)
    try:
        yield
    finally:
        if previous is None:
            del layer.__dict__["call"]
        else:
            layer.__dict__["call"] = previous


@contextmanager
def without_softmax(layer: keras.layers.Layer | None) -> Iterator[None]:
    """Make a layer that ends in softmax return what stands before it."""
    if layer is None:
        yield
    elif isinstance(layer, keras.layers.Softmax):
        with _replaced_call(layer, lambda call: lambda inputs, *rest, **options: inputs):
            yield
    else:
        activation = layer.activation
        layer.activation = keras.activations.linear
        try:
            yield
        finally:
            layer.activation = activation


def final_softmax(net: keras.Model) -> keras.layers.Layer | None:
    """Return the layer whose softmax gives the model's output, or None where there is none or it cannot be told."""
    layer: Any = net
    while isinstance(layer, keras.Model):
        if isinstance(layer, keras.Sequential):
            layer = layer.layers[-1] if layer.layers else None
        elif getattr(layer, "outputs", None):
            history = getattr(layer.outputs[0], "_keras_history", None)
            layer = None if history is None else history.operation
        else:
            return None
    if isinstance(layer, keras.layers.Softmax):
        return layer
    return layer if getattr(layer, "activation", None) is keras.activations.softmax else None


def _bfloat16_copy(net: keras.Model) -> keras.Model:
    """Return a copy that computes in bfloat16 with float32 weights."""

    def copy(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = layer.get_config()
        config["dtype"] = "mixed_bfloat16"
        return type(layer).from_config(config)

    try:
        mixed = keras.models.clone_model(net, clone_function=copy)
    except (ValueError, TypeError, NotImplementedError) as error:
        raise NotApplicable(
            f"precision='bf16' needs a Sequential or functional Keras model that can be cloned: {error}"
        ) from error
    mixed.set_weights(net.get_weights())
    return mixed
