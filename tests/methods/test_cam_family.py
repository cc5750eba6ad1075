"""Class activation maps, influence inside the network, and controls: oracles beyond those that all methods share."""

from __future__ import annotations

import warnings

import networks
import numpy as np
import pytest
from networks import FRAMEWORKS, native, pictures

import heatmark as hm
from heatmark.datasets.arrays import ArrayDataset
from heatmark.errors import BadInput, NotApplicable, UnknownName
from heatmark.identity import digest
from heatmark.methods.cam.cams import ContrastScore
from heatmark.methods.contracts import violations
from heatmark.methods.gradient.class_samples import samples_of_class
from heatmark.methods.gradient.internal_influence import conductance_map, expert_channel
from heatmark.methods.registry import method_from
from heatmark.methods.request import Request
from heatmark.models.architecture.nodes import INPUT, Activation, Architecture, Dense, Flatten
from heatmark.models.queries import PassCount
from heatmark.models.wrap import wrap

torch = pytest.importorskip("torch")


def pooled_network():
    """Maps x and 2x, averaged over 3 x 3 positions, then logits (a - b/4, -a)."""
    net = torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 1, bias=False), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(),
        torch.nn.Linear(2, 2, bias=False),
    )  # fmt: skip
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([1.0, 2.0]).reshape(2, 1, 1, 1))
        net[4].weight.copy_(torch.tensor([[1.0, -0.25], [-1.0, 0.0]]))
    return wrap(net, input_shape=(1, 3, 3))


X = np.arange(9, dtype=np.float32).reshape(1, 1, 3, 3) / 9


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("cam", X[0, 0] * 0.5),  # 1 * x - 0.25 * 2x
        ("xgrad_cam", X[0, 0] * 0.5 / 9),
        ("hires_cam", X[0, 0] * 0.5 / 9),
        ("layer_cam", X[0, 0] / 9),  # only the first map's gradient is positive
        ("ablation_cam", X[0, 0] * (1 / 0.5) - 2 * X[0, 0] * (0.25 * 2 / 0.5)),  # 2x - 2x: the shares are 2 and -1
    ],
)
def test_by_hand(method, expected):
    result = hm.explain(pooled_network(), X, method, 0)[0]
    np.testing.assert_allclose(result, np.maximum(expected, 0) if method != "cam" else expected, rtol=1e-5, atol=1e-7)


def test_cam_is_signed_and_tells_where_it_has_no_meaning(model):
    np.testing.assert_allclose(hm.explain(pooled_network(), X, "cam", 1)[0], -X[0, 0], rtol=1e-5)
    for framework in FRAMEWORKS:
        subject = model("plain", framework)
        with pytest.raises(NotApplicable, match="ends in an average over positions"):
            hm.explain(subject, native(subject, pictures(1)), "cam")


def test_score_cam_by_hand():
    subject = pooled_network()
    # Both maps scaled to [0, 1] are the same mask, so the weights are equal: (x + 2x) / 2.
    np.testing.assert_allclose(hm.explain(subject, X, "score_cam", 0)[0], 1.5 * X[0, 0], rtol=1e-5)


def test_eigen_cam_finds_the_common_direction():
    subject = pooled_network()
    result = hm.explain(subject, X, "eigen_cam")[0]
    centred = X[0, 0] - X.mean()
    np.testing.assert_allclose(result, np.maximum(centred, 0) * 5**0.5, rtol=1e-5, atol=1e-6)
    assert np.array_equal(result, hm.explain(subject, X, "eigen_cam", 1)[0])


def test_finer_cam_compares(model):
    subject = model("residual", "torch")
    x = native(subject, pictures(2))
    plain = hm.explain(subject, x, "grad_cam", [0, 1])
    np.testing.assert_allclose(hm.explain(subject, x, "finer_cam[strength=0]", [0, 1]), plain, rtol=1e-5, atol=1e-7)
    assert not np.allclose(hm.explain(subject, x, "finer_cam", [0, 1]), plain)


def test_opti_cam_does_at_least_as_well_as_equal_weights(model):
    subject = model("residual", "torch")
    x = native(subject, pictures(3))
    target = np.array([0, 1, 2])

    def kept(maps):
        blank = x.mean(axis=(2, 3), keepdims=True) if baseline == "neutral" else 0.0
        return subject.outputs(blank + (x - blank) * maps[:, None])[np.arange(3), target]

    for baseline in ("neutral", "black"):
        name = f"opti_cam[baseline={baseline},steps=%d]"
        first, last = (kept(hm.explain(subject, x, name % steps, target)) for steps in (1, 30))
        assert (last >= first - 1e-5).all() and (last > first + 1e-4).any()


def test_guided_grad_cam_is_the_product(model):
    subject = model("residual", "torch")
    x = native(subject, pictures(2))
    product = (
        hm.explain(subject, x, "guided_backprop", 0, channels=True) * hm.explain(subject, x, "grad_cam", 0)[:, None]
    )
    np.testing.assert_allclose(
        hm.explain(subject, x, "guided_grad_cam", 0, channels=True), product, rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_conductance_is_complete_at_its_layer(model, framework):
    subject = model("residual", framework)
    x = native(subject, pictures(2))
    target = np.array([1, 2])
    total = subject.to_numpy(conductance_map(Request(subject, subject.inputs(x), target), None, 300, "black"))
    change = (subject.outputs(x) - subject.outputs(np.zeros_like(x)))[[0, 1], target]
    np.testing.assert_allclose(total.sum(axis=(1, 2)), change, rtol=0.02, atol=0.01)


def test_the_expert_and_its_input_attribution_by_hand():
    subject = pooled_network()
    request = Request(subject, subject.inputs(X), np.array([0]))
    layer = subject.layer()
    assert expert_channel(request, layer, "logit", "instance", 1).tolist() == [0]
    assert expert_channel(request, layer, ContrastScore(1, 1.0), "path", 3).tolist() == [0]
    assert expert_channel(Request(subject, subject.inputs(X), np.array([1])), layer, "logit", "instance", 1) == [1]
    # The expert of class 0 is the mean of x over 9 positions; that of class 1, whose weights are -1 and 0, the mean of
    # 2x. Before the ReLU and after it that is the same here, where x is above zero.
    for layer in ("0", "1"):
        for target, expected in enumerate((X[0, 0] / 9, 2 * X[0, 0] / 9)):
            found = hm.explain(subject, X, "influence_directed", target, layer=layer)[0]
            np.testing.assert_allclose(found, expected * (X[0, 0] > 0), rtol=1e-5)
    np.testing.assert_array_equal(
        hm.explain(subject, X, "influence_directed", 0), hm.explain(subject, X, "influence_directed", 0, layer="0")
    )


def test_a_silent_expert_is_told_and_before_its_relu_there_is_none():
    """After the ReLU the class's weights choose, whatever is silent; before it what is silent has no influence."""
    subject = pooled_network()
    subject.net[0].weight.data[0] = -1.0  # the expert of class 0 is -x: silent
    with pytest.warns(RuntimeWarning, match=r"in 1 of 1 samples the expert .* layer '1' \(the first: 0\) is silent"):
        assert not hm.explain(subject, X, "influence_directed", 0, layer="1").any()
    # The other channel's weight is negative, so no channel speaks for the class: the largest influence is zero.
    request = Request(subject, subject.inputs(X), np.array([0]))
    assert expert_channel(request, subject.layer("0"), "logit", "instance", 1).tolist() == [0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(hm.explain(subject, X, "influence_directed", 0)[0], -X[0, 0] / 9, rtol=1e-5)


class Shortcut(torch.nn.Module):
    """A shortcut that is added outside of layers: the convolution before the ReLU is a branch alone."""

    def __init__(self, shortcut):
        super().__init__()
        self.branch, self.relu, self.shortcut = torch.nn.Conv2d(2, 2, 1), torch.nn.ReLU6(), shortcut
        self.dense = torch.nn.Linear(2, 3)

    def forward(self, x):
        return self.dense(self.relu(self.branch(x) + (x if self.shortcut else 0.0)).mean((2, 3)))


@pytest.mark.parametrize(("shortcut", "layer"), [(False, "branch"), (True, "relu")])
def test_the_default_slice_is_before_the_relu_only_where_that_is_the_same_maps(shortcut, layer):
    torch.manual_seed(3)
    subject = wrap(Shortcut(shortcut), input_shape=(2, 4, 4))
    x = native(subject, pictures(3, (4, 4, 2)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = hm.explain(subject, x, "influence_directed", [0, 1, 2])
        np.testing.assert_array_equal(found, hm.explain(subject, x, "influence_directed", [0, 1, 2], layer=layer))


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_units_of_a_dense_layer_may_be_experts(framework):
    """Logits of two hidden units, 3 h0 - h1 and h1, for h = relu(W x): the experts are h0 and h1."""
    nodes = (
        Flatten("flat", (INPUT,)), Dense("hidden", ("flat",), 2), Activation("relu", ("hidden",), "relu"),
        Dense("last", ("relu",), 3),
    )  # fmt: skip
    first = np.random.default_rng(0).random((2, 4)).astype(np.float32)
    last = np.array([[3.0, -1.0], [0.0, 1.0], [2.0, 4.0]], np.float32)
    weights = {"hidden.weight": first, "hidden.bias": np.zeros(2), "last.weight": last, "last.bias": np.zeros(3)}
    architecture = Architecture("units", (2, 2, 1), nodes, "last")
    network = networks.built(architecture, framework, {name: np.float32(one) for name, one in weights.items()})
    subject = wrap(network, input_shape=(1, 2, 2) if framework == "torch" else (2, 2, 1))
    x = pictures(2, (2, 2, 1))

    def expected(unit):
        return (x * first[unit].reshape(2, 2, 1)).sum(axis=-1)

    shown, method = native(subject, x), "influence_directed[layer=relu]"
    np.testing.assert_allclose(hm.explain(subject, shown, method, [0, 1]), [expected(0)[0], expected(1)[1]], rtol=1e-5)
    # Against class 2 the second class's lead is -2 h0 - 3 h1: the first unit costs it least.
    pair = f"{method[:-1]},quantity=comparison,rival=2]"
    np.testing.assert_allclose(hm.explain(subject, shown, pair, 1), expected(0), rtol=1e-5)
    # Of one's own, and over a dataset: all the same in a linear part.
    own = hm.explain(subject, shown, method, 0, quantity=second_class_score)
    np.testing.assert_allclose(own, expected(1), rtol=1e-5)
    data = ArrayDataset("any", pictures(5, (2, 2, 1), seed=1), [0, 1, 2, 2, 2])
    for distribution in ("class", "dataset"):
        found = hm.explain(subject, shown, f"{method[:-1]},distribution={distribution}]", 1, data=data)
        np.testing.assert_allclose(found, expected(1), rtol=1e-5)
    assert not violations(subject, shown, method, [0, 1])


def test_the_quantity_says_what_is_wrong_with_it():
    subject = pooled_network()
    for options, message in [
        ({"rival": 1}, "for quantity=comparison"),
        ({"quantity": "comparison", "rival": 0}, "cannot be its own rival"),
        ({"quantity": "comparison", "rival": 2}, "classes 0 to 1"),
        ({"quantity": "contrast"}, "one of class, comparison"),
        ({"distribution": "dataset"}, "name a dataset, as in influence_directed.distribution=dataset"),
    ]:
        with pytest.raises(BadInput, match=message):
            hm.explain(subject, X, "influence_directed", 0, **options)


def test_a_quantity_of_ones_own_is_part_of_the_identity():
    plain, own = (method_from("influence_directed", {"quantity": one}) for one in ("class", second_class_score))
    assert plain.identity() == method_from("influence_directed").identity() != own.identity()
    strong, weak = (method_from("influence_directed", {"quantity": ContrastScore(1, one)}) for one in (1.0, 0.5))
    assert len({digest(one.identity()) for one in (plain, own, strong, weak)}) == 4


def test_the_distribution_of_a_dataset_is_over_samples_of_any_class():
    subject = wrap(Squares(), input_shape=(2, 3, 3))
    layer, x = subject.layer("maps"), native(subject, pictures_of_means((0.9, 0.1)))
    request = Request(subject, subject.inputs(x), np.array([0]))
    # The first channel's influence on the first logit is 2 a, the second's 1.
    data = ArrayDataset("labelled", pictures_of_means((0.2, 0.9), (0.9, 0.1), (0.9, 0.1)), [0, 1, 1])
    for most, expected in [(1, [1]), (2, [0]), (3, [0]), (9, [0])]:
        assert expert_channel(request, layer, "logit", "dataset", most, data=data).tolist() == expected
    assert expert_channel(request, layer, "logit", "class", 9, data=data).tolist() == [1]
    # Sorted by class, as folders are: two samples are one of each class, not the first two.
    data = ArrayDataset("sorted", pictures_of_means((0.2, 0.9), (0.2, 0.9), (0.2, 0.9), (0.9, 0.1)), [0, 0, 0, 1])
    assert expert_channel(request, layer, "logit", "dataset", 2, data=data).tolist() == [0]


def second_class_score(operations, logits, target):
    """Return the second class's logit, whatever the target."""
    return logits[:, 1]


def test_a_quantity_of_ones_own():
    subject = pooled_network()
    request = Request(subject, subject.inputs(X), np.array([0]))
    assert expert_channel(request, subject.layer(), second_class_score, "gaussian", 2) == [1]


class Squares(torch.nn.Module):
    """Logits (a^2 + b, a + b^2) of the channels' means a and b: which has more influence depends on the sample."""

    def __init__(self):
        super().__init__()
        self.maps = torch.nn.Conv2d(2, 2, 1, bias=False)
        with torch.no_grad():
            self.maps.weight.copy_(torch.eye(2).reshape(2, 2, 1, 1))

    def forward(self, x):
        a, b = self.maps(x).mean((2, 3)).unbind(1)
        return torch.stack([a**2 + b, a + b**2], 1)


def pictures_of_means(*means):
    """Return even pictures (n, 3, 3, 2) with these two channels."""
    return np.array(means, np.float32)[:, None, None] * np.ones((3, 3, 1), np.float32)


def test_the_expert_of_a_class_is_that_of_its_first_samples():
    subject = wrap(Squares(), input_shape=(2, 3, 3))
    layer, x = subject.layer("maps"), native(subject, pictures_of_means((0.9, 0.1), (0.9, 0.1), (0.9, 0.1)))
    target = np.array([0, 1, 0])
    request = Request(subject, subject.inputs(x), target)
    # The first channel wins for class 0 where the mean of a is above 1/2, the second for class 1 where that of b is.
    assert expert_channel(request, layer, "logit", "instance", 1).tolist() == [0, 0, 0]
    means = ((0.2, 0.9), (0.1, 0.8), (0.2, 0.8), (0.9, 0.1), (0.9, 0.1))
    data = ArrayDataset("labelled", pictures_of_means(*means), [0, 1, 0, 0, 0])
    for most, expected in [(2, [1, 1, 1]), (3, [1, 1, 1]), (4, [0, 1, 0]), (9, [0, 1, 0])]:
        assert expert_channel(request, layer, "logit", "class", most, data=data).tolist() == expected
    result = hm.explain(subject, x, "influence_directed[distribution=class,layer=maps,steps=2]", target, data=data)
    np.testing.assert_allclose(result, np.full((3, 3, 3), 0.1 / 9), rtol=1e-5)
    before = subject.passes
    hm.explain(subject, x, "influence_directed[distribution=class,layer=maps,steps=2]", target, data=data)
    assert subject.passes - before == PassCount(3 + 2 + 1, 3 + 2 + 1)  # two samples of class 0, one of class 1


def test_without_the_networks_labels_a_class_is_what_the_network_takes_for_it():
    subject = wrap(Squares(), input_shape=(2, 3, 3))
    x = pictures_of_means((0.5, 0.0), (0.0, 0.5), (0.1, 0.5), (0.5, 0.9))
    assert subject.outputs(native(subject, x)).argmax(axis=1).tolist() == [1, 0, 0, 1]
    for labels, names in [(None, None), ([0, 0, 1, 2], None), ([1, 1, 1, 1], ("a", "b", "c"))]:
        data = ArrayDataset("other", x, labels, class_names=names)
        for target, rows in {0: [1, 2], 1: [0, 3]}.items():
            found = np.concatenate([subject.to_numpy(part) for part in samples_of_class(subject, data, target, 5)])
            np.testing.assert_array_equal(found, native(subject, x[rows]))
    with pytest.raises(NotApplicable, match="no sample that the network takes for class 1"):
        next(samples_of_class(subject, ArrayDataset("other", x[1:3]), 1, 5))


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_class_distribution_keeps_the_contract(model, framework):
    subject = model("residual", framework)
    data = ArrayDataset("four", pictures(12, seed=3), np.arange(12) % 4)
    method = method_from("influence_directed[distribution=class,steps=2]", {"data": data})
    assert violations(subject, native(subject, pictures(3)), method, [0, 1, 2]) == []


def test_the_class_distribution_says_what_is_missing(model):
    subject = model("residual", "torch")
    x = native(subject, pictures(1))
    with pytest.raises(BadInput, match="name a dataset"):
        hm.explain(subject, x, "influence_directed[distribution=class]")
    with pytest.raises(UnknownName, match="digits"):
        hm.explain(subject, x, "influence_directed[distribution=class,data=digit]")
    data = ArrayDataset("four", pictures(2), [0, 3])
    with pytest.raises(NotApplicable, match=r"four has no sample of class 2 \(2\)"):
        hm.explain(subject, x, "influence_directed[distribution=class]", 2, data=data)


def test_the_datasets_revision_is_part_of_the_methods_identity():
    first, second = (
        method_from("influence_directed[distribution=class]", {"data": ArrayDataset("same", pictures(2, seed=seed))})
        for seed in (0, 1)
    )
    assert first.identity() != second.identity() and digest(first.identity()) != digest(second.identity())
    named = method_from("influence_directed[distribution=class,data=digits]").identity()
    assert named["revision"] == hm.load_dataset("digits").revision and named["parameters"]["data"] == "digits"


def test_internal_influence_by_hand():
    # Constant gradients: activation times gradient, whatever the path.
    result = hm.explain(pooled_network(), X, "internal_influence[steps=3]", 0)[0]
    np.testing.assert_allclose(result, X[0, 0] * 0.5 / 9, rtol=1e-5, atol=1e-8)


def test_the_oracle_is_the_mask_with_its_ties_in_random_order(model):
    truth = np.zeros((2, 12, 12), bool)
    truth[:, 3:5, 4:8] = True
    found = []
    for framework in FRAMEWORKS:
        subject = model("plain", framework)
        x = native(subject, pictures(2))
        maps = hm.explain(subject, x, "oracle", ground_truth=truth)
        assert (maps[truth] >= 0.999).all() and (maps[truth] <= 1).all()
        assert (maps[~truth] >= 0).all() and (maps[~truth] <= 1e-6).all()
        np.testing.assert_array_equal(maps[1:], hm.explain(subject, x[1:], "oracle", ground_truth=truth[1:]))
        found.append(maps)
    np.testing.assert_array_equal(*found)
    # Outside, an order row by row would correlate with the position at 1; a random one hardly does.
    places = np.flatnonzero(~truth[0])
    for maps in (found[0][0], hm.explain(subject, x, "oracle", seed=1, ground_truth=truth)[0]):
        values = maps.ravel()[places]
        assert len(np.unique(values)) == len(values) and abs(np.corrcoef(places, values)[0, 1]) < 0.2
    subject, x = model("plain", "torch"), native(model("plain", "torch"), pictures(2))
    with pytest.raises(NotApplicable, match="ground-truth masks"):
        hm.explain(subject, x, "oracle")


def test_controls_ignore_the_network(model):
    first, second = model("plain", "torch"), model("residual", "torch")
    x = native(first, pictures(2))
    for name in ("random", "sobel", "center_gaussian", "input_intensity", "constant"):
        np.testing.assert_array_equal(hm.explain(first, x, name), hm.explain(second, x, name))
    np.testing.assert_allclose(hm.explain(first, x, "input_intensity"), x.mean(axis=1), rtol=1e-6)
