"""Perturbations as data: levels, and the one form that each of them has."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heatmark.metrics.perturbing.levels import Levels
from heatmark.metrics.perturbing.perturbation import ORIGINAL, MapFacts, Perturbation, keeping, removing

torch = pytest.importorskip("torch")


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3000), st.integers(1, 60), st.integers(0, 3000))
def test_levels_rise_from_nothing_to_everything(positions, steps, positives):
    positives = min(positives, positions)
    counts = Levels(steps).counts(MapFacts(positions, positives))
    assert counts[0] == 0 and counts[-1] == positions and (np.diff(counts) > 0).all()
    assert len(counts) == min(steps, positions) + 1
    assert np.ptp(np.diff(counts)) <= 1
    counts = Levels(steps, steps, "positive").counts(MapFacts(positions, positives))
    assert counts[0] == 0 and (counts[-1] < positives or len(counts) == 1)


def test_the_levels_of_rise_are_1792_pixels():
    counts = Levels(28).counts(MapFacts(224 * 224, 0))
    assert (np.diff(counts) == 1792).all() and len(counts) == 29


@given(st.integers(1, 50), st.integers(-5, 60), st.integers(-5, 60))
def test_perturbations_have_one_form(positions, low, high):
    facts = MapFacts(positions, 0)
    inside = set(range(positions)) & set(range(low, high))
    everything = set(range(positions))
    for act, kept in ((keeping, inside), (removing, everything - inside)):
        item = act(low, high, "black", facts)
        if kept == everything:
            assert item == ORIGINAL
        elif item.low <= item.high:
            assert item.fill == "black" and set(range(item.low, item.high)) == kept
        else:
            assert item.fill == "black" and everything - set(range(item.high, item.low)) == kept
        assert (item == Perturbation("black", 0, 0)) == (not kept)
    assert keeping(0, positions, "blur", facts) == keeping(0, positions, "black", facts)
    assert removing(0, max(high, 1), "black", facts) == keeping(max(high, 1), positions, "black", facts)
