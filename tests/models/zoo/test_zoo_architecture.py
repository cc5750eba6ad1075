"""The neutral description of networks: shapes, SAME padding, and the same logits in both frameworks."""

from __future__ import annotations

from dataclasses import replace

import networks
import numpy as np
import pytest

from heatmark.errors import BadInput
from heatmark.models.architecture.nodes import (
    INPUT,
    Activation,
    Add,
    Architecture,
    AveragePool,
    BatchNorm,
    Convolution,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool,
    MaxPool,
    check_weights,
    initial_weights,
    same_padding,
)
from heatmark.models.architecture.small_networks import NETWORKS, cnn_1d, small_cnn, vgg7
from heatmark.models.normalization import Normalization
from heatmark.models.zoo.efficientnet_lite import efficientnet_lite

# A network with every kind of node, and with SAME windows that cannot be padded symmetrically at even sizes.
EVERYTHING = Architecture(
    "everything",
    (14, 11, 2),
    (
        Convolution("stem", (INPUT,), 8, (3, 3), 2, bias=False),
        BatchNorm("norm", ("stem",), 1e-3),
        Activation("relu6", ("norm",), "relu6"),
        Convolution("depth", ("relu6",), 8, (5, 5), 1, depthwise=True),
        Convolution("even", ("depth",), 8, (2, 4)),
        Add("add", ("depth", "even", "relu6")),
        MaxPool("max", ("add",), (3, 3), 2, "same"),
        Convolution("valid", ("max",), 6, (2, 2), 1, "valid"),
        Activation("relu", ("valid",)),
        AveragePool("average", ("relu",), (2, 2), 1),
        Flatten("flat", ("average",)),
        Dropout("dropout", ("flat",), 0.5),
        Dense("hidden", ("dropout",), 7),
        Dense("logits", ("hidden",), 5, bias=False),
    ),
    "logits",
)
SERIES = Architecture(
    "series",
    (21, 2),
    (
        Convolution("stem", (INPUT,), 4, (4,), 2),
        BatchNorm("norm", ("stem",)),
        Convolution("depth", ("norm",), 4, (3,), 2, depthwise=True),
        MaxPool("max", ("depth",), (2,), 2, "same"),
        Activation("relu", ("max",)),
        GlobalAveragePool("pool", ("relu",)),
        Dense("logits", ("pool",), 3),
    ),
    "logits",
)


def scrambled(architecture: Architecture, seed: int = 1) -> dict[str, np.ndarray]:
    """Weights in which no bias or batch statistic is trivial, so that a wrong mapping shows."""
    generator = np.random.default_rng(seed)
    weights = initial_weights(architecture, seed)
    for name, value in weights.items():
        if value.ndim == 1:
            low = 0.5 if name.endswith(("running_var", "norm.weight")) else -0.3
            weights[name] = generator.uniform(low, 1.5, value.shape).astype(np.float32)
    return weights


def logits(architecture: Architecture, weights: dict[str, np.ndarray], x: np.ndarray, framework: str) -> np.ndarray:
    network = networks.built(architecture, framework, weights)
    if framework == "torch":
        import torch

        with torch.inference_mode():
            return network(torch.from_numpy(np.moveaxis(x, -1, 1).copy())).numpy()  # type: ignore[operator,no-any-return]
    return np.asarray(network(x, training=False))  # type: ignore[operator]


@pytest.mark.parametrize(
    "architecture",
    [
        EVERYTHING,
        replace(EVERYTHING, input_shape=(15, 12, 2)),
        SERIES,
        replace(SERIES, input_shape=(18, 2)),
        small_cnn((8, 8, 1), 10),
        vgg7((12, 17, 3), 4),
        cnn_1d((40, 1), 10),
        networks.plain(),
        networks.residual((13, 9, 3)),
        networks.depthwise(),
        efficientnet_lite("efficientnet-lite0", 35),
    ],
    ids=lambda item: f"{item.name}-{item.input_shape[0]}",
)
def test_both_frameworks_give_the_same_logits(architecture: Architecture) -> None:
    weights = scrambled(architecture)
    x = np.random.default_rng(2).random((3, *architecture.input_shape), dtype=np.float32)
    in_torch, in_keras = (logits(architecture, weights, x, framework) for framework in networks.FRAMEWORKS)
    assert in_torch.shape == (3, architecture.num_classes)
    assert np.ptp(in_torch) > 0
    assert np.abs(in_torch - in_keras).max() <= 2e-5 * np.abs(in_torch).max()


@pytest.mark.parametrize("architecture", [EVERYTHING, SERIES], ids=lambda item: item.name)
def test_weights_come_back_as_they_were_given(architecture: Architecture) -> None:
    from heatmark.models.architecture.on_tensorflow import build_keras, keras_weights
    from heatmark.models.architecture.on_torch import build_torch, torch_weights

    weights = scrambled(architecture)
    for found in (
        torch_weights(build_torch(architecture, weights)),
        keras_weights(architecture, build_keras(architecture, weights)),
    ):
        assert found.keys() == weights.keys()
        assert all(np.array_equal(found[name], weights[name]) for name in weights)


def test_nodes_have_the_same_names_in_both_frameworks() -> None:
    weights = initial_weights(EVERYTHING, 0)
    in_torch, in_keras = (networks.built(EVERYTHING, framework, weights) for framework in networks.FRAMEWORKS)
    modules = {name for name, _ in in_torch.named_children()}  # type: ignore[attr-defined]
    layers = {layer.name for layer in in_keras.layers}  # type: ignore[attr-defined]
    names = {node.name for node in EVERYTHING.nodes}
    assert names <= modules and names <= layers
    assert modules - names == {"stem_padding", "even_padding", "max_padding"}


def test_a_convolution_by_hand() -> None:
    """SAME with stride 2 on an even size pads one zero behind: windows start at 0, not at -1."""
    architecture = Architecture(
        "hand", (4, 1), (Convolution("c", (INPUT,), 1, (3,), 2, bias=False), Flatten("f", ("c",))), "f"
    )
    weights = {"c.weight": np.array([[[1.0, 10.0, 100.0]]], np.float32)}
    x = np.array([1.0, 2.0, 3.0, 4.0], np.float32).reshape(1, 4, 1)
    for framework in networks.FRAMEWORKS:
        np.testing.assert_array_equal(logits(architecture, weights, x, framework), [[321.0, 43.0]])


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "pads"),
    [(4, 3, 2, (0, 1)), (5, 3, 2, (1, 1)), (7, 5, 1, (2, 2)), (8, 2, 1, (0, 1)), (9, 1, 2, (0, 0)), (6, 5, 2, (1, 2))],
)
def test_same_padding(size: int, kernel: int, stride: int, pads: tuple[int, int]) -> None:
    assert same_padding(size, kernel, stride) == pads


def test_initial_weights_are_seeded_and_scaled() -> None:
    first, again, other = (initial_weights(EVERYTHING, seed) for seed in (3, 3, 4))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["even.weight"], other["even.weight"])
    wide = initial_weights(Architecture("wide", (500,), (Dense("d", (INPUT,), 400),), "d"), 0)["d.weight"]
    assert wide.std() == pytest.approx((2 / 500) ** 0.5, rel=0.01)


@pytest.mark.parametrize(
    ("nodes", "output", "message"),
    [
        ((Dense("a", (INPUT,), 2),), "a", "put a Flatten before"),
        ((Flatten("a", (INPUT,)), Dense("a", ("a",), 2)), "a", "used twice"),
        ((Flatten("a.b", (INPUT,)),), "a.b", "other signs"),
        ((Flatten("a", ("later",)),), "a", "list nodes after their inputs"),
        ((Flatten("a", (INPUT,)),), "b", "no output node"),
        ((Activation("a", (INPUT,)),), "a", "does not give a vector"),
        ((Convolution("a", (INPUT,), 4, (9, 9), 1, "valid"),), "a", "larger than its input"),
        ((Convolution("a", (INPUT,), 4, (3,)),), "a", "1-D window"),
        ((Convolution("a", (INPUT,), 4, (3, 3), depthwise=True),), "a", "depthwise"),
        ((Convolution("a", (INPUT,), 4, (1, 1)), Add("b", ("a", INPUT))), "b", "different shapes"),
    ],
)
def test_an_impossible_network_is_refused(nodes: tuple[object, ...], output: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        Architecture("wrong", (6, 6, 3), nodes, output)  # type: ignore[arg-type]


def test_wrong_weights_are_refused() -> None:
    weights = initial_weights(SERIES, 0)
    with pytest.raises(BadInput, match=r"missing \['logits.bias'\]"):
        check_weights(SERIES, {name: value for name, value in weights.items() if name != "logits.bias"})
    with pytest.raises(BadInput, match=r"logits.bias has shape \(2,\), expected \(3,\)"):
        check_weights(SERIES, weights | {"logits.bias": np.zeros(2, np.float32)})


def test_building_leaves_the_random_state_alone() -> None:
    import torch

    before = torch.get_rng_state()
    networks.built(SERIES, "torch", initial_weights(SERIES, 0))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("name", sorted(NETWORKS.keys() - {"vit-tiny"}))
def test_small_networks_say_which_samples_they_take(name: str) -> None:
    with pytest.raises(BadInput, match=r"takes (pictures|series)"):
        NETWORKS[name]((3, 1) if name == "cnn-1d" else (3, 3, 1), 2)
    with pytest.raises(BadInput, match=r"takes (pictures|series)"):
        NETWORKS[name]((20, 20, 1) if name == "cnn-1d" else (40, 1), 2)


def test_vgg7_has_seven_weight_layers() -> None:
    weights = [name for name in vgg7((28, 28, 1), 10).parameter_shapes() if name.endswith(".weight")]
    assert len(weights) == 7


def test_normalization() -> None:
    rule = Normalization((0.5, 0.25), (0.5, 0.25))
    x = np.array([[[1.0, 0.0]]], np.float32)
    np.testing.assert_allclose(rule.apply(x, 2), [[[1.0, -1.0]]])
    np.testing.assert_allclose(rule.apply(np.moveaxis(x, -1, 1), 1), [[[1.0], [-1.0]]])
    flipped = Normalization((0.5, 0.25), (0.5, 0.25), flip_channels=True)
    np.testing.assert_allclose(flipped.apply(x, 2), [[[-1.0, 1.0]]])
    assert rule.apply(np.asarray(rule.zero, np.float32).reshape(1, 1, 2), 2).any() == False  # noqa: E712
    with pytest.raises(BadInput, match="above 0"):
        Normalization((0.5,), (0.0,))
    with pytest.raises(BadInput, match="as many"):
        Normalization((0.5,), (0.1, 0.2))
