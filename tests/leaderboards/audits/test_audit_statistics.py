"""The numbers of an audit, by hand: agreement, reactivity, resilience, reliability; and the noise on maps."""

from __future__ import annotations

import networks
import numpy as np
import pytest
from made_audits import comparison, made

from heatmark.benchmark.audit.noise import blended, noise_for, with_noise
from heatmark.benchmark.audit.units import same
from heatmark.leaderboards.audits import questions as ask
from heatmark.leaderboards.audits.plots import clustered

NAN = float("nan")


# Agreement


def test_concordance_by_hand():
    # Three metrics rank six maps. The rank sums are 8, 14, 11, 9, 13, 8, about their mean of 10.5.
    ranks = np.array([[1, 6, 3, 2, 5, 4], [1, 5, 6, 2, 4, 3], [6, 3, 2, 5, 4, 1]], float)
    squares = 6.25 + 12.25 + 0.25 + 2.25 + 6.25 + 6.25
    assert ask.concordance(-ranks) == pytest.approx(12 * squares / (3**2 * (6**3 - 6)))


def test_concordance_is_corrected_for_ties():
    # Two metrics that tie the same two maps agree fully; without the correction W would be 12 * 18 / (4 * 60) = 0.9.
    scores = np.array([[4.0, 2, 2, 1], [9, 3, 3, 0]])
    assert ask.concordance(scores) == pytest.approx(1.0)


def test_concordance_of_opposite_and_of_same_orders():
    assert ask.concordance(np.array([[1.0, 2, 3], [3, 2, 1]])) == pytest.approx(0.0, abs=1e-12)
    assert ask.concordance(np.tile(np.arange(5.0), (4, 1))) == pytest.approx(1.0)


def test_concordance_needs_two_metrics_that_score_every_map():
    assert np.isnan(ask.concordance(np.array([[1.0, 2, 3], [NAN, 2, 1]])))
    assert np.isnan(ask.concordance(np.ones((3, 4))))
    assert np.isnan(ask.concordance(np.array([[1.0, 2], [2, 1]])))
    assert ask.concordance(np.array([[1.0, 2, 3], [1, 2, 3], [NAN, 2, 1]])) == pytest.approx(1.0)


def test_taus_by_hand():
    # Of the six pairs of maps the first two metrics order five alike; the third is the first reversed.
    scores = np.array([[1.0, 2, 3, 4], [1, 2, 4, 3], [4, 3, 2, 1], [1, 1, 1, 1], [1, NAN, NAN, 2]])
    found = ask.taus(scores)
    assert found[0, 1] == pytest.approx(4 / 6)
    assert found[0, 2] == pytest.approx(-1.0)
    assert np.isnan(found[0, 3]) and np.isnan(found[3]).all() and np.isnan(found[0, 4])
    np.testing.assert_allclose(np.diag(found)[:3], 1.0)


def test_agreeing_metrics_stand_side_by_side():
    block = np.kron(np.eye(2), np.ones((3, 3)))
    mixed = [0, 3, 1, 4, 2, 5]
    order = [mixed[place] for place in clustered(block[np.ix_(mixed, mixed)])]
    assert sorted(order[:3]) in ([0, 1, 2], [3, 4, 5])
    assert clustered(np.array([[1.0, NAN], [NAN, 1.0]])) == [0, 1]


# What noise does


def test_reactivity_counts_wins_and_half_of_the_ties():
    plain, gone = np.array([3.0, 2.0, 1.0, 5.0, NAN]), np.array([1.0, 2.0, 4.0, 4.0, 0.0])
    assert ask.reactivity(plain, gone) == pytest.approx((2 + 0.5) / 4)
    assert ask.reactivity(np.ones(4), np.zeros(4)) == 1.0
    assert ask.reactivity(np.zeros(4), np.ones(4)) == 0.0
    assert np.isnan(ask.reactivity(np.array([NAN]), np.array([1.0])))


def test_rounding_noise_is_a_tie():
    assert ask.reactivity(np.full(5, 0.1 + 1e-9), np.full(5, 0.1)) == 0.5


def test_resilience_by_hand():
    plain, little, gone = np.array([[1.0, 2.0]]), np.array([[1.1, 1.8]]), np.array([[0.0, 0.0]])
    assert ask.resilience(plain, little, gone) == pytest.approx(1 - 0.3 / 3.0)
    assert ask.resilience(plain, plain, gone) == 1.0
    assert ask.resilience(plain, gone, little) == 0.0  # never below
    assert np.isnan(ask.resilience(plain, plain, plain))
    holes = np.array([[1.1, NAN]])
    assert ask.resilience(plain, holes, gone) == pytest.approx(1 - 0.1 / 1.0)


def test_the_order_that_noise_leaves():
    plain = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])
    assert ask.order_kept(plain, plain + 5) == pytest.approx(1.0)
    assert ask.order_kept(plain, -plain) == pytest.approx(-1.0)
    swapped = plain[[0, 2, 1]]
    assert ask.order_kept(plain, swapped) == pytest.approx(1 / 3)
    assert np.isnan(ask.order_kept(plain[:2], plain[:2]))


# Reliability


def test_another_seed():
    values = np.arange(12.0).reshape(3, 4)
    assert ask.retest(values, values) == 1.0
    assert ask.retest(np.ones((3, 4)), np.ones((3, 4))) == 1.0  # no seed changes a constant
    assert ask.retest(values, -values) == pytest.approx(-1.0)
    assert np.isnan(ask.retest(np.ones((3, 4)), values))
    random = np.random.default_rng(0)
    noise = [random.normal(size=(20, 50)) for _ in range(2)]
    assert abs(ask.retest(*noise)) < 0.1


def test_halves_of_the_samples():
    random = np.random.default_rng(0)
    noise = random.normal(size=(10, 40))
    assert ask.split_half(noise + 100 * np.arange(10)[:, None]) == pytest.approx(1.0)
    assert abs(ask.split_half(np.concatenate([random.normal(size=(300, 40))]))) < 0.15
    assert np.isnan(ask.split_half(np.ones((10, 40))))
    assert np.isnan(ask.split_half(noise[:2]))
    holes = noise + 100 * np.arange(10)[:, None]
    holes[3, :30] = NAN  # defined on too few samples: it has no part
    assert ask.split_half(holes) == pytest.approx(1.0)


def test_halves_by_enumeration():
    # However four samples are halved, the half without the last one orders the maps in one way, the other in reverse.
    values = np.array([[0.0, 0, 0, 9], [1, 1, 1, 1], [2, 2, 2, -7]])
    assert ask.split_half(values) == pytest.approx(-1.0)


def test_seeds_that_agree_but_for_rounding():
    values = np.array([1.0, NAN, 1e-8])
    assert same(values, values * (1 + 1e-6)) and not same(values, values * 1.01)
    assert not same(values, np.array([1.0, 0.0, 1e-8]))
    assert not same(np.array([1e-9]), np.array([2e-9]))


# The oracle


def test_comparisons_by_hand():
    oracle = np.array([1.0, 1.0, 1.0, NAN])
    controls = np.array([[0.5, 0.5, 0.5, 0.5], [0.0, 1.0, 2.0, 0.0], [NAN] * 4])
    even, mixed, none = ask.comparisons(oracle, controls, ["even", "mixed", "none"])
    assert (even.difference, even.low, even.high, even.wins, even.samples, even.of) == (0.5, 0.5, 0.5, 1.0, 3, 4)
    assert mixed.difference == pytest.approx(0) and mixed.wins == 0.5 and mixed.low < 0 < mixed.high
    assert none.samples == 0 and np.isnan(none.difference)


def test_outcomes():
    outcomes = [comparison(0.1, 0.2), comparison(-0.1, 0.1), comparison(-0.2, -0.1), comparison(0.1, 0.2, 4)]
    assert [one.outcome for one in outcomes] == ["beaten", "not told apart", "lost", "undefined"]


@pytest.mark.parametrize(
    ("change", "family", "failed"),
    [
        ({}, "faithfulness", ()),
        ({"oracle": (comparison(0.1, 0.2), comparison(-0.1, 0.1))}, "faithfulness", ("oracle",)),
        ({"oracle": (comparison(-0.2, -0.1),)}, "robustness", ()),
        ({"oracle": (comparison(-0.2, -0.1),)}, "one of somebody's own", ("oracle",)),
        ({"oracle": (comparison(-0.2, -0.1, 4),)}, "faithfulness", ()),
        ({"reactivity": 0.5}, "faithfulness", ("reacts",)),
        ({"resilience": 0.7, "order_kept": -1.0}, "faithfulness", ("resilient", "order kept")),
        ({"retest": 0.69, "split_half": 0.1}, "faithfulness", ("retest", "halves")),
        ({"reactivity": NAN, "split_half": NAN}, "faithfulness", ()),
    ],
)
def test_what_passes(change, family, failed):
    found = made(change, family=family)
    assert found.weak == failed and found.mark == ("!" if failed else "✓")
    assert len(found.complaints) == len(failed)


def test_data_on_which_a_metric_fails_is_named():
    found = made({}, {"reactivity": 0.5}, {"reactivity": 0.25, "oracle": (comparison(-0.2, -0.1),)})
    assert found.mark == "~" and found.weak == ("oracle on data 2", "reacts on data 1, data 2")
    assert list(found.answers.values()) == ["partly", "partly", "yes", "yes", "yes", "yes"]
    assert found.mean("reactivity") == pytest.approx((0.9 + 0.5 + 0.25) / 3) and found.beaten == (2, 3)
    assert "data 2: worse than Random" in found.complaints[0] and "data 1: 0.5" in found.complaints[1]
    assert found.causes == (
        "the truth's own map is no better than a control (data 2: worse than Random)",
        "noise scores as well as maps (data 1; data 2)",
    )
    assert made({"retest": 0.1}, {"reactivity": 0.1}).mark == "!"  # passed everything nowhere


def test_means_are_of_the_data_on_which_there_is_a_value():
    found = made({"split_half": NAN, "undefined": 20}, {"split_half": 0.8})
    assert found.mean("split_half") == 0.8 and found.undefined == 0.1
    assert np.isnan(made({"split_half": NAN}).mean("split_half"))


def test_a_metric_that_nothing_could_be_asked_of_has_no_mark():
    empty = dict.fromkeys(("reactivity", "resilience", "order_kept", "retest", "split_half"), NAN)
    assert made({"oracle": (), **empty}).mark == "" and made().mark == ""


def test_without_the_truth_no_metric_that_should_tell_it_is_trusted():
    """An audit on data without masks marked everything with ✓, though its first question had not been asked."""
    blind = {"oracle": ()}
    assert made(blind).mark == "" and made(blind, blind).mark == ""
    assert made(blind, {"oracle": (), "reactivity": 0.1}).mark == "!"
    assert made(blind, {}).mark == "✓"  # it was asked on other data
    assert made(blind, family="robustness").mark == "✓"  # it need not be asked


# Noise


def test_noise_keeps_mean_and_spread():
    random = np.random.default_rng(0)
    maps = random.gamma(1.0, 3.0, (2, 64, 64)).astype(np.float32)
    noise = random.normal(size=maps.shape)
    np.testing.assert_allclose(blended(maps, noise, 0.0), maps, rtol=1e-6)
    for share in (0.05, 0.7, 1.0):
        found = blended(maps, noise, share)
        np.testing.assert_allclose(found.mean(axis=(1, 2)), maps.mean(axis=(1, 2)), rtol=0.05)
        np.testing.assert_allclose(found.std(axis=(1, 2)), maps.std(axis=(1, 2)), rtol=0.05)
        correlation = np.corrcoef(found[0].ravel(), maps[0].ravel())[0, 1]
        assert correlation == pytest.approx(np.sqrt(1 - share**2), abs=0.03)


def test_at_share_one_nothing_of_the_map_is_left():
    noise = np.random.default_rng(0).normal(size=(1, 100))
    values = np.random.default_rng(1).normal(size=(1, 100)).astype(np.float32)
    np.testing.assert_array_equal(blended(values, noise, 1.0), blended(values[:, ::-1], noise, 1.0))


def test_noise_on_odd_maps():
    odd = np.array([[1.0, 1.0, 1.0], [1.0, NAN, 3.0], [np.inf, 1.0, 3.0], [NAN] * 3], np.float32)
    noise = np.ones_like(odd)
    found = blended(odd, noise, 1.0)
    np.testing.assert_array_equal(found[0], odd[0])
    np.testing.assert_allclose(found[1], [3.0, NAN, 3.0])
    np.testing.assert_allclose(found[2], [np.inf, 3.0, 3.0])
    assert np.isnan(found[3]).all()
    assert np.isnan(odd[1, 1]) and odd[1, 0] == 1.0  # the caller's array is as it was


@pytest.mark.parametrize("framework", networks.FRAMEWORKS)
def test_noise_depends_on_content_seed_and_name_alone(framework, model):
    pytest.importorskip(framework)
    made = model("plain", framework)
    x = networks.native(made, networks.pictures(3))
    inputs = made.from_numpy(x)
    noise = noise_for(made, inputs, 0, "a")
    assert noise.shape == (3, 12, 12) and abs(noise.std() - 1) < 0.1
    np.testing.assert_array_equal(noise[1:2], noise_for(made, made.from_numpy(x[1:2]), 0, "a")[0:1])
    for other in (noise_for(made, inputs, 1, "a"), noise_for(made, inputs, 0, "b"), noise[[1, 2, 0]]):
        assert not np.isclose(noise, other).any(axis=(1, 2)).all()
    if framework == "tensorflow":
        pytest.importorskip("torch")
        there = model("plain", "torch")
        canonical = there.from_numpy(networks.native(there, networks.pictures(3)))
        np.testing.assert_array_equal(noise, noise_for(there, canonical, 0, "a"))


def test_an_explainer_with_noise_gives_the_map_with_noise(model):
    pytest.importorskip("torch")
    made = model("plain", "torch")
    x = made.from_numpy(networks.native(made, networks.pictures(2)))
    maps = np.random.default_rng(0).normal(size=(2, 12, 12)).astype(np.float32)
    noisy = with_noise(lambda model, x, target, rows: maps[rows], 0.3, 5, "a")
    expected = blended(maps, noise_for(made, x, 5, "a"), 0.3)
    np.testing.assert_array_equal(noisy(made, x, np.zeros(2, np.int64), np.arange(2)), expected)
