"""Inputs as small as they come, even ones, and networks with a single output: maps are finite, or a reason is given."""

from __future__ import annotations

from collections.abc import Callable

import networks
import numpy as np
import pytest
from networks import FRAMEWORKS, native, pictures
from small_methods import NAMES

import heatmark as hm
from heatmark.errors import BadInput, NotApplicable
from heatmark.methods.registry import METHODS
from heatmark.models.architecture.nodes import INPUT, Activation, Architecture, Dense
from heatmark.models.base import Model

pytest.importorskip("torch")
pytest.importorskip("keras")

#: Methods at their defaults but for the number of variants: what depends on the input's size is what is tested.
FEW = {
    "blur_ig": "blur_ig[steps=4]",
    "conductance": "conductance[steps=2]",
    "expected_gradients": "expected_gradients[samples=3]",
    "extremal_perturbation": "extremal_perturbation[steps=2]",
    "guided_ig": "guided_ig[steps=4]",
    "hsic": "hsic[masks=14]",
    "integrated_gradients": "integrated_gradients[steps=3]",
    "internal_influence": "internal_influence[steps=2]",
    "kernel_shap": "kernel_shap[samples=20]",
    "lime": "lime[samples=16]",
    "opti_cam": "opti_cam[steps=2]",
    "rise": "rise[masks=20]",
    "shapley_sampling": "shapley_sampling[permutations=2]",
    "smooth": "smooth[saliency,samples=2]",
    "smoothgrad": "smoothgrad[samples=3]",
    "sobol": "sobol[designs=2]",
    "vargrad": "vargrad[samples=3]",
    "xrai": "xrai[steps=2]",
}
SHAPES = {"pixel": (1, 1, 3), "row": (1, 7, 1), "column": (9, 2, 3), "series": (3, 2), "vector": (5,)}


def flat(shape: tuple[int, ...], classes: int) -> Architecture:
    """Two dense layers with a ReLU between them."""
    nodes = (Dense("first", (INPUT,), 6), Activation("relu", ("first",), "relu"), Dense("last", ("relu",), classes))
    return Architecture("flat", shape, nodes, "last")


@pytest.fixture(scope="module")
def single() -> Callable[[str, str], Model]:
    """Return a function from (shape's name, framework) to a network with one output."""
    made: dict[tuple[str, str], Model] = {}

    def get(shape: str, framework: str) -> Model:
        if (shape, framework) not in made:
            build = flat if shape == "vector" else networks.residual
            made[shape, framework] = networks.model_of(build(SHAPES[shape], 1), framework)
        return made[shape, framework]

    return get


def has_meaning(name: str, shape: str) -> bool:
    """Whether a method says something about inputs of a shape."""
    needs = METHODS.get(name).needs
    if "attention" in needs or ("layers" in needs and shape in ("pixel", "vector")):
        return False  # no transformer; no layer with more than one position
    if name == "xrai":
        return shape in ("pixel", "row", "column")
    return (name, shape) != ("lime", "pixel")  # its own mean does not hide a single position


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_smallest_inputs_and_one_class(single, framework, shape, name):
    subject, method = single(shape, framework), FEW.get(name, name)
    # Random, black, and what the normalisation maps to zero: there all activations and the logit are zero.
    for x in (pictures(2, SHAPES[shape]), *(np.full((1, *SHAPES[shape]), value, np.float32) for value in (0.0, 0.4))):
        x = native(subject, x)
        if has_meaning(name, shape):
            maps = hm.explain(subject, x, method)
            assert maps.shape == (len(x), *subject.spatial_shape) and np.isfinite(maps).all()
        else:
            with pytest.raises(NotApplicable, match=r"no attention|no layer with|a series has none|does not hide"):
                hm.explain(subject, x, method)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_default_window_of_occlusion_fits_and_a_larger_one_is_named(single, framework):
    for shape in SHAPES:
        subject = single(shape, framework)
        x = native(subject, pictures(1, SHAPES[shape]))
        assert np.ptp(hm.explain(subject, x, "occlusion[score=logit]")) > 0 or shape == "pixel"
        with pytest.raises(BadInput, match=r"window of 16 is larger than the input"):
            hm.explain(subject, x, "occlusion[window=16]")
