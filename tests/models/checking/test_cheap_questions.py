"""What `wrap` warns of without being asked, beside answers that do not repeat or depend on the batch."""

from __future__ import annotations

import numpy as np
import pytest

from heatmark.errors import Doubt
from heatmark.models.wrap import wrap

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")


def dense(framework: str, half: bool = False):
    if framework == "torch":
        net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 3))
        return net.half() if half else net
    return keras.Sequential([keras.Input((12,)), keras.layers.Dense(3, dtype="float16" if half else "float32")])


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_weights_in_16_bits_and_names_that_are_too_few_are_told(framework, recwarn):
    wrap(dense(framework), input_shape=(12,), class_names=["cat", "dog", "eel"])
    assert not [one for one in recwarn if issubclass(one.category, Doubt)]
    with pytest.warns(Doubt, match=r"3 classes; .* 2 names\. Give one name per class"):
        wrap(dense(framework), input_shape=(12,), class_names=["cat", "dog"])
    with pytest.warns(Doubt, match=r"39 float16; .* up to 1 in 2,048\. Compare methods in float32"):
        model = wrap(dense(framework, half=True), input_shape=(12,))
    assert np.isfinite(model.outputs(np.zeros((2, 12), np.float32))).all()
