"""The metrics: hand-computed answers, analytic identities, directions, parity, contracts, and shared evaluations."""

from __future__ import annotations

from dataclasses import replace

import networks
import numpy as np
import pytest
from networks import FRAMEWORKS, native, pictures

import heatmark as hm
from heatmark.benchmark.work.batches import TargetedBatch
from heatmark.errors import BadInput, NotApplicable, UnknownName
from heatmark.methods.registry import method_from
from heatmark.metrics.contracts import violations
from heatmark.metrics.measure import CurveMeasure
from heatmark.metrics.perturbing.fills import rise_kernel
from heatmark.metrics.perturbing.perturbation import MapFacts, Perturbation
from heatmark.metrics.perturbing.ranking import CleanMaps, Ranking
from heatmark.metrics.planner import evaluate_batch
from heatmark.metrics.registry import METRICS, metric_from
from heatmark.metrics.stored_curves import curve, curves_on_grid
from heatmark.models.wrap import wrap

torch = pytest.importorskip("torch")

ALL = [
    f"{entry.name}[{preset}]" if preset else entry.name
    for entry in METRICS
    for preset in (None, *entry.presets)
    if entry.origin == "heatmark"
]
CURVES = [name for name in ALL if isinstance(metric_from(name).measure, CurveMeasure)]
FAMILY = ["average_drop", "average_increase", "n_ord", "s_ord", "deletion", "insertion"]
WEIGHT = np.array([[4.0, 3.0, 2.0, 1.0], [0.0, 0.0, 0.0, 0.0]], np.float32)


def linear(framework: str = "torch"):
    """Logits (w . x, 0) with w = (4, 3, 2, 1): at x = 1 the first is 10, and the blank's is 0."""
    return networks.linear(framework, WEIGHT, np.zeros(2, np.float32))


ONES = np.ones((1, 4), np.float32)
EXACT = WEIGHT[:1] * ONES
REVERSED = EXACT[:, ::-1].copy()


def sigmoid(value):
    return 1 / (1 + np.exp(-np.asarray(value, float)))


@pytest.mark.parametrize("framework", FRAMEWORKS)
class TestByHand:
    def value(self, framework, metric, maps=EXACT):
        return hm.score(linear(framework), ONES, maps, metric, 0)[0]

    def test_deletion(self, framework):
        left = sigmoid([10, 6, 3, 1, 0])
        assert self.value(framework, "deletion[steps=4]") == pytest.approx(np.trapezoid(left, dx=0.25), rel=1e-5)
        assert self.value(framework, "deletion[steps=2]") == pytest.approx(np.trapezoid(left[::2], dx=0.5), rel=1e-5)
        left = [10, 6, 3, 1, 0]
        result = self.value(framework, "deletion[steps=4,score=logit]")
        assert result == pytest.approx(np.trapezoid(left, dx=0.25), rel=1e-5)

    def test_deletion_to_white_keeps_everything(self, framework):
        assert self.value(framework, "deletion[steps=4,fill=white]") == pytest.approx(sigmoid(10), rel=1e-5)

    def test_insertion(self, framework):
        shown = sigmoid([0, 4, 7, 9, 10])
        result = self.value(framework, "insertion[steps=4,fill=black]")
        assert result == pytest.approx(np.trapezoid(shown, dx=0.25), rel=1e-5)
        # A flat vector's neutral value is 0. A constant input is its own blur: nothing changes.
        assert self.value(framework, "insertion[steps=4]") == result
        assert self.value(framework, "insertion[steps=4,fill=blur]") == pytest.approx(sigmoid(10), rel=1e-5)

    def test_n_ord(self, framework):
        expected = np.trapezoid(np.array([10, 6, 3, 1, 0]) / 10, dx=0.25)
        assert self.value(framework, "n_ord[steps=4]") == pytest.approx(expected, rel=1e-5)
        assert self.value(framework, "n_ord[step=1]") == pytest.approx(expected, rel=1e-5)
        # The reference's code stops before the last positive position, and stretches what it has over [0, 1].
        expected = np.trapezoid(np.array([10, 6, 3, 1]) / 10, dx=1 / 3)
        assert self.value(framework, "n_ord[wang2020,step=1]") == pytest.approx(expected, rel=1e-5)

    def test_s_ord(self, framework):
        expected = np.trapezoid(np.array([0, 4, 7, 9, 10]) / 10, dx=0.25)
        assert self.value(framework, "s_ord[steps=4]") == pytest.approx(expected, rel=1e-5)
        expected = np.trapezoid(np.array([0, 4, 7, 9]) / 10, dx=1 / 3)
        assert self.value(framework, "s_ord[wang2020,step=1]") == pytest.approx(expected, rel=1e-5)

    def test_necessity_leaves_what_is_not_positive_in_place(self, framework):
        # Two positive positions: the others stay, so the curve ends at 3 of 10, not at the blank.
        maps = np.array([[4.0, 3.0, -1.0, 0.0]], np.float32)
        expected = np.trapezoid(np.array([10, 6, 3]) / 10, dx=0.5)
        assert self.value(framework, "n_ord[extent=positive]", maps) == pytest.approx(expected, rel=1e-5)

    def test_average_drop_with_a_soft_mask(self, framework):
        # Scaled to [0, 1] the map is (1, 2/3, 1/3, 0), which leaves a logit of 4 + 2 + 2/3.
        whole, left = sigmoid(10), sigmoid(4 + 2 + 2 / 3)
        result = self.value(framework, "average_drop")
        assert result == pytest.approx(100 * (whole - left) / whole, rel=1e-4)
        assert self.value(framework, "average_increase") == 0

    def test_what_speaks_against_the_class_is_masked_by_a_soft_mask(self, framework):
        maps = np.array([[2.0, -5.0, 1.0, 0.0]], np.float32)  # the mask is (1, 0, 1/2, 0): logit 4 + 1
        whole, left = sigmoid(10), sigmoid(5)
        result = self.value(framework, "average_drop", maps)
        assert result == pytest.approx(100 * (whole - left) / whole, rel=1e-4)
        assert self.value(framework, "average_drop[score=logit]", -np.abs(maps)) == 100  # nothing is highlighted

    def test_average_drop_with_the_top_share(self, framework):
        whole, left = sigmoid(10), sigmoid(7)
        result = self.value(framework, "average_drop[mask=top,share=0.5]")
        assert result == pytest.approx(100 * (whole - left) / whole, rel=1e-4)

    def test_average_drop_with_the_positive_part(self, framework):
        maps = np.array([[1.0, -1.0, 0.0, 2.0]], np.float32)
        whole, left = 10.0, 5.0
        result = self.value(framework, "average_drop[mask=positive,score=logit]", maps)
        assert result == pytest.approx(100 * (whole - left) / whole, rel=1e-5)

    def test_increase_where_what_is_hidden_speaks_against_the_class(self, framework):
        weight = np.array([[1.0, 1.0, -5.0, 0.0], [0.0] * 4], np.float32)
        subject = networks.linear(framework, weight, np.zeros(2, np.float32))
        maps = weight[:1]
        assert hm.score(subject, ONES, maps, "average_increase[mask=positive]", 0)[0] == 100
        assert hm.score(subject, ONES, maps, "average_drop[mask=positive]", 0)[0] == 0


ORDERED = [
    "deletion",
    "deletion[rise]",
    "insertion",
    "insertion[rise]",
    "n_ord",
    "n_ord[wang2020]",
    "s_ord",
    "s_ord[wang2020]",
]


@pytest.mark.parametrize("metric", ORDERED)
def test_the_exact_order_wins_and_the_direction_is_right(metric):
    steps = ",".join(["steps=4"] if "wang" not in metric else ["step=1"])
    metric = f"{metric[:-1]},{steps}]" if metric.endswith("]") else f"{metric}[{steps}]"
    if metric.startswith("insertion"):
        metric = (
            metric.replace("[", "[fill=black,", 1)
            if "rise" not in metric
            else metric.replace("rise", "rise,fill=black")
        )
    best, worst = (hm.score(linear(), ONES, maps, metric, 0)[0] for maps in (EXACT, REVERSED))
    assert best > worst if metric_from(metric).entry.higher_is_better else best < worst


@pytest.mark.parametrize("metric", [*FAMILY, "average_drop[scorecam]", "average_increase[mask=top,share=0.25]"])
def test_an_oracle_beats_a_random_map(metric):
    # The class is decided by one corner; the oracle marks it. Elsewhere is noise that the network ignores.
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 2))
    with torch.no_grad():
        net[1].weight.zero_()
        mask = torch.zeros(8, 8)
        mask[:4, :4] = 1
        net[1].weight[0] = 0.5 * mask.flatten()
        net[1].weight[0, 63] = -3.0  # something outside that speaks against the class, for Average Increase
        net[1].bias.copy_(torch.tensor([-2.0, 0.0]))
    subject = wrap(net, input_shape=(1, 8, 8), neutral=0.0)
    x = 0.2 * pictures(6, (1, 8, 8)) + 0.8 * mask.numpy()  # what counts is bright, so that a blur dims it
    oracle = np.repeat(mask.numpy()[None], 6, axis=0)
    random = hm.explain(subject, x, "random", 0)
    first, second = (np.nanmean(hm.score(subject, x, maps, metric, 0)) for maps in (oracle, random))
    assert first > second if metric_from(metric).entry.higher_is_better else first < second


@pytest.mark.parametrize("metric", CURVES)
@pytest.mark.parametrize("shape", [(12, 12, 3), (20, 2)])
def test_frameworks_agree(model, metric, shape):
    x = pictures(3, shape)
    subjects = [model("residual", framework, shape) for framework in FRAMEWORKS]
    maps = hm.explain(subjects[0], native(subjects[0], x), "smoothgrad[samples=2]", [0, 1, 2])
    first, second = (hm.score(subject, native(subject, x), maps, metric, [0, 1, 2]) for subject in subjects)
    np.testing.assert_allclose(first, second, rtol=1e-3, atol=1e-5)


# The same protocols with fewer draws: the contract scores everything seven times, once with chunks of one.
FEWER = {
    "sensitivity_n": "sensitivity_n[subsets=4]",
    "sensitivity_n[ancona2018]": "sensitivity_n[ancona2018,subsets=4]",
    "faithfulness_correlation": "faithfulness_correlation[subsets=12]",
    "faithfulness_correlation[quantus]": "faithfulness_correlation[quantus,subsets=12]",
    "mu_fidelity": "mu_fidelity[subsets=12]",
    "mu_fidelity[xplique]": "mu_fidelity[xplique,subsets=12]",
    "infidelity": "infidelity[samples=12]",
    "infidelity[shap]": "infidelity[shap,samples=12]",
    "infidelity[gaussian]": "infidelity[gaussian,samples=12]",
    "monotonicity": "monotonicity[draws=1]",
    **{
        f"{name}[quantus]": f"{name}[quantus,samples=2]"
        for name in (
            "max_sensitivity",
            "avg_sensitivity",
            "local_lipschitz",
            "relative_input_stability",
            "relative_output_stability",
            "smooth_mprt",
        )
    },
    "smooth_mprt": "smooth_mprt[samples=2]",
    "non_sensitivity": "non_sensitivity[positions=12]",
}


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("metric", ALL)
def test_contract(model, framework, metric):
    metric = FEWER.get(metric, metric)
    subject = model("plain", framework)
    x = native(subject, pictures(3))
    maps = hm.explain(subject, x, "random")
    masks = np.zeros((3, 12, 12), bool)
    masks[:, :6, 6:] = True  # a cell of a mosaic, which one of the metrics asks for
    explainer = TargetedBatch(subject, x, np.zeros(len(x), np.int64)).explainer(method_from("gradient"), 0)
    assert violations(subject, x, maps, metric, masks=masks, explainer=explainer) == []


def test_contract_violations_are_found(model):
    subject = model("plain", "torch")
    x = native(subject, pictures(2))
    deletion = metric_from("deletion")
    narrow = replace(deletion, entry=replace(deletion.entry, range=(0.0, 0.01)))
    assert any("range" in item for item in violations(subject, x, hm.explain(subject, x, "random"), narrow))


def test_logits_have_no_range(model):
    subject = model("plain", "torch")
    wide = wrap(subject.net, subject.preprocess, subject.input_shape, domain=(0, 20))
    x = native(subject, pictures(2))
    maps = hm.explain(subject, x, "random")
    for name in (
        "deletion[score=logit]",
        "aopc[score=logit]",
        "road_combined[score=logit]",
        "average_drop[score=logit]",
    ):
        assert metric_from(name).range == (None, None)
        assert violations(wide, 20 * x, maps, name) == []
    assert metric_from("deletion").range == (0, 1) and metric_from("average_increase[score=logit]").range == (0, 100)


def test_every_distinct_picture_is_evaluated_once(model):
    subject = model("plain", "torch")
    x = native(subject, pictures(2))
    maps, target = np.abs(hm.explain(subject, x, "random")) + 1, np.array([0, 1])

    def cost(*metrics, **options):
        before = subject.passes.forward
        evaluate_batch(subject, subject.inputs(x), maps, target, [metric_from(name) for name in metrics], **options)
        return (subject.passes.forward - before) / 2

    assert cost("deletion[steps=8]") == 9
    assert cost("deletion[steps=8]", "n_ord[steps=8]") == 9
    assert cost("n_ord[steps=8]", "s_ord[steps=8]") == 2 + 7 + 7
    assert cost("deletion[steps=8]", "insertion[steps=8]", "s_ord[steps=8]") == 2 + 7 + 7
    assert cost("average_drop", "average_increase") == 2
    assert cost("average_drop", "average_increase", logits=subject.outputs(x)) == 1
    assert cost("average_drop[mask=top,share=0.5]", "s_ord[steps=8]") == 2 + 7
    together = cost(*FAMILY)
    assert together == hm.plan(list(FAMILY), (12, 12)).pictures
    assert together < sum(cost(name) for name in FAMILY)


def test_curves_can_be_read_from_what_is_stored(model):
    subject = model("plain", "torch")
    x = native(subject, pictures(3))
    maps = hm.explain(subject, x, "random")
    metrics = [metric_from(name) for name in ("deletion[steps=6]", "insertion[steps=6]", "average_drop")]
    result = evaluate_batch(subject, subject.inputs(x), maps, np.array([0, 1, 2]), metrics)
    for row, bands in enumerate(result.bands):
        share, scores = curve(metrics[0], bands)
        assert share[0] == 0 and share[-1] == 1 and len(share) == 7
        assert np.trapezoid(scores, share) == pytest.approx(result.scores["deletion[steps=6]"][row], abs=1e-6)
        assert metrics[1].measure.value(bands.reading()) == pytest.approx(
            result.scores["insertion[steps=6]"][row], abs=1e-6
        )
    grid, rows = curves_on_grid(metrics[0], result.bands, points=11)
    assert rows.shape == (3, 11) and grid[-1] == 1
    assert curves_on_grid(metrics[2], result.bands) is None


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_ties_are_broken_by_position(model, framework):
    subject = model("plain", framework)
    maps = np.zeros((2, 12, 12), np.float32)
    maps[0, 3, 4] = 1
    clean = CleanMaps.of(subject, maps)
    ranking = Ranking.of(subject, clean, None)
    ranks = subject.to_numpy(ranking.ranks).reshape(2, -1)
    assert ranks[0, 40] == 0
    np.testing.assert_array_equal(np.delete(ranks[0], 40), np.arange(1, 144))
    np.testing.assert_array_equal(ranks[1], np.arange(144))
    assert clean.degenerate == ("", "constant")
    assert ranking.facts == (MapFacts(144, 1, (0,) + (1,) * 100), MapFacts(144, 0))


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_degenerate_maps_are_scored_and_reported(model, framework):
    subject = model("plain", framework)
    x = native(subject, pictures(6))
    maps = hm.explain(subject, x, "random")
    maps[0] = 3.0
    maps[1, 2, 2] = np.nan
    maps[2, 1, 1], maps[2, 5, 5] = np.inf, -np.inf
    maps[3] = -np.abs(maps[3])
    maps[4] = 0
    maps[4, 6, 6] = 1
    metrics = [metric_from(name) for name in FAMILY]
    result = evaluate_batch(subject, subject.inputs(x), maps, np.zeros(6, int), metrics)
    assert result.degenerate == ["constant", "non-finite", "non-finite", "", "", ""]
    for name in ("average_drop", "deletion", "insertion"):
        assert np.isfinite(result.scores[name]).all()
    ranks = subject.to_numpy(Ranking.of(subject, CleanMaps.of(subject, maps), None).ranks)
    assert ranks[1, 2, 2] == 143 and ranks[2, 1, 1] == 0 and ranks[2, 5, 5] == 143


def test_scores_that_are_undefined_are_nan():
    subject = linear()
    assert np.isnan(hm.score(subject, np.zeros((1, 4)), EXACT, "n_ord", 0)).all()  # f(x) = f(blank)
    assert np.isnan(hm.score(subject, ONES, -EXACT, "n_ord[wang2020]", 0)).all()  # nothing is positive
    assert np.isnan(hm.score(subject, np.zeros((1, 4)), EXACT, "average_drop[score=logit]", 0)).all()


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_fills_of_rise_live_in_normalised_space(model, framework):
    from scipy.signal import convolve2d

    from heatmark.metrics.perturbing.fills import fill_of

    subject = model("plain", framework)
    x = pictures(2)
    zero = subject.to_numpy(subject.channels_first(fill_of(subject, subject.inputs(native(subject, x)), "zero", 0)))
    np.testing.assert_allclose(zero.ravel(), 0.4)
    blurred = fill_of(subject, subject.inputs(native(subject, x)), "rise_blur", 0)
    kernel = rise_kernel(2)
    assert kernel.sum() == pytest.approx(1, abs=1e-6)
    assert kernel[5, 5] == pytest.approx(0.00883, abs=2e-5) and kernel[0, 0] == pytest.approx(0.00774, abs=2e-5)
    expected = 0.5 * convolve2d((x[1, :, :, 2] - 0.4) / 0.5, kernel, mode="same") + 0.4
    np.testing.assert_allclose(subject.to_numpy(subject.channels_first(blurred))[1, 2], expected, rtol=1e-5, atol=1e-6)


def test_a_fill_that_the_model_cannot_give_is_not_applicable():
    subject = wrap(torch.nn.Linear(4, 2), preprocess=lambda x: x - 0.5, input_shape=(4,))
    with pytest.raises(NotApplicable, match="preprocess=Normalization"):
        hm.score(subject, ONES, EXACT, "deletion[rise]", 0)


@pytest.mark.parametrize(
    ("metric", "error", "message"),
    [
        ("deletoin", UnknownName, "Did you mean 'deletion'"),
        ("deletion[risse]", BadInput, "Did you mean 'rise'"),
        ("deletion[fill=blakc]", BadInput, "Did you mean 'black'"),
        ("deletion[steps=0]", BadInput, "at least 1"),
        ("average_drop[mask=hard]", BadInput, "one of soft, scaled, top, positive"),
        ("average_drop[share=2]", BadInput, "from 0 to 1"),
    ],
)
def test_wrong_selections(metric, error, message):
    with pytest.raises(error, match=message):
        hm.score(linear(), ONES, EXACT, metric, 0)


def test_wrong_shapes_are_told(model):
    subject = model("plain", "torch")
    x = native(subject, pictures(2))
    with pytest.raises(BadInput, match="one value per position"):
        hm.score(subject, x, x)
    with pytest.raises(BadInput, match="1 attributions for 2 samples"):
        hm.score(subject, x, np.zeros((1, 12, 12)))


def test_the_protocol_is_data():
    rise, plain = metric_from("deletion[rise]"), metric_from("deletion")
    assert rise.protocol["fill"] == "zero" and plain.protocol["fill"] == "neutral"
    assert rise.identity() != plain.identity()
    assert metric_from("deletion[steps=28]").identity() == plain.identity()
    assert isinstance(next(iter(plain.measure.needs(MapFacts(9, 9)))), Perturbation)
