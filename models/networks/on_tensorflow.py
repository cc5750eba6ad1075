"""The model interface over a Keras 3 model on the TensorFlow backend."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, Unpack

import keras
import numpy as np
import tensorflow as tf

from ...errors import NotApplicable
from ..arrays.on_tensorflow import TensorFlowOperations
from ..base import Model
from ..copies.randomised import ParameterLayer
from ..copies.randomised_on_tensorflow import keras_parameter_layers
from ..gradients import refuse_unconnected
from ..graph.on_tensorflow import TensorFlowNetwork, tensorflow_network
from ..interface import ModelOptions
from ..layers.channel_axes import BY_OPERATIONS, of_batch, told_by_shape
from ..layers.channel_axes_on_tensorflow import channel_axes, stated_axis
from ..probes.attention_on_tensorflow import attention_layers, captured_attention, with_heads
from ..probes.keras_layers import (
    ending_function,
    final_layer,
    giving,
    named_layers,
    named_steps,
    plain_variables,
    replaced_call,
    watched,
    watched_activation,
    without_layer,
)
from ..probes.reach_on_tensorflow import inner_functions_inlined, operations_of, require_reached, traced_through
from ..probes.rectifiers_on_tensorflow import reached, rectifier_rule, rectifiers_of
from ..probes.state_now_on_tensorflow import state_now
from ..queries import Answer, AttentionLayer, Computed, Layer, LayerBias, Query, Rectifiers
from ..reading.outputs import Ending
from ..reading.returned import class_scores, require_real
from ..reading.scores import target_score

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
    watched, and a final softmax or sigmoid is left out, only while a graph is traced; the Keras model is as before
    afterwards.
    """

    framework = "tensorflow"
    kept_inputs = 60

    def __init__(self, net: keras.Model, *, device: str, **options: Unpack[ModelOptions]) -> None:
        super().__init__(device=device, **options)
        self.net = net
        self.operations = TensorFlowOperations(device)
        self._running = _bfloat16_copy(net) if self.precision == "bf16" else net

    def as_tensor(self, x: Any) -> tf.Tensor:
        with tf.device(self.device):
            if isinstance(x, tf.Tensor | tf.Variable):
                return tf.identity(tf.cast(x, tf.float32))
            return tf.constant(np.asarray(self.plain(x), dtype=np.float32))

    def plain(self, value: Any) -> Any:
        return value.numpy() if isinstance(value, tf.Tensor | tf.Variable) else value

    def settle(self, x: tf.Tensor) -> None:
        """See `Interface.settle`: Keras brings inputs to the type that it computes in."""

    def _answer(
        self,
        query: Query,
        x: tf.Tensor,
        target: tf.Tensor | None,
        layout: str | None,
        replacement: tf.Tensor | None,
    ) -> Answer:
        function = self._function(query)
        with tf.device(self.device):
            target = tf.zeros((x.shape[0],), tf.int64) if target is None else target
            replacement = tf.zeros((0,)) if replacement is None else replacement
            return Answer(*function(x, target, replacement))

    def _function(self, query: Query) -> Any:
        """Return the graph function of a query, traced when it is first asked."""

        def traced() -> Any:
            return self._traced(self._asking(query), *self._signature(query))

        # What is done to a layer inside a function would stay in the graph that the user's network keeps of it.
        lasting = bool(query.rule or query.replaced or query.shortcut)
        find = partial(traced_through, traced, lasting=lasting) if query.looks_inside else traced
        return self.once(query, find)

    def _signature(self, query: Query) -> tuple[tf.TensorSpec, ...]:
        replacement = (0,) if query.replaced is None else (None, *self.layer(query.replaced).shape)
        return (
            tf.TensorSpec((None, *self.input_shape), tf.float32),
            tf.TensorSpec((None,), tf.int64),
            tf.TensorSpec(replacement, tf.float32),
        )

    def _traced(self, function: Callable[..., Any], *signature: tf.TensorSpec) -> Any:
        with tf.device(self.device):
            return tf.function(function, input_signature=signature, autograph=False).get_concrete_function()

    def _asking(self, query: Query) -> Callable[..., tuple[Any, ...]]:
        """Return the function from inputs, targets and a replacement to the fields of an `Answer`, to be traced."""
        names = query.layers if query.output is None else (*query.layers, query.output)

        def ask(x: tf.Tensor, target: tf.Tensor, replacement: tf.Tensor) -> tuple[Any, ...]:
            with rectifier_rule(query.rule), ExitStack() as stack:
                if query.replaced is not None:
                    layer = named_steps(self._running)[query.replaced]
                    stack.enter_context(replaced_call(layer, partial(giving, replacement)))
                kept = stack.enter_context(self._captured(names))
                attentions = stack.enter_context(captured_attention(query, named_layers(self._running)))
                logits = self.logits(x)
            require_reached(self.name, {name: kept.get(name) for name in names})
            activations = tuple(kept[name] for name in query.layers)
            gradient, inside = None, []
            if query.backward:
                scored = logits if query.output is None else tf.cast(kept[query.output], tf.float32)
                score = tf.reduce_sum(target_score(self.operations, scored, target, query.score, self.link))
                inside = [*activations, *attentions] if query.layer_gradients else []
                wanted = ([x] if query.input_gradient else []) + inside
                before = len(score.graph.get_operations())
                # tf.gradients, not a tape: it honours overridden gradients and stops at the tensors wanted.
                found = tf.gradients(score, wanted)
                refuse_unconnected(self.name, query, found)
                if query.rule and query.input_gradient:
                    self.once(("reached", query.rule), lambda: reached(x, score, before))
                inside = [
                    tf.zeros_like(tensor, tf.float32) if item is None else tf.cast(item, tf.float32)
                    for tensor, item in zip(wanted, found, strict=True)
                ]
                gradient = inside.pop(0) if query.input_gradient else None
            activations = tuple(tf.cast(item, tf.float32) for item in activations)
            attended = tuple(with_heads(tf.cast(item, tf.float32)) for item in attentions)
            at_attentions = tuple(with_heads(item) for item in inside[len(activations) :])
            return logits, gradient, activations, tuple(inside[: len(activations)]), attended, at_attentions

        return ask

    def logits(self, x: tf.Tensor) -> tf.Tensor:
        with without_layer(named_layers(self._running), self.reading.left_out):
            scores = self._scores(x)
        return self.reading.logits(self.operations, tf.cast(scores, tf.float32))

    def _scores(self, x: tf.Tensor) -> tf.Tensor:
        """Return the network's class scores as they come."""
        output = self._running(self.prepared(x), training=False)
        scores = class_scores(output, tf.is_tensor, self.name, self.conventions.outputs)
        require_real(scores.dtype.name, self.name)
        return scores if scores.shape.rank is not None else _with_samples(scores, tf.shape(x)[0])

    def find_ending(self) -> Ending | None:
        found: list[Ending | None] = []

        def trace(x: tf.Tensor) -> tf.Tensor:
            found.append(final_layer(named_layers(self._running), lambda: self._scores(x)))
            return x

        if any(ending_function(layer) is not None for layer in named_layers(self._running).values()):
            self._traced(trace, tf.TensorSpec((1, *self.input_shape), tf.float32))
        return found[-1] if found else None

    @property
    def computes_in_half(self) -> bool:
        layers = (self._running, *named_layers(self._running).values())
        return not {layer.compute_dtype for layer in layers}.isdisjoint({"float16", "bfloat16"})

    @contextmanager
    def _captured(self, names: tuple[str, ...]) -> Iterator[dict[str, tf.Tensor]]:
        """Yield a dictionary that a traced call fills with the named layers' (last) outputs."""
        layers = named_steps(self._running)
        kept: dict[str, tf.Tensor] = {}
        with ExitStack() as stack:
            for name in dict.fromkeys(names):
                layer, before = layers[name.removesuffix(_BEFORE)], name.endswith(_BEFORE)
                watch = watched_activation if before else watched
                stack.enter_context(watch(layer, partial(kept.__setitem__, name)))
            yield kept

    def biases(self) -> tuple[LayerBias, ...]:
        found, called = [], {layer.name: layer for layer in self.layers()}
        for name, layer in named_layers(self._running).items():
            if name not in called:
                continue
            bias = getattr(layer, "bias", None)  # a recurrent layer has none: its cell has
            if isinstance(layer, keras.layers.BatchNormalization):
                scale = 1 / np.sqrt(np.asarray(layer.moving_variance) + layer.epsilon)
                scale = scale * np.asarray(layer.gamma) if layer.scale else scale
                shift = np.asarray(layer.beta) if layer.center else 0.0
                found.append(LayerBias(name, called[name], shift - scale * np.asarray(layer.moving_mean)))
            elif hasattr(layer, "activation") and bias is not None and bias.shape.rank == 1:
                linear = layer.activation in (None, keras.activations.linear) or name == self.reading.left_out
                at = name if linear else name + _BEFORE
                found.append(LayerBias(at, called[name], np.asarray(bias)))
        return tuple(found)

    @property
    def stated_shape(self) -> tuple[int | None, ...] | None:
        """See `Interface.stated_shape`: nothing where the network is not built yet, or written as a class."""
        try:
            return tuple(self.net.inputs[0].shape[1:])
        except (AttributeError, TypeError, IndexError):
            return None

    @property
    def unreached(self) -> str:
        """See `Insides.unreached`: a tf.function whose code does not run as a part of the network's graph."""
        return self.once("unreached", self._why_unreached)

    def _why_unreached(self) -> str:
        try:
            with inner_functions_inlined():
                self._traced(self.logits, tf.TensorSpec((1, *self.input_shape), tf.float32))
        except Exception as error:
            reason = str(error).strip().partition("\n")[0]
            return f"a tf.function in it cannot be made a part of its graph ({type(error).__name__}: {reason})"
        return ""

    def _find_computed(self) -> tuple[Computed, ...]:
        return operations_of(self._function(Query()).graph)

    def _find_rectifiers(self) -> Rectifiers:
        there = rectifiers_of(self._function(Query()))
        query = Query(input_gradient=True, rule="guided")
        try:
            if there:
                self._function(query)
        except NotApplicable:
            return Rectifiers(there)  # no gradient comes as far, which every query says by itself
        except Exception:
            return Rectifiers(0, there, self.unreached)
        found: Rectifiers = self._found["reached", query.rule] if there else Rectifiers(0)
        return found

    def _find_attentions(self) -> tuple[AttentionLayer, ...]:
        found: list[AttentionLayer] = []

        def trace(x: tf.Tensor) -> tf.Tensor:
            found.extend(attention_layers(lambda: self.logits(x), named_layers(self._running)))
            return x

        self._inspected(trace)
        return tuple(found)

    def _find_layers(self) -> tuple[Layer, ...]:
        found: dict[str, tuple[Layer, tf.Tensor]] = {}
        stated: dict[Any, int] = {}
        before: tf.Tensor | None = None
        layers, rows = named_steps(self._running), 2  # two, which shows what has no axis of samples

        def note(name: str, layer: Any) -> Callable[[Any], None]:
            is_layer = isinstance(layer, keras.layers.Layer)
            composed = not is_layer or any(inner.startswith(f"{name}/") for inner in layers)

            def keep(output: Any) -> None:
                nonlocal before
                found.pop(name, None)  # a layer that is called again moves to its last place
                if not isinstance(output, tf.Tensor):
                    before = None if is_layer else before
                    return
                axis = stated_axis(layer, output.shape.rank)
                if axis is not None:
                    stated.setdefault(output.ref(), axis)
                seen = Layer(
                    name,
                    type(layer).__name__,
                    tuple(output.shape[1:]),
                    per_sample=output.shape.rank > 0 and output.shape[0] in (rows, None),
                    composed=composed,
                    repeats=before is None or output is before,
                )
                found[name], before = (seen, output), output

            return keep

        def trace(x: tf.Tensor) -> tf.Tensor:
            with ExitStack() as stack:
                for name, layer in layers.items():
                    stack.enter_context(watched(layer, note(name, layer)))
                return self.logits(x)

        graph = self._inspected(trace, rows)
        x = graph.inputs[0]
        axes = channel_axes(graph, x, None if self.channel_axis is None else self.channel_axis % x.shape.rank, stated)

        def with_axis(layer: Layer, output: tf.Tensor) -> Layer:
            axis = of_batch(axes.get(output.ref()), output.shape.rank)
            return replace(layer, channel_axis=axis, axis_told_by="" if axis is None else BY_OPERATIONS)

        return told_by_shape([with_axis(*item) for item in found.values()], self.spatial_shape)

    def _inspected(self, trace: Callable[[tf.Tensor], Any], rows: int = 1) -> Any:
        """Trace a function of raw inputs for what it notes, through inner functions where that is possible.

        Returns
        -------
        FuncGraph
            What was traced.
        """
        signature = tf.TensorSpec((rows, *self.input_shape), tf.float32)
        return traced_through(lambda: self._traced(trace, signature)).graph

    def network(self) -> TensorFlowNetwork:
        return tensorflow_network(self.net, self)

    def parameter_layers(self) -> tuple[ParameterLayer, ...]:
        return keras_parameter_layers(self.net, self._running, self.layers())

    def synchronise(self) -> None:
        """See `Interface.synchronise`; a processor's operations have ended when their call returns."""
        if not self.on_cpu:
            tf.test.experimental.sync_devices()

    def is_out_of_memory(self, error: BaseException) -> bool:
        if isinstance(error, tf.errors.OpError):
            text = str(error).lower()
            return isinstance(error, tf.errors.ResourceExhaustedError) or any(words in text for words in _OUT_OF_MEMORY)
        return isinstance(error, MemoryError)

    def _weights(self) -> Iterator[tuple[str, bytes]]:
        for variable in self.net.weights:
            value = np.asarray(variable)
            yield f"{variable.path}{value.dtype}{value.shape}", value.tobytes()
        for name, other in plain_variables(self.net):
            value = other.numpy()
            yield f"{name}{value.dtype}{value.shape}", value.tobytes()

    def hidden_state(self) -> list[str]:
        """See `Insides.hidden_state`: functions of one's own in Lambda layers, and tensors that are attributes."""
        return [
            name
            for name, layer in named_layers(self.net).items()
            if isinstance(layer, keras.layers.Lambda)
            or any(isinstance(value, tf.Tensor) and not tf.is_symbolic_tensor(value) for value in vars(layer).values())
        ]

    def state_now(self) -> dict[str, Any]:
        return state_now(self.net)


def _with_samples(scores: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Return class scores with the axis of samples, which a ``squeeze`` takes from a single sample too."""
    taken = tf.logical_and(tf.equal(rows, 1), tf.equal(tf.rank(scores), 1))
    return tf.cond(taken, lambda: scores[None], lambda: scores)


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
