"""One network under training in Keras on TensorFlow: an update for each batch that the recipe deals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ..architecture.nodes import Architecture
from ..architecture.on_tensorflow import build_keras, keras_weights
from .trainer import ADAM_EPSILON, Trainer


class KerasTrainer(Trainer):
    """See `Trainer`."""

    def __init__(
        self, architecture: Architecture, weights: Mapping[str, np.ndarray], weight_decay: float, seed: int
    ) -> None:
        self._architecture = architecture
        self._model = build_keras(architecture, weights, seed=seed)
        self._optimizer = keras.optimizers.AdamW(
            learning_rate=0.0, beta_1=0.9, beta_2=0.999, epsilon=ADAM_EPSILON, weight_decay=weight_decay
        )
        self._optimizer.build(self._model.trainable_variables)
        batch = tf.TensorSpec((None, *architecture.input_shape), tf.float32)
        self._step = tf.function(
            self._updated, input_signature=[batch, tf.TensorSpec((None,), tf.int64)], autograph=False
        )
        self._forward = tf.function(lambda x: self._model(x, training=False), input_signature=[batch], autograph=False)

    def update(self, x: np.ndarray, y: np.ndarray, learning_rate: float) -> float:
        self._optimizer.learning_rate = learning_rate
        return float(self._step(tf.constant(x), tf.constant(y)))

    def logits(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(self._forward(tf.constant(x)))

    def weights(self) -> dict[str, np.ndarray]:
        return keras_weights(self._architecture, self._model)

    def _updated(self, x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, self._model(x, training=True))
            loss = tf.reduce_mean(losses)
        variables = self._model.trainable_variables
        self._optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss
