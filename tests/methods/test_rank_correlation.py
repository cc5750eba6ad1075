"""Rank correlations that rounding does not decide: in the tests' own comparisons and in the product's verdicts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from comparisons import frameworks_agree
from hypothesis import given
from hypothesis import strategies as st
from made_outputs import on_gpu, outputs
from scipy import stats

from heatmark.leaderboards.costs.device_parity import parity
from heatmark.leaderboards.statistics.ranks import ROUNDING, clear_ranks, rank_correlation

#: Two values of a plateau that two machines found, equal but for rounding.
PLATEAU = (-0.0538351, -0.05383509)


def plateaus(seed: int, disturbed: float = 0.0) -> np.ndarray:
    """Return maps like a deconvnet's of a small network, (3, 5, 5): two plateaus in noise of 1e-7, a few peaks.

    ``disturbed`` is added noise, as a share of the scale, on the plateaus alone.
    """
    generator = np.random.default_rng(seed)
    maps = np.where(np.arange(25) < 12, PLATEAU[0], -2 * PLATEAU[0]) * np.ones((3, 1))
    maps[:, 20:] = [1.0, -0.7, 0.3, 0.5, -0.2]
    maps = maps + 1e-7 * generator.standard_normal(maps.shape)
    maps[:, :20] += disturbed * generator.uniform(-1, 1, (3, 20))
    return maps.reshape(3, 5, 5).astype(np.float32)


def by_pairs(values: np.ndarray, grain: float) -> np.ndarray:
    """Return the definition of `clear_ranks`, pair by pair."""
    gaps = values[:, None] - values
    orders = np.sign(gaps) * np.clip(np.abs(gaps) / grain - 1, 0, 1)
    return (len(values) + 1 + orders.sum(axis=1)) / 2


class TestRanks:
    @given(st.lists(st.integers(-50, 50), min_size=3, max_size=40), st.floats(1e-6, 0.5))
    def test_they_are_the_usual_ones_where_gaps_are_clear(self, values, grain):
        np.testing.assert_allclose(clear_ranks(np.array(values), grain), stats.rankdata(values), atol=1e-6)
        np.testing.assert_allclose(clear_ranks(np.array(values), 0.0), stats.rankdata(values), atol=1e-9)

    @given(st.lists(st.floats(-1, 1), min_size=3, max_size=40), st.floats(1e-3, 0.5))
    def test_they_are_what_the_pairs_say(self, values, grain):
        np.testing.assert_allclose(clear_ranks(np.array(values), grain), by_pairs(np.array(values), grain), atol=1e-6)

    def test_values_within_the_grain_tie_and_those_twice_as_far_do_not(self):
        assert clear_ranks(np.array([*PLATEAU, 0.0, 1.0]), 1e-5) == pytest.approx([1.5, 1.5, 3, 4])
        assert clear_ranks(np.array([0.0, 1.0, 2.0, 9.0]), 1.0) == pytest.approx([1.5, 2, 2.5, 4])
        assert clear_ranks(np.array([0.0, 1.5]), 1.0) == pytest.approx([1.25, 1.75])

    def test_a_chain_of_small_gaps_is_not_one_tie(self):
        # As in a map of a photograph, whose neighbours in order are nearer than rounding throughout.
        chain = np.linspace(0, 1, 200_000)
        np.testing.assert_allclose(clear_ranks(chain, 1e-5)[2:-2], np.arange(3, 199_999), atol=2)
        assert rank_correlation(chain, -chain) == pytest.approx(-1)
        assert abs(rank_correlation(chain, np.random.default_rng(0).permutation(chain))) < 0.02

    @pytest.mark.parametrize("gap", [0.5, 1.0, 1.0 + 1e-6, 1.5, 2.0])
    def test_no_gap_makes_rounding_decide(self, gap):
        # Every value is just so far from the next, and in the other map nearer or farther by what float32 rounds.
        steps = np.arange(60) % 6 * gap * ROUNDING + np.arange(60) // 6 * 0.1
        moved = steps + 1e-7 * np.random.default_rng(0).uniform(-1, 1, 60)
        grain = ROUNDING * np.abs(steps).max()
        assert np.abs(clear_ranks(steps, grain) - clear_ranks(moved, grain)).max() < 0.15
        assert rank_correlation(steps, moved) > 0.9999


class TestCorrelation:
    def test_plateaus_that_agree_but_for_rounding_agree(self):
        for one, other in zip(plateaus(1), plateaus(2), strict=True):
            assert stats.spearmanr(one.ravel(), other.ravel()).statistic < 0.95
            assert rank_correlation(one, other) > 0.99999

    @pytest.mark.parametrize("share", [1e-3, 1e-4])
    def test_a_disagreement_on_a_plateau_is_found(self, share):
        for one, other in zip(plateaus(1), plateaus(2, share), strict=True):
            assert rank_correlation(one, other) < 0.97

    def test_it_is_spearmans_where_all_is_clear(self):
        one, other = np.random.default_rng(0).standard_normal((2, 300))
        expected = stats.spearmanr(one, other).statistic
        assert rank_correlation(one, other) == pytest.approx(expected, abs=1e-4)
        assert rank_correlation(other, one) == pytest.approx(rank_correlation(one, other), abs=1e-12)
        assert rank_correlation(1e-20 * one, 1e20 * other) == pytest.approx(rank_correlation(one, other), abs=1e-9)

    def test_constant_maps_say_nothing_and_a_lost_map_is_a_disagreement(self):
        flat, varied = np.full(25, 0.3), plateaus(0)[0]
        noisy = flat + 1e-7 * np.random.default_rng(0).standard_normal(25)
        assert np.isnan(rank_correlation(flat, noisy)) and np.isnan(rank_correlation(noisy, noisy))
        assert rank_correlation(flat, varied) == rank_correlation(varied, noisy) == 0
        assert np.isnan(rank_correlation(np.array([1.0, 2.0]), np.array([1.0, 2.0])))
        assert np.isnan(rank_correlation(np.array([1.0, 2.0, np.nan]), np.arange(3.0)))
        # At the edge of what varies, both answers are possible for maps that agree: neither is a disagreement.
        edge = 1.0 + 2 * ROUNDING * np.array([0.0, 0.0, 0.5, 1.01])
        assert np.isnan(rank_correlation(edge - 1e-6 * (edge > 1.00001), edge))


class TestHelper:
    """What the tests hold two frameworks' maps to."""

    def test_rounding_passes(self):
        for one, other in zip(plateaus(1), plateaus(2), strict=True):
            frameworks_agree(one, other)

    def test_a_disagreement_that_the_bound_allows_is_found_by_its_order(self):
        with pytest.raises(AssertionError):
            frameworks_agree(plateaus(1)[0], plateaus(2, 0.9e-3)[0])

    def test_a_single_value_beyond_the_bound_is_found(self):
        one = np.random.default_rng(0).standard_normal((50, 50))
        other = one.copy()
        other[3, 4] += 1.01e-3 * np.abs(one).max()
        assert rank_correlation(one, other) > 0.999
        with pytest.raises(AssertionError):
            frameworks_agree(one, other)
        with pytest.raises(AssertionError):
            frameworks_agree(np.zeros(9), np.full(9, 1e-9))


class TestDeviceVerdicts:
    """What `heatmark runtime --check-devices` makes of the same maps."""

    def found(self, disturbed: float):
        reference, other = ({**outputs().maps, "second": plateaus(seed, d)} for seed, d in ((1, 0.0), (2, disturbed)))
        return parity("torch", replace(outputs(), maps=reference), on_gpu(maps=other))

    def test_rounding_is_no_other_order(self):
        found = self.found(0.0)
        assert found.out_of_order == found.inverted == ()
        assert 0 < found.maps[1].largest < 1e-6 and found.maps[1].worst > 0.99999

    def test_a_real_disagreement_is_another_order(self):
        found = self.found(1e-3)
        assert found.out_of_order == ("second",) and found.maps[1].largest > 5e-4
