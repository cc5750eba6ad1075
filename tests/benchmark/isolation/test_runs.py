"""Runs with methods that nobody trusts: scores are made here, and what harms is recorded and costs nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from sandboxes import need

from heatmark.benchmark.run import run
from heatmark.benchmark.setting.plugins import load_plugins, plugin_module, trusting, untrusted_file
from heatmark.errors import BadInput

pytest.importorskip("torch")

ROGUE = '''
import os, time
import heatmark as hm
from heatmark.metrics.properties import localisation
from heatmark.models.queries import PassCount

# Whatever this process does to its own copy of heatmark scores nothing.
for name in dir(localisation):
    if callable(getattr(localisation, name)) and name[0].islower():
        setattr(localisation, name, lambda *given, **more: 1.0)
time.perf_counter = time.monotonic = lambda: 0.0


def rogue(name):
    return hm.register_method(name, family="gradient", signed=True, needs=["gradients", "masks"])


@rogue("forger")
def forger(request):
    map = request.gradient()
    request.model._passes = PassCount(-(10**30), 3)
    return map


@rogue("peeker")
def peeker(request):
    """The truth, if it is there to be seen."""
    if request.ground_truth is not None:
        return request.model.from_numpy(request.ground_truth.astype("float32"))
    return request.gradient()


@rogue("misshapen")
def misshapen(request):
    return request.x[:, :, :3]


@rogue("leaver")
def leaver(request):
    os._exit(9)


@rogue("meddler")
def meddler(request):
    for parameter in request.model.net.parameters():
        parameter.data.mul_(2)
    return request.gradient()


@rogue("meaningless")
def meaningless(request):
    raise hm.NotApplicable("it has no meaning")


@rogue("infinite")
def infinite(request):
    return request.gradient() / 0


@rogue("keeper")
def keeper(request, *, share: float = 1.0):
    keeper.calls = getattr(keeper, "calls", 0) + 1
    return request.gradient() * share
'''


@pytest.fixture
def rogues(plugin, tmp_path):
    """A run of every rogue beside the gradient, on data with masks, and its cells by method."""
    need("bubblewrap")
    methods = "gradient,forger,peeker,misshapen,leaver,meddler,meaningless,infinite,keeper"
    return run(
        "ground-truth",
        models="pooled-cnn-patches",
        data="patches",
        methods=methods,
        metrics="relevance_mass,deletion[steps=4],efficient_mprt",
        frameworks="torch",
        device="cpu",
        limit=3,
        engine="serial",
        plugins=[f"untrusted[bubblewrap]:{plugin('rogues', ROGUE)}"],
        out=tmp_path / "run",
        progress=False,
    )


def test_a_run_of_rogues(rogues):
    cells = {cell.spec.method: cell for cell in rogues.store.cells()}
    assert set(cells) == {"gradient", "forger", "peeker", "infinite", "keeper"}
    honest = cells["gradient"].table.filter(like="score:")
    for name in ("forger", "peeker", "keeper"):  # masks are not there, and scores are made here
        found = cells[name].table.filter(like="score:")
        np.testing.assert_allclose(found.to_numpy(), honest.to_numpy(), rtol=1e-4, atol=1e-6, equal_nan=True)
        assert cells[name].provenance["isolation"] == {"level": "bubblewrap"}
        assert cells[name].provenance["costs_verified"] is False
        assert (cells[name].table["explain_seconds"] > 0).all()
    assert "isolation" not in cells["gradient"].provenance
    passes = cells["forger"].provenance["passes_explain"]
    assert passes == {"forward": 0, "backward": 0} or min(passes.values()) >= 0
    errors = {failure.spec.method: failure.error for failure in rogues.failures}
    assert set(errors) == {"misshapen", "leaver", "meddler"}
    assert "a map is float32 of shape" in errors["misshapen"] and "ended in the middle" in errors["leaver"]
    assert "changed what is not its own" in errors["meddler"]
    assert [item.reason for item in rogues.store.not_applicable()] == ["it has no meaning"]


def test_other_networks_are_so_on_the_other_side_too(plugin, tmp_path):
    """What randomises the network, or shifts its inputs, scores a stand-in as it scores the method itself."""
    from heatmark.methods.explain import explain
    from heatmark.models.zoo.loading import load_model

    need("landlock")
    text = """
import heatmark as hm
@hm.register_method("stood_for", family="gradient", signed=True, needs=["gradients"])
def stood_for(request):
    return request.gradient() * request.x
"""
    load_plugins([f"untrusted[landlock]:{plugin('altered', text)}"])
    model = load_model("small-cnn", "torch", "cpu")
    x = np.random.default_rng(0).random((2, *model.input_shape), np.float32)

    def both(one, inputs):
        return [explain(one, inputs, name, target=3) for name in ("stood_for", "input_x_gradient")]

    plain = both(model, x)
    names = [layer.name for layer in model.parameter_layers()]
    with model.randomised(names[-1:], 5):
        last = both(model, x)
        with model.randomised(names[:1], 6):
            two = both(model, x)
        again = both(model, x)
    back = both(model, x)
    shifted = both(model.shifted(0.25), np.clip(x + 0.25, 0, 1))
    for stood, right in (plain, last, two, again, back, shifted):
        np.testing.assert_allclose(stood, right, rtol=1e-5, atol=1e-7)
    assert np.array_equal(plain[0], back[0]) and np.array_equal(last[0], again[0])
    assert not np.allclose(plain[0], last[0]) and not np.allclose(last[0], two[0])
    # Weights that were changed here are not those that the other side loads.
    next(model.net.parameters()).data.mul_(1.5)
    with pytest.raises(Exception, match="other weights"):
        explain(model, x, "stood_for", target=3)


def test_networks_of_ones_own(plugin, tmp_path, monkeypatch):
    """A file that builds a network is there to be read; a network without a name, or of a plugin's, is refused."""
    import torch

    import heatmark as hm

    need("bubblewrap")
    text = """
import heatmark as hm
@hm.register_method("of_own", family="gradient", signed=True, needs=["gradients"])
def of_own(request):
    return request.gradient()
"""
    load_plugins([f"untrusted[bubblewrap]:{plugin('owning', text)}"])
    (tmp_path / "net.py").write_text(
        "import torch\n\ndef build():\n    torch.manual_seed(0)\n"
        "    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(),"
        " torch.nn.Linear(144, 5))\n"
    )
    monkeypatch.chdir(tmp_path)
    model = hm.load_model("net.py:build", "torch", "cpu")
    x = np.random.default_rng(0).random((2, 3, 8, 8), np.float32)
    assert np.allclose(hm.explain(model, x, "of_own"), hm.explain(model, x, "gradient"), atol=1e-7)
    bare = hm.wrap(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 3)), input_shape=(3, 8, 8))
    with pytest.raises(hm.NotApplicable, match="no name"):
        hm.explain(bare, x, "of_own")


def test_plugins_that_are_not_trusted_are_told_from_others():
    assert untrusted_file("mine.py") is None and untrusted_file("package.module") is None
    assert untrusted_file("untrusted:a/b.py") is not None
    path, level = untrusted_file("untrusted[landlock]:a/b.py")
    assert (str(path), level) == ("a/b.py", "landlock")
    assert trusting(["mine.py", "untrusted:a.py"]) == ("mine.py", "a.py")
    assert plugin_module("untrusted:a/b.py") != plugin_module("a/b.py")
    with pytest.raises(BadInput, match="no isolation level"):
        untrusted_file("untrusted[best]:a.py")
