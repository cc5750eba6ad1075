"""What is said of the default layer: how it is laid out, and whether the head sees it alone."""

from __future__ import annotations

import warnings

import networks
import numpy as np
import pytest

import heatmark as hm
from heatmark.errors import NotApplicable
from heatmark.models.checking.layers import behind_activation, default_layer, seen_by_the_head
from heatmark.models.queries import PassCount
from heatmark.models.wrap import wrap

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")
nn = torch.nn
X = np.random.default_rng(0).random((2, 3, 12, 12), dtype=np.float32)


class Net(nn.Module):
    """Two convolutions, and several ways to go on from there."""

    def __init__(self, end):
        super().__init__()
        self.one, self.two, self.relu = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1), nn.ReLU()
        self.head = nn.Linear(6, 4)
        self.end = end

    def forward(self, x):
        x = self.one(x)
        branch = self.two(x)
        ends = {"sum": lambda: x + branch, "function": lambda: torch.relu(branch), "layer": lambda: self.relu(branch)}
        return self.head(ends[self.end]().mean((2, 3)))


def asked(question, end, rows=2):
    torch.manual_seed(0)
    model = wrap(Net(end).eval(), input_shape=(3, 12, 12))
    return question(model, model.inputs(X[:rows]))


@pytest.mark.parametrize("rows", [1, 2])
def test_a_layer_that_everything_passes_through(rows):
    finding = asked(seen_by_the_head, "layer", rows)
    assert finding.verdict == "holds" and "the logits are those of that input" in finding.evidence


@pytest.mark.parametrize("rows", [1, 2])
def test_what_goes_round_the_layer_is_told(rows):
    finding = asked(seen_by_the_head, "sum", rows)  # a sum in the network's own forward(), of which no layer is made
    assert finding.verdict == "doubtful" and "goes round the layer" in finding.evidence
    assert "Name a layer that everything passes through" in finding.remedy


def test_a_rectifier_that_is_no_layer_is_told():
    assert asked(seen_by_the_head, "function").verdict == "holds"
    assert asked(behind_activation, "sum").verdict == asked(behind_activation, "layer").verdict == "holds"
    finding = asked(behind_activation, "function")
    assert finding.verdict == "doubtful" and "the ReLU behind it is no layer" in finding.evidence


def test_the_layer_is_described():
    finding = asked(default_layer, "layer")
    assert finding.verdict == "holds"
    assert "relu (ReLU), 6 channels (first; followed through the network's operations) on 12 x 12" in finding.evidence


@pytest.mark.parametrize("framework", networks.FRAMEWORKS)
def test_the_small_networks_hold(framework):
    for architecture in (networks.plain(), networks.residual(), networks.depthwise(), networks.plain((20, 2))):
        model = networks.model_of(architecture, framework)
        x = model.inputs(networks.native(model, networks.pictures(2, architecture.input_shape)))
        for question in (default_layer, seen_by_the_head, behind_activation):
            assert question(model, x).verdict == "holds", (architecture.name, question(model, x))


@pytest.mark.parametrize("framework", networks.FRAMEWORKS)
def test_tokens(framework):
    model = networks.model_of(networks.transformer(), framework)
    x = model.inputs(networks.native(model, networks.pictures(2)))
    finding = default_layer(model, x)
    assert "37 tokens on a grid of 6 x 6 after 1 of no patch, 12 channels" in finding.evidence
    with pytest.raises(NotApplicable, match="goes round every normalisation"):
        seen_by_the_head(model, x)


def test_networks_without_positions():
    model = networks.linear("torch", np.eye(3, dtype=np.float32), np.zeros(3, np.float32))
    with pytest.raises(NotApplicable, match="no layer with spatial positions"):
        default_layer(model, model.inputs(np.zeros((2, 3), np.float32)))


def test_a_sum_in_a_keras_block_without_layers_is_told():
    keras.utils.set_random_seed(0)

    class Block(keras.Model):
        def __init__(self):
            super().__init__()
            self.one, self.two = (keras.layers.Conv2D(6, 3, padding="same") for _ in range(2))
            self.pool, self.head = keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(4)

        def call(self, x):
            x = self.one(x)
            return self.head(self.pool(x + self.two(x)))

    model = wrap(Block(), input_shape=(12, 12, 3))
    x = model.inputs(np.ascontiguousarray(np.moveaxis(X, 1, -1)))
    assert seen_by_the_head(model, x).verdict == "doubtful"


def test_methods_warn_once_of_what_goes_round_the_default_layer():
    torch.manual_seed(0)
    model = wrap(Net("sum").eval(), input_shape=(3, 12, 12))
    before = model.passes
    with pytest.warns(UserWarning, match="goes round the layer"):
        hm.explain(model, X, "grad_cam", 0)
    assert model.passes - before == PassCount(2, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hm.explain(model, X, "grad_cam", 1)
        hm.explain(wrap(Net("sum").eval(), input_shape=(3, 12, 12)), X, "grad_cam", 0, layer="one")


def test_answers_that_do_not_repeat_say_nothing_of_ways():
    class Dropped(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = Net("layer")

        def forward(self, x):
            return nn.functional.dropout(self.net(x), 0.5, True)

    with pytest.warns(UserWarning, match="answers repeat"):
        model = wrap(Dropped().eval(), input_shape=(3, 12, 12))
    with pytest.raises(NotApplicable, match="do not repeat"):
        seen_by_the_head(model, model.inputs(X))


def test_a_later_layer_out_of_reach_is_told():
    torch.manual_seed(0)
    tail = torch.jit.script(nn.Sequential(nn.Conv2d(6, 6, 3), nn.ReLU()))
    net = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), tail, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4))
    model = wrap(net.eval(), input_shape=(3, 12, 12))
    with pytest.warns(UserWarning, match="1 .*that can be reached. The part '2' of it is compiled by TorchScript"):
        hm.explain(model, X, "grad_cam", 0)
