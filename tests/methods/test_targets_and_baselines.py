"""Classes by name, and baselines in whatever form they come."""

from __future__ import annotations

import networks
import numpy as np
import pytest
from networks import FRAMEWORKS

import heatmark as hm
from heatmark.errors import BadInput, UnknownName
from heatmark.models.wrap import wrap

torch = pytest.importorskip("torch")
tf = pytest.importorskip("tensorflow")

WEIGHT = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
X = np.random.default_rng(1).random((18, 5), dtype=np.float32)
BASE = np.random.default_rng(2).random((18, 5), dtype=np.float32)
NAMES = ["cat", "dog", "eel"]


@pytest.fixture(params=FRAMEWORKS)
def named(request):
    subject = networks.linear(request.param, WEIGHT, np.zeros(3, np.float32))
    return wrap(subject.net, input_shape=(5,), class_names=NAMES)


def test_a_target_may_be_named(named) -> None:
    dog = hm.explain(named, X, "gradient", "dog")
    np.testing.assert_allclose(dog, np.tile(WEIGHT[1], (18, 1)), rtol=1e-6)
    each = hm.explain(named, X[:2], "gradient", ["eel", "cat"])
    np.testing.assert_allclose(each, WEIGHT[[2, 0]], rtol=1e-6)
    score = hm.score(named, X, dog, "deletion", "dog")
    np.testing.assert_array_equal(score, hm.score(named, X, dog, "deletion", 1))
    frames = [hm.evaluate(named, X, target, methods="gradient", metrics="deletion") for target in ("dog", 1)]
    assert frames[0].equals(frames[1])


def test_a_name_that_is_unknown_is_told(named) -> None:
    with pytest.raises(UnknownName, match=r"no class 'dgo'. Did you mean 'dog'"):
        hm.explain(named, X, "gradient", "dgo")
    with pytest.raises(UnknownName, match="It has cat, dog, eel"):
        hm.explain(named, X, "gradient", "1")
    nameless = wrap(named.net, input_shape=(5,))
    with pytest.raises(BadInput, match=r"no names for its classes.*class_names=\["):
        hm.explain(nameless, X, "gradient", "dog")
    twice = wrap(named.net, input_shape=(5,), class_names=["crane", "dog", "crane"])
    with pytest.raises(BadInput, match="several classes 'crane': give the number, 0 or 2"):
        hm.explain(twice, X, "gradient", "crane")


@pytest.mark.parametrize("form", [np.array, torch.tensor, tf.constant, np.ndarray.tolist])
def test_a_baseline_comes_in_any_form(named, form) -> None:
    """Of a linear network the attribution is weight times what the input differs from the baseline by."""
    for base in (BASE, BASE[0]):
        found = hm.explain(named, X, "integrated_gradients[steps=2]", 1, baseline=form(base))
        np.testing.assert_allclose(found, WEIGHT[1] * (X - base), rtol=1e-4, atol=1e-6)
    found = hm.explain(named, X, "feature_ablation[score=logit]", 1, baseline=form(BASE[0]))
    np.testing.assert_allclose(found, WEIGHT[1] * (X - BASE[0]), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("wrong", [BASE[:16], BASE[:, :4], BASE[:2, None]])
def test_a_baseline_of_another_shape_is_refused(named, wrong: np.ndarray) -> None:
    """Of 18 samples too, whose first batch of 16 it would fit."""
    with pytest.raises(BadInput, match=r"has shape .*give \(5,\), or one for each of the samples, \(18, 5\)"):
        hm.explain(named, X, "integrated_gradients[steps=2]", 1, baseline=torch.tensor(wrong))


def test_lists_of_several_lengths_are_refused(named) -> None:
    with pytest.raises(BadInput, match="baseline is no array"):
        hm.explain(named, X, "integrated_gradients[steps=2]", 1, baseline=[[0.0, 1.0], [0.0]])
