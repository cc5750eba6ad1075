"""Metrics against their definitions' public code, on a real network and real photographs.

Each definition is written out here a second time, sample by sample, straight on the network, from the reading of the
reference code that docs/metrics.md names; where the library itself is installed, it is asked too.
"""

from __future__ import annotations

import numpy as np
import pytest
from comparisons import peer
from wang_areas import wang_value

import heatmark as hm
from heatmark.datasets.registry import load_dataset
from heatmark.errors import HeatmarkError
from heatmark.metrics.perturbing.fills import rise_kernel
from heatmark.models.zoo.loading import load_model

torch = pytest.importorskip("torch")
functional = torch.nn.functional

SIDE = 224


@pytest.fixture(scope="module")
def model():
    """EfficientNet-Lite0 with its ImageNet weights, in PyTorch."""
    try:
        return load_model("efficientnet-lite0", framework="torch", device="cpu")
    except HeatmarkError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def batch(model):
    """Two photographs, with their targets and signed maps without ties."""
    x = load_dataset("imagenet-samples").take(2, model).x
    target = model.outputs(x).argmax(axis=1)
    maps = hm.explain(model, x, "smoothgrad[samples=2]", target)
    return x, target, maps


@pytest.fixture(scope="module")
def normalised(model):
    """Return a function from raw pictures to what the network itself takes, and the network as a function."""
    normalization = model.preprocess
    mean = torch.tensor(np.asarray(normalization.zero, np.float32)).reshape(1, -1, 1, 1)
    std = torch.tensor(np.asarray(normalization.std, np.float32)).reshape(1, -1, 1, 1)

    def logits(x):
        model.net.eval()
        with torch.no_grad():
            return model.net(x).double()

    return (lambda x: (x - mean) / std), logits


def ordered(heatmap):
    return np.argsort(-heatmap.ravel(), kind="stable")


def with_pixels(start, finish, places):
    """Return ``start`` with the pixels at ``places`` taken from ``finish``."""
    changed = start.clone().reshape(1, 3, -1)
    changed[:, :, places] = finish.reshape(1, 3, -1)[:, :, places]
    return changed.reshape(1, 3, SIDE, SIDE)


@pytest.mark.parametrize("mode", ["deletion", "insertion"])
def test_the_evaluation_of_rise(model, batch, normalised, mode):
    x, target, maps = batch
    to_network, logits = normalised
    step = SIDE * 8
    kernel = torch.tensor(rise_kernel(2))[None, None].repeat(3, 1, 1, 1)
    expected = []
    for picture, heatmap, label in zip(x, maps, target, strict=True):
        image, order = to_network(picture[None]), ordered(heatmap)
        if mode == "deletion":
            start, finish = image, torch.zeros_like(image)
        else:
            start, finish = functional.conv2d(image, kernel, padding=5, groups=3), image
        scores = [
            float(logits(with_pixels(start, finish, order[: step * number])).softmax(dim=1)[0, int(label)])
            for number in range(SIDE * SIDE // step + 1)
        ]
        expected.append((sum(scores) - scores[0] / 2 - scores[-1] / 2) / (len(scores) - 1))
    np.testing.assert_allclose(hm.score(model, x, maps, f"{mode}[rise]", target), expected, atol=1e-3)


def wang_curves(logits, image, heatmap, label, action, lowest_too):
    """Return shares of attribution, counts and logits from the top and from the bottom, as zifanw/interpretation."""
    positive = np.maximum(heatmap.ravel().astype(np.float64), 0)
    positive /= positive.sum()
    count, order = int((positive > 0).sum()), np.argsort(-positive, kind="stable")
    blank = torch.zeros_like(image)
    start, finish = (image, blank) if action == "delete" else (blank, image)
    sides = []
    for step, lowest in ((500, False), (100, True))[: 2 if lowest_too else 1]:
        numbers = np.arange(0, count, step)
        chosen = [order[count - number : count] if lowest else order[:number] for number in numbers]
        values = np.array([float(logits(with_pixels(start, finish, one))[0, label]) for one in chosen])
        sides.append((np.array([positive[one].sum() for one in chosen]), numbers, values))
    return sides, float(logits(blank)[0, label]), float(logits(image)[0, label])


SLOW = pytest.mark.slow


@pytest.mark.parametrize("metric", ["n_ord", "s_ord", pytest.param("tpn", marks=SLOW), pytest.param("tps", marks=SLOW)])
def test_the_evaluation_of_wang_and_others(model, batch, normalised, metric):
    x, target, maps = batch
    to_network, logits = normalised
    expected = []
    for picture, heatmap, label in zip(x, maps, target, strict=True):
        action, proportional = "delete" if metric in ("n_ord", "tpn") else "insert", metric.startswith("tp")
        sides, blank, whole = wang_curves(
            logits, to_network(picture[None]), heatmap, int(label), action, lowest_too=proportional
        )
        expected.append(wang_value(metric, sides, blank, whole))
    found = hm.score(model, x, maps, f"{metric}[wang2020]", target)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_the_evaluation_of_adcc(model, batch, normalised):
    x, target, _ = batch
    to_network, logits = normalised
    maps = hm.explain(model, x, "grad_cam", target)
    expected = []
    for number, (picture, heatmap, label) in enumerate(zip(x, maps, target, strict=True)):
        image = to_network(picture[None])
        cam = (heatmap - heatmap.min()) / (heatmap.max() - heatmap.min())
        faded = image * torch.tensor(cam)[None, None]
        chance, left = (float(logits(one).softmax(dim=1)[0, int(label)]) for one in (image, faded))
        raw = faded * (to_network(torch.ones(1, 3, 1, 1)) - to_network(torch.zeros(1, 3, 1, 1))) ** -1
        raw = raw + torch.tensor(np.asarray(model.zero, np.float32)).reshape(1, -1, 1, 1)
        other = hm.explain(model, raw, "grad_cam", target[number : number + 1])[0]
        other = (other - other.min()) / (other.max() - other.min())
        coherency = (np.corrcoef(cam.ravel(), other.ravel())[0, 1] + 1) / 2
        drop, complexity = max(0.0, chance - left) / chance, np.abs(cam).sum() / cam.size
        expected.append(3 / (1 / coherency + 1 / (1 - complexity) + 1 / (1 - drop)))
    frame = hm.evaluate(model, x, target, methods="grad_cam", metrics="adcc[poppi2021]")
    np.testing.assert_allclose(frame["value"].to_numpy() / 100, expected, atol=1e-3)


@pytest.mark.peers
def test_average_drop_of_torchcam(model, batch, normalised):
    metrics = peer("torchcam.metrics")
    x, target, maps = batch
    to_network, _ = normalised

    class Extractor:
        """Hands torch-cam's metric the maps of this test, scaled as its extractors scale theirs."""

        def __init__(self):
            self.model = torch.nn.Sequential(torch.nn.Identity(), model.net)

        def __call__(self, *_, **__):
            flat = torch.tensor(maps).flatten(1)
            low, high = flat.min(dim=1, keepdim=True).values, flat.max(dim=1, keepdim=True).values
            return [((flat - low) / (high - low)).reshape(maps.shape)]

        def _hooks_off(self):
            return torch.no_grad()

        _hooks_enabled = True

        def fuse_cams(self, cams):
            return cams[0]

    metric = metrics.ClassificationMetric(Extractor(), lambda logits: logits.softmax(dim=-1))
    metric.update(to_network(x), [int(label) for label in target])
    summary = metric.summary()
    found = hm.score(model, x, maps, "average_drop[torchcam]", target)
    assert found.mean() / 100 == pytest.approx(summary["avg_drop"], abs=1e-3)
    found = hm.score(model, x, maps, "average_increase[torchcam]", target)
    assert found.mean() / 100 == pytest.approx(summary["conf_increase"], abs=1e-3)


def imputed_exactly(picture, removed):
    """Return a raw picture (3, height, width) with the removed pixels as weighted means of their eight neighbours."""
    from scipy.sparse import lil_matrix
    from scipy.sparse.linalg import spsolve

    places = np.flatnonzero(removed.ravel())
    number = -np.ones(removed.size, int)
    number[places] = np.arange(len(places))
    height, width = removed.shape
    system, right = lil_matrix((len(places), len(places))), np.zeros((len(places), 3))
    flat = picture.reshape(3, -1).astype(np.float64)
    for row, place in enumerate(places):
        up, left = divmod(place, width)
        total = 0.0
        for down in (-1, 0, 1):
            for across in (-1, 0, 1):
                if (down or across) and 0 <= up + down < height and 0 <= left + across < width:
                    weight = 1 / 12 if down and across else 1 / 6
                    other = (up + down) * width + left + across
                    total += weight
                    if number[other] >= 0:
                        system[row, number[other]] -= weight
                    else:
                        right[row] += weight * flat[:, other]
        system[row, row] = total
    solved = flat.copy()
    solved[:, places] = spsolve(system.tocsr(), right).reshape(len(places), 3).T
    return solved.reshape(picture.shape).astype(np.float32)


def test_road(model, batch, normalised):
    x, target, _ = batch
    to_network, logits = normalised
    maps = hm.explain(model, x, "grad_cam", target)[:1]
    order, picture = ordered(maps[0]), x[0].numpy()
    sides = []
    for lowest in (True, False):
        scores = []
        for share in range(1, 10):
            count = round(share / 10 * SIDE * SIDE)
            removed = np.zeros(SIDE * SIDE, bool)
            removed[order[-count:] if lowest else order[:count]] = True
            filled = torch.tensor(imputed_exactly(picture, removed.reshape(SIDE, SIDE)))[None]
            scores.append(float(logits(to_network(filled)).softmax(dim=1)[0, int(target[0])]))
        sides.append(np.mean(scores))
    least, most = sides
    options = "fill=linear:0"
    assert hm.score(model, x[:1], maps, f"road_morf[{options}]", target[:1])[0] == pytest.approx(most, abs=1e-3)
    assert hm.score(model, x[:1], maps, f"road_lerf[{options}]", target[:1])[0] == pytest.approx(least, abs=1e-3)
    combined = hm.score(model, x[:1], maps, f"road_combined[{options}]", target[:1])[0]
    assert combined == pytest.approx((least - most) / 2, abs=1e-3)
