"""Which values a network is given: the domain that is stated, what is refused, and scaling that it does itself."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import heatmark as hm
from heatmark.datasets.framing import framed, target_of
from heatmark.datasets.samples import RawValues, Sample
from heatmark.errors import BadInput
from heatmark.models.inputs.baselines import baseline_of
from heatmark.models.random_bank import RandomBank
from heatmark.models.reading.outputs import probabilities_of

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")

BYTES = np.random.default_rng(0).integers(0, 256, (3, 12, 12, 3), dtype=np.uint8)
UNIT = BYTES.astype(np.float32) / 255
LAYERS = keras.layers


def torch_net() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(),
        torch.nn.Linear(4, 3),
    ).eval()  # fmt: skip


def keras_net(*first: keras.Layer) -> keras.Model:
    keras.utils.set_random_seed(0)
    return keras.Sequential([
        keras.Input((12, 12, 3)), *first, LAYERS.Conv2D(4, 3, activation="relu"), LAYERS.GlobalAveragePooling2D(),
        LAYERS.Dense(3),
    ])  # fmt: skip


def wrapped(framework: str, **options):
    net = torch_net() if framework == "torch" else keras_net()
    shape = (3, 12, 12) if framework == "torch" else (12, 12, 3)
    return hm.wrap(net, input_shape=shape, **options)


def native(framework: str, x: np.ndarray) -> np.ndarray:
    return np.moveaxis(x, -1, 1).copy() if framework == "torch" else x


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
class TestPictures:
    @pytest.mark.parametrize(
        "made, message",
        [
            (lambda: BYTES, r"type uint8 from 0 to 255.*Divide by 255"),
            (lambda: BYTES.astype(np.int64), r"type int64.*Divide by 255"),
            (lambda: BYTES.astype(np.float32), r"type float32 from 0 to 255.*Divide by 255"),
            (lambda: 2 * UNIT - 1, r"normalised.*Normalization\(mean, std\)"),
            (lambda: BYTES > 127, r"type bool.*Turn them into floats"),
            (lambda: BYTES // 128, r"type uint8 from 0 to 1.*Turn them into floats"),
            (lambda: UNIT + np.float32(1e-3), r"domain=\(low, high\)"),
        ],
    )
    def test_other_values_than_zero_to_one_are_refused(self, framework, made, message) -> None:
        model, x = wrapped(framework), native(framework, made())
        maps = np.zeros((3, 12, 12), np.float32)
        for call in (
            lambda: hm.explain(model, x, "gradient"),
            lambda: hm.score(model, x, maps, "deletion[steps=2]"),
            lambda: hm.evaluate(model, x, methods="gradient", metrics="deletion[steps=2]"),
        ):
            with pytest.raises(BadInput, match=message):
                call()

    def test_rounding_is_no_other_domain(self, framework) -> None:
        x = native(framework, UNIT * np.float32(1 + 5e-6))
        assert wrapped(framework).outputs(x).shape == (3, 3)

    def test_tensors_are_judged_by_their_own_type(self, framework) -> None:
        x = native(framework, BYTES)
        if framework == "torch":
            x = torch.from_numpy(x)
        else:
            import tensorflow as tf

            x = tf.constant(x)
        with pytest.raises(BadInput, match=r"type uint8 from 0 to 255"):
            wrapped(framework).outputs(x)

    def test_a_stated_domain_is_kept_to(self, framework) -> None:
        model = wrapped(framework, domain=(0, 255))
        plain = wrapped(framework, preprocess=hm.Normalization((0.0,), (1 / 255,)))
        found, expected = model.outputs(native(framework, BYTES)), plain.outputs(native(framework, UNIT))
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
        with pytest.raises(BadInput, match=r"stated for Sequential is 0 to 255"):
            model.outputs(native(framework, 2.0 * BYTES))

    @pytest.mark.parametrize(
        "method",
        ["occlusion[window=4,stride=4,baseline=white]", "smoothgrad[samples=3]", "rise[masks=20,baseline=black]"],
    )
    def test_everything_follows_a_domain_that_is_stated(self, framework, method) -> None:
        """Maps and scores are those of the same network in [0, 1]; gradients are per unit of the domain."""
        model = wrapped(framework, domain=(0, 255), neutral=127.5)
        plain = wrapped(framework, preprocess=hm.Normalization((0.0,), (1 / 255,)), neutral=0.5)
        x, unit = native(framework, BYTES.astype(np.float32)), native(framework, UNIT)
        found, expected = hm.explain(model, x, method, 1), hm.explain(plain, unit, method, 1)
        scale = 255 if method.startswith("smoothgrad") else 1
        np.testing.assert_allclose(scale * found, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())
        for metric in ("deletion[steps=3,fill=black]", "insertion[steps=3]", "average_drop", "sic", "n_ord[steps=3]"):
            np.testing.assert_allclose(
                hm.score(model, x, expected, metric, 1),
                hm.score(plain, unit, expected, metric, 1),
                rtol=1e-3,
                atol=1e-3,
            )

    def test_pictures_of_a_dataset_come_in_the_stated_domain(self, framework) -> None:
        model = wrapped(framework, domain=(-1, 1))
        array, _ = framed(Sample("one", BYTES[0], 0), target_of(model))
        np.testing.assert_allclose(array, native(framework, 2 * UNIT[:1] - 1)[0], atol=1e-6)
        assert model.raw_values(RawValues((0.0, 1.0), 0.25)).neutral == -0.5
        black = baseline_of(model, model.inputs(array[None]), "black", RandomBank(0))
        assert model.to_numpy(black).ravel().tolist() == [-1.0]
        with pytest.raises(BadInput, match=r"domain -6 to 6, but -1 to 1"):
            framed(Sample("one", 6 * array.transpose(1, 2, 0) if framework == "torch" else 6 * array, 0),
                   target_of(model), domain=(-6.0, 6.0))  # fmt: skip


def test_vectors_and_series_have_no_usual_domain() -> None:
    """Features have units of their own; what is stated holds for them too."""
    for net, shape in (
        (torch.nn.Linear(4, 2), (4,)),
        (torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(8, 2)), (2, 4)),
    ):
        x = 50 * np.random.default_rng(0).normal(size=(3, *shape))
        assert hm.wrap(net, input_shape=shape).outputs(x).shape == (3, 2)
        assert hm.wrap(net, input_shape=shape).outputs(x.astype(int)).shape == (3, 2)
        with pytest.raises(BadInput, match="stated for"):
            hm.wrap(net, input_shape=shape, domain=(-1, 1)).outputs(x)


def rescaling(scale: float = 1 / 255, offset: float = 0.0) -> keras.Layer:
    return LAYERS.Rescaling(scale, offset)


def augmentation() -> keras.Model:
    return keras.Sequential([LAYERS.RandomFlip("horizontal"), LAYERS.RandomRotation(0.2)])


def functional() -> keras.Model:
    inputs = keras.Input((12, 12, 3))
    hidden = rescaling(1 / 127.5, -1.0)(augmentation()(inputs))
    return keras.Model(inputs, LAYERS.Dense(3, activation="softmax")(LAYERS.Flatten()(hidden)))


def divided() -> keras.Model:
    inputs = keras.Input((12, 12, 3))
    return keras.Model(inputs, LAYERS.Dense(3)(LAYERS.Flatten()(inputs / 255.0)))


SCALING = {
    "first": lambda: keras_net(rescaling()),
    "offset": lambda: keras_net(rescaling(1 / 127.5, -1.0)),
    "augmented": lambda: keras_net(LAYERS.RandomFlip("horizontal"), rescaling()),
    "nested": lambda: keras_net(keras.Sequential([augmentation(), rescaling()])),
    "functional": functional,
    "arithmetic": divided,
    "normalization": lambda: keras_net(LAYERS.Normalization(mean=[120.0] * 3, variance=[60.0**2] * 3)),
}


@pytest.mark.parametrize("made", SCALING)
def test_a_keras_network_that_scales_bytes_is_given_bytes(made: str) -> None:
    net = SCALING[made]()
    true = net(BYTES.astype(np.float32), training=False).numpy()
    with pytest.warns(UserWarning, match=r"takes values of 0 to 255.*times 255.*domain=\(0, 255\)"):
        model = hm.wrap(net)
    found = model.outputs(UNIT)
    if made == "functional":
        found = probabilities_of(found, model.link)
    np.testing.assert_allclose(found, true, rtol=1e-3, atol=1e-5)
    assert model.takes_bytes and model.read_as
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stated = hm.wrap(net, domain=(0, 255))
        as_given = hm.wrap(net, domain=(0, 1))
        own = hm.wrap(net, preprocess=hm.Normalization((0.5,), (1.0,)))
    np.testing.assert_allclose(stated.outputs(BYTES), model.outputs(UNIT), rtol=1e-4, atol=1e-5)
    assert not np.allclose(as_given.outputs(UNIT), model.outputs(UNIT), atol=1e-4)
    assert not (stated.takes_bytes or as_given.takes_bytes or own.takes_bytes)


def test_a_network_that_scales_otherwise_is_given_what_it_takes() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for first in (rescaling(2.0, -1.0), LAYERS.Normalization(mean=[0.5] * 3, variance=[0.1] * 3)):
            net = keras_net(first)
            np.testing.assert_allclose(hm.wrap(net).outputs(UNIT), net(UNIT).numpy(), rtol=1e-4, atol=1e-5)
        inside = keras_net(LAYERS.Conv2D(3, 1))
        assert hm.wrap(inside).takes_bytes == ""


def test_a_scaling_that_may_come_first_is_told() -> None:
    class Net(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.scale, self.inner = rescaling(), keras_net()

        def call(self, x):
            return self.inner(self.scale(x))

    with pytest.warns(UserWarning, match=r"scales values of 0 to 255, but whether.*domain=\(0, 255\)"):
        hm.wrap(Net(), input_shape=(12, 12, 3))
    flat = keras.Sequential([keras.Input((9,)), rescaling(), LAYERS.Dense(2)])
    with pytest.warns(UserWarning, match=r"scales values of 0 to 255, but whether"):
        assert hm.wrap(flat).takes_bytes == ""
    table = keras.Sequential([keras.Input((2,)), LAYERS.Normalization(mean=[45.0, 900.0], variance=[500.0, 9e4]),
                              LAYERS.Dense(2)])  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert hm.wrap(table).takes_bytes == ""


@pytest.mark.slow
def test_keras_applications_keep_the_values_that_they_were_given() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        model = hm.load_model("keras:MobileNetV3Small@random", framework="tensorflow")
    x = np.random.default_rng(0).random((2, 224, 224, 3), dtype=np.float32)
    np.testing.assert_allclose(model.outputs(x), model.net(255 * x, training=False).numpy(), rtol=1e-3, atol=1e-4)
