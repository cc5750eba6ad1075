"""DeepLIFT, layer-wise relevance propagation and excitation backprop: oracles, folding, refusals and peers."""

from __future__ import annotations

import networks
import numpy as np
import pytest
from comparisons import frameworks_agree, peer
from networks import FRAMEWORKS, native, pictures

import heatmark as hm
from heatmark.methods.propagation.lrp import relevance_and_absorbed
from heatmark.methods.propagation.lrp_rules import Rules
from heatmark.methods.registry import METHODS
from heatmark.methods.request import Request
from heatmark.models.architecture.nodes import INPUT, Activation, Architecture, Convolution, Dense, MaxPool
from heatmark.models.architecture.nodes import GlobalAveragePool as Average
from heatmark.models.normalization import Normalization
from heatmark.models.wrap import wrap

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")

VARIANTS = tuple(METHODS.get("lrp").presets)
EVERY = ("deep_lift", "excitation_backprop", *(f"lrp[{variant}]" for variant in VARIANTS))


def chosen(logits, target):
    return logits[np.arange(len(logits)), target]


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_linear_network_has_one_answer(framework):
    rng = np.random.default_rng(0)
    weight, bias = rng.standard_normal((3, 6)).astype(np.float32), rng.standard_normal(3).astype(np.float32)
    subject = networks.linear(framework, weight, bias)
    x, target = rng.random((4, 6), dtype=np.float32), np.array([0, 1, 2, 1])
    w = weight[target]
    np.testing.assert_allclose(hm.explain(subject, x, "deep_lift", target), w * x, rtol=1e-5)
    baseline = rng.random(6, dtype=np.float32)
    result = hm.explain(subject, x, "deep_lift", target, baseline=baseline)
    np.testing.assert_allclose(result, w * (x - baseline), rtol=1e-4, atol=1e-6)
    for variant in VARIANTS:  # they differ in convolutions only
        np.testing.assert_allclose(hm.explain(subject, x, f"lrp[{variant}]", target), w * x, rtol=1e-4, atol=1e-6)
    excitatory = np.maximum(w, 0) * x
    total = excitatory.sum(axis=1, keepdims=True)
    assert (total == 0).sum() == 1  # no weight of class 2 is positive: nothing excites it
    expected = excitatory / np.where(total == 0, 1, total)
    np.testing.assert_allclose(hm.explain(subject, x, "excitation_backprop", target), expected, rtol=1e-5)


def two_units(framework, first, first_bias, second, second_bias):
    """Return two convolution units with ReLU on a series of one position, and a dense layer to two classes."""
    architecture = Architecture(
        "two", (1, 2),
        (
            Convolution("first", (INPUT,), 2, (1,)), Activation("relu", ("first",), "relu"),
            Average("average", ("relu",)), Dense("dense", ("average",), 2),
        ),
        "dense",
    )  # fmt: skip
    weights = {
        "first.weight": np.array(first)[:, :, None], "first.bias": np.array(first_bias),
        "dense.weight": np.array(second), "dense.bias": np.array(second_bias),
    }  # fmt: skip
    shape = (2, 1) if framework == "torch" else (1, 2)
    return wrap(networks.built(architecture, framework, weights), input_shape=shape)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_two_units_by_hand(framework):
    subject = two_units(framework, [[2.0, -1.0], [1.0, 3.0]], [0.5, -1.0], [[1.0, -2.0], [0.0, 0.0]], [0.25, 0.0])
    x = native(subject, np.array([[[1.0, 0.5]]], np.float32))
    # z = (2 - 0.5 + 0.5, 1 + 1.5 - 1) = (2, 1.5); logit = 2 - 3 + 0.25; relevance of the units (2, -3).
    one, two = 2.0, -3.0
    expected = {
        # shares x w / z
        "epsilon": (one * 2 / 2 + two * 1 / 1.5, one * -0.5 / 2 + two * 1.5 / 1.5),
        # positive parts 2 + 0.5 (bias) and 1 + 1.5
        "epsilon_plus": (one * 2 / 2.5 + two * 1 / 2.5, two * 1.5 / 2.5),
        # twice those, less the negative parts: -0.5 of x, and -1 of a bias, which keeps its share
        "alpha2_beta1": (2 * (one * 2 / 2.5 + two * 1 / 2.5), 2 * two * 1.5 / 2.5 - one),
        # z-box with bounds 0 and 1: x w less the upper bound times negative weights
        "epsilon_gamma_box": (one * 2 / 2.5 + two * 1 / 2.5, one * 0.5 / 2.5 + two * 1.5 / 2.5),
    }
    for variant, values in expected.items():
        result = hm.explain(subject, x, f"lrp[{variant}]", 0, channels=True)
        np.testing.assert_allclose(result.ravel(), values, rtol=1e-5, atol=5e-6, err_msg=variant)
    # gamma 0.25 without the box: 2.5 - 0.5 + 0.625 (bias), and 1.25 + 1.875 - 1
    gamma = hm.explain(subject, x, "lrp[convolutions=gamma]", 0, channels=True)
    values = (one * 2.5 / 2.625 + two * 1.25 / 2.125, one * -0.5 / 2.625 + two * 1.875 / 2.125)
    np.testing.assert_allclose(gamma.ravel(), values, rtol=1e-5)
    # Only the first unit excites class 0, and only the first input excites it.
    winning = hm.explain(subject, x, "excitation_backprop", 0, channels=True)
    np.testing.assert_allclose(winning.ravel(), (1.0, 0.0), atol=1e-6)
    # From black: the second unit rises from 0 (its input from -1) to 1.5, the first from 0.5 to 2.
    lifted = hm.explain(subject, x, "deep_lift[baseline=black]", 0, channels=True)
    ratio = 1.5 / 2.5
    np.testing.assert_allclose(lifted.ravel(), (2 - 2 * ratio, -0.5 - 2 * ratio * 1.5), rtol=1e-5)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_negative_inputs_follow_the_sign_of_their_product(framework):
    # Raw black becomes -2: both inputs are below zero, so negative weights increase a unit.
    architecture = Architecture(
        "one", (1, 2), (Convolution("first", (INPUT,), 1, (1,)), Average("average", ("first",))), "average"
    )
    weights = {"first.weight": np.array([[[-1.0], [0.5]]]), "first.bias": np.array([0.5])}
    shape = (2, 1) if framework == "torch" else (1, 2)
    net = networks.built(architecture, framework, weights)
    subject = wrap(net, Normalization((1.0,), (0.5,)), shape)
    x = native(subject, np.zeros((1, 1, 2), np.float32))  # -2, -2: contributions 2, -1, bias 0.5; z = 1.5
    expected = {
        "epsilon": (2.0, -1.0),
        "epsilon_plus": (1.5 * 2 / 2.5, 0.0),  # the positive bias counts among what increases the unit
        "alpha2_beta1": (2 * 1.5 * 2 / 2.5, -1.5),
        # low = -2, high = 0: x w - low w+ = (2, -1) - (0, -1)
        "epsilon_gamma_box": (1.5, 0.0),
    }
    for variant, values in expected.items():
        result = hm.explain(subject, x, f"lrp[{variant}]", 0, channels=True).ravel()
        np.testing.assert_allclose(result, values, rtol=1e-5, atol=5e-6, err_msg=variant)
    gamma = hm.explain(subject, x, "lrp[convolutions=gamma]", 0, channels=True).ravel()
    np.testing.assert_allclose(gamma, np.array([2.5, -1.0]) * 1.5 / (2.5 - 1 + 0.625), rtol=1e-4)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_what_biases_absorb_is_told(framework):
    rng = np.random.default_rng(1)
    first, second = rng.standard_normal((2, 2)), rng.standard_normal((2, 2))
    one, two = np.array([0.3, -0.2]), np.array([0.7, -0.4])
    subject = two_units(framework, first, one, second, two)
    x = rng.random((5, 1, 2)).astype(np.float32)
    target = np.array([0, 1, 0, 1, 0])
    request = Request(subject, subject.inputs(native(subject, x)), target)
    relevance, absorbed = (subject.to_numpy(part) for part in relevance_and_absorbed(request, Rules()))
    z = x[:, 0] @ first.T + one
    logit = np.maximum(z, 0) @ second.T + two
    # The last bias keeps itself; a first bias its share of its unit's relevance.
    unit = np.maximum(z, 0) * second[target]
    by_hand = two[target] + (unit * one / z).sum(axis=1)
    np.testing.assert_allclose(absorbed, by_hand, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(relevance.sum(axis=(1, 2)), chosen(logit, target) - by_hand, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("network", ["residual", "depthwise"])
def test_epsilon_relevance_sums_to_the_logit_less_what_was_absorbed(model, network, framework):
    subject = model(network, framework)
    x, target = native(subject, pictures(3)), np.array([0, 1, 2])
    logit = chosen(subject.outputs(x), target)
    for rules in (Rules(), Rules("z_plus"), Rules("alpha_beta"), Rules("gamma", "z_box")):
        request = Request(subject, subject.inputs(x), target)
        relevance, absorbed = (subject.to_numpy(part) for part in relevance_and_absorbed(request, rules))
        total = relevance.reshape(3, -1).sum(axis=1) + absorbed
        np.testing.assert_allclose(total, logit, rtol=1e-4, atol=1e-4 * np.abs(relevance).sum() / 3)
    # These networks have no biases (but for batch normalisation's, which is zero), so nothing is absorbed.
    result = hm.explain(subject, x, "lrp", target)
    np.testing.assert_allclose(result.sum(axis=(1, 2)), logit, rtol=1e-3)


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("baseline", ["black", "white", "mean", "blur", "noise", 0.3])
def test_deep_lift_is_complete(model, framework, baseline):
    from heatmark.models.inputs.baselines import baseline_of
    from heatmark.models.random_bank import RandomBank

    for network in networks.ARCHITECTURES if baseline == "black" else ("plain",):
        subject = model(network, framework)
        x, target = native(subject, pictures(3)), np.array([0, 1, 2])
        start = subject.to_numpy(baseline_of(subject, subject.inputs(x), baseline, RandomBank(0)))
        difference = subject.outputs(x) - subject.outputs(np.broadcast_to(start, x.shape))
        maps = hm.explain(subject, x, "deep_lift", target, baseline=baseline)
        np.testing.assert_allclose(maps.sum(axis=(1, 2)), chosen(difference, target), rtol=1e-4, atol=1e-4)


def test_several_baselines_are_averaged(model):
    subject = model("plain", "torch")
    x = native(subject, pictures(2))
    black, white, both = (
        hm.explain(subject, x, "deep_lift", 0, baseline=name) for name in ("black", "white", "black+white")
    )
    np.testing.assert_allclose(both, (black + white) / 2, rtol=1e-4, atol=1e-6)


def overlapping(framework):
    """Return overlapping max pooling with padding, on a convolution without activation, so that maxima fall too."""
    architecture = Architecture(
        "overlapping", (9, 11, 2),
        (
            Convolution("first", (INPUT,), 4, (3, 3)), MaxPool("pool", ("first",), (3, 3), 2, "same"),
            Activation("relu", ("pool",), "relu6"), Average("average", ("relu",)), Dense("dense", ("average",), 3),
        ),
        "dense",
    )  # fmt: skip
    return networks.model_of(architecture, framework)


def test_deep_lift_is_complete_through_overlapping_maxima():
    maps = []
    for framework in FRAMEWORKS:
        subject = overlapping(framework)
        x = native(subject, pictures(3, (9, 11, 2)))
        maps.append(hm.explain(subject, x, "deep_lift", 1))
        blank = x.mean(axis=subject.spatial_axes, keepdims=True) + 0 * x
        difference = subject.outputs(x)[:, 1] - subject.outputs(blank)[:, 1]
        np.testing.assert_allclose(maps[-1].sum(axis=(1, 2)), difference, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(*maps, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_excitation_is_a_probability(model, framework):
    for network in ("plain", "residual"):
        subject = model(network, framework)
        maps = hm.explain(subject, native(subject, pictures(3)), "excitation_backprop", [0, 1, 0])
        assert maps.min() >= 0
        np.testing.assert_allclose(maps.sum(axis=(1, 2)), 1, rtol=1e-5)


def test_excitation_does_not_depend_on_what_normalised_black_is(model):
    # The first layer's responses are the distances from black, whatever the normalisation's mean is.
    one, other = (wrap(model("plain", "torch").net, Normalization((mean,), (0.5,)), (3, 12, 12)) for mean in (0, 0.9))
    x = native(one, pictures(1))
    first, second = (subject.extraction.network.at_input(1, subject.inputs(x)) for subject in (one, other))
    assert not np.allclose(one.to_numpy(first), other.to_numpy(second))
    black = {subject: subject.extraction.network.at_input(1, subject.inputs(0 * x)) for subject in (one, other)}
    np.testing.assert_allclose(one.to_numpy(first - black[one]), other.to_numpy(second - black[other]), atol=1e-6)


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("method", [f"lrp[{variant}]" for variant in VARIANTS])
def test_relevance_variants_keep_the_contract(model, framework, method):
    from heatmark.methods.contracts import violations

    subject = model("depthwise", framework)
    assert violations(subject, native(subject, pictures(3)), method) == []


@pytest.mark.parametrize("method", [f"lrp[{variant}]" for variant in VARIANTS])
@pytest.mark.parametrize("shape", [(12, 12, 3), (20, 2)])
@pytest.mark.parametrize("network", networks.ARCHITECTURES)
def test_relevance_variants_agree_between_frameworks(model, network, shape, method):
    first, second = (
        hm.explain(subject, native(subject, pictures(2, shape)), method, [0, 1])
        for subject in (model(network, framework, shape) for framework in FRAMEWORKS)
    )
    for one, other in zip(first, second, strict=True):
        assert np.ptp(one) > 0
        frameworks_agree(one, other)


# Peers


class Peer(torch.nn.Module):
    """A network of modules alone, as peers want it, with a bias everywhere and inputs of both signs."""

    def __init__(self):
        super().__init__()
        self.first, self.first_relu = torch.nn.Conv2d(2, 6, 3, padding=1), torch.nn.ReLU()
        self.pool = torch.nn.MaxPool2d(2)
        self.second, self.second_relu = torch.nn.Conv2d(6, 6, 3, groups=2), torch.nn.ReLU()
        self.third, self.average = torch.nn.Conv2d(6, 4, 1), torch.nn.AdaptiveAvgPool2d(2)
        self.flat, self.dense, self.dense_relu = torch.nn.Flatten(), torch.nn.Linear(16, 8), torch.nn.ReLU()
        self.last = torch.nn.Linear(8, 3)

    def forward(self, x):
        for module in self.children():
            x = module(x)
        return x


@pytest.fixture(scope="module")
def with_biases():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = Peer().eval()
    mean, std = (0.4, 0.6), (0.25, 0.5)
    x = torch.from_numpy(pictures(3, (2, 10, 12)))
    shape = (1, 2, 1, 1)
    normalise = lambda value: (value - torch.tensor(mean).view(shape)) / torch.tensor(std).view(shape)  # noqa: E731
    return net, wrap(net, Normalization(mean, std), (2, 10, 12)), x, normalise


@pytest.mark.peers
@pytest.mark.parametrize(
    ("variant", "composite"),
    [
        ("epsilon", "epsilon"),
        ("epsilon_plus", "EpsilonPlus"),
        ("alpha2_beta1", "EpsilonAlpha2Beta1"),
        ("epsilon_gamma_box", "EpsilonGammaBox"),
    ],
)
def test_relevance_agrees_with_zennit(with_biases, variant, composite):
    zennit = peer("zennit.attribution")
    from zennit import composites, rules
    from zennit.types import Activation as ZennitActivation
    from zennit.types import AvgPool, Linear

    net, subject, x, normalise = with_biases
    target = torch.tensor([0, 1, 2])
    if composite == "epsilon":
        layer_map = [(ZennitActivation, rules.Pass()), (AvgPool, rules.Norm()), (Linear, rules.Epsilon(1e-6))]
        made = composites.LayerMapComposite(layer_map)
    elif composite == "EpsilonGammaBox":
        shape = torch.zeros(1, *x.shape[1:])
        made = composites.EpsilonGammaBox(low=normalise(shape), high=normalise(shape + 1))
    else:
        made = getattr(composites, composite)()
    with zennit.Gradient(net, made) as attributor:
        _, theirs = attributor(normalise(x), lambda output: output * torch.eye(3)[target])
    ours = hm.explain(subject, x, f"lrp[{variant}]", target.numpy(), channels=True)
    np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-4 * float(theirs.abs().max()))


@pytest.mark.peers
def test_excitation_agrees_with_zennit():
    # zennit's composite of this name gives biases a share, as the paper does not; and its inputs are not from 0 to 1.
    zennit = peer("zennit.attribution")
    from zennit import composites, rules
    from zennit.types import Activation as ZennitActivation
    from zennit.types import AvgPool, Linear

    net = torch.nn.Sequential(
        torch.nn.Conv2d(2, 6, 3), torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Conv2d(6, 4, 3), torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(4, 3),
    ).eval()  # fmt: skip
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(2)
        for parameter in net.parameters():
            parameter.uniform_(-0.5, 0.7)
    x = torch.from_numpy(pictures(3, (2, 10, 12)))
    rule = rules.ZPlus(stabilizer=1e-12, zero_params="bias")
    layer_map = [(ZennitActivation, rules.Pass()), (AvgPool, rules.Norm(stabilizer=1e-12)), (Linear, rule)]
    target = torch.tensor([0, 1, 2])
    with zennit.Gradient(net, composites.LayerMapComposite(layer_map)) as attributor:
        _, theirs = attributor(x, lambda output: torch.eye(3)[target])
    ours = hm.explain(wrap(net, input_shape=(2, 10, 12)), x, "excitation_backprop", target.numpy(), channels=True)
    np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-4 * float(theirs.abs().max()))
    assert ours.sum() == pytest.approx(3, rel=1e-4)


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore:.*:UserWarning")
def test_deep_lift_agrees_with_captum():
    # Not on every network: Captum (0.9) passes the plain gradient through a max pooling that follows a ReLU directly,
    # because the ReLU's hook sees the gradient before the pooling's hook has changed it, and its unpooling keeps one
    # of several windows that chose the same element. The sum over the input then misses the difference of the logits.
    captum = peer("captum.attr")
    net = torch.nn.Sequential(
        torch.nn.Conv2d(2, 6, 3, padding=1), torch.nn.MaxPool2d(2), torch.nn.Conv2d(6, 6, 3, groups=2),
        torch.nn.ReLU(), torch.nn.Conv2d(6, 4, 1), torch.nn.Sigmoid(), torch.nn.AdaptiveAvgPool2d(2),
        torch.nn.Flatten(), torch.nn.Linear(16, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3),
    ).eval()  # fmt: skip
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        for parameter in net.parameters():
            parameter.uniform_(-0.6, 0.6)
    subject, target = wrap(net, input_shape=(2, 10, 12)), torch.tensor([0, 1, 2])
    x = torch.from_numpy(pictures(3, (2, 10, 12)))
    for value in (0.0, 0.5):
        baseline = torch.full_like(x, value)
        theirs = captum.DeepLift(net).attribute(x.clone(), baseline, target=target).detach().numpy()
        ours = hm.explain(subject, x.numpy(), "deep_lift", target.numpy(), channels=True, baseline=value)
        np.testing.assert_allclose(ours, theirs, atol=1e-4 * np.abs(theirs).max())
