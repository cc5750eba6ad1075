"""Twins: the same network with its channels elsewhere, inside or at its input, and volumes; all must say the same."""

from __future__ import annotations

import numpy as np
import pytest

import heatmark as hm
from heatmark.benchmark.setting.input_shapes import settle_input_shape
from heatmark.datasets.arrays import ArrayDataset
from heatmark.datasets.registry import load_dataset
from heatmark.errors import BadInput, NotApplicable
from heatmark.methods.peers.captum_entries import _windows
from heatmark.methods.peers.wrapping import at_layer
from heatmark.methods.request import Request
from heatmark.models.conventions import Conventions
from heatmark.models.normalization import Normalization
from heatmark.models.wrap import wrap
from heatmark.models.zoo.user_models import model_from_text

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")
nn = torch.nn

LAYER_METHODS = (
    "grad_cam", "grad_cam_plus_plus", "xgrad_cam", "hires_cam", "layer_cam", "eigen_cam", "eigen_grad_cam", "finer_cam",
    "score_cam", "ablation_cam", "opti_cam[steps=4]", "guided_grad_cam", "cam", "fullgrad", "fullgrad_cam", "sise",
    "internal_influence[steps=4]", "conductance[steps=4]", "influence_directed",
)  # fmt: skip
X = np.random.default_rng(0).random((3, 3, 12, 12), dtype=np.float32)


def same(first, second):
    """Two maps are equal to rounding (of a probability, at least), and most of them not flat."""
    assert (np.ptp(first, axis=tuple(range(1, first.ndim))) > 0).mean() > 0.3
    np.testing.assert_allclose(first, second, atol=max(2e-5 * np.abs(first).max(), 2e-7), rtol=0)


# Channels elsewhere inside


class Mixed(nn.Module):
    """A convolution, then three layers on channels alone: dense ones channels last, or 1 x 1 convolutions."""

    def __init__(self, last):
        super().__init__()
        self.last = last
        self.stem, self.stem_relu = nn.Conv2d(3, 6, 3, 1, 1), nn.ReLU()
        made = (lambda a, b: nn.Linear(a, b)) if last else (lambda a, b: nn.Conv2d(a, b, 1))
        self.one, self.one_relu, self.two, self.two_relu = made(6, 8), nn.ReLU(), made(8, 7), nn.ReLU()
        self.pool = nn.AvgPool2d(2)
        self.head = nn.Linear(7, 4)

    def forward(self, x):
        x = self.pool(self.stem_relu(self.stem(x)))
        x = self.two_relu(self.two(self.one_relu(self.one(x.permute(0, 2, 3, 1) if self.last else x))))
        return self.head(x.mean((1, 2) if self.last else (2, 3)))


@pytest.fixture(scope="module")
def mixed():
    """The network with its channels first and with its channels last, and the same weights."""
    torch.manual_seed(1)
    first, last = Mixed(False).eval(), Mixed(True).eval()
    last.load_state_dict(
        {name: value.reshape(last.state_dict()[name].shape) for name, value in first.state_dict().items()}
    )
    return [wrap(net, Normalization((0.4,), (0.5,)), (3, 12, 12), name="mixed") for net in (first, last)]


@pytest.mark.parametrize("method", LAYER_METHODS)
def test_layers_with_channels_last_give_what_their_twin_gives(mixed, method):
    first, last = mixed
    assert first.layer().shape == (7, 6, 6) and last.layer().shape == (6, 6, 7)
    same(hm.explain(first, X, method, [0, 1, 2]), hm.explain(last, X, method, [0, 1, 2]))


@pytest.mark.parametrize("method", ["grad_cam", "ablation_cam", "conductance[steps=3]", "influence_directed"])
def test_a_named_layer_too(mixed, method):
    same(*(hm.explain(model, X, method, [0, 2, 3], layer="one_relu") for model in mixed))


def keras_twin(first):
    """The same in Keras: 1 x 1 convolutions channels last, or products over axis 1 behind a permutation."""
    layers = keras.layers
    mix = (
        (lambda units, name: layers.EinsumDense("nchw,cd->ndhw", (units, 6, 6), bias_axes="d", name=name))
        if first
        else (lambda units, name: layers.Conv2D(units, 1, name=name))
    )
    layout = "channels_first" if first else "channels_last"
    return keras.Sequential(
        [
            keras.Input((12, 12, 3)), layers.Conv2D(6, 3, padding="same", name="stem"), layers.ReLU(name="stem_relu"),
            layers.AveragePooling2D(2, name="pool"), *([layers.Permute((3, 1, 2), name="swap")] if first else []),
            mix(8, "one"), layers.ReLU(name="one_relu"), mix(7, "two"), layers.ReLU(name="two_relu"),
            layers.GlobalAveragePooling2D(data_format=layout, name="average"), layers.Dense(4, name="head"),
        ]
    )  # fmt: skip


@pytest.fixture(scope="module")
def keras_mixed():
    keras.utils.set_random_seed(2)
    last, first = keras_twin(False), keras_twin(True)
    for layer in last.layers:
        weights = [np.asarray(value) + 0.01 for value in layer.get_weights()]
        layer.set_weights(weights)
        here = first.get_layer(layer.name)
        here.set_weights([value.reshape(own.shape) for value, own in zip(weights, here.get_weights(), strict=True)])
    return [wrap(net, Normalization((0.4,), (0.5,)), name="mixed") for net in (last, first)]


@pytest.mark.parametrize("method", [name for name in LAYER_METHODS if not name.startswith("fullgrad")])
def test_keras_layers_with_channels_first_give_what_their_twin_gives(keras_mixed, method):
    last, first = keras_mixed
    assert first.layer().shape == (7, 6, 6) and last.layer().shape == (6, 6, 7)
    x = np.ascontiguousarray(np.moveaxis(X, 1, -1))
    same(hm.explain(last, x, method, [0, 1, 2]), hm.explain(first, x, method, [0, 1, 2]))


# Volumes


def volumes():
    """A network of volumes in both frameworks, with the same weights."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv3d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool3d(2), nn.Conv3d(4, 6, 3, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(6, 3),
    ).eval()  # fmt: skip
    twin = keras.Sequential(
        [
            keras.Input((8, 12, 10, 1)), keras.layers.Conv3D(4, 3, padding="same"), keras.layers.ReLU(),
            keras.layers.MaxPooling3D(2), keras.layers.Conv3D(6, 3, padding="same"), keras.layers.ReLU(),
            keras.layers.GlobalAveragePooling3D(), keras.layers.Dense(3),
        ]
    )  # fmt: skip
    weighted = [module for module in net if hasattr(module, "weight")]
    for module, layer in zip(weighted, [layer for layer in twin.layers if layer.get_weights()], strict=True):
        weight = module.weight.detach().numpy()
        layer.set_weights([weight.transpose(*range(2, weight.ndim), 1, 0), module.bias.detach().numpy()])
    return wrap(net, input_shape=(1, 8, 12, 10)), wrap(twin), net


@pytest.mark.parametrize(
    "method",
    ["grad_cam", "layer_cam", "hires_cam", "score_cam", "ablation_cam", "eigen_cam", "opti_cam[steps=3]", "fullgrad",
     "fullgrad_cam", "sise", "conductance[steps=3]", "internal_influence[steps=3]", "guided_grad_cam"],
)  # fmt: skip
def test_volumes_have_maps_of_three_axes(method):
    first, second, net = volumes()
    x = np.random.default_rng(0).random((2, 1, 8, 12, 10), dtype=np.float32)
    maps = hm.explain(first, x, method, [0, 1])
    assert maps.shape == (2, 8, 12, 10)
    np.testing.assert_allclose(
        hm.explain(second, np.moveaxis(x, 1, -1), method, [0, 1]), maps, atol=2e-4 * np.abs(maps).max()
    )
    if method == "grad_cam":
        features = net[:5](torch.from_numpy(x)).detach().requires_grad_()
        logits = net[5:](features)
        (gradient,) = torch.autograd.grad(logits[0, 0] + logits[1, 1], features)
        cam = torch.relu((gradient.mean((2, 3, 4), keepdim=True) * features).sum(1))[:, None]
        expected = nn.functional.interpolate(cam, (8, 12, 10), mode="trilinear", align_corners=False)[:, 0]
        assert expected.max() > 0
        np.testing.assert_allclose(maps, expected.detach().numpy(), atol=1e-6)


# Channels elsewhere at the input


class Series(nn.Module):
    """Two convolutions over time; takes (n, features, time), or (n, time, features)."""

    def __init__(self, last):
        super().__init__()
        self.last = last
        self.one, self.two = nn.Conv1d(5, 6, 5, padding=2), nn.Conv1d(6, 6, 3, padding=1)
        self.relu, self.head = nn.ReLU(), nn.Linear(6, 3)

    def forward(self, x):
        x = self.relu(self.two(torch.tanh(self.one(x.transpose(1, 2) if self.last else x))))
        return self.head(x.mean(-1))


NORMALIZATION = Normalization((0.1, 0.2, 0.3, 0.4, 0.5), (0.5, 0.6, 0.7, 0.8, 0.9))
SERIES = np.random.default_rng(3).random((4, 5, 24), dtype=np.float32)
INPUT_METHODS = (
    "gradient", "saliency", "input_x_gradient", "integrated_gradients[steps=5]", "smoothgrad[samples=3]", "grad_cam",
    "score_cam", "occlusion[window=4,stride=2]", "rise[masks=12]", "feature_ablation", "lime[samples=20]",
    "integrated_gradients[steps=3,baseline=blur]", "integrated_gradients[steps=3,baseline=mean]", "blur_ig[steps=3]",
    "guided_ig[steps=3]", "extremal_perturbation[steps=3]", "opti_cam[steps=3]", "fullgrad", "guided_grad_cam",
)  # fmt: skip
METRICS = (
    "deletion[steps=4]", "insertion[steps=4]", "average_drop", "n_ord[steps=4]", "sensitivity_n[subsets=5]",
    "morf[steps=4,fill=linear]", "infidelity[samples=5]",
)  # fmt: skip


@pytest.fixture(scope="module")
def series():
    torch.manual_seed(4)
    first, last = Series(False).eval(), Series(True).eval()
    last.load_state_dict(first.state_dict())
    return (
        wrap(first, NORMALIZATION, (5, 24), name="series"),
        wrap(last, NORMALIZATION, (24, 5), channel_axis=-1, name="series"),
    )


@pytest.fixture(scope="module")
def keras_series():
    """A Keras network that takes (n, time, features), and one that takes (n, features, time)."""
    keras.utils.set_random_seed(5)
    body = [
        keras.layers.Conv1D(6, 5, padding="same", activation="tanh"), keras.layers.Conv1D(6, 3, padding="same"),
        keras.layers.ReLU(), keras.layers.GlobalAveragePooling1D(), keras.layers.Dense(3),
    ]  # fmt: skip
    last = keras.Sequential([keras.Input((24, 5)), *body])
    first = keras.Sequential([keras.Input((5, 24)), keras.layers.Permute((2, 1)), *body])
    return wrap(last, NORMALIZATION, name="series"), wrap(first, NORMALIZATION, channel_axis=1, name="series")


def twins(pair, method, **options):
    usual, other = pair
    x = SERIES if usual.channel_axis == 1 else SERIES.swapaxes(1, 2)
    return hm.explain(usual, x, method, [0, 1, 2, 0], **options), hm.explain(
        other, x.swapaxes(1, 2), method, [0, 1, 2, 0], **options
    )


@pytest.mark.parametrize("method", INPUT_METHODS)
def test_a_network_of_time_by_features_gives_what_its_twin_gives(series, method):
    same(*twins(series, method))


@pytest.mark.parametrize("method", ["gradient", "integrated_gradients[steps=5]", "grad_cam", "occlusion[window=4]"])
def test_a_keras_network_of_features_by_time_gives_what_its_twin_gives(keras_series, method):
    same(*twins(keras_series, method))


def test_maps_with_channels_lie_as_the_input_does(series):
    usual, other = twins(series, "gradient", channels=True)
    np.testing.assert_allclose(usual, other.swapaxes(1, 2), atol=1e-6)


@pytest.mark.parametrize("metric", METRICS)
def test_metrics_too(series, keras_series, metric):
    maps = np.random.default_rng(6).random((4, 24), dtype=np.float32)
    for usual, other in (series, keras_series):
        x = SERIES if usual.channel_axis == 1 else SERIES.swapaxes(1, 2)
        scores = hm.score(usual, x, maps, metric=metric, target=1)
        np.testing.assert_allclose(hm.score(other, x.swapaxes(1, 2), maps, metric=metric, target=1), scores, atol=1e-5)


def test_datasets_come_in_the_layout_that_is_stated(series):
    data = ArrayDataset("series", SERIES.swapaxes(1, 2), np.zeros(4, np.int64))
    usual, other = (data.take(4, model).x for model in series)
    assert tuple(usual.shape) == (4, 5, 24) and tuple(other.shape) == (4, 24, 5)
    np.testing.assert_array_equal(usual.swapaxes(1, 2), other)


def test_wrong_channel_axes_are_told(series):
    for axis in (0, 2, -2):
        with pytest.raises(BadInput, match="give 1 where a batch is"):
            wrap(nn.Linear(4, 2), channel_axis=axis)
    with pytest.raises(BadInput, match="flat vector of shape"):
        wrap(nn.Linear(4, 2), input_shape=(4,), channel_axis=-1)
    with pytest.raises(BadInput, match="this model takes channels last"):
        hm.explain(series[1], SERIES, "gradient")
    assert Conventions(channel_axis=-1).channel_axis == -1


def test_a_pictures_network_may_take_channels_last():
    torch.manual_seed(7)
    net = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4)).eval()

    class Last(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net

        def forward(self, x):
            return self.net(x.permute(0, 3, 1, 2))

    usual = wrap(net, input_shape=(3, 12, 12))
    other = wrap(Last(), input_shape=(12, 12, 3), channel_axis=-1)
    x = np.ascontiguousarray(np.moveaxis(X, 1, -1))
    for method in ("gradient", "grad_cam", "sise", "lime[samples=20]", "xrai", "expected_gradients[samples=4]"):
        same(hm.explain(usual, X, method, 1), hm.explain(other, x, method, 1))


def test_other_libraries_refuse_what_they_would_misread(mixed, series):
    first, last = (Request(model, model.inputs(X), np.zeros(3, np.int64)) for model in mixed)
    assert at_layer(first) == {"layer": "two_relu"}
    with pytest.raises(NotApplicable, match=r"channels first alone, and 'two_relu' of mixed, of shape \(6, 6, 7\)"):
        at_layer(last)
    request = Request(series[1], series[1].inputs(SERIES.swapaxes(1, 2)), np.zeros(4, np.int64))
    assert _windows(request, window=4, stride=2)["sliding_window_shapes"] == (4, 5)
    with pytest.raises(NotApplicable, match="has no spatial positions"):
        at_layer(request, layer="head")


def test_a_file_of_ones_own_may_state_the_layout(tmp_path):
    (tmp_path / "net.py").write_text(
        "import torch\nimport heatmark as hm\nfrom heatmark.models.catalogue import LoadedNetwork\n"
        "from heatmark.models.conventions import Conventions\n\n\n"
        "class Net(torch.nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n        self.conv = torch.nn.Conv1d(1, 4, 3)\n"
        "        self.head = torch.nn.Linear(4, 4)\n\n"
        "    def forward(self, x):\n        return self.head(self.conv(x.transpose(1, 2)).mean(2))\n\n\n"
        "def build():\n    return LoadedNetwork(Net().eval(), conventions=Conventions(channel_axis=-1))\n"
    )
    model = model_from_text(f"{tmp_path / 'net.py'}:build")
    assert model.channels_stand_first is False and not model.knows_shape
    series = load_dataset("series")
    settle_input_shape(model, series.first_readable(), series.framing)
    assert model.input_shape == (128, 1) and model.channel_axis == -1
    batch = series.take(3, model)
    assert hm.explain(model, batch.x, "grad_cam", 0).shape == (3, 128)
