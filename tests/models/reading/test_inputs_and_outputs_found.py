"""What an examination says of a network's inputs, outputs and classes."""

from __future__ import annotations

import numpy as np
import pytest

import heatmark as hm
from heatmark.models.checking.inputs_and_outputs import classes, inputs, outputs

torch = pytest.importorskip("torch")


def small(*end: torch.nn.Module, classes: int = 3) -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(48, classes), *end)


X = np.random.default_rng(0).random((5, 3, 4, 4), dtype=np.float32)


def found(question, net: torch.nn.Module, x: np.ndarray = X, **options):
    model = hm.wrap(net, input_shape=x.shape[1:], **options)
    return question(model, model.inputs(x))


def test_outputs_are_named_with_how_they_were_told() -> None:
    plain = found(outputs, small())
    assert plain.verdict == "holds" and "logits of classes that exclude each other" in plain.evidence
    assert "log odds of one class" in found(outputs, small(classes=1)).evidence
    ended = found(outputs, small(torch.nn.Sigmoid()))
    assert ended.verdict == "holds" and "told by its last layer: the sigmoid of its last layer, '2'" in ended.evidence
    assert "as stated" in found(outputs, small(), output="multi-label").evidence

    class Inline(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = small()

        def forward(self, x):
            return torch.sigmoid(self.inner(x))

    with pytest.warns(UserWarning, match="independent probabilities"):
        told = found(outputs, Inline())
    assert told.verdict == "doubtful" and "log odds are explained" in told.evidence and "--output" in told.remedy


def test_inputs_are_named_with_their_domain() -> None:
    plain = found(inputs, small(), preprocess=hm.Normalization((0.5,), (0.25,)))
    assert plain.verdict == "holds"
    assert (
        "3 x 4 x 4, channels first; raw values from 0 to 1 as is usual, less 0.5 and divided by 0.25" in plain.evidence
    )
    twice = found(inputs, small(), X / 255)
    assert twice.verdict == "doubtful" and "divided by 255 twice" in twice.remedy
    assert "from 0 to 255 as stated" in found(inputs, small(), 255 * X, domain=(0, 255)).evidence
    vectors = found(inputs, torch.nn.Linear(6, 2), np.linspace(-3, 3, 12).reshape(2, 6))
    assert vectors.verdict == "doubtful" and "domain=(low, high)" in vectors.remedy


def test_a_network_that_is_given_bytes_says_so() -> None:
    keras = pytest.importorskip("keras")
    net = keras.Sequential(
        [keras.Input((4, 4, 3)), keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(2)]
    )
    with pytest.warns(UserWarning, match="times 255"):
        model = hm.wrap(net)
    told = inputs(model, model.inputs(np.moveaxis(X, 1, -1)))
    assert told.verdict == "doubtful" and "given raw values times 255" in told.evidence


def test_classes_are_counted_and_named() -> None:
    assert "3 classes" in found(classes, small()).evidence
    named = found(classes, small(), class_names=["cat", "dog", "eel"])
    assert named.verdict == "holds" and "named cat, dog, eel" in named.evidence
    assert found(classes, small(), class_names=["cat"]).verdict == "fails"
    assert "'cat'" in found(classes, small(), class_names=["cat", "cat", "dog"]).evidence
