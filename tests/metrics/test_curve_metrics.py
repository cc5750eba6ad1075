"""The curve family beyond deletion: hand-computed answers, identities, reference definitions, units and plans."""

from __future__ import annotations

import networks
import numpy as np
import pytest
from networks import FRAMEWORKS, native, pictures

import heatmark as hm
from heatmark.errors import BadInput, NotApplicable, UnknownName
from heatmark.metrics.perturbing.correlations import pearson, spearman
from heatmark.metrics.perturbing.perturbation import POSITION, MapFacts
from heatmark.metrics.perturbing.ranking import CleanMaps, Ranking
from heatmark.metrics.perturbing.units import typical_facts, unit_labels
from heatmark.metrics.planner import evaluate_batch
from heatmark.metrics.registry import metric_from
from heatmark.models.wrap import wrap

torch = pytest.importorskip("torch")

WEIGHT = np.array([[4.0, 3.0, 2.0, 1.0], [0.0, 0.0, 0.0, 0.0]], np.float32)
ONES = np.ones((1, 4), np.float32)
EXACT = WEIGHT[:1] * ONES
REVERSED = EXACT[:, ::-1].copy()


def linear(framework="torch", weight=WEIGHT):
    """Logits (w . x, 0) with w = (4, 3, 2, 1): at x = 1 the first is 10, and the blank's is 0."""
    return networks.linear(framework, np.asarray(weight, np.float32), np.zeros(2, np.float32))


def sigmoid(value):
    return 1 / (1 + np.exp(-np.asarray(value, float)))


@pytest.mark.parametrize("framework", FRAMEWORKS)
class TestByHand:
    def value(self, framework, metric, maps=EXACT, **options):
        return hm.score(linear(framework), ONES, maps, metric, 0, **options)[0]

    def test_morf_and_lerf(self, framework):
        first, last = sigmoid([10, 6, 3, 1, 0]).mean(), sigmoid([10, 9, 7, 4, 0]).mean()
        assert self.value(framework, "morf") == pytest.approx(first, rel=1e-5)
        assert self.value(framework, "lerf") == pytest.approx(last, rel=1e-5)
        assert self.value(framework, "aopc") == pytest.approx(sigmoid(10) - first, rel=1e-5)
        assert self.value(framework, "abpc") == pytest.approx(last - first, rel=1e-5)
        assert self.value(framework, "abpc", REVERSED) == pytest.approx(first - last, rel=1e-5)

    def test_steps_of_one_unit_end_where_they_are_told(self, framework):
        expected = sigmoid([10, 6, 3]).mean()
        assert self.value(framework, "morf[step=1,most=2]") == pytest.approx(expected, rel=1e-5)
        expected = np.mean([10, 3, 0])
        assert self.value(framework, "morf[score=logit,unit=patch:2]") == pytest.approx(expected, rel=1e-5)

    def test_comprehensiveness_and_sufficiency(self, framework):
        # Of four positions 1, 5 and 10 % are none, 20 % is one and 50 % are two: five levels, three of them the same.
        gone, left = sigmoid([10, 10, 10, 6, 3]), sigmoid([0, 0, 0, 4, 7])
        assert self.value(framework, "comprehensiveness") == pytest.approx(sigmoid(10) - gone.mean(), rel=1e-5)
        assert self.value(framework, "sufficiency") == pytest.approx(sigmoid(10) - left.mean(), rel=1e-4)

    def test_proportionality_of_exact_attributions_is_perfect(self, framework):
        # Equal shares of w * x change a linear output equally, whatever holds them (Wang et al. 2020).
        assert self.value(framework, "tpn") == pytest.approx(0, abs=1e-6)
        assert self.value(framework, "tps") == pytest.approx(0, abs=1e-6)

    def test_proportionality_by_hand(self, framework):
        # Attributed evenly, the highest half (the first two positions) holds 7 of 10, the lowest 3.
        maps = np.ones((1, 4), np.float32)
        shares = np.linspace(0, 1, 5)
        high, low = np.array([10, 6, 3, 1, 0]) / 10, np.array([10, 9, 7, 4, 0]) / 10
        grid = np.linspace(0, 1, 2001)
        expected = np.trapezoid(np.abs(np.interp(grid, shares, high) - np.interp(grid, shares, low)), grid)
        assert self.value(framework, "tpn", maps) == pytest.approx(expected, abs=1e-4)
        assert self.value(framework, "tps", maps) == pytest.approx(expected, abs=1e-4)

    def test_single_deletion(self, framework):
        assert self.value(framework, "single_deletion") == pytest.approx(1)
        assert self.value(framework, "single_deletion", REVERSED) == pytest.approx(-1)
        # Cells of two positions: one pair of numbers on each side, in the same order.
        assert self.value(framework, "single_deletion[unit=grid:2]") == pytest.approx(1)
        swapped = np.array([[3.0, 4.0, 1.0, 2.0]], np.float32)
        assert self.value(framework, "single_deletion", swapped) == pytest.approx(0.6)
        assert np.isnan(self.value(framework, "single_deletion", np.ones((1, 4), np.float32)))

    def test_irof(self, framework):
        relative = sigmoid([10, 3, 0]) / sigmoid(10)
        result = self.value(framework, "irof[unit=grid:2,fill=black]")
        assert result == pytest.approx(1 - np.trapezoid(relative, dx=0.5), rel=1e-5)
        result = self.value(framework, "irof[quantus,unit=grid:2,fill=black]")
        assert result == pytest.approx(2 - np.trapezoid(relative[1:]), rel=1e-5)

    def test_average_gain(self, framework):
        weight = np.array([[1.0, 1.0, -5.0, 0.0], [0.0] * 4])
        subject = linear(framework, weight)
        whole, left = sigmoid(-3), sigmoid(2)
        gained = hm.score(subject, ONES, weight[:1].astype(np.float32), "average_gain[mask=positive]", 0)[0]
        assert gained == pytest.approx(100 * (left - whole) / (1 - whole), rel=1e-5)
        assert self.value(framework, "average_gain") == 0

    def test_a_mask_scaled_as_a_whole(self, framework):
        maps = np.array([[2.0, -2.0, 0.0, 1.0]], np.float32)  # scaled: (1, 0, 1/2, 3/4), logit 4 + 1 + 3/4
        result = self.value(framework, "average_drop[mask=scaled,score=logit]", maps)
        assert result == pytest.approx(100 * (10 - 5.75) / 10, rel=1e-5)

    def test_adcc(self, framework):
        mask = np.array([1, 2 / 3, 1 / 3, 0])
        seen = []

        def explainer(model, x, target, rows):
            seen.append(model.to_numpy(x))
            return REVERSED

        result = self.value(framework, "adcc", explainer=explainer)
        np.testing.assert_allclose(seen[0][0], mask, atol=1e-6)
        drop = (sigmoid(10) - sigmoid(4 + 2 + 2 / 3)) / sigmoid(10)
        # The map of what is left is the reverse: the correlation is -1, and nothing coheres.
        assert result == pytest.approx(0, abs=1e-9)
        result = self.value(framework, "adcc", explainer=lambda *_: EXACT)
        expected = 3 / (1 / (1 - drop) + 1 / 1 + 1 / (1 - mask.mean()))
        assert result == pytest.approx(100 * expected, rel=1e-5)
        with pytest.raises(NotApplicable, match="explains other inputs"):
            self.value(framework, "adcc")

    def test_road_without_noise_imputes_from_the_neighbours(self, framework):
        # x rises evenly, so what is removed inside is restored exactly; the ends take their neighbour's value.
        subject = linear(framework, [[1.0] * 5, [0.0] * 5])
        x = np.array([[0.0, 0.25, 0.5, 0.75, 1.0]], np.float32)
        maps = np.array([[0.0, 1.0, 3.0, 2.0, -1.0]], np.float32)
        # Shares of 10 to 90 % of five positions: 0, 1, 2, 2, 2, 3, 4, 4, 4 of them. The last one left is the highest.
        expected = np.mean(6 * [x.sum()] + 3 * [5 * 1.0])
        result = hm.score(subject, x, maps, "road_morf[fill=linear:0,score=logit]", 0)[0]
        assert result == pytest.approx(expected, abs=1e-3)


def reference_curves(f, x, attributions, top, bottom, action):
    """The two curves of the public TPN and TPS, written out from their definition for a flat input."""
    order = np.argsort(-attributions, kind="stable")
    positive = np.maximum(attributions, 0) / np.maximum(attributions, 0).sum()
    count, blank = int((positive > 0).sum()), f(np.zeros_like(x))
    sides = []
    for step, lowest in ((top, False), (bottom, True)):
        share, value = [], []
        for number in range(0, count, step):
            chosen = order[count - number : count] if lowest else order[:number]
            mask = np.zeros(len(x)) if action == "insert" else np.ones(len(x))
            mask[chosen] = 1 if action == "insert" else 0
            share.append(positive[chosen].sum())
            value.append(f(x * mask))
        sides.append((np.array(share), np.array(value)))
    (high_share, high), (low_share, low) = sides
    high = np.maximum(high, blank)
    if action == "delete":
        high, low = high / high[0], low / low[0]
        high = high / min(1, blank / (max(high[-1], blank) + 1e-16))
        low = low / min(1, blank / (max(low[-1], blank) + 1e-16))
    else:
        high = high / min(f(x), high[-1])
        low = low / min(f(x), high[-1])
    return high_share, high, low_share, low


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize(("metric", "action"), [("tpn", "delete"), ("tps", "insert")])
def test_proportionality_follows_the_reference_code(framework, metric, action):
    random = np.random.default_rng(3)
    size = 60
    weight = np.stack([random.normal(0.5, 1, size), np.zeros(size)]).astype(np.float32)
    subject = networks.linear(framework, weight, np.array([0.7, 0.0], np.float32))
    x = random.random((1, size)).astype(np.float32)
    maps = (weight[:1] * x + random.normal(0, 0.2, (1, size))).astype(np.float32)

    high_share, high, low_share, low = reference_curves(
        lambda v: float(weight[0].astype(float) @ v + 0.7), x[0].astype(float), maps[0].astype(float), 5, 2, action
    )
    grid = np.linspace(0, min(high_share[-1], low_share[-1]), 20001)
    gap = np.abs(np.interp(grid, high_share, high) - np.interp(grid, low_share, low))
    result = hm.score(subject, x, maps, f"{metric}[wang2020,top_step=5,bottom_step=2]", 0)[0]
    assert result == pytest.approx(np.trapezoid(gap, grid), rel=1e-3)


HIGHER = {
    "morf": False,
    "lerf": True,
    "aopc": True,
    "abpc": True,
    "comprehensiveness": True,
    "sufficiency": False,
    "tpn": False,
    "tps": False,
    "single_deletion": True,
    "irof[unit=grid:4,fill=black]": True,
    "road_morf": False,
    "road_lerf": True,
    "road_combined": True,
}


@pytest.mark.parametrize("metric", HIGHER)
def test_the_exact_map_beats_the_reversed_one(metric):
    x = np.array([[1.0, 0.2, 0.9, 0.1, 0.8, 0.3]], np.float32)
    weight = np.array([[5.0, 0.1, 3.0, 0.2, 2.0, 0.1], [0.0] * 6], np.float32)
    subject = linear(weight=weight)
    best, worst = (hm.score(subject, x, maps, metric, 0)[0] for maps in (weight[:1] * x, (6 - weight[:1]) * 0.1))
    assert metric_from(metric).entry.higher_is_better is HIGHER[metric]
    assert best > worst if HIGHER[metric] else best < worst


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_units(model, framework):
    subject = model("plain", framework, (9, 12, 3))
    x = subject.inputs(native(subject, pictures(2, (9, 12, 3))))
    patches = unit_labels(subject, x, "patch:4")
    assert patches.shape == (2, 9, 12) and patches.max() == 8
    assert patches[0, 0, 3] == 0 and patches[0, 0, 4] == 1 and patches[0, 4, 0] == 3 and patches[0, 8, 11] == 8
    cells = unit_labels(subject, x, "grid:3")
    assert np.bincount(cells[0].ravel()).tolist() == [12] * 9
    segments = unit_labels(subject, x, "superpixel:10")
    for one in segments:
        assert set(np.unique(one)) == set(range(one.max() + 1))
    for wrong in ("patch", "patch:0", "patch:x", "cell:3"):
        with pytest.raises(BadInput, match=r"unit"):
            unit_labels(subject, x, wrong)
    assert typical_facts("patch:4", (9, 12)).positions == 9 and typical_facts(POSITION, (9, 12)).positions == 108


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_regions_rank_by_their_mean(model, framework):
    subject = model("plain", framework)
    maps = np.zeros((1, 12, 12), np.float32)
    maps[0, :6, 6:] = 2.0
    maps[0, 6:, :6] = -1.0
    maps[0, 0, 0] = 3.0
    ranking = Ranking.of(subject, CleanMaps.of(subject, maps), subject.inputs(native(subject, pictures(1))), "grid:2")
    ranks = subject.to_numpy(ranking.ranks)[0]
    assert ranks[0, 11] == 0 and ranks[0, 0] == 1 and ranks[11, 11] == 2 and ranks[11, 0] == 3
    assert ranking.facts[0].positions == 4 and ranking.facts[0].positives == 2 and ranking.facts[0].unit == "grid:2"
    np.testing.assert_allclose(ranking.cumulated[0], [0, 72, 75, 75, 39])


def test_facts_of_the_positive_attribution():
    subject = linear()
    facts = Ranking.of(subject, CleanMaps.of(subject, EXACT), ONES).facts[0]
    assert facts.positions == facts.positives == 4
    # 4, 7, 9 and 10 of 10 are held by the first one, two, three and four.
    assert [facts.quantiles[share] for share in (0, 1, 40, 41, 70, 71, 90, 91, 100)] == [0, 1, 1, 2, 2, 3, 3, 4, 4]


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_metrics_of_the_family_share_their_pictures(model, framework):
    subject = model("plain", framework)
    x = subject.inputs(native(subject, pictures(2)))
    maps = np.abs(hm.explain(subject, x, "random", 0)) + 1
    names = ["deletion", "morf", "aopc", "n_ord", "lerf", "s_ord", "abpc", "insertion", "average_drop"]
    before = subject.passes.forward
    evaluate_batch(subject, x, maps, np.zeros(2, int), [metric_from(name) for name in names])
    # The whole, the blank, 27 of the top removed, 27 of the top kept (which are the bottom removed), and the mask.
    assert subject.passes.forward - before == 2 * (2 + 27 + 27 + 1)
    assert hm.plan(names, (12, 12)).pictures == 2 + 27 + 27 + 1


def test_a_metric_that_has_no_meaning_leaves_the_others_alone():
    subject = wrap(torch.nn.Linear(4, 2), preprocess=lambda x: x - 0.5, input_shape=(4,))
    metrics = [metric_from(name) for name in ("deletion[rise]", "deletion", "adcc")]
    result = evaluate_batch(subject, subject.inputs(ONES), EXACT, np.zeros(1, int), metrics)
    assert set(result.reasons) == {"deletion[rise]", "adcc"} and np.isfinite(result.scores["deletion"]).all()
    assert "Normalization" in result.reasons["deletion[rise]"] and np.isnan(result.scores["adcc"]).all()


def test_plans():
    found = hm.plan("deletion,n_ord,insertion[fill=blur],adcc")
    assert [row.new for row in found.metrics] == [29, 0, 28, 1]
    assert found.pictures == 58 and found.explanations == 1 and found.saved == 29 + 29 + 29 + 2 - 58
    assert "58 forward passes, 1 more explanations" in str(found)
    assert hm.plan("deletion[steps=4]", (2, 2)).forward == 5
    distinct = set(metric_from("irof[unit=patch:9]").measure.needs(typical_facts("patch:9", (224, 224))))
    assert hm.plan("irof[unit=patch:9]").forward == len(distinct) == 626
    together = hm.plan("aic,sic,max_sensitivity,avg_sensitivity,relative_output_stability")
    assert [row.forward for row in together.metrics] == [15, 0, 0, 0, 10]
    assert [row.explanations for row in together.metrics] == [0, 0, 10, 0, 0]
    assert hm.plan("sic").forward == hm.plan("aic,sic").forward
    with pytest.raises(UnknownName, match="deletion"):
        hm.plan("deletoin")
    with pytest.raises(BadInput, match="positions"):
        hm.plan("deletion", (0, 3))
    with pytest.raises(BadInput, match="at least one"):
        hm.plan([])


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ("deletion[fill=blur:x]", "blur:SIGMA"),
        ("deletion[fill=linear:-1]", "linear:NOISE"),
        ("morf[unit=patch]", "patch:SIDE"),
        ("morf[unit=patch:0.5]", "whole number"),
        ("tpn[steps=101]", "from 1 to 100"),
        ("road_morf[score=loss]", "accuracy"),
    ],
)
def test_wrong_selections(metric, message):
    with pytest.raises(BadInput, match=message):
        hm.score(linear(), ONES, EXACT, metric, 0)


def test_a_blur_of_ones_own_choice():
    subject = networks.linear("torch", np.ones((2, 16), np.float32), np.zeros(2, np.float32))
    x = np.zeros((1, 16), np.float32)
    x[0, 8] = 1
    maps = x.copy()
    # Without the peak, what a blur leaves of it stands in its place.
    left = hm.score(subject, x, maps, "morf[fill=blur:2,step=1,most=1,score=logit]", 0)[0] * 2 - 1
    weights = np.exp(-0.5 * (np.arange(-6, 7) / 2.0) ** 2)
    assert left == pytest.approx(1 / weights.sum(), rel=1e-4)


def test_correlations_are_undefined_where_a_side_is_constant():
    rising = np.arange(5.0)
    assert pearson(rising, 2 * rising + 1) == pytest.approx(1) and spearman(rising, -(rising**3)) == pytest.approx(-1)
    for correlation in (pearson, spearman):
        assert np.isnan(correlation(rising, np.ones(5))) and np.isnan(correlation(rising[:1], rising[:1]))
        assert np.isnan(correlation(rising, np.array([0, 1, np.nan, 2, 3])))
    assert pearson(np.array([1e308, -1e308, 0]), np.array([1.0, -1.0, 0])) == pytest.approx(1)


def test_facts_default_to_positions():
    assert MapFacts(3, 1).unit == POSITION
