"""Sums that must come to the logit: they do in right networks, and a fault of a known kind is told, with its size."""

from __future__ import annotations

import re
from typing import Any

import networks
import numpy as np
import planted
import pytest
from networks import FRAMEWORKS

import heatmark as hm
from heatmark.benchmark.checking.completeness import deep_lift, full_gradient, integrated_gradients, relevance
from heatmark.errors import NotApplicable
from heatmark.models.base import Model

ALL = (integrated_gradients, relevance, deep_lift, full_gradient)


@pytest.fixture(params=FRAMEWORKS)
def framework(request: pytest.FixtureRequest) -> str:
    pytest.importorskip(request.param)
    return str(request.param)


def numbers(text: str) -> list[float]:
    return [float(found) for found in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", text)]


@pytest.mark.parametrize("name", ["plain", "residual"])
def test_all_sums_hold_in_right_networks(framework: str, name: str) -> None:
    model = networks.model_of(networks.ARCHITECTURES[name](), framework)
    x = model.inputs(networks.native(model, networks.pictures(2)))
    for ask in ALL:
        finding = ask(model, x)
        assert finding.verdict == "holds" and finding.remedy == "", finding.sentence


def test_a_linear_network_is_told_to_the_last_digit(framework: str) -> None:
    """f = w x + b: LRP's map sums to w x and biases absorb b; FullGrad's parts are the same two."""
    weight = np.array([[1.0, -2.0, 3.0], [0.5, 0.5, 0.5]], np.float32)
    bias = np.array([4.0, -1.0], np.float32)
    model = networks.linear(framework, weight, bias)
    point = np.array([0.9, 0.1, 0.8], np.float32)
    x = model.inputs(np.stack([point, point]))
    inside = float(weight[0] @ point)
    assert numbers(relevance(model, x).evidence)[:3] == pytest.approx([inside + 4, inside, 4.0], rel=1e-3)
    assert numbers(full_gradient(model, x).evidence)[:3] == pytest.approx([inside + 4, inside, 4.0], rel=1e-3)


@pytest.mark.parametrize("place", planted.PLACES)
def test_a_wrong_gradient_does_not_come_near(framework: str, place: str) -> None:
    model = planted.planted(framework, place, "halved")
    finding = integrated_gradients(model, planted.inputs(model))
    assert finding.verdict == "doubtful" and "not the derivative" in finding.remedy
    # On every path, half of the way is missing: with a short one no roughness is left to blame.
    last = float(re.findall(r"off by ([\d.]+)%", finding.evidence)[-1])
    assert last == pytest.approx(50, abs=10)


@pytest.mark.parametrize("place", planted.PLACES)
def test_a_constant_that_is_no_layers_is_missing_in_fullgrad(framework: str, place: str) -> None:
    model = planted.planted(framework, place, "constant")
    x = planted.inputs(model)
    finding = full_gradient(model, x)
    assert finding.verdict == "doubtful"
    logit, of_input, of_biases, gap = numbers(finding.evidence)[:4]
    assert gap == pytest.approx(abs(of_input + of_biases - logit), rel=0.02)
    if place == "behind":  # the constant goes through the last dense layer alone
        target = int(model.outputs_of(x)[0].argmax())
        layer = model.net.dense if framework == "torch" else model.net.get_layer("dense")
        kernel = np.asarray(layer.weight.detach()).T if framework == "torch" else np.asarray(layer.kernel)
        assert of_input + of_biases - logit == pytest.approx(-0.7 * kernel[:, target].sum(), rel=0.02)


def test_what_has_no_meaning_is_no_fault(framework: str) -> None:
    model = networks.model_of(networks.transformer(), framework)
    x = model.inputs(networks.native(model, networks.pictures(2)))
    for ask in (relevance, deep_lift, full_gradient):
        with pytest.raises(NotApplicable):
            ask(model, x)


def test_a_graph_that_computes_something_else_fails(framework: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relevance is conserved on the graph whatever the graph is, so the graph is held against the network."""
    model = planted.planted(framework)
    x = planted.inputs(model)
    shifted: Any = _shifted(model)
    monkeypatch.setattr(type(model), "extraction", property(lambda self: shifted))
    finding = relevance(model, x)
    assert finding.verdict == "fails" and "the graph" in finding.evidence
    assert deep_lift(model, x).verdict == "fails"


@pytest.mark.parametrize("how", ["layer", "function"])
def test_a_final_log_softmax_is_no_fault_of_propagation(how: str) -> None:
    """It takes the same from all classes; relevance starts before it, and sums are those of the logits there.

    In Keras, propagation refuses the layer.
    """
    torch = pytest.importorskip("torch")
    before = planted.planted("torch")

    class Ended(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.net = before.net

        def forward(self, x: Any) -> Any:
            return torch.nn.functional.log_softmax(self.net(x), dim=1)

    x = planted.inputs(before)
    net = torch.nn.Sequential(before.net, torch.nn.LogSoftmax(1)) if how == "layer" else Ended()
    model = hm.wrap(net, input_shape=before.input_shape, device="cpu")
    target = int(before.outputs_of(x)[0].argmax())
    logit = float(before.outputs_of(x)[0, target])
    assert abs(float(model.outputs_of(x)[0, target]) - logit) > 0.1
    for ask in (relevance, deep_lift):
        finding = ask(model, x)
        assert finding.verdict == "holds", finding.sentence
    assert numbers(relevance(model, x).evidence)[0] == pytest.approx(logit, rel=1e-3)


def test_sums_in_16_bits_are_those_of_the_graph() -> None:
    """The graph computes in float32, so a sum that is exact there is not held against 16 bits' rounding."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    for dtype in (torch.bfloat16, torch.float16):
        for seed in range(3):
            torch.manual_seed(seed)
            layers = [torch.nn.Conv2d(2, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(144, 3)]
            model = hm.wrap(torch.nn.Sequential(*layers).to(dtype), input_shape=(2, 8, 8))
            x = planted.inputs(model)
            for ask in (relevance, deep_lift):
                finding = ask(model, x)
                assert finding.verdict == "holds", finding.sentence


def _shifted(model: Model) -> Any:
    """Return the network's graph with the first convolution's output moved by 0.3."""
    from dataclasses import replace

    from heatmark.models.graph.graph import Graph, Linear

    network = model.network()
    nodes = list(network.graph.nodes)
    place = next(number for number, node in enumerate(nodes) if isinstance(node, Linear))
    linear = nodes[place]

    def moved(x: Any, weight: Any, bias: Any) -> Any:
        return linear.function(x, weight, bias) + 0.3

    nodes[place] = replace(linear, function=moved)
    network.graph = Graph(tuple(nodes), network.graph.output)

    class Found:
        reason = None

    Found.network = network  # type: ignore[attr-defined]
    return Found()
