"""Scores whose differences are rounding, single outputs, and maps with gaps: values that a machine must not decide."""

from __future__ import annotations

import networks
import numpy as np
import pytest
from networks import FRAMEWORKS, native

import heatmark as hm
from heatmark.errors import NotApplicable
from heatmark.metrics.perturbing.perturbation import Bands
from heatmark.metrics.perturbing.ranking import CleanMaps
from heatmark.metrics.perturbing.rounding import changes, rounding_of
from heatmark.metrics.perturbing.target_scores import TargetScores
from heatmark.metrics.planner import evaluate_batch
from heatmark.metrics.registry import metric_from
from heatmark.models.reading.scores import target_score

torch = pytest.importorskip("torch")

DOWN = np.array([[4.0, 3.0, 2.0, 1.0], [0.0, 0.0, 0.0, 0.0]], np.float32)
ONES = np.ones((1, 4), np.float32)


def linear(framework, weight, bias=0.0):
    weight = np.asarray(weight, np.float32)
    return networks.linear(framework, weight, np.full(len(weight), bias, np.float32))


def on_black(count, side=64):
    """Pictures of something on black, whose network's logits hang on the chunk in their last digits."""
    x = np.zeros((count, side, side, 3), np.float32)
    inner = slice(20, 44)
    x[:, inner, inner] = np.random.default_rng(0).random((count, 24, 24, 3))
    return x, x.max(axis=-1) > 0


@pytest.fixture(scope="module")
def wide():
    """A network wide enough for the order of its sums to change with the chunk."""
    torch.manual_seed(0)
    layers = torch.nn.Conv2d(3, 16, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(16, 32, 3, stride=2)
    net = torch.nn.Sequential(*layers, torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(32 * 31 * 31, 10))
    return hm.wrap(net.eval(), input_shape=(3, 64, 64))


def in_chunks(model, sizes, compute):
    found = []
    for model.engine.chunk in sizes:
        found.append(compute())
    model.engine.chunk = None
    return found


class TestRounding:
    @pytest.mark.parametrize("metric", ["average_increase", "average_increase[mask=positive]", "average_gain"])
    def test_a_picture_that_stays_as_it_is_does_not_rise(self, wide, metric):
        x, maps = on_black(24)
        target = wide.outputs(native(wide, x)).argmax(axis=1)
        allowed = 0 if "increase" in metric else 1e-3  # the rounding of a probability, in percent of what it lacks
        for values in in_chunks(
            wide, (1, 3, 7, 8), lambda: hm.score(wide, native(wide, x), maps.astype(float), metric, target)
        ):
            np.testing.assert_allclose(values, 0, atol=allowed)

    @pytest.mark.parametrize("metric", ["single_deletion", "single_deletion[unit=grid:8]", "monotonicity[unit=grid:8]"])
    def test_cells_that_change_nothing_tie(self, wide, metric):
        x, _ = on_black(4)
        maps = np.random.default_rng(1).normal(size=x.shape[:3]).astype(np.float32)
        first, *others = in_chunks(wide, (1, 2, 3, 5), lambda: hm.score(wide, native(wide, x), maps, metric, 0))
        for values in others:
            np.testing.assert_allclose(values, first, atol=1e-9)

    def test_probabilities_near_one_are_known_as_well_as_those_near_zero(self):
        for odds in (-20.0, 0.0, 20.0):
            near = 1 / (1 + np.exp(-odds - np.array([0.0, 4e-6, 4e-4])))
            assert near[1] - near[0] < rounding_of(near[:2], "probability") < near[2] - near[0]
        assert rounding_of(np.array([-30.0, 2.0]), "logit") == pytest.approx(3e-4)

    def test_changes(self):
        found = changes(np.array([10.0, 10.00002, 9.0, 8.99998]), 10.0, "logit")
        assert found[0] == found[1] == 0 and found[2] == found[3] == pytest.approx(-1, abs=1e-4)
        assert (changes(np.zeros(3), 0.0, "logit") == 0).all()

    @pytest.mark.parametrize("framework", FRAMEWORKS)
    def test_what_is_stored_gives_what_the_run_gave(self, framework):
        # The probability is 1 in float32, before and after.
        subject = linear(framework, [[10.0, 10.0, -1.0, 1.0], [0.0] * 4])
        maps, metrics = np.array([[1.0, 1.0, 0.0, 1.0]], np.float32), ["average_increase", "average_gain", "deletion"]
        found = evaluate_batch(subject, subject.inputs(ONES), maps, np.array([0]), [metric_from(m) for m in metrics])
        reading = Bands(**found.bands[0].columns("")).reading()
        for name in metrics:
            assert metric_from(name).measure.value(reading) == found.scores[name][0]
        assert found.scores["average_increase"][0] == 100 and found.scores["average_gain"][0] > 60


@pytest.mark.parametrize("framework", FRAMEWORKS)
class TestSingleOutputs:
    """A network with one output says the log odds of its class."""

    def test_probabilities_are_logistic(self, framework):
        subject = linear(framework, DOWN[:1])
        # Removed one after another: 10, 6, 3, 1, 0.
        expected = (1 / (1 + np.exp(-np.array([10.0, 6.0, 3.0, 1.0, 0.0])))).mean()
        assert hm.score(subject, ONES, DOWN[:1], "morf", 0)[0] == pytest.approx(expected, rel=1e-5)
        logits = subject.from_numpy(np.array([[2.0], [-3.0]], np.float32))
        target = subject.from_numpy(np.zeros(2, np.int64))
        known = TargetScores.of(subject.to_numpy(logits), np.zeros(2, np.int64), subject.link)
        for kind in ("probability", "log_probability"):
            said = subject.to_numpy(target_score(subject.operations, logits, target, kind, subject.link))
            np.testing.assert_allclose(said, getattr(known, kind), rtol=1e-6)
        np.testing.assert_allclose(known.probability, 1 / (1 + np.exp([-2.0, 3.0])), rtol=1e-6)
        assert known.top.tolist() == [True, False]

    def test_methods_that_read_probabilities_see_it_change(self, framework):
        subject = linear(framework, 0.1 * DOWN[:1])
        found = hm.explain(subject, ONES, "occlusion[window=1,stride=1,score=probability]", 0)
        gone = 1 / (1 + np.exp(-(1 - 0.1 * DOWN[:1])))
        np.testing.assert_allclose(found, 1 / (1 + np.exp(-1.0)) - gone, atol=1e-6)


@pytest.mark.parametrize("framework", FRAMEWORKS)
class TestGaps:
    def test_nan_ranks_last_and_does_not_swamp_the_rest(self, framework):
        subject = linear(framework, DOWN)
        maps = np.array([[4.0, 3.0, np.nan, 1.0]], np.float32)
        assert hm.score(subject, ONES, maps, "single_deletion[unit=position]", 0)[0] == pytest.approx(0.8)
        # As a map whose gap is just below its lowest value; as the largest negative number it left tpn no value.
        filled = np.nan_to_num(maps, nan=0.999999)
        for name in ("tpn", "tps", "single_deletion[unit=position]"):
            expected = hm.score(subject, ONES, filled, name, 0)[0]
            assert hm.score(subject, ONES, maps, name, 0)[0] == pytest.approx(expected, abs=1e-6) and expected > 0.05

    def test_addable_maps_keep_their_order(self, framework):
        subject = linear(framework, DOWN)
        rows = [[np.inf, 1.0, -np.inf, np.nan], [np.nan] * 4, [-np.inf, np.inf, np.nan, np.nan], [3.0, 2.0, 1.0, 0.0]]
        clean = CleanMaps.of(subject, np.array(rows, np.float32))
        assert np.isfinite(clean.addable).all() and np.abs(clean.addable).max() < 4
        for ordered, added in zip(clean.flat, clean.addable, strict=True):
            np.testing.assert_array_equal(np.argsort(-ordered, kind="stable"), np.argsort(-added, kind="stable"))


def test_sufficiency_of_the_reference_is_undefined_where_its_divisor_is_negative():
    subject = linear("torch", [[2.0, -4.0, 1.0, -2.0], [0.0] * 4], bias=-1.0)
    maps = np.array([[2.0, 0.5, 1.0, 0.2]], np.float32)
    assert np.isnan(hm.score(subject, ONES, maps, "s_ord[wang2020,step=1]", 0)).all()


def test_masks_of_small_things_are_no_mosaic(wide):
    x, _ = on_black(2)
    small = np.zeros((2, 64, 64), bool)
    small[:, 3:6, 3:6] = True
    for masks in (small, ~np.zeros_like(small)):
        with pytest.raises(NotApplicable, match="for mosaics"):
            hm.score(wide, native(wide, x), x[..., 0], "grid_pointing_game", 0, masks=masks)


def test_log_probabilities_far_below_zero_stay_themselves():
    subject = linear("torch", [[-100.0, -100.0, 0.0, 0.0], [0.0] * 4])
    values = hm.score(subject, ONES, np.zeros((1, 4), np.float32), "deletion[score=log_probability]", 0)
    # -200, -100 and three times 0 (log 1/2), by the trapezoid rule.
    levels = np.array([-200.0, -100.0, np.log(0.5), np.log(0.5), np.log(0.5)])
    assert values[0] == pytest.approx(np.trapezoid(levels, dx=0.25), rel=1e-5)
