"""Both frameworks give the same maps on trained networks, whose weights and activations random ones do not resemble."""

from __future__ import annotations

from collections.abc import Callable

import networks
import numpy as np
import pytest
from comparisons import frameworks_agree
from networks import FRAMEWORKS, native
from small_methods import NAMES, SMALL

import heatmark as hm
from heatmark.errors import NotApplicable
from heatmark.models.architecture.small_networks import cnn_1d, small_cnn, vit_tiny
from heatmark.models.base import Model
from heatmark.models.training.recipe import TrainingRecipe, fit, measured_normalization
from heatmark.models.training.training_data import training_data
from heatmark.models.wrap import wrap

pytest.importorskip("torch")
pytest.importorskip("keras")
pytest.importorskip("mnist1d")

Trained = tuple[list[Model], np.ndarray, np.ndarray]


def small_vit(shape: tuple[int, ...], classes: int):
    """A narrow vision transformer."""
    return vit_tiny(shape, classes, blocks=2, width=16, heads=2)


#: Architecture, dataset, recipe, and the accuracy that shows that the network is trained.
NETWORKS = {
    "plain": (small_cnn, "digits", TrainingRecipe(epochs=4), 0.9),
    "residual": (networks.residual, "digits", TrainingRecipe(epochs=20, learning_rate=3e-2), 0.85),
    "depthwise": (networks.depthwise, "digits", TrainingRecipe(epochs=30, learning_rate=3e-2), 0.6),
    "series": (cnn_1d, "mnist1d", TrainingRecipe(epochs=4, learning_rate=4e-3), 0.5),
    "transformer": (small_vit, "digits", TrainingRecipe(epochs=10, learning_rate=1e-2), 0.85),
}


@pytest.fixture(scope="module")
def trained() -> Callable[[str], Trained]:
    """Return a function from a network's name to it in both frameworks, and two of its test samples with labels."""
    made: dict[str, Trained] = {}

    def get(name: str) -> Trained:
        if name not in made:
            build, source, recipe, accuracy = NETWORKS[name]
            data = training_data(source, recipe.seed)
            architecture = build(data.input_shape, len(data.class_names))
            normalization = measured_normalization(data.split.train_x)
            weights, history = fit("torch", architecture, normalization, data.split, recipe)
            assert history[-1].test_accuracy >= accuracy
            *spatial, channels = architecture.input_shape
            shapes = {"torch": (channels, *spatial), "tensorflow": architecture.input_shape}
            pair = [
                wrap(networks.built(architecture, framework, weights), normalization, shapes[framework], name=name)
                for framework in FRAMEWORKS
            ]
            made[name] = (pair, data.split.test_x[:2], data.split.test_y[:2])
        return made[name]

    return get


@pytest.mark.parametrize("method", NAMES)
@pytest.mark.parametrize("network", NETWORKS)
def test_frameworks_agree_on_trained_networks(trained, network, method):
    pair, x, target = trained(network)
    try:
        maps = [hm.explain(model, native(model, x), SMALL.get(method, method), target) for model in pair]
    except NotApplicable as reason:
        pytest.skip(str(reason))
    for one, other in zip(*maps, strict=True):
        assert np.isfinite(one).all()
        frameworks_agree(one, other)
