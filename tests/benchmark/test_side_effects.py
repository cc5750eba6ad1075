"""What a method may not do: change its inputs, the network, or the framework's settings."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_runs import PLUGIN

import heatmark as hm
from heatmark.benchmark.setting.plugins import load_plugins
from heatmark.benchmark.store.cell import score_column
from heatmark.benchmark.store.folder import RunStore
from heatmark.errors import BadInput, NetworkChanged
from heatmark.methods.registry import METHODS, Method, method_from
from heatmark.models.unharmed import changes, fingerprint
from heatmark.models.wrap import wrap

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")

MEDDLING = str(Path(PLUGIN).with_name("meddling_plugin.py"))


def method_of(function: Any) -> Method:
    """A user's method, as a plugin would register it."""
    gradient = method_from("gradient")
    return replace(gradient, entry=replace(METHODS.get("gradient"), function=function, origin="plugin", name="mine"))


def networks_of(framework: str) -> Any:
    if framework == "torch":
        torch.manual_seed(0)
        net = torch.nn.Sequential(
            torch.nn.Conv2d(1, 2, 3),
            torch.nn.BatchNorm2d(2),
            torch.nn.ReLU(),
            torch.nn.Flatten(),
            torch.nn.Linear(72, 3),
        )
        return wrap(net.eval(), input_shape=(1, 8, 8)), np.random.default_rng(0).random((2, 1, 8, 8), dtype=np.float32)
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Conv2D(2, 3, activation="relu"), keras.layers.BatchNormalization(), keras.layers.Flatten()]
    net = keras.Sequential([keras.Input((8, 8, 1)), *layers, keras.layers.Dense(3)])
    return wrap(net), np.random.default_rng(0).random((2, 8, 8, 1), dtype=np.float32)


LEFT: list[Any] = []
"""The hooks of all modules that a test left behind."""


def swap_first(request: Any) -> None:
    """Change a weight by the least that float32 can tell."""
    weight = request.model.net[0].weight.data
    weight[0, 0, 0, 0] = torch.nextafter(weight[0, 0, 0, 0], torch.tensor(10.0))


def swap_first_keras(request: Any) -> None:
    kernel = request.model.net.layers[0].kernel
    values = kernel.numpy()
    values[0, 0, 0, 0] = np.nextafter(values[0, 0, 0, 0], np.float32(10))
    kernel.assign(values)


def reorder(request: Any) -> None:
    """Give a layer's units another order, as shuffling weights does: every sum over all of them stays."""
    weight = request.model.net[0].weight.data
    weight.copy_(weight.flip(0))


def reorder_keras(request: Any) -> None:
    kernel = request.model.net.layers[0].kernel
    kernel.assign(kernel.numpy()[..., ::-1])


TORCH = {
    r"the weights '0\.weight' *": reorder,
    r"the weights '0\.weight'": swap_first,
    r"the weights '1\.running_mean'": lambda request: request.model.net[1].running_mean.add_(1),
    r"the mode of '1'": lambda request: request.model.net[1].train(),
    r"the hooks of '2'": lambda request: request.model.net[2].register_forward_hook(lambda *ignored: None),
    r"the hooks of all modules": lambda request: LEFT.append(
        torch.nn.modules.module.register_module_forward_hook(lambda *ignored: None)
    ),
    r"which module '2' is": lambda request: setattr(request.model.net, "2", torch.nn.Sigmoid()),
    r"the gradient kept at '0\.weight'": lambda request: request.model.net(request.x)[:, 0].sum().backward(),
    r"whether '4\.bias' needs a gradient": lambda request: request.model.net[4].bias.requires_grad_(False),
    r"the settings of '1'": lambda request: setattr(request.model.net[1], "eps", 0.5),
    r"the default device": lambda request: torch.set_default_device("meta"),
    r"the default type": lambda request: torch.set_default_dtype(torch.float64),
    r"whether gradients are recorded": lambda request: torch.set_grad_enabled(not torch.is_grad_enabled()),
    r"deterministic algorithms": lambda request: torch.use_deterministic_algorithms(True),
}
KERAS = {
    r"the weights '0 .*kernel' *": reorder_keras,
    r"the weights '0 .*kernel'": swap_first_keras,
    r"the weights '4 .*moving_mean'": lambda request: request.model.net.layers[1].moving_mean.assign_add([1, 1]),
    r"whether .* is trainable": lambda request: setattr(request.model.net.layers[0], "trainable", False),
    r"which layer .* is": lambda request: setattr(request.model.net.layers[0], "activation", keras.activations.tanh),
    r"the settings of 'batch_norm": lambda request: setattr(request.model.net.layers[1], "epsilon", 0.5),
    r"Keras's default type": lambda request: keras.config.set_dtype_policy("mixed_float16"),
    r"whether tf\.functions run eagerly": lambda request: tf.config.run_functions_eagerly(True),
}


@pytest.fixture(autouse=True)
def settings():
    """Undo what these tests do on purpose."""
    yield
    while LEFT:
        LEFT.pop().remove()
    torch.set_default_dtype(torch.float32)
    torch.set_default_device(None)
    torch.set_grad_enabled(True)
    torch.use_deterministic_algorithms(False)
    keras.config.set_dtype_policy("float32")
    tf.config.run_functions_eagerly(False)


@pytest.mark.parametrize(
    ("framework", "named"), [*(("torch", name) for name in TORCH), *(("tensorflow", name) for name in KERAS)]
)
def test_a_change_of_what_is_not_its_own_is_refused_by_name(framework, named):
    subject, x = networks_of(framework)

    def meddling(request: Any) -> Any:
        (TORCH if framework == "torch" else KERAS)[named](request)
        return request.x * 1.0

    with pytest.raises(NetworkChanged, match=rf"gradient changed what is not its own: .*{named}.*load it anew"):
        hm.explain(subject, x, method_of(meddling), target=1)


def test_evaluate_and_wrappers_watch_too():
    load_plugins([PLUGIN, MEDDLING])
    for call in (
        lambda model, x: hm.evaluate(model, x, methods=["gradient", "meddling[what=weights]"], metrics=["complexity"]),
        lambda model, x: hm.explain(model, x, "smooth[meddling[what=weights],samples=2]", target=1),
    ):
        torch.manual_seed(0)
        net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 3))
        subject = wrap(net.eval(), input_shape=(1, 4, 4))
        with pytest.raises(NetworkChanged, match=r"meddling.* changed what is not its own: the weights '1\.weight'"):
            call(subject, np.random.default_rng(0).random((2, 1, 4, 4), dtype=np.float32))


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_a_method_that_asks_and_draws_is_no_fault(framework):
    subject, x = networks_of(framework)
    before, python, numpy = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002

    def decent(request: Any) -> Any:
        random.seed(3)
        np.random.seed(3)  # noqa: NPY002
        if framework == "torch":
            torch.manual_seed(3)
        return request.gradient() * request.x

    state = fingerprint(subject)
    assert np.any(hm.explain(subject, x, method_of(decent), target=1))
    assert changes(subject, state) == ""
    assert torch.equal(torch.get_rng_state(), before) and random.getstate() == python
    assert np.array_equal(np.random.get_state()[1], numpy)  # noqa: NPY002


def test_what_a_network_changes_itself_is_not_held_against_a_method():
    class Counting(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.dense = torch.nn.Linear(16, 3)
            self.register_buffer("calls", torch.zeros(()))

        def forward(self, x):
            self.calls += 1
            return self.dense(x.flatten(1))

    subject = wrap(Counting(), input_shape=(1, 4, 4))
    x = np.random.default_rng(0).random((2, 1, 4, 4), dtype=np.float32)
    assert np.any(hm.explain(subject, x, method_of(lambda request: request.gradient()), target=1))

    def meddling(request: Any) -> Any:
        request.model.net.dense.bias.data.add_(1)
        return request.gradient()

    with pytest.raises(NetworkChanged, match=r"not its own: the weights 'dense\.bias'\. "):
        hm.explain(subject, x, method_of(meddling), target=1)


def test_every_query_and_randomised_copy_leaves_the_fingerprint(model):
    for framework in ("torch", "tensorflow"):
        subject = model("residual", framework)
        x = np.random.default_rng(0).random((2, *subject.input_shape), dtype=np.float32)
        state = fingerprint(subject)
        for method in ("gradient", "guided_backprop", "grad_cam", "ablation_cam", "fullgrad", "lrp", "sise"):
            hm.explain(subject, x, method, target=1)
        names = [layer.name for layer in subject.parameter_layers()]
        with subject.randomised(names, 0):
            assert "the weights" in changes(subject, state)
        assert changes(subject, state) == ""


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
@pytest.mark.parametrize("origin", ["plugin", "heatmark"])
def test_inputs_and_targets_are_the_methods_to_read_only(framework, origin):
    subject, x = networks_of(framework)
    given = torch.tensor(x) if framework == "torch" else tf.constant(x)

    def greedy(request: Any) -> Any:
        if framework == "torch":
            request.x.mul_(0.5)
        else:
            request.x = request.x * 0.5
            request.target = request.target * 0
        return request.x * 1.0

    method = method_of(greedy)
    method = replace(method, entry=replace(method.entry, origin=origin))
    with pytest.raises(BadInput, match=r"gradient changed the inputs or targets .*request\.operations\.copied"):
        hm.explain(subject, given, method, target=1)
    assert np.array_equal(np.asarray(given), x)


def logits_of(path: Path, method: str) -> list[float]:
    """The logits that a run's method was scored by, and the scores."""
    (table,) = [cell.table for cell in RunStore(path).cells() if cell.spec.method == method]
    return [*table["target_logit"], *table[score_column("deletion[steps=4]")]]


@pytest.mark.parametrize("engine", ["serial", "processes"])
def test_a_cell_that_meddled_fails_and_later_cells_are_right(start, tiny_folder, tmp_path, engine):
    options = {"plugins": [PLUGIN, MEDDLING], "engine": engine}
    methods = [f"meddling[what={what}]" for what in ("weights", "mode", "failing", "input", "chance")]
    result = start(",".join([*methods, "counted[shade=2]"]), out=tmp_path / "meddled", **options)
    told = {failure.spec.method: failure.error for failure in result.failures}
    assert set(told) == set(methods[:4])
    assert "changed what is not its own: the weights '1.weight'" in told[methods[0]]
    assert "the mode of" in told[methods[1]] and "the worker starts anew" in told[methods[1]]
    assert "meddled and failed" in told[methods[2]] or "the mode of" in told[methods[2]]
    assert "changed the inputs or targets" in told[methods[3]] and "starts anew" not in told[methods[3]]
    alone = start("counted[shade=2]", out=tmp_path / "alone", plugins=[PLUGIN], engine="serial")
    assert logits_of(result.path, "counted[shade=2]") == logits_of(alone.path, "counted[shade=2]")
