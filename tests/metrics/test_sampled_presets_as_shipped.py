"""Presets that draw at random, with nothing set beside them, written out a second time with the bank's own draws.

As in `test_presets_as_shipped`, everything is computed from what the network itself gets, and the numbers that a preset
is named for (how many draws, of what size, what stands for what is gone) stand here once more.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import networks
import numpy as np
import pytest
from networks import FRAMEWORKS, native, pictures
from preset_subjects import DEVIATION, MEAN, SIDE, SIZE, Subject
from scipy.stats import spearmanr

import heatmark as hm
from heatmark.models.architecture.nodes import INPUT, Architecture, Dense, initial_weights
from heatmark.models.random_bank import RandomBank

BANK = RandomBank(0)
BLACK = -MEAN / DEVIATION


@pytest.fixture(scope="module", params=FRAMEWORKS)
def subject(request):
    return Subject(request.param)


def subset(stream: str, number: int, size: int) -> np.ndarray:
    """A random subset of positions of a given size, boolean (side, side)."""
    taken = np.zeros(SIZE, bool)
    taken[BANK.generator(stream, number).choice(SIZE, size, replace=False, shuffle=False)] = True
    return taken.reshape(SIDE, SIDE)


def said_and_done(subject: Subject, masks: np.ndarray, fill: float) -> list[tuple[np.ndarray, np.ndarray]]:
    """Of each picture: the attribution inside each mask, and the logit's drop without what the mask covers."""
    found = []
    for image, heatmap, label in subject:
        sums = np.array([heatmap[mask].sum(dtype=np.float64) for mask in masks])
        left = subject.logits(np.where(masks[..., None], fill, image))[:, label]
        found.append((sums, subject.logits(image[None])[0, label] - left))
    return found


def test_ancona2018(subject):
    """100 subsets of each of 10 sizes from one position to four fifths, zero in what the network gets, Pearson's."""
    values = []
    for place, size in enumerate(np.rint(np.geomspace(1, 0.8 * SIZE, 10)).astype(int)):
        masks = np.stack([subset("sensitivity_n", 100 * place + number, size) for number in range(100)])
        assert (masks.sum(axis=(1, 2)) == size).all()
        values.append([np.corrcoef(*pair)[0, 1] for pair in said_and_done(subject, masks, 0.0)])
    np.testing.assert_allclose(subject.score("sensitivity_n[ancona2018]"), np.mean(values, axis=0), atol=1e-4)


def test_faithfulness_correlation_of_quantus(subject):
    """100 subsets of 224 positions, black, Pearson's."""
    masks = np.stack([subset("faithfulness_correlation", number, 224) for number in range(100)])
    expected = [np.corrcoef(*pair)[0, 1] for pair in said_and_done(subject, masks, BLACK)]
    np.testing.assert_allclose(subject.score("faithfulness_correlation[quantus]"), expected, atol=1e-4)


def test_xplique(subject):
    """200 subsets of a grid of 9 by 9 cells, each in with a probability of a fifth, black, Spearman's."""
    cells = np.arange(SIDE) * 9 // SIDE
    labels = cells[:, None] * 9 + cells
    masks = np.stack([(BANK.generator("mu_fidelity", number).random(81) < 0.2)[labels] for number in range(200)])
    expected = [spearmanr(*pair).statistic for pair in said_and_done(subject, masks, BLACK)]
    np.testing.assert_allclose(subject.score("mu_fidelity[xplique]"), expected, atol=1e-3)


def infidelity(said: np.ndarray, done: np.ndarray, scaled: bool) -> float:
    if scaled:
        said = said * (said @ done) / (said @ said)
    return float(((said - done) ** 2).mean())


def test_infidelity_of_shap(subject):
    """200 subsets with each position in by the toss of a coin, black, the map scaled as suits it best."""
    masks = np.stack(
        [BANK.generator("infidelity subset", k).random((SIDE, SIDE), np.float32) < 0.5 for k in range(200)]
    )
    expected = [infidelity(*pair, scaled=True) for pair in said_and_done(subject, masks, BLACK)]
    np.testing.assert_allclose(subject.score("infidelity[shap]"), expected, rtol=1e-3)


@pytest.mark.parametrize(
    ("preset", "samples", "deviation", "scaled"), [("gaussian", 200, 0.2, True), ("captum", 10, 0.003, False)]
)
def test_infidelity_with_noise(subject, preset, samples, deviation, scaled):
    """A normal number is taken off all channels of a position of the raw picture."""
    draws = [BANK.generator("infidelity gaussian", k).standard_normal((SIDE, SIDE), np.float32) for k in range(samples)]
    parts = deviation * np.stack(draws).astype(np.float64)
    expected = []
    for image, heatmap, label in subject:
        done = subject.logits(image[None])[0, label] - subject.logits(image - parts[..., None] / DEVIATION)[:, label]
        expected.append(infidelity((parts * heatmap).sum(axis=(1, 2)), done, scaled))
    np.testing.assert_allclose(subject.score(f"infidelity[{preset}]"), expected, rtol=2e-3)


# Neighbours of a sample


WEIGHT = np.array([[4.0, -3.0, 2.0, 1.0], [0.5, 0.0, -1.0, 2.0]], np.float32)
X = np.array([[1.0, 0.5, 0.25, 0.75], [0.2, 0.9, 0.6, 0.1]], np.float32)


def uniform(low: float, high: float, samples: int) -> np.ndarray:
    draws = [BANK.generator("neighbourhood", number).random((1, 4), dtype=np.float32) for number in range(samples)]
    return low + (high - low) * np.concatenate(draws).astype(np.float64)


def normal(deviation: float, samples: int) -> np.ndarray:
    draws = [BANK.generator("neighbourhood", k).standard_normal((1, 4), dtype=np.float32) for k in range(samples)]
    return deviation * np.concatenate(draws).astype(np.float64)


def squares(x: np.ndarray) -> np.ndarray:
    """Maps that change otherwise than the input does."""
    return x * np.abs(x)


def relative(e: np.ndarray, other: np.ndarray) -> float:
    return float(np.linalg.norm(e - other) / np.linalg.norm(e))


def per_distance(x: np.ndarray, near: np.ndarray) -> float:
    e, other = (squares(one) / np.abs(squares(one)).max() for one in (x, near))
    return float(np.linalg.norm(e - other) / np.linalg.norm(x - near))


def shares(e: np.ndarray, other: np.ndarray) -> float:
    return float(np.linalg.norm((e - other) / e))


CHANGES: dict[str, tuple[np.ndarray, Callable[[np.ndarray, np.ndarray], float], Callable[..., float]]] = {
    "max_sensitivity[captum]": (uniform(-0.02, 0.02, 10), lambda x, y: relative(squares(x), squares(y)), np.max),
    "max_sensitivity[quantus]": (uniform(-0.2, 0.2, 200), lambda x, y: relative(squares(x), squares(y)), np.max),
    "avg_sensitivity[quantus]": (uniform(-0.2, 0.2, 200), lambda x, y: relative(squares(x), squares(y)), np.mean),
    "local_lipschitz[quantus]": (normal(0.1, 200), per_distance, np.max),
    "relative_input_stability[quantus]": (
        uniform(0.02, 0.2, 200), lambda x, y: shares(squares(x), squares(y)) / shares(x, y), np.max
    ),
    "relative_output_stability[quantus]": (
        uniform(0.02, 0.2, 200),
        lambda x, y: shares(squares(x), squares(y)) / np.linalg.norm(WEIGHT.astype(np.float64) @ (x - y)), np.max,
    ),
}  # fmt: skip


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("metric", CHANGES)
def test_robustness(framework, metric):
    linear = networks.linear(framework, WEIGHT, np.array([9.0, 0.0], np.float32))
    noise, change, over = CHANGES[metric]
    expected = [over([change(row, row + moved) for moved in noise]) for row in X.astype(np.float64)]

    def explain(model, near, target, rows):
        return squares(model.to_numpy(near))

    found = hm.score(linear, X, squares(X), metric, 0, explainer=explain)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    if "stability" in metric:  # a neighbour with another prediction leaves no value
        close = networks.linear(
            framework, WEIGHT, np.array([0.0, float(X[0] @ (WEIGHT[0] - WEIGHT[1])) - 1e-3], np.float32)
        )
        found = hm.score(close, X, squares(X), metric, 0, explainer=explain)
        assert np.isnan(found[0])


# Randomised networks


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_randomisation_of_quantus(framework):
    """Absolute values, layer after layer: from the output (`mprt`), and from the input with 50 noisy copies."""
    generator = np.random.default_rng(8)
    shapes = {"inner.weight": (7, 12), "dense.weight": (3, 7)}
    weights = {name: generator.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    random = {
        name: np.sqrt(2 / shape[1]) * BANK.generator(f"parameters {name}").standard_normal(shape, dtype=np.float32)
        for name, shape in shapes.items()
    }
    architecture = Architecture("two", (12,), (Dense("inner", (INPUT,), 7), Dense("dense", ("inner",), 3)), "dense")
    biases = {"inner.bias": np.zeros(7, np.float32), "dense.bias": np.zeros(3, np.float32)}
    linear = networks.wrapped_plainly(networks.built(architecture, framework, {**weights, **biases}), (12,))
    x, target = pictures(2, (12,)), np.array([0, 2])

    def slope(first: dict, second: dict, row: int) -> np.ndarray:
        return (second["dense.weight"] @ first["inner.weight"])[target[row]].astype(np.float64)

    def similarity(one: np.ndarray, other: np.ndarray) -> float:
        return float(spearmanr(np.abs(one), np.abs(other)).statistic)

    draws = [BANK.generator("smooth mprt", number).standard_normal((1, 12), dtype=np.float32) for number in range(50)]
    noise = np.concatenate(draws).astype(np.float64).mean(axis=0)
    plain, smooth = [], []
    for row, values in enumerate(x.astype(np.float64)):
        whole = slope(random, random, row)
        # Maps are the input times the slope, so the mean over noisy copies is that of their mean.
        for results, shown, copies in (
            (plain, values, [slope(weights, random, row), whole]),
            (smooth, values + 0.1 * np.ptp(values) * noise, [slope(random, weights, row), whole]),
        ):
            mine = slope(weights, weights, row) * shown
            results.append(np.mean([similarity(mine, shown * other) for other in copies]))
    assert not np.allclose(plain, smooth, atol=0.01)
    scores = hm.evaluate(
        linear, x, target, methods="input_x_gradient", metrics=["mprt[quantus]", "smooth_mprt[quantus]"]
    )
    for metric, expected in (("mprt[quantus]", plain), ("smooth_mprt[quantus]", smooth)):
        found = scores.loc[scores["metric"] == metric, "value"]
        np.testing.assert_allclose(found, expected, rtol=1e-4, err_msg=metric)


# Information


LEVELS = (0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.07, 0.10, 0.13, 0.21, 0.34, 0.5, 0.75)


def webp_length(picture: np.ndarray) -> int:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(picture).save(file, format="webp", lossless=True, quality=100)
    return len(file.getvalue())


def interpolated(picture: np.ndarray, known: np.ndarray) -> np.ndarray:
    from scipy.interpolate import griddata

    filled = picture.astype(np.float64)
    for channel in range(3):
        values = griddata(
            np.argwhere(known), picture[..., channel][known].astype(np.float64), np.argwhere(~known),
            method="linear", fill_value=picture[..., channel].mean(),
        )  # fmt: skip
        filled[..., channel][~known] = np.rint(values.astype(np.float32))
    return filled.astype(np.uint8)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_information_curves_of_pair(framework):
    """PAIR-code/saliency, metrics/pic.py, with the absolute values and the 0.8 of its defaults."""
    weights = {
        name: (6 if "dense" in name else 2) * value
        for name, value in initial_weights(networks.plain((24, 24, 3), classes=3), 2).items()
    }
    network = networks.built(networks.plain((24, 24, 3), classes=3), framework, weights)
    model = networks.wrapped_plainly(network, (3, 24, 24) if framework == "torch" else (24, 24, 3))
    generator = np.random.default_rng(0)
    x = np.kron(generator.integers(9, 246, (12, 8, 8, 3)), np.ones((1, 3, 3, 1), int))
    x = (x + generator.integers(-9, 9, x.shape)).astype(np.uint8)

    def logits(batch: np.ndarray) -> np.ndarray:
        return model.outputs(native(model, batch.astype(np.float32) / 255)).astype(np.float64)

    maps = generator.standard_normal((12, 24, 24)).astype(np.float32)
    target = logits(x).argmax(axis=1)
    start = np.zeros((24, 24), bool)
    start.flat[BANK.generator("information").choice(576, 5, replace=False)] = True
    start[[0, 0, 23, 23], [0, 23, 0, 23]] = True
    expected: dict[str, list[float]] = {"sic": [], "aic": []}
    for picture, heatmap, label in zip(x, np.abs(maps), target, strict=True):
        masks = [start, *(start | (heatmap >= np.quantile(heatmap, 1 - share)) for share in LEVELS)]
        shown = [*(interpolated(picture, mask) for mask in masks), picture]
        lengths = np.array([webp_length(one) for one in shown], float)
        along = np.clip((lengths[1:-1] - lengths[0]) / (lengths[-1] - lengths[0]), 0, 1)
        said = logits(np.stack(shown))
        powers = np.exp(said - said.max(axis=1, keepdims=True))
        chance = (powers / powers.sum(axis=1, keepdims=True))[:, label]
        for name, score in (("sic", chance), ("aic", (said.argmax(axis=1) == label).astype(float))):
            if score[-1] < 0.8 or score[0] >= score[-1] or lengths[0] >= lengths[-1]:
                expected[name].append(np.nan)
                continue
            rise = np.maximum.accumulate(np.clip((score[1:-1] - score[0]) / (score[-1] - score[0]), 0, 1))
            order = np.argsort(along, kind="stable")
            expected[name].append(np.trapezoid([0, *rise[order], 1], [0, *along[order], 1]))
    assert np.isfinite(expected["sic"]).sum() >= 4 <= np.isfinite(expected["aic"]).sum()
    assert np.isnan(expected["sic"]).any()
    raw = native(model, x.astype(np.float32) / 255)
    for name, values in expected.items():
        np.testing.assert_allclose(hm.score(model, raw, maps, f"{name}[pair]", target), values, atol=1e-4)
