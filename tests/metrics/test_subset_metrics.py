"""Metrics of random subsets, infidelity, monotonicity and information curves, by hand and against references."""

from __future__ import annotations

import warnings

import networks
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import FRAMEWORKS, native, pictures
from scipy.stats import spearmanr
from subset_networks import CONTRIBUTIONS, INPUT, WEIGHT, linear, picture_network

import heatmark as hm
from heatmark.errors import BadInput
from heatmark.metrics.faithfulness.infidelity import random_square
from heatmark.metrics.faithfulness.random_subsets import chosen, exact_shares
from heatmark.metrics.plan import plan
from heatmark.metrics.planner import evaluate_batch
from heatmark.metrics.registry import metric_from
from heatmark.models.random_bank import RandomBank
from heatmark.models.wrap import wrap

torch = pytest.importorskip("torch")

SUBSETS = ["sensitivity_n[sizes=4,subsets=12]", "faithfulness_correlation[subsets=20]", "mu_fidelity[subsets=20]"]
INFIDELITY = ["infidelity[samples=20]", "infidelity[shap,samples=20]", "infidelity[gaussian,samples=20]"]
OTHERS = ["monotonicity[draws=2]", "monotone_curve", "sic[least=0.0]", "aic[least=0.0]"]


@pytest.mark.parametrize("framework", FRAMEWORKS)
class TestIdentities:
    @pytest.mark.parametrize("metric", [*SUBSETS, "mu_fidelity[xplique,subsets=20]"])
    def test_the_contributions_of_a_linear_model_correlate_perfectly(self, framework, metric):
        subject = linear(framework)
        assert hm.score(subject, INPUT, CONTRIBUTIONS, metric, 0) == pytest.approx(1, abs=1e-6)
        assert hm.score(subject, INPUT, -CONTRIBUTIONS, metric, 0) == pytest.approx(-1, abs=1e-6)
        # Correlations do not see the scale, nor a constant added where all subsets have equally many positions.
        assert hm.score(subject, INPUT, 1e-20 * CONTRIBUTIONS, metric, 0) == pytest.approx(1, abs=1e-6)
        if "mu_fidelity" not in metric:
            assert hm.score(subject, INPUT, CONTRIBUTIONS + 1, metric, 0) == pytest.approx(1, abs=1e-6)

    @pytest.mark.parametrize("scaled", ["true", "false"])
    def test_the_exact_map_of_a_linear_model_has_no_infidelity(self, framework, scaled):
        subject = linear(framework)
        for metric in ("infidelity", "infidelity[shap]", "infidelity[fill=white]", "infidelity[gaussian]"):
            exact = CONTRIBUTIONS
            if "gaussian" in metric:
                exact = np.repeat(WEIGHT[:1], 2, axis=0)
            elif "white" in metric:
                exact = WEIGHT[:1] * (INPUT - 1)
            metric = f"{metric.rstrip(']')}{',' if '[' in metric else '['}samples=30,scaled={scaled}]"
            assert hm.score(subject, INPUT, exact, metric, 0) == pytest.approx(0, abs=1e-10)
            wrong = exact[:, ::-1].copy()
            assert (hm.score(subject, INPUT, wrong, metric, 0) > 0.01).all()

    def test_monotonicity_of_a_linear_model(self, framework):
        metric = "monotonicity[unit=position,draws=4,score=logit]"
        noise = RandomBank(0).uniform("baseline", (1, 12))[np.arange(4)][:, 0]
        effects = np.stack([(WEIGHT[0] * (noise - row)) ** 2 for row in INPUT]).mean(axis=1)
        for maps in (CONTRIBUTIONS, np.sqrt(effects), -np.sqrt(effects)):
            maps = maps.astype(np.float32)
            expected = [spearmanr(np.abs(one), effect).statistic for one, effect in zip(maps, effects, strict=True)]
            assert hm.score(linear(framework), INPUT, maps, metric, 0) == pytest.approx(expected, abs=1e-6)
        assert expected == pytest.approx([1, 1])

    def test_the_monotone_curve_of_a_linear_model(self, framework):
        subject = linear(framework)
        # One at a time, the score falls at each of the four features that speak against the class, in any order.
        for maps in (CONTRIBUTIONS, -CONTRIBUTIONS):
            assert hm.score(subject, INPUT, maps, "monotone_curve[arya2019]", 0) == pytest.approx(8 / 12)
        # From the lowest contribution to the highest in two steps, the score first falls, then rises.
        assert hm.score(subject, INPUT, CONTRIBUTIONS, "monotone_curve[steps=2]", 0) == pytest.approx(1 / 2)
        assert hm.score(subject, INPUT, np.abs(CONTRIBUTIONS), "monotone_curve[steps=1]", 0) == pytest.approx(1)


def test_a_monotone_curve_needs_what_speaks_against_the_class_to_come_first():
    # What speaks against the class does nothing while the score is clipped at zero, and harm once there is something.
    clipped = torch.nn.Sequential(torch.nn.Linear(12, 2), torch.nn.ReLU())
    with torch.no_grad():
        clipped[0].weight.copy_(torch.tensor(WEIGHT))
        clipped[0].bias.zero_()
    subject = wrap(clipped, input_shape=(12,))
    right, wrong = (
        hm.score(subject, INPUT, maps, "monotone_curve[step=1,score=logit]", 0)
        for maps in (CONTRIBUTIONS, -CONTRIBUTIONS)
    )
    assert right == pytest.approx(1)
    assert wrong == pytest.approx(8 / 12)


class TestAgainstPlainNumPy:
    """The definitions, written again with the draws of the bank and nothing else of heatmark."""

    def scored(self, model):
        subject = model("plain", "torch")
        x = pictures(2)
        maps = np.random.default_rng(5).standard_normal((2, 12, 12)).astype(np.float32)
        return subject, native(subject, x), maps

    def drops(self, subject, x, masks, fill=0.0):
        logits = subject.outputs(x)[:, 1]
        gone = [subject.outputs(np.where(mask, np.float32(fill), x))[:, 1] for mask in masks]
        return (logits - np.stack(gone)).T

    def test_sensitivity_n(self, model):
        subject, x, maps = self.scored(model)
        counts = [1, 13, 115]  # 0.01 to 0.8 of 144 positions
        bank = RandomBank(7)
        values = []
        for place, count in enumerate(counts):
            masks = [
                chosen(bank.generator("sensitivity_n", place * 10 + number), 144, count).reshape(12, 12)
                for number in range(10)
            ]
            assert all(mask.sum() == count for mask in masks)
            sums = np.array([[one[mask].sum() for mask in masks] for one in maps])
            drops = self.drops(subject, x, masks)
            values.append([np.corrcoef(first, second)[0, 1] for first, second in zip(sums, drops, strict=True)])
        result = hm.score(subject, x, maps, "sensitivity_n[sizes=3,subsets=10,fill=black]", 1, seed=7)
        assert result == pytest.approx(np.mean(values, axis=0), abs=1e-4)

    def test_faithfulness_correlation_and_mu_fidelity(self, model):
        subject, x, maps = self.scored(model)
        bank = RandomBank(0)
        masks = [chosen(bank.generator("faithfulness_correlation", number), 144, 9) for number in range(15)]
        masks = [mask.reshape(12, 12) for mask in masks]
        sums = np.array([[one[mask].mean() for mask in masks] for one in maps])
        drops = self.drops(subject, x, masks)
        expected = [np.corrcoef(first, second)[0, 1] for first, second in zip(sums, drops, strict=True)]
        result = hm.score(subject, x, maps, "faithfulness_correlation[size=9,subsets=15,fill=black]", 1)
        assert result == pytest.approx(expected, abs=1e-4)

        cells = np.arange(12) * 4 // 12
        labels = cells[:, None] * 4 + cells
        masks = [np.isin(labels, np.flatnonzero(chosen(bank.generator("mu_fidelity", k), 16, 3))) for k in range(15)]
        sums = np.array([[one[mask].sum() for mask in masks] for one in maps])
        drops = self.drops(subject, x, masks)
        expected = [spearmanr(first, second).statistic for first, second in zip(sums, drops, strict=True)]
        result = hm.score(subject, x, maps, "mu_fidelity[regions=grid:4,subsets=15,fill=black]", 1)
        assert result == pytest.approx(expected, abs=1e-6)

    def test_the_best_scale_is_found(self, model):
        subject, x, maps = self.scored(model)
        bank = RandomBank(0)
        masks = [bank.generator("infidelity subset", k).random((12, 12), dtype=np.float32) < 0.5 for k in range(15)]
        sums = np.array([[one[mask].sum() for mask in masks] for one in maps], np.float64)
        drops = self.drops(subject, x, masks)
        for row, value in enumerate(hm.score(subject, x, maps, "infidelity[shap,samples=15]", 1)):
            (_,), residue, *_ = np.linalg.lstsq(sums[row][:, None], drops[row], rcond=None)
            assert value == pytest.approx(residue[0] / 15, rel=1e-4)
        first, other, turned = (
            hm.score(subject, x, scale * maps, "infidelity[samples=15]", 1) for scale in (1, 50, -3)
        )
        assert first == pytest.approx(other, rel=1e-5) and first == pytest.approx(turned, rel=1e-5)
        first, other = (hm.score(subject, x, k * maps, "infidelity[samples=15,scaled=false]", 1) for k in (1, 50))
        assert (other > 100 * first).all()

    def test_a_map_of_zeros_leaves_all_of_the_change_unsaid(self, model):
        subject, x, maps = self.scored(model)
        bank = RandomBank(0)
        masks = [random_square(bank.generator("infidelity square", number), (12, 12), 4) for number in range(15)]
        expected = (self.drops(subject, x, masks) ** 2).mean(axis=1)
        for scaled in ("true", "false"):
            result = hm.score(subject, x, 0 * maps, f"infidelity[samples=15,scaled={scaled},fill=black]", 1)
            assert result == pytest.approx(expected, rel=1e-4)


class TestSubsets:
    def test_sizes_run_from_one_position_to_most_of_them(self):
        ancona = metric_from("sensitivity_n[ancona2018]").measure
        counts = ancona.counts(50176)
        assert counts[0] == 1 and counts[-1] == round(0.8 * 50176) and len(counts) == 10
        assert np.ptp(np.diff(np.log(counts[3:]))) < 0.02  # logarithmically spaced
        assert ancona.cost(50176).forward == 1000
        assert metric_from("sensitivity_n").measure.counts(50176)[0] == 502
        assert metric_from("sensitivity_n").measure.counts(3).tolist() == [1, 2]
        assert metric_from("sensitivity_n").measure.counts(1).tolist() == [1]

    def test_subsets_hold_every_position_equally_often(self):
        taken = np.stack([chosen(RandomBank(0).generator("x", number), 20, 5) for number in range(2000)])
        assert (taken.sum(axis=1) == 5).all()
        assert np.abs(taken.mean(axis=0) - 0.25).max() < 0.05

    def test_squares_are_drawn_from_all_that_lie_inside(self):
        squares = [random_square(RandomBank(0).generator("x", number), (4, 5), 2) for number in range(3000)]
        found, counts = np.unique(np.stack(squares).reshape(3000, -1), axis=0, return_counts=True)
        assert len(found) == 4 * 5 + 3 * 4
        assert sorted(set(found.sum(axis=1))) == [1, 4]
        assert np.abs(counts / 3000 - 1 / 32).max() < 0.015
        assert random_square(RandomBank(0).generator("x"), (9,), 1).shape == (9,)

    @settings(max_examples=30, deadline=None)
    @given(st.integers(0, 10_000), st.integers(1, 400))
    def test_sums_of_shares_do_not_depend_on_the_order(self, seed, size):
        rng = np.random.default_rng(seed)
        maps = (rng.standard_normal((2, size)) * 10.0 ** rng.integers(-30, 30)).astype(np.float32)
        shares = exact_shares(maps)
        order = rng.permutation(size)
        assert np.array_equal(np.cumsum(shares, axis=1)[:, -1], np.cumsum(shares[:, order], axis=1)[:, -1])
        assert shares * np.abs(maps.astype(float)).sum(axis=1, keepdims=True) == pytest.approx(
            maps.astype(float), abs=1e-12 * float(np.abs(maps.astype(float)).sum())
        )

    def test_correlations_are_undefined_for_a_constant_map(self, model):
        subject = model("plain", "torch")
        x = native(subject, pictures(2))
        for value in (0.0, 0.1, -1e-30):
            maps = np.full((2, 12, 12), value, np.float32)
            for metric in ("sensitivity_n[sizes=3,subsets=8]", "faithfulness_correlation[size=7,subsets=8]"):
                assert np.isnan(hm.score(subject, x, maps, metric, 0)).all()

    def test_correlations_are_undefined_where_the_network_does_not_respond(self):
        deaf = networks.linear("torch", np.zeros((2, 12), np.float32), np.array([1.3, -0.4], np.float32))
        for metric in (*SUBSETS, "monotonicity"):
            assert np.isnan(hm.score(deaf, INPUT, CONTRIBUTIONS, metric, 0)).all()

    def test_one_position_counts_only_at_the_sizes_that_meet_it(self):
        maps = np.zeros((1, 12), np.float32)
        maps[0, 9] = 1
        value = hm.score(linear(), INPUT[:1], maps, "sensitivity_n[sizes=3,subsets=12,largest=0.3]", 0)
        assert np.isfinite(value).all()
        never = hm.score(linear(), INPUT[:1], maps, "sensitivity_n[sizes=1,subsets=2,largest=0.01]", 0)
        assert np.isnan(never).all()

    @pytest.mark.parametrize(
        ("metric", "message"),
        [
            ("mu_fidelity[regions=superpixel:9]", "regions"),
            ("mu_fidelity[regions=grid:0]", "at least 1"),
            ("sensitivity_n[fill=linear]", "fill"),
            ("infidelity[perturbation=circle]", "one of square, subset, gaussian"),
            ("monotonicity[unit=grid:1.5]", "whole number"),
        ],
    )
    def test_wrong_protocols_are_told(self, metric, message):
        with pytest.raises(BadInput, match=message):
            metric_from(metric)


@pytest.mark.parametrize("metric", [*SUBSETS, *INFIDELITY, *OTHERS])
class TestAll:
    def test_frameworks_agree(self, model, metric):
        for shape in ((12, 12, 3), (20, 2)):
            if metric[1:3] == "ic" and len(shape) == 2:
                continue
            x = pictures(3, shape)
            subjects = [model("plain", framework, shape) for framework in FRAMEWORKS]
            maps = hm.explain(subjects[0], native(subjects[0], x), "gradient", [0, 1, 2])
            first, second = (hm.score(subject, native(subject, x), maps, metric, [0, 1, 2]) for subject in subjects)
            assert np.isfinite(first).any() or metric.startswith("aic")
            np.testing.assert_allclose(first, second, rtol=1e-3, atol=1e-4)

    def test_degenerate_maps(self, model, metric):
        subject = model("plain", "torch")
        x = native(subject, pictures(6))
        maps = hm.explain(subject, x, "random")
        maps[0] = 3.0
        maps[1, 2, 2] = np.nan
        maps[2, 1, 1], maps[2, 5, 5] = np.inf, -np.inf
        maps[3] = -np.abs(maps[3])
        maps[4] = 0
        maps[4, 6, 6] = 1
        maps[5] = 0
        before = maps.copy()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            values = hm.score(subject, x, maps, metric, 0)
        assert values.shape == (6,) and not np.isinf(values).any()
        assert np.array_equal(maps, before, equal_nan=True)
        if metric.startswith(("infidelity", "monotone_curve")):
            assert np.isfinite(values).all()
        elif metric[1:3] != "ic":
            assert np.isfinite(values[[3, 4]]).all() and np.isnan(values[5])

    def test_cost_is_exact(self, model, metric):
        subject = model("plain", "torch")
        x = native(subject, pictures(2))
        maps = hm.explain(subject, x, "random")
        logits = subject.outputs(x)
        before = subject.passes
        evaluate_batch(subject, subject.inputs(x), maps, np.zeros(2, np.int64), [metric_from(metric)], logits=logits)
        # The sample itself is known already, but for what scores its copy of 8 bits.
        known = metric[1:3] != "ic"
        assert subject.passes.forward - before.forward == 2 * (plan(metric, (12, 12)).forward - known)
        assert subject.passes.backward == before.backward


# Without the monotone curve: in a linear model every order of single positions is as monotone as any other.
@pytest.mark.parametrize("metric", [*SUBSETS, *INFIDELITY, *(name for name in OTHERS if name != "monotone_curve")])
def test_the_ground_truth_beats_a_random_map(metric):
    subject, x, masks = picture_network()
    random = np.abs(hm.explain(subject, x, "random", 0))
    first, second = (hm.score(subject, x, maps, metric, 0).mean() for maps in (masks.astype(np.float32), random))
    assert first > second if metric_from(metric).entry.higher_is_better else first < second
