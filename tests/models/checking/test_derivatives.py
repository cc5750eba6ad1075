"""Directional derivatives: right gradients hold, gradients that are wrong in a known way fail, in both frameworks."""

from __future__ import annotations

import re

import numpy as np
import planted
import pytest
from networks import FRAMEWORKS

from heatmark.errors import NotApplicable
from heatmark.models.checking.derivatives import (
    AGREES,
    INPUT_GRADIENT,
    LAYER_GRADIENT,
    UNSURE,
    _compared,
    input_gradient,
    layer_gradient,
)
from heatmark.models.checking.finding import Finding


@pytest.fixture(params=FRAMEWORKS)
def framework(request: pytest.FixtureRequest) -> str:
    pytest.importorskip(request.param)
    return str(request.param)


def differs_by(finding: Finding) -> float:
    """Return the difference that the evidence states, as a share."""
    found = re.search(r"differs from central differences by ([\d.]+)%", finding.evidence)
    assert found is not None
    return float(found[1]) / 100


def test_right_gradients_hold(framework: str) -> None:
    model = planted.planted(framework)
    for ask, title in ((input_gradient, INPUT_GRADIENT), (layer_gradient, LAYER_GRADIENT)):
        finding = ask(model, planted.inputs(model))
        assert (finding.question, finding.verdict, finding.remedy) == (title, "holds", "")
        assert differs_by(finding) < 0.02


def test_a_halved_gradient_fails_by_half_wherever_it_is(framework: str) -> None:
    """g / 2 where the slope is g . v: half of the length is missing, by the directions' own spread."""
    for place in planted.PLACES:
        model = planted.planted(framework, place, "halved")
        x = planted.inputs(model)
        finding = input_gradient(model, x)
        # The evidence is a share of the longer of the two lengths, which is that of the slopes.
        assert finding.verdict == "fails" and 0.4 < differs_by(finding) < 1.6
        assert "custom gradient" in finding.remedy
        assert layer_gradient(model, x).verdict == {"before": "holds", "behind": "fails"}[place]


def test_a_branch_without_gradient_fails(framework: str) -> None:
    for place in planted.PLACES:
        model = planted.planted(framework, place, "detached")
        x = planted.inputs(model)
        assert input_gradient(model, x).verdict == "fails"
        assert layer_gradient(model, x).verdict == {"before": "holds", "behind": "fails"}[place]


def test_no_layer_with_positions_is_no_fault(framework: str) -> None:
    import networks

    model = networks.linear(framework, np.ones((3, 5), np.float32), np.zeros(3, np.float32))
    x = model.inputs(np.random.default_rng(0).random((2, 5), dtype=np.float32))
    assert input_gradient(model, x).verdict == "holds"
    with pytest.raises(NotApplicable):
        layer_gradient(model, x)


def test_inputs_outside_of_zero_to_one_are_asked_in_their_domain(framework: str) -> None:
    model = planted.planted(framework, domain=(0.0, 255.0))
    x = model.inputs(255 * np.random.default_rng(0).random((2, *model.input_shape), dtype=np.float32))
    assert input_gradient(model, x).verdict == "holds"


def test_what_differences_cannot_tell_is_doubtful_and_never_fails() -> None:
    """A function too rough for every step that is tried, one that is steps of rounding, and one that is flat."""
    point, gradient = np.zeros((1, 64)), np.full((1, 64), 2.0)
    noise = np.random.default_rng(0)

    def rough(points: np.ndarray) -> np.ndarray:
        return points @ gradient[0] + noise.normal(0, 1, len(points))

    def rounded(points: np.ndarray) -> np.ndarray:
        return np.round(points @ gradient[0])

    assert _compared("q", rough, point, gradient, 1.0).verdict == "doubtful"
    assert _compared("q", lambda points: 0 * points[:, 0], point, 0 * gradient, 1.0).verdict == "doubtful"
    found = _compared("q", rounded, point, gradient, 1.0)
    assert found.verdict != "holds"
    assert _compared("q", rough, point, gradient * np.nan, 1.0).verdict == "fails"


@pytest.mark.parametrize("factor", [-1.0, 0.0, 0.5, 2.0])
def test_every_wrong_factor_fails_on_a_smooth_function(factor: float) -> None:
    point, gradient = np.zeros((1, 64)), np.random.default_rng(0).normal(size=(1, 64))

    def smooth(points: np.ndarray) -> np.ndarray:
        return np.tanh(points @ gradient[0])

    assert _compared("q", smooth, point, gradient, 1.0).verdict == "holds"
    assert _compared("q", smooth, point, factor * gradient, 1.0).verdict == "fails"
    assert AGREES < UNSURE < 0.5  # a halved gradient is told from what differences may be off by
