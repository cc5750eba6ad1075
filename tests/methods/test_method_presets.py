"""Presets of methods, with nothing set beside them, against their definitions; those of LRP: `test_propagation`."""

from __future__ import annotations

import networks
import numpy as np
import pytest
from comparisons import same, unbounded
from networks import FRAMEWORKS, native, pictures

import heatmark as hm
from heatmark.models.random_bank import RandomBank


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize(("preset", "transform"), [("absolute", np.abs), ("squared", np.square)])
def test_smoothgrad(model, framework, preset, transform):
    """The mean size, or square, of the gradients of 25 copies with noise of 15 % of the range, summed over channels."""
    subject, x = model("plain", framework), pictures(2)
    draws = RandomBank(0).normal("smoothgrad", (3, 12, 12))[np.arange(25)]
    copies = x + np.float32(0.15) * np.moveaxis(draws, 1, -1)[:, None]
    asked = unbounded(subject)
    gradients = [hm.explain(asked, native(subject, one), "gradient", [1, 2], channels=True) for one in copies]
    axis = -1 if framework == "tensorflow" else 1
    expected = transform(np.stack(gradients)).mean(axis=0).sum(axis=axis)
    same(hm.explain(subject, native(subject, x), f"smoothgrad[{preset}]", [1, 2]), expected)


@pytest.fixture(scope="module")
def bump():
    """A series of one bump, and the weights of a network that looks for one there; no two places are alike."""
    distances = (np.arange(80) - 39.2) / 5
    weight = np.zeros((2, 80), np.float32)
    weight[0] = 0.5 * np.exp(-(distances**2))
    return weight, np.exp(-(distances[None] ** 2)).astype(np.float32)


@pytest.fixture(scope="module")
def masks(bump):
    """The masks of each area alone."""
    subject = networks.linear("torch", bump[0], np.zeros(2, np.float32))
    areas = (0.025, 0.05, 0.1, 0.2)
    return [hm.explain(subject, bump[1], f"extremal_perturbation[areas={area}]", 0) for area in areas]


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_extremal_perturbation_of_several_areas(framework, bump, masks):
    """The mean of the masks of 2.5, 5, 10 and 20 %: what matters most is in all of them, the rest in fewer."""
    subject = networks.linear(framework, bump[0], np.zeros(2, np.float32))
    found = hm.explain(subject, bump[1], "extremal_perturbation[several_areas]", 0)
    same(found, np.mean(masks, axis=0), 1e-3)
    ordered = [mask.mean() for mask in masks]
    assert (
        ordered == sorted(ordered) and (np.diff(found[0, :38]) > -1e-3).all() and (np.diff(found[0, 41:]) < 1e-3).all()
    )
    assert found[0, 38:41].min() > 0.5 and max(found[0, :16].max(), found[0, 64:].max()) < 0.02
