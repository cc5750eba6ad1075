"""Methods and metrics on volumes, where nothing in them is about pictures: values computed by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import ndimage

import heatmark as hm
from heatmark.errors import HeatmarkError, NotApplicable
from heatmark.methods.perturbation.rise import SmoothMasks
from heatmark.methods.registry import METHODS
from heatmark.methods.request import Request
from heatmark.metrics.registry import METRICS
from heatmark.models.inputs.blur import correlate, gaussian_blur
from heatmark.models.wrap import wrap

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")

SHAPE = (4, 6, 5)
WEIGHTS = np.random.default_rng(1).normal(size=(2, *SHAPE)).astype(np.float32)
X = np.random.default_rng(0).random((2, 1, *SHAPE), dtype=np.float32)


def linear(framework):
    """Two classes whose logits are weighted sums of the voxels."""
    kernel = WEIGHTS.reshape(2, -1).T
    if framework == "torch":
        net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(kernel.shape[0], 2, bias=False))
        net[1].weight.data = torch.tensor(kernel.T)
        return wrap(net.eval(), input_shape=(1, *SHAPE)), X
    net = keras.Sequential([keras.Input((*SHAPE, 1)), keras.layers.Flatten(), keras.layers.Dense(2, use_bias=False)])
    net.layers[1].set_weights([kernel])
    return wrap(net), np.moveaxis(X, 1, -1)


@pytest.fixture(params=["torch", "tensorflow"])
def subject(request):
    return linear(request.param)


def logits(x):
    return np.einsum("ndhw,cdhw->nc", x, WEIGHTS)


def test_occlusion_is_the_mean_drop_over_the_windows_that_cover_a_voxel(subject):
    model, x = subject
    found = hm.explain(model, x, "occlusion[window=2,stride=2,baseline=0.25,score=logit]", target=1)
    total, count = np.zeros((2, *SHAPE)), np.zeros(SHAPE)
    starts = [sorted({*range(0, size - 1, 2), size - 2}) for size in SHAPE]
    for corner in itertools.product(*starts):
        window = tuple(slice(first, first + 2) for first in corner)
        covered = X[:, 0].copy()
        covered[:, *window] = 0.25
        total[:, *window] += (logits(X[:, 0]) - logits(covered))[:, 1][:, None, None, None]
        count[window] += 1
    np.testing.assert_allclose(found, total / count, rtol=1e-4, atol=1e-5)


def test_rise_is_the_mean_of_masks_weighted_by_what_they_leave(subject):
    model, x = subject
    masks = 300
    found = hm.explain(model, x, f"rise[masks={masks},cells=2,baseline=0.0]", target=1)
    request = Request(model, model.inputs(x), np.array([1, 1]))
    smooth = model.to_numpy(SmoothMasks(request, 2, 0.5)[np.arange(masks)]).astype(np.float64)
    assert smooth.shape == (masks, *SHAPE) and smooth.min() >= 0 and smooth.max() <= 1
    assert smooth.mean() == pytest.approx(0.5, abs=0.05)
    rough = np.abs(np.diff(smooth, axis=1)).max(), np.abs(np.diff(smooth, axis=3)).max()
    assert max(rough) < 1  # enlarged linearly along every axis
    scores = np.stack([1 / (1 + np.exp(np.diff(logits(mask * X[:, 0]), axis=1)[:, 0] * -1)) for mask in smooth])
    expected = np.einsum("vn,vdhw->ndhw", scores, smooth) / (masks * 0.5)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_blurring_is_scipys(subject):
    model, x = subject
    found = model.to_numpy(model.channels_first(gaussian_blur(model, model.inputs(x), 0.7)))[:, 0]
    weight = ndimage.gaussian_filter(np.ones(SHAPE), 0.7, mode="constant", radius=2)
    expected = [
        ndimage.gaussian_filter(one.astype(np.float64), 0.7, mode="constant", radius=2) / weight for one in X[:, 0]
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    kernel = np.random.default_rng(2).random((3, 3, 3)).astype(np.float32)
    found = model.to_numpy(model.channels_first(correlate(model, model.inputs(x), kernel)))[:, 0]
    expected = [ndimage.correlate(one, kernel, mode="constant") for one in X[:, 0]]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_blur_ig_sums_to_the_change_of_the_logit(subject):
    model, x = subject
    found = hm.explain(model, x, "blur_ig[steps=20,width=0.3]", target=1)
    blurred = np.stack([
        ndimage.gaussian_filter(one.astype(np.float64), 0.3 * 4, mode="constant", radius=9)
        / ndimage.gaussian_filter(np.ones(SHAPE), 0.3 * 4, mode="constant", radius=9)
        for one in X[:, 0]
    ])  # fmt: skip
    change = (logits(X[:, 0]) - logits(blurred))[:, 1]
    np.testing.assert_allclose(found.sum((1, 2, 3)), change, rtol=1e-3, atol=1e-3)


def test_deletion_of_a_linear_network_is_what_is_left(subject):
    model, x = subject
    maps = WEIGHTS[1] * X[:, 0]
    for fill in ("black", "blur", "rise_blur"):
        assert np.isfinite(hm.score(model, x, maps, metric=f"insertion[steps=4,fill={fill}]", target=1)).all()
    curve = hm.score(model, x, maps, metric="morf[steps=2,fill=black]", target=1)
    order = np.argsort(-maps.reshape(2, -1), axis=1, kind="stable")
    kept = X[:, 0].reshape(2, -1).copy()
    for row in range(2):
        kept[row, order[row, : order.shape[1] // 2]] = 0
    left = [logits(volume.reshape(2, *SHAPE)) for volume in (X[:, 0], kept, 0 * kept)]
    shares = [1 / (1 + np.exp(one[:, 0] - one[:, 1])) for one in left]
    np.testing.assert_allclose(curve, np.mean(shares, axis=0), rtol=1e-4)


SMALL = {
    "rise": "[masks=4]", "integrated_gradients": "[steps=2]", "blur_ig": "[steps=2]", "guided_ig": "[steps=2]",
    "expected_gradients": "[samples=2]", "smoothgrad": "[samples=2]", "vargrad": "[samples=2]",
    "occlusion": "[window=2]", "opti_cam": "[steps=2]", "smooth": "[gradient,samples=2]",
    "extremal_perturbation": "[steps=2]",
}  # fmt: skip


def test_every_method_and_metric_takes_volumes_or_says_why_not(subject):
    model, x = subject
    maps = np.random.default_rng(3).random((2, *SHAPE), dtype=np.float32)
    done = set()
    for entry in METHODS:
        if entry.origin != "heatmark" or entry.requires is not None:
            continue
        try:
            found = hm.explain(model, x, entry.name + SMALL.get(entry.name, ""), target=1, ground_truth=maps > 0.9)
        except NotApplicable as reason:
            assert str(reason)
        else:
            assert found.shape == maps.shape and np.isfinite(found).all()
            done.add(entry.name)
    assert done >= {"gradient", "rise", "occlusion", "blur_ig", "integrated_gradients", "random", "oracle"}
    done = set()
    for metric in METRICS:
        if metric.origin != "heatmark":
            continue
        try:
            hm.score(model, x, maps, metric=metric.name, target=1)
        except HeatmarkError as reason:
            assert str(reason)
        else:
            done.add(metric.name)
    assert done >= {"deletion", "insertion", "average_drop", "n_ord", "mu_fidelity", "sensitivity_n", "completeness"}
