"""Class activation maps, influence inside the network, and controls: oracles beyond those that all methods share."""

from __future__ import annotations

import numpy as np
import pytest
from networks import FRAMEWORKS, native, pictures

import heatmark as hm
from heatmark.errors import NotApplicable
from heatmark.methods.internal_influence import conductance_map, expert_channel
from heatmark.methods.request import Request
from heatmark.models.wrap import wrap

torch = pytest.importorskip("torch")


def pooled_network():
    """Maps x and 2x, averaged over 3 x 3 positions, then logits (a - b/4, -a)."""
    net = torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 1, bias=False), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(),
        torch.nn.Linear(2, 2, bias=False),
    )  # fmt: skip
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([1.0, 2.0]).reshape(2, 1, 1, 1))
        net[4].weight.copy_(torch.tensor([[1.0, -0.25], [-1.0, 0.0]]))
    return wrap(net, input_shape=(1, 3, 3))


X = np.arange(9, dtype=np.float32).reshape(1, 1, 3, 3) / 9


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("cam", X[0, 0] * 0.5),  # 1 * x - 0.25 * 2x
        ("xgrad_cam", X[0, 0] * 0.5 / 9),
        ("hires_cam", X[0, 0] * 0.5 / 9),
        ("layer_cam", X[0, 0] / 9),  # only the first map's gradient is positive
        ("ablation_cam", X[0, 0] * (1 / 0.5) - 2 * X[0, 0] * (0.25 * 2 / 0.5)),  # 2x - 2x: the shares are 2 and -1
    ],
)
def test_by_hand(method, expected):
    result = hm.explain(pooled_network(), X, method, 0)[0]
    np.testing.assert_allclose(result, np.maximum(expected, 0) if method != "cam" else expected, rtol=1e-5, atol=1e-7)


def test_cam_is_signed_and_tells_where_it_has_no_meaning(model):
    np.testing.assert_allclose(hm.explain(pooled_network(), X, "cam", 1)[0], -X[0, 0], rtol=1e-5)
    for framework in FRAMEWORKS:
        subject = model("plain", framework)
        with pytest.raises(NotApplicable, match="ends in an average over positions"):
            hm.explain(subject, native(subject, pictures(1)), "cam")


def test_score_cam_by_hand():
    subject = pooled_network()
    # Both maps scaled to [0, 1] are the same mask, so the weights are equal: (x + 2x) / 2.
    np.testing.assert_allclose(hm.explain(subject, X, "score_cam", 0)[0], 1.5 * X[0, 0], rtol=1e-5)


def test_eigen_cam_finds_the_common_direction():
    subject = pooled_network()
    result = hm.explain(subject, X, "eigen_cam")[0]
    centred = X[0, 0] - X.mean()
    np.testing.assert_allclose(result, np.maximum(centred, 0) * 5**0.5, rtol=1e-5, atol=1e-6)
    assert np.array_equal(result, hm.explain(subject, X, "eigen_cam", 1)[0])


def test_finer_cam_compares(model):
    subject = model("residual", "torch")
    x = native(subject, pictures(2))
    plain = hm.explain(subject, x, "grad_cam", [0, 1])
    np.testing.assert_allclose(hm.explain(subject, x, "finer_cam[strength=0]", [0, 1]), plain, rtol=1e-5, atol=1e-7)
    assert not np.allclose(hm.explain(subject, x, "finer_cam", [0, 1]), plain)


def test_opti_cam_does_at_least_as_well_as_equal_weights(model):
    subject = model("residual", "torch")
    x = native(subject, pictures(3))
    target = np.array([0, 1, 2])

    def kept(maps):
        return subject.outputs(x * maps[:, None])[np.arange(3), target]

    first, last = (kept(hm.explain(subject, x, f"opti_cam[steps={steps}]", target)) for steps in (1, 30))
    assert (last >= first - 1e-5).all() and (last > first + 1e-4).any()


def test_guided_grad_cam_is_the_product(model):
    subject = model("residual", "torch")
    x = native(subject, pictures(2))
    product = (
        hm.explain(subject, x, "guided_backprop", 0, channels=True) * hm.explain(subject, x, "grad_cam", 0)[:, None]
    )
    np.testing.assert_allclose(
        hm.explain(subject, x, "guided_grad_cam", 0, channels=True), product, rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_conductance_is_complete_at_its_layer(model, framework):
    subject = model("residual", framework)
    x = native(subject, pictures(2))
    target = np.array([1, 2])
    total = subject.to_numpy(conductance_map(Request(subject, subject.inputs(x), target), None, 300, "black"))
    change = (subject.outputs(x) - subject.outputs(np.zeros_like(x)))[[0, 1], target]
    np.testing.assert_allclose(total.sum(axis=(1, 2)), change, rtol=0.02, atol=0.01)


def test_the_expert_and_its_input_attribution_by_hand():
    subject = pooled_network()
    request = Request(subject, subject.inputs(X), np.array([0]))
    layer = subject.layer()
    assert expert_channel(request, layer, "class", "instance", 1).tolist() == [0]
    assert expert_channel(request, layer, "comparison", "path", 3).tolist() == [0]
    assert expert_channel(Request(subject, subject.inputs(X), np.array([1])), layer, "class", "instance", 1) == [1]
    # The expert of class 0 is the mean of x over 9 positions; that of class 1 the mean of 2x.
    active = X[0, 0] > 0
    np.testing.assert_allclose(hm.explain(subject, X, "influence_directed", 0)[0], X[0, 0] / 9 * active, rtol=1e-5)
    np.testing.assert_allclose(hm.explain(subject, X, "influence_directed", 1)[0], 2 * X[0, 0] / 9 * active, rtol=1e-5)


def second_class_score(operations, logits, target):
    """Return the second class's logit, whatever the target."""
    return logits[:, 1]


def test_a_quantity_of_ones_own():
    subject = pooled_network()
    request = Request(subject, subject.inputs(X), np.array([0]))
    assert expert_channel(request, subject.layer(), second_class_score, "gaussian", 2) == [1]


def test_internal_influence_by_hand():
    # Constant gradients: activation times gradient, whatever the path.
    result = hm.explain(pooled_network(), X, "internal_influence[steps=3]", 0)[0]
    np.testing.assert_allclose(result, X[0, 0] * 0.5 / 9, rtol=1e-5, atol=1e-8)


def test_the_oracle_is_the_mask(model):
    subject = model("plain", "torch")
    x = native(subject, pictures(2))
    truth = np.zeros((2, 12, 12), bool)
    truth[:, 3:5, 4:8] = True
    np.testing.assert_array_equal(hm.explain(subject, x, "oracle", ground_truth=truth), truth)
    with pytest.raises(NotApplicable, match="ground-truth masks"):
        hm.explain(subject, x, "oracle")


def test_controls_ignore_the_network(model):
    first, second = model("plain", "torch"), model("residual", "torch")
    x = native(first, pictures(2))
    for name in ("random", "sobel", "center_gaussian", "input_intensity", "constant"):
        np.testing.assert_array_equal(hm.explain(first, x, name), hm.explain(second, x, name))
    np.testing.assert_allclose(hm.explain(first, x, "input_intensity"), x.mean(axis=1), rtol=1e-6)
