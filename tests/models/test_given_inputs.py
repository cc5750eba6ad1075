"""Inputs as users have them, and the contexts in which they ask: the gradient is that of autograd, or it is refused."""

from __future__ import annotations

import numpy as np
import pytest

import heatmark as hm
from heatmark.errors import BadInput

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")
nn = torch.nn

X = np.random.default_rng(0).random((3, 10, 8, 3), dtype=np.float32)


def first(x):
    return np.ascontiguousarray(np.moveaxis(x, -1, 1))


@pytest.fixture(scope="module")
def nets():
    """Return the same network in both frameworks."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((10, 8, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3, activation="relu")(inputs))
    there = keras.Model(inputs, keras.layers.Dense(4)(pooled))
    here = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 4)).eval()
    kernel, bias, dense, last = there.get_weights()
    with torch.no_grad():
        for weight, value in zip(here.parameters(), (kernel.transpose(3, 2, 0, 1), bias, dense.T, last), strict=True):
            weight.copy_(torch.tensor(value.copy()))
    return {"torch": here, "tensorflow": there}


@pytest.fixture(scope="module")
def expected(nets):
    x = torch.tensor(first(X), requires_grad=True)
    (gradient,) = torch.autograd.grad(nets["torch"](x)[:, 1].sum(), x)
    return gradient.numpy().sum(1)


def inferred(x):
    with torch.inference_mode():
        return torch.tensor(x)


WAYS = {
    "nested lists": lambda x: x.tolist(),
    "a list of arrays": list,
    "a list of tensors": lambda x: list(torch.tensor(x)),
    "a list of tensors that need a gradient": lambda x: [torch.tensor(one, requires_grad=True) for one in x],
    "a tensor that needs a gradient": lambda x: torch.tensor(x, requires_grad=True),
    "a tensor with a history": lambda x: 1 * torch.tensor(x, requires_grad=True),
    "a tensor made in inference mode": inferred,
    "a sparse tensor": lambda x: torch.tensor(x).to_sparse(),
    "double precision": lambda x: x.astype(np.float64),
    "strides that run backwards": lambda x: x[:, :, ::-1].copy()[:, :, ::-1],
    "Fortran's order": np.asfortranarray,
    "TensorFlow's tensor": tf.constant,
    "TensorFlow's variable": tf.Variable,
}


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
@pytest.mark.parametrize("way", WAYS)
def test_inputs_are_taken_as_users_have_them(nets, expected, framework, way):
    if way == "a sparse tensor" and framework == "tensorflow":
        pytest.skip("PyTorch's own")
    given = WAYS[way](first(X) if framework == "torch" else X)
    found = hm.explain(hm.wrap(nets[framework]), given, "gradient", 1)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_16_bits_are_taken_too(nets, expected):
    given = torch.tensor(X).bfloat16()
    rounded = given.float().numpy()
    one = hm.explain(hm.wrap(nets["tensorflow"]), given.requires_grad_(), "gradient", 1)
    other = hm.explain(hm.wrap(nets["torch"]), torch.tensor(first(rounded)), "gradient", 1)
    np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
@pytest.mark.parametrize(
    "given",
    [[[1.0], [1.0, 2.0]], (X, np.zeros(3)), np.array([None, 1], object), X + 1j, np.array(["dog.jpg"])],
    ids=["ragged", "with labels", "objects", "complex", "names"],
)
def test_what_is_no_array_of_numbers_is_refused(nets, framework, given):
    with pytest.raises(BadInput, match=r"The input is .*no (array|real numbers).*Give an array or a tensor"):
        hm.explain(hm.wrap(nets[framework]), given, "gradient", 1)


@pytest.mark.parametrize("context", [torch.inference_mode, torch.no_grad])
@pytest.mark.parametrize(
    "method",
    [
        "gradient", "integrated_gradients[steps=4]", "smoothgrad[samples=2]", "grad_cam", "guided_backprop", "fullgrad",
        "lrp[epsilon]", "deep_lift", "opti_cam[steps=2]", "extremal_perturbation[steps=2]", "conductance",
        "rise[masks=4]",
    ],
)  # fmt: skip
def test_a_context_without_gradients_changes_nothing(nets, method, context):
    """People evaluate networks in one, and what is asked there is refused otherwise, for a reason that is none."""
    expected = hm.explain(hm.wrap(nets["torch"]), first(X), method, 1)
    with context():
        found = hm.explain(hm.wrap(nets["torch"]), torch.tensor(first(X)), method, 1)
    np.testing.assert_array_equal(found, expected)


def test_metrics_and_checks_too(nets):
    model, metrics = (
        hm.wrap(nets["torch"]),
        ["deletion[steps=3]", "max_sensitivity[samples=2]", "infidelity[samples=3]"],
    )
    expected = hm.evaluate(model, first(X), 1, methods="gradient", metrics=metrics)
    with torch.inference_mode():
        found = hm.evaluate(hm.wrap(nets["torch"]), first(X), 1, methods="gradient", metrics=metrics)
        assert hm.check(hm.wrap(nets["torch"]), first(X)).worst == hm.check(model, first(X)).worst
    assert found.equals(expected)
