"""Networks as people bring them, each with one thing that is odd: the examination names it, or gives it its right name.

The right verdict of each is known from how the network is built.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from heatmark.benchmark.checking.examine import check
from heatmark.models.checking.answers import ALONE, CONNECTED, IDENTITY, REPEAT
from heatmark.models.checking.derivatives import INPUT_GRADIENT, LAYER_GRADIENT
from heatmark.models.checking.place import PLACE
from heatmark.models.wrap import wrap

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # wrap tells some of it too
X = np.random.default_rng(0).random((2, 3, 12, 12), dtype=np.float32)


def verdicts(net: Any, x: np.ndarray = X, **options: Any) -> dict[str, tuple[str, str]]:
    """Return verdict and evidence by question; nothing an examination says of itself is left unforeseen."""
    found = check(wrap(net, input_shape=x.shape[1:], device="cpu", **options), x)
    assert not [one for one in found.findings if "could not be answered" in one.evidence]
    return {one.question: (one.verdict, one.evidence) for one in found.findings}


def body(torch: Any, *inside: Any) -> Any:
    torch.manual_seed(0)
    ends = (torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(4, 3))
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), *inside, torch.nn.ReLU(), *ends)


def test_a_usual_network_holds() -> None:
    torch = pytest.importorskip("torch")
    assert {verdict for verdict, _ in verdicts(body(torch)).values()} == {"holds", "inapplicable"}


def test_batch_statistics_are_named() -> None:
    torch = pytest.importorskip("torch")
    verdict, evidence = verdicts(body(torch, torch.nn.BatchNorm2d(4, track_running_stats=False)))[ALONE]
    assert verdict == "fails" and "differ by" in evidence
    assert verdicts(body(torch, torch.nn.BatchNorm2d(4)).train())[ALONE][0] == "holds"


def test_chance_is_named() -> None:
    torch = pytest.importorskip("torch")

    class Always(torch.nn.Module):  # type: ignore[name-defined,misc]  # it may be absent
        def forward(self, x: Any) -> Any:
            return torch.nn.functional.dropout(x, 0.5, training=True)

    assert verdicts(body(torch, Always()))[REPEAT][0] == "fails"
    assert verdicts(body(torch, torch.nn.Dropout(0.5)).train())[REPEAT][0] == "holds"


def test_steps_and_detached_branches_are_named() -> None:
    torch = pytest.importorskip("torch")

    class Through(torch.nn.Module):  # type: ignore[name-defined,misc]  # it may be absent
        def __init__(self, function: Any) -> None:
            super().__init__()
            self.function = function

        def forward(self, x: Any) -> Any:
            return self.function(x)

    detached = verdicts(body(torch, Through(lambda x: x.detach())))
    assert detached[CONNECTED][0] == "doubtful" and detached[INPUT_GRADIENT][0] in ("inapplicable", "fails")
    assert detached[LAYER_GRADIENT][0] == "holds"  # behind what is cut, all is well
    rounded = verdicts(body(torch, Through(lambda x: torch.round(64 * x) / 64)))
    assert rounded[CONNECTED][0] == "doubtful" and rounded[INPUT_GRADIENT][0] != "holds"


def test_numbers_that_are_coarse_are_named() -> None:
    torch = pytest.importorskip("torch")
    assert verdicts(body(torch).double())[PLACE][0] == "holds"
    found = verdicts(body(torch).bfloat16())
    assert found[PLACE][0] == "doubtful" and "bfloat16" in found[PLACE][1]
    assert found[INPUT_GRADIENT][0] in ("holds", "doubtful")  # coarse numbers prove no gradient wrong


def test_an_identity_is_that_of_all_weights() -> None:
    torch = pytest.importorskip("torch")
    assert verdicts(body(torch))[IDENTITY] == ("holds", "4 entries of 508 bytes.")  # (3 * 9 + 1 + 3) * 4 + 3 numbers


def test_a_layer_that_serves_two_places_is_replaced_at_the_last() -> None:
    """A residual block's one ReLU, at two places with two shapes: the default layer's gradient is the derivative."""
    torch = pytest.importorskip("torch")

    class Shared(torch.nn.Module):  # type: ignore[name-defined,misc]  # it may be absent
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = torch.nn.Conv2d(3, 4, 3), torch.nn.Conv2d(4, 6, 3)
            self.relu, self.dense = torch.nn.ReLU(), torch.nn.Linear(6, 3)

        def forward(self, x: Any) -> Any:
            return self.dense(self.relu(self.two(self.relu(self.one(x)))).mean((2, 3)))

    torch.manual_seed(0)
    verdict, evidence = verdicts(Shared())[LAYER_GRADIENT]
    assert verdict == "holds" and "layer relu" in evidence


def test_a_keras_layer_that_serves_two_places_is_replaced_at_the_last() -> None:
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(0)
    relu, start = keras.layers.ReLU(name="relu"), keras.Input((12, 12, 3))
    last = relu(keras.layers.Conv2D(6, 3)(relu(keras.layers.Conv2D(4, 3)(start))))
    net = keras.Model(start, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(last)))
    verdict, evidence = verdicts(net, np.moveaxis(X, 1, -1).copy())[LAYER_GRADIENT]
    assert verdict == "holds" and "layer relu" in evidence


def test_keras_networks_are_named_alike() -> None:
    keras = pytest.importorskip("keras")
    import tensorflow as tf

    x = np.moveaxis(X, 1, -1).copy()

    def net(function: Any) -> Any:
        keras.utils.set_random_seed(0)

        class Through(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
            def call(self, values: Any) -> Any:
                return function(values)

        start = keras.Input((12, 12, 3))
        inner = keras.layers.ReLU()(Through()(keras.layers.Conv2D(4, 3)(start)))
        return keras.Model(start, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(inner)))

    stopped = verdicts(net(tf.stop_gradient), x)
    assert stopped[CONNECTED][0] == "doubtful" and stopped[INPUT_GRADIENT][0] in ("inapplicable", "fails")
    assert verdicts(net(lambda one: tf.nn.dropout(one, 0.5)), x)[REPEAT][0] == "fails"
    assert verdicts(net(lambda one: one - tf.reduce_mean(one, 0, keepdims=True)), x)[ALONE][0] == "fails"
