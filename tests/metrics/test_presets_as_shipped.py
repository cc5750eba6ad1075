"""Presets, with nothing set beside them, against the code that they are named after, written out a second time.

The sources are those that docs/metrics.md names. Everything is computed from what the network itself gets: pictures
after normalisation, as the public code has them; so a preset whose fill is not the network's zero does not pass.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from networks import FRAMEWORKS, native
from preset_subjects import DEVIATION, MEAN, SIDE, SIZE, Subject, mixed, ordered
from wang_areas import wang_value

import heatmark as hm
from heatmark.methods.registry import METHODS
from heatmark.metrics.perturbing.fills import fill_of, rise_kernel
from heatmark.metrics.registry import METRICS, metric_from


@pytest.fixture(scope="module", params=FRAMEWORKS)
def subject(request):
    return Subject(request.param)


def wang_sides(subject: Subject, image: np.ndarray, heatmap: np.ndarray, label: int, action: str):
    """Return shares, counts and logits in steps of 500 from the top and of 100 from the bottom, the blank's and f(x).

    zifanw/interpretation, evaluation.py.
    """
    positive = np.maximum(heatmap.ravel().astype(np.float64), 0)
    positive /= positive.sum()
    count, order, blank = int((positive > 0).sum()), ordered(positive), np.zeros_like(image)
    start, finish = (image, blank) if action == "delete" else (blank, image)
    sides = []
    for step, lowest in ((500, False), (100, True)):
        numbers = np.arange(0, count, step)
        chosen = [order[count - number : count] if lowest else order[:number] for number in numbers]
        logits = subject.logits(np.stack([mixed(start, finish, one) for one in chosen]))[:, label]
        sides.append((np.array([positive[one].sum() for one in chosen]), numbers, logits))
    ends = subject.logits(np.stack([blank, image]))[:, label]
    return sides, ends[0], ends[1]


@pytest.mark.parametrize("metric", ["n_ord", "s_ord", "tpn", "tps"])
def test_wang2020(subject, metric):
    expected, below = [], []
    for image, heatmap, label in subject:
        sides, blank, whole = wang_sides(
            subject, image, heatmap, label, "delete" if metric in ("n_ord", "tpn") else "insert"
        )
        (_, counts, high), (_, _, low) = sides
        assert len(counts) >= 3 and len(low) >= 10
        below.append((high < blank).any())
        expected.append(wang_value(metric, sides, blank, whole))
    assert np.isfinite(expected).all()
    assert metric != "tps" or any(below)  # so that a clip at the blank's logit, which the code has not here, would show
    np.testing.assert_allclose(subject.score(f"{metric}[wang2020]"), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("metric", ["deletion", "insertion"])
def test_rise(subject, metric):
    from scipy.ndimage import correlate

    expected, step = [], SIZE // 28
    for image, heatmap, label in subject:
        if metric == "deletion":
            start, finish = image, np.zeros_like(image)
        else:
            kernel = rise_kernel(2)[..., None].astype(np.float64)
            start, finish = correlate(image, kernel, mode="constant"), image
        shown = [mixed(start, finish, ordered(heatmap)[: step * number]) for number in range(29)]
        scores = subject.probabilities(np.stack(shown))[:, label]
        expected.append((scores.sum() - scores[0] / 2 - scores[-1] / 2) / 28)
    np.testing.assert_allclose(subject.score(f"{metric}[rise]"), expected, atol=1e-5)


def test_poppi2021(subject):
    """The harmonic mean of what aimagelab/ADCC computes of a map, and of the map of what it leaves."""

    def explained(images: np.ndarray) -> np.ndarray:
        raw = (images * DEVIATION + MEAN).astype(np.float32)
        maps = hm.explain(subject.model, native(subject.model, raw), "gradient", subject.target).astype(np.float64)
        low, high = (end(maps, axis=(1, 2), keepdims=True) for end in (np.min, np.max))
        return (maps - low) / (high - low)

    cams = explained(subject.images)
    lefts = subject.images * cams[..., None]
    expected = []
    for cam, again, image, left, label in zip(
        cams, explained(lefts), subject.images, lefts, subject.target, strict=True
    ):
        whole, faded = subject.probabilities(np.stack([image, left]))[:, label]
        coherency = (np.corrcoef(cam.ravel(), again.ravel())[0, 1] + 1) / 2
        drop = max(0, whole - faded) / whole
        expected.append(100 * 3 / (1 / coherency + 1 / (1 - cam.mean()) + 1 / (1 - drop)))
    x = native(subject.model, subject.raw)
    frame = hm.evaluate(subject.model, x, subject.target, methods="gradient", metrics="adcc[poppi2021]")
    np.testing.assert_allclose(frame["value"], expected, rtol=1e-4)


@pytest.mark.parametrize("preset", ["gradcampp", "scorecam", "torchcam"])
def test_masked_scores(subject, preset):
    wholes, lefts = [], []
    for image, heatmap, label in subject:
        wide = heatmap.astype(np.float64)
        if preset == "torchcam":
            mask = (wide - wide.min()) / (wide.max() - wide.min())
        elif preset == "scorecam":
            mask = np.zeros(SIZE)
            mask[ordered(wide)[: SIZE // 2]] = 1
        else:
            mask = np.maximum(wide, 0) / wide.max()
        mask = mask.reshape(SIDE, SIDE, 1)
        # Grad-CAM++ multiplies the raw picture, so it fades to black; the others what the network gets.
        faded = ((image * DEVIATION + MEAN) * mask - MEAN) / DEVIATION if preset == "gradcampp" else image * mask
        whole, left = subject.probabilities(np.stack([image, faded]))[:, label]
        wholes.append(whole)
        lefts.append(left)
    whole, left = np.array(wholes), np.array(lefts)
    drop = 100 * np.maximum(0, whole - left) / whole
    np.testing.assert_allclose(subject.score(f"average_drop[{preset}]"), drop, atol=1e-2)
    np.testing.assert_array_equal(subject.score(f"average_increase[{preset}]"), 100.0 * (left > whole))
    gain = 100 * np.maximum(0, left - whole) / (1 - whole)
    np.testing.assert_allclose(subject.score(f"average_gain[{preset}]"), gain, atol=1e-2)


def test_idsds(subject):
    from scipy.stats import spearmanr

    expected, cell = [], SIDE // 4
    for image, heatmap, label in subject:
        whole = subject.logits(image[None])[0, label]
        sums, drops = [], []
        for row in range(4):
            for column in range(4):
                place = (slice(row * cell, (row + 1) * cell), slice(column * cell, (column + 1) * cell))
                changed = image.copy()
                changed[place] = 0
                sums.append(heatmap[place].sum(dtype=np.float64))
                drops.append(whole - subject.logits(changed[None])[0, label])
        expected.append(spearmanr(sums, drops).statistic)
    np.testing.assert_allclose(subject.score("single_deletion[idsds]"), expected, atol=1e-9)


def replaced(
    image: np.ndarray, finish: np.ndarray, labels: np.ndarray, heatmap: np.ndarray, *, least: bool = False
) -> np.ndarray:
    """Return the picture, and the same with ever more of its regions taken from ``finish``, by mean attribution."""
    means = np.bincount(labels.ravel(), heatmap.ravel().astype(np.float64)) / np.bincount(labels.ravel())
    shown, gone = [image], np.zeros(labels.shape, bool)
    for region in np.argsort(means if least else -means, kind="stable"):
        gone = gone | (labels == region)
        shown.append(np.where(gone[..., None], finish, image))
    return np.stack(shown)


def test_samek2017(subject):
    rows = np.arange(SIDE) // 9
    labels = rows[:, None] * (rows.max() + 1) + rows
    raw = fill_of(subject.model, subject.model.inputs(native(subject.model, subject.raw)), "noise", 0)
    noise = np.asarray(subject.model.to_numpy(subject.model.channels_first(raw)))[0].transpose(1, 2, 0)
    most, least = [], []
    for image, heatmap, label in subject:
        for curves, lowest in ((most, False), (least, True)):
            shown = replaced(image, (noise - MEAN) / DEVIATION, labels, heatmap, least=lowest)
            curves.append(subject.probabilities(shown)[:101, label])
    morf, lerf = (np.array([curve.mean() for curve in curves]) for curves in (most, least))
    np.testing.assert_allclose(subject.score("morf[samek2017]"), morf, atol=1e-5)
    np.testing.assert_allclose(subject.score("lerf[samek2017]"), lerf, atol=1e-5)
    np.testing.assert_allclose(subject.score("abpc[samek2017]"), lerf - morf, atol=1e-5)
    np.testing.assert_allclose(subject.score("aopc[samek2017]"), [curve[0] for curve in most] - morf, atol=1e-5)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_irof_of_quantus(framework):
    from skimage.segmentation import slic

    # Plain squares, which superpixels find; noise as a whole is a single one.
    subject, expected = Subject(framework, grain=7), []
    for image, heatmap, label in subject:
        raw = image * DEVIATION + MEAN
        labels = slic(raw, n_segments=100, start_label=0)
        assert labels.max() >= 40
        shown = replaced(image, image.mean(axis=(0, 1)), labels, heatmap)
        scores = subject.probabilities(shown)[:, label]
        expected.append(labels.max() + 1 - np.trapezoid(scores[1:] / scores[0]))
    np.testing.assert_allclose(subject.score("irof[quantus]"), expected, rtol=1e-4)


#: What stands for what is gone in the source that a preset is named after; docs/metrics.md has where ours is narrower.
FILLS = {
    "abpc[samek2017]": "noise", "adcc[poppi2021]": "zero", "aopc[samek2017]": "noise",
    "average_drop[gradcampp]": "black", "average_drop[scorecam]": "zero", "average_drop[torchcam]": "zero",
    "average_gain[gradcampp]": "black", "average_gain[scorecam]": "zero", "average_gain[torchcam]": "zero",
    "average_increase[gradcampp]": "black", "average_increase[scorecam]": "zero", "average_increase[torchcam]": "zero",
    "deletion[rise]": "zero", "faithfulness_correlation[quantus]": "black", "infidelity[shap]": "black",
    "insertion[rise]": "rise_blur", "irof[quantus]": "mean", "lerf[samek2017]": "noise",
    "monotone_curve[arya2019]": "black", "morf[samek2017]": "noise", "mu_fidelity[xplique]": "black",
    "n_ord[wang2020]": "zero", "s_ord[wang2020]": "zero", "sensitivity_n[ancona2018]": "zero",
    "single_deletion[idsds]": "zero", "tpn[wang2020]": "zero", "tps[wang2020]": "zero",
}  # fmt: skip


def test_no_preset_fills_with_the_default():
    """A default fill may change; what a preset repeats may not."""
    texts = [f"{entry.name}[{preset}]" for entry in METRICS if entry.origin == "heatmark" for preset in entry.presets]
    found = {text: getattr(metric_from(text).measure, "fill", None) for text in texts}
    adding = {"infidelity[gaussian]", "infidelity[captum]"}  # noise is added, and nothing is filled
    assert {text: fill for text, fill in found.items() if fill is not None and text not in adding} == FILLS


#: Where each preset is scored or explained with nothing set beside it: by a definition that the test writes out.
WRITTEN_OUT = {
    "metrics/test_presets_as_shipped.py": {
        "test_wang2020": ["n_ord[wang2020]", "s_ord[wang2020]", "tpn[wang2020]", "tps[wang2020]"],
        "test_rise": ["deletion[rise]", "insertion[rise]"],
        "test_poppi2021": ["adcc[poppi2021]"],
        "test_masked_scores": [
            f"average_{what}[{preset}]"
            for what in ("drop", "increase", "gain")
            for preset in ("gradcampp", "scorecam", "torchcam")
        ],
        "test_idsds": ["single_deletion[idsds]"],
        "test_samek2017": [f"{name}[samek2017]" for name in ("morf", "lerf", "aopc", "abpc")],
        "test_irof_of_quantus": ["irof[quantus]"],
    },
    "metrics/test_sampled_presets_as_shipped.py": {
        "test_ancona2018": ["sensitivity_n[ancona2018]"],
        "test_faithfulness_correlation_of_quantus": ["faithfulness_correlation[quantus]"],
        "test_xplique": ["mu_fidelity[xplique]"],
        "test_infidelity_of_shap": ["infidelity[shap]"],
        "test_infidelity_with_noise": ["infidelity[gaussian]", "infidelity[captum]"],
        "test_robustness": [
            "max_sensitivity[captum]", "max_sensitivity[quantus]", "avg_sensitivity[quantus]",
            "local_lipschitz[quantus]", "relative_input_stability[quantus]", "relative_output_stability[quantus]",
        ],
        "test_randomisation_of_quantus": ["mprt[quantus]", "smooth_mprt[quantus]"],
        "test_information_curves_of_pair": ["sic[pair]", "aic[pair]"],
    },
    "metrics/test_subset_metrics.py": {"test_the_monotone_curve_of_a_linear_model": ["monotone_curve[arya2019]"]},
    "methods/test_method_presets.py": {
        "test_smoothgrad": ["smoothgrad[absolute]", "smoothgrad[squared]"],
        "test_extremal_perturbation_of_several_areas": ["extremal_perturbation[several_areas]"],
    },
    "methods/test_propagation.py": {
        "test_two_units_by_hand": [
            "lrp[epsilon]", "lrp[epsilon_plus]", "lrp[alpha2_beta1]", "lrp[epsilon_gamma_box]"
        ],
    },
}  # fmt: skip


def test_every_preset_is_written_out_somewhere():
    entries = [entry for registry in (METHODS, METRICS) for entry in registry if entry.origin == "heatmark"]
    presets = sorted(f"{entry.name}[{preset}]" for entry in entries for preset in entry.presets)
    assert sorted(text for tests in WRITTEN_OUT.values() for texts in tests.values() for text in texts) == presets
    for file, tests in WRITTEN_OUT.items():
        code = (Path(__file__).parents[1] / file).read_text(encoding="utf-8")
        assert [name for name in tests if f"def {name}(" not in code] == []
