"""SISE, against what is made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from networks import FRAMEWORKS, native, pictures

import heatmark as hm
from heatmark.methods.cam.sise import block_ends, fused
from heatmark.methods.request import Request
from heatmark.models.queries import PassCount
from heatmark.models.wrap import wrap

torch = pytest.importorskip("torch")
pytest.importorskip("keras")


def hand_made(last):
    """Two feature maps: the picture, and what it lacks to one; their means are weighed by ``last``."""
    net = torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 1), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(),
        torch.nn.Linear(2, 2, bias=False),
    )  # fmt: skip
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([1.0, -1.0]).reshape(2, 1, 1, 1))
        net[0].bias.copy_(torch.tensor([0.0, 1.0]))
        net[4].weight.copy_(torch.tensor(last))
    return wrap(net, input_shape=(1, 3, 4))


def test_sise_by_hand():
    x = np.random.default_rng(0).random((2, 1, 3, 4)).astype(np.float32).astype(np.float64)
    scaled = (x - x.min(axis=(2, 3), keepdims=True)) / np.ptp(x, axis=(2, 3), keepdims=True)
    # Only the first map has a positive gradient: the map is that map, scaled.
    subject = hand_made([[1.0, -1.0], [0.0, 0.0]])
    np.testing.assert_allclose(hm.explain(subject, x, "sise", 0), scaled[:, 0], rtol=1e-4, atol=1e-6)
    # With two maps, each over its area and times the probability that it leaves.
    subject = hand_made([[3.0, 0.5], [0.0, 0.0]])
    total = np.zeros((2, 3, 4))
    for mask in (scaled, 1 - scaled):
        logits = subject.outputs(x * mask).astype(np.float64)
        probability = np.exp(logits[:, 0]) / np.exp(logits).sum(axis=1)
        total += (probability / mask.mean(axis=(1, 2, 3)))[:, None, None] * mask[:, 0]
    expected = (total - total.min(axis=(1, 2), keepdims=True)) / np.ptp(total, axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(hm.explain(subject, x, "sise", 0), expected, rtol=1e-3, atol=1e-5)
    # Of the two, the second's gradient is below a threshold of 0.8 times the first's.
    np.testing.assert_allclose(hm.explain(subject, x, "sise[threshold=0.8]", 0), scaled[:, 0], rtol=1e-4, atol=1e-6)
    # Where nothing speaks for the class, and where every map is flat, there is nothing to show.
    assert not hm.explain(hand_made([[-1.0, -1.0], [0.0, 0.0]]), x, "sise", 0).any()
    assert not hm.explain(subject, np.full_like(x, 0.5), "sise", 0).any()


def test_sise_fuses_softly_by_otsu():
    first, second = np.linspace(0, 1, 40), np.append(np.linspace(0, 0.2, 20), np.linspace(0.8, 1, 20))
    before = first.copy(), second.copy()
    result = fused([first, second], 100.0, 1.5)
    np.testing.assert_array_equal(first, before[0])
    np.testing.assert_array_equal(second, before[1])
    assert result[:14].max() < 1e-2  # below the threshold, which is 0.2
    np.testing.assert_allclose(result[20:], (first + second)[20:], rtol=1e-6)
    # A layer without evidence changes no ranking.
    np.testing.assert_allclose(fused([first, np.zeros(40)], 100.0, 1.5), first / 2)
    np.testing.assert_array_equal(fused([first], 100.0, 1.5), first)
    # Few positions far above the threshold: it is raised, and what lies between is let go.
    peaked = np.concatenate([np.linspace(0, 0.3, 70), np.linspace(0.5, 0.6, 29), [1.0]])
    lowered, raised = (fused([np.ones(100), peaked], 100.0, factor) for factor in (1.0, 2.5))
    assert lowered[75] > 1.5 and raised[75] < 0.5 and raised[-1] > 1.5


def test_sise_takes_the_last_layer_of_every_size(model):
    for framework in FRAMEWORKS:
        subject = model("plain", framework)
        request = Request(subject, subject.inputs(native(subject, pictures(1))), np.array([0]))
        assert [layer.name for layer in block_ends(request)] == ["first_relu", "second_relu"]


def test_sise_scores_every_map_with_a_positive_gradient_once(model):
    subject = model("plain", "torch")
    x, target = native(subject, pictures(3)), np.array([0, 1, 2])
    request = Request(subject, subject.inputs(x), target)
    kept = 0
    for layer in ("first_relu", "second_relu"):
        answer = request.at_layer(layer)
        alive = np.ptp(subject.to_numpy(answer.activations), axis=(2, 3)) > 0
        kept += (alive & (subject.to_numpy(answer.gradients).mean(axis=(2, 3)) > 0)).sum()
    before = subject.passes
    hm.explain(subject, x, "sise", target)
    assert kept > 6 and subject.passes - before == PassCount(3 + kept, 3)
