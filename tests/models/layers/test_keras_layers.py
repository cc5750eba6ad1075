"""Where layers' channels stand, and which layer is the default: Keras networks of every kind."""

from __future__ import annotations

import networks
import numpy as np
import pytest

import heatmark as hm
from heatmark.models.wrap import wrap

keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")
X = np.random.default_rng(0).random((2, 3, 16, 16), dtype=np.float32)


class KerasResidual(keras.layers.Layer):
    """x + branch(x), which no layer of its own holds."""

    def __init__(self, filters=6, **options):
        super().__init__(**options)
        self.conv = keras.layers.Conv2D(filters, 3, padding="same")
        self.norm = keras.layers.BatchNormalization()

    def call(self, x):
        return x + self.norm(self.conv(x))


def keras_cam(net, layers, x, target):
    """Grad-CAM at the output of ``layers``, the first layers of a Sequential, with a tape."""
    maps = tf.constant(x)
    for layer in net.layers[:layers]:
        maps = layer(maps, training=False)
    with tf.GradientTape() as tape:
        tape.watch(maps)
        logits = maps
        for layer in net.layers[layers:]:
            logits = layer(logits, training=False)
        score = tf.reduce_sum(logits[:, target])
    gradient = tape.gradient(score, maps)
    cam = tf.nn.relu(tf.reduce_sum(tf.reduce_mean(gradient, (1, 2), keepdims=True) * maps, -1))
    return tf.image.resize(cam[..., None], x.shape[1:3])[..., 0].numpy()


@pytest.mark.parametrize("blocks", [1, 2])
def test_keras_blocks_are_read_behind_their_sum(blocks):
    keras.utils.set_random_seed(0)
    net = keras.Sequential(
        [
            keras.Input((16, 16, 3)), keras.layers.Conv2D(6, 3, 2, padding="same"),
            *(KerasResidual(name=f"block{number}") for number in range(blocks)),
            keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(5),
        ]
    )  # fmt: skip
    model = wrap(net)
    assert model.layer().name == f"block{blocks - 1}"
    x = np.ascontiguousarray(np.moveaxis(X, 1, -1))
    expected = [keras_cam(net, 1 + blocks, x, target) for target in range(5)]
    assert np.max(expected) > 0
    for target in range(5):
        np.testing.assert_allclose(hm.explain(model, x, "grad_cam", target), expected[target], atol=1e-5)


def test_sums_between_the_layers_of_a_functional_keras_model_are_read():
    keras.utils.set_random_seed(1)
    layers = keras.layers
    inputs = keras.Input((16, 16, 3))
    x = layers.Conv2D(6, 3, 2, padding="same", name="stem")(inputs)
    stem = keras.Model(inputs, x + layers.Conv2D(6, 3, padding="same")(keras.ops.relu(x)))
    rectified = keras.Model(inputs, keras.ops.relu(stem.output))
    x = np.ascontiguousarray(np.moveaxis(X, 1, -1))
    for body, kind in ((stem, "Add"), (rectified, "Relu")):
        head = layers.Dense(5)(layers.GlobalAveragePooling2D()(body.output))
        model = wrap(keras.Model(inputs, head))
        assert (model.layer().kind, model.layer().shape) == (kind, (8, 8, 6))
        nested = wrap(keras.Sequential([keras.Input((16, 16, 3)), body, *model.net.layers[-2:]]))
        assert nested.layer().name == f"{body.name}/{model.layer().name}"
        expected = [keras_cam(nested.net, 1, x, target) for target in range(5)]
        assert np.max(expected) > 0
        for target in range(5):
            for one in (model, nested):
                np.testing.assert_allclose(hm.explain(one, x, "grad_cam", target), expected[target], atol=1e-5)
        np.testing.assert_allclose(
            hm.explain(model, x, "ablation_cam", 0), hm.explain(nested, x, "ablation_cam", 0), atol=1e-5
        )


def test_a_nested_keras_model_is_read_at_the_layer_inside():
    inner = keras.Sequential(
        [keras.Input((16, 16, 3)), keras.layers.Conv2D(6, 3, activation="relu", name="conv")], name="inner"
    )
    pooled = keras.Sequential([*inner.layers, keras.layers.MaxPooling2D()], name="pooled")
    for body in (inner, pooled):
        net = keras.Sequential(
            [keras.Input((16, 16, 3)), body, keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(5)]
        )
        assert wrap(net).layer().name == f"{body.name}/conv"


class KerasChannelsFirst(keras.layers.Layer):
    """Swaps to (channels, height, width), mixes channels there, and stays there."""

    def __init__(self, **options):
        super().__init__(**options)
        self.mix = keras.layers.EinsumDense("nchw,cd->ndhw", (8, 8, 8), name="mix")
        self.norm = keras.layers.LayerNormalization(axis=1, name="norm")

    def call(self, x):
        x = keras.ops.transpose(x, (0, 3, 1, 2))
        return x + self.norm(self.mix(x))


def test_keras_layers_may_hold_channels_first():
    keras.utils.set_random_seed(0)
    net = keras.Sequential(
        [keras.Input((16, 16, 3)), keras.layers.Conv2D(8, 3, 2, padding="same", name="stem"),
         KerasChannelsFirst(name="first"), keras.layers.GlobalAveragePooling2D(data_format="channels_first"),
         keras.layers.Dense(5)]
    )  # fmt: skip
    model = wrap(net)
    axes = {layer.name: layer.channel_axis for layer in model.layers()}
    assert axes["stem"] == -1 and axes["first/mix"] == axes["first/norm"] == axes["first"] == 1
    assert model.layer().name == "first"
    x = np.ascontiguousarray(np.moveaxis(X, 1, -1))
    stem, first, pool, dense = net.layers
    maps = first(stem(x))
    for target in range(5):
        with tf.GradientTape() as tape:
            tape.watch(maps)
            score = tf.reduce_sum(dense(pool(maps))[:, target])
        gradient = tape.gradient(score, maps)
        cam = tf.nn.relu(tf.reduce_sum(tf.reduce_mean(gradient, (2, 3), keepdims=True) * maps, 1))
        expected = tf.image.resize(cam[..., None], (16, 16))[..., 0].numpy()
        np.testing.assert_allclose(hm.explain(model, x, "grad_cam", target), expected, atol=1e-5)


def test_the_small_networks_of_both_frameworks_have_the_same_default_layer():
    for architecture in (networks.plain(), networks.residual(), networks.depthwise(), networks.plain((20, 2))):
        names = {networks.model_of(architecture, framework).layer().name for framework in networks.FRAMEWORKS}
        assert len(names) == 1, names


def test_a_keras_network_may_be_channels_first_from_its_input_on():
    keras.utils.set_random_seed(0)

    def net(layout):
        axis, layers = (1 if layout == "channels_first" else -1), keras.layers
        return keras.Sequential(
            [
                keras.Input((3, 16, 16) if axis == 1 else (16, 16, 3)),
                layers.Conv2D(6, 3, padding="same", data_format=layout), layers.BatchNormalization(axis=axis),
                layers.ReLU(), layers.Conv2D(6, 3, padding="same", groups=2, data_format=layout), layers.ReLU(),
                layers.GlobalAveragePooling2D(data_format=layout), layers.Dense(5),
            ]
        )  # fmt: skip

    last, first = net("channels_last"), net("channels_first")
    first.set_weights(last.get_weights())
    try:
        first(X)
    except Exception as error:
        pytest.skip(f"this processor's TensorFlow has no convolutions channels first: {type(error).__name__}")
    usual, other = wrap(last), wrap(first, channel_axis=1)
    assert {layer.channel_axis for layer in other.layers() if len(layer.shape) == 3} == {1}
    x = np.ascontiguousarray(np.moveaxis(X, 1, -1))
    for method in ("grad_cam", "fullgrad", "ablation_cam", "occlusion[window=4,stride=4]"):
        expected = hm.explain(usual, x, method, [0, 1])
        assert np.ptp(expected) > 0
        rounding = max(1e-5 * np.abs(expected).max(), 1e-7)  # of the map, or of the probabilities that it is made of
        np.testing.assert_allclose(hm.explain(other, X, method, [0, 1]), expected, atol=rounding)
