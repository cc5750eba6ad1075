"""Methods of a file that is not trusted give what they give when they are trusted, in both frameworks."""

from __future__ import annotations

import numpy as np
import pytest
from sandboxes import need

from heatmark.benchmark.setting.plugins import load_plugins
from heatmark.methods.explain import explain
from heatmark.methods.registry import METHODS, method_from
from heatmark.models.zoo.loading import load_model

HALF = '''
import heatmark as hm


@hm.register_method("{name}", family="gradient", signed=True, needs=["gradients"])
def half(request, *, share: float = 0.5):
    """The gradient, weakened."""
    return share * request.gradient()
'''


@pytest.mark.parametrize(
    ("framework", "level"),
    [
        ("torch", "bubblewrap"),
        ("tensorflow", "landlock"),
        pytest.param("torch", "landlock", marks=pytest.mark.slow),
        pytest.param("tensorflow", "bubblewrap", marks=pytest.mark.slow),
    ],
)
def test_maps_are_those_of_the_method_itself(plugin, framework, level):
    pytest.importorskip(framework)
    need(level)
    name = f"half_{framework}_{level}"
    load_plugins([f"untrusted[{level}]:{plugin(name, HALF.format(name=name))}"])
    model = load_model("small-cnn", framework)
    x = np.random.default_rng(0).random((3, *model.input_shape), np.float32)
    before = model.passes
    maps = explain(model, x, f"{name}[share=0.25]", target=1)
    passes = model.passes - before
    assert (passes.forward, passes.backward) == (3, 3)
    np.testing.assert_allclose(maps, 0.25 * explain(model, x, "gradient", target=1), rtol=1e-5, atol=1e-7)
    entry = METHODS.get(name)
    assert entry.apart is not None and entry.apart.level == level and entry.summary == "The gradient, weakened."
    assert method_from(name).parameters == {"share": 0.5}
