"""Networks whose code keeps something of a pass: tables, features, counts."""

from __future__ import annotations

import numpy as np
import pytest

import heatmark as hm

torch = pytest.importorskip("torch")
nn = torch.nn
parametrizations = pytest.importorskip("torch.nn.utils.parametrizations")
prune = pytest.importorskip("torch.nn.utils.prune")

X = np.random.default_rng(0).random((3, 3, 8, 8), dtype=np.float32)


class Body(nn.Module):
    """Convolution, ReLU, mean, dense; subclasses keep something on the way."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.relu, self.dense = nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Linear(4, 3)

    def forward(self, x):
        return self.dense(self.relu(self.conv(x)).mean((2, 3)))


class Table(Body):
    """Makes a table when it is first called, as networks with rotary or relative positions do."""

    table = None

    def forward(self, x):
        if self.table is None:
            self.table = torch.linspace(0.5, 1.5, x.shape[-1])
        return super().forward(x * self.table)


class Running(Body):
    """Replaces a buffer in every pass, by the value that it has."""

    def __init__(self):
        super().__init__()
        self.register_buffer("shift", torch.full((3, 1, 1), 0.25))

    def forward(self, x):
        self.shift = self.shift + 0.0 * x.detach().mean((0, 2, 3))[:, None, None]
        return super().forward(x * self.shift)


class Keeping(Body):
    """Keeps features, in an attribute, a list and a dictionary, for whoever reads them later."""

    def __init__(self):
        super().__init__()
        self.seen, self.by_name = [], {}

    def forward(self, x):
        self.features = self.relu(self.conv(x))
        self.seen.append(self.features)
        self.by_name["features"] = self.features
        return self.dense(self.features.mean((2, 3)))


class Constant(Body):
    """Adds a tensor that its code makes, which tracing puts into the module as an attribute."""

    def forward(self, x):
        return super().forward(x + torch.tensor([0.1, 0.2, 0.3])[:, None, None])


def pruned():
    net = Body()
    prune.l1_unstructured(net.dense, "weight", 0.25)
    return net


def normed():
    net = Body()
    net.conv = parametrizations.weight_norm(net.conv)
    return net


def slope(net):
    """Return the gradient of class 1's logit, by autograd alone."""
    x = torch.tensor(X, requires_grad=True)
    (gradient,) = torch.autograd.grad(net.eval()(x)[:, 1].sum(), x)
    return gradient.numpy()


#: What has no meaning where a product, an added constant or a reparametrised layer stands.
REFUSED = {
    Table: [],
    Running: ["lrp[epsilon]", "deep_lift"],
    Keeping: [],
    Constant: ["fullgrad"],
    pruned: [],
    normed: ["lrp[epsilon]", "deep_lift"],
}
KEEPING = list(REFUSED)


@pytest.mark.parametrize("make", KEEPING)
def test_what_is_kept_of_one_pass_serves_the_next(make):
    expected, net = slope(make()), make()
    model = hm.wrap(net)
    model.outputs(X)
    np.testing.assert_allclose(hm.explain(model, X, "gradient", 1, channels=True), expected, atol=1e-7)
    refused = []
    for method in ("guided_backprop", "grad_cam", "fullgrad", "lrp[epsilon]", "deep_lift", "rise[masks=4]"):
        try:
            hm.explain(model, X, method, 1)
        except hm.NotApplicable:
            refused.append(method)
    assert refused == REFUSED[make]
    hm.check(model, X)
    np.testing.assert_allclose(hm.explain(model, X, "gradient", 1, channels=True), expected, atol=1e-7)


@pytest.mark.parametrize("make", KEEPING)
def test_the_network_can_be_trained_afterwards(make):
    net = make()
    names = {*vars(net), "table", "features"}
    model = hm.wrap(net)
    hm.check(model, X)
    assert set(vars(net)) <= names
    assert all(type(value) is torch.Tensor and not value.is_inference() for value in net.state_dict().values())
    net.train()(torch.tensor(X)).square().sum().backward()
    assert all(torch.isfinite(weight.grad).all() for weight in net.parameters())


def test_features_that_are_kept_are_tensors_of_the_last_pass():
    net = Keeping()
    model = hm.wrap(net)
    hm.explain(model, X, "deep_lift", 1)
    model.outputs(X)
    expected = net.relu(net.conv(torch.tensor(X)))
    for kept in (net.features, net.seen[-1], net.by_name["features"]):
        torch.testing.assert_close(kept, expected, atol=1e-6, rtol=0)
    assert all(type(kept) is torch.Tensor for kept in net.seen)


def test_relevance_is_propagated_through_constants_and_pruned_weights():
    """DeepLIFT's map sums to the difference of two logits that the network itself gives."""
    for net in (Constant(), pruned()):
        model = hm.wrap(net)
        shares = hm.explain(model, X, "deep_lift[baseline=black]", 1)
        with torch.no_grad():
            difference = (net(torch.tensor(X)) - net(torch.zeros(X.shape)))[:, 1].numpy()
        np.testing.assert_allclose(shares.sum((1, 2)), difference, atol=1e-5)


def test_only_what_lasts_may_be_hidden_state():
    hidden = {make.__name__: hm.wrap(make(), input_shape=(3, 8, 8)).hidden_state() for make in KEEPING}
    assert hidden == {"Table": ["table"], "Running": [], "Keeping": [], "Constant": [], "pruned": [], "normed": []}


METHODS = ["gradient", "grad_cam", "fullgrad", "lrp[epsilon]", "deep_lift", "guided_backprop", "rise[masks=8]"]


def double(net):
    return net.double()


def other_head(net):
    net[5] = nn.Linear(4, 5)


def softmax(net):
    net.append(nn.Softmax(1))


def no_more_relu(net):
    net[2] = nn.Softplus()


@pytest.mark.parametrize("shape", [None, (3, 8, 8)], ids=["open", "fixed"])
@pytest.mark.parametrize("change", [double, other_head, softmax, no_more_relu])
def test_a_network_may_be_rebuilt_after_it_was_wrapped(change, shape):
    """What was read off it, and graphs of it, are those of another network then; a fresh model is the oracle."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    )
    model = hm.wrap(net, input_shape=shape)
    for method in METHODS:
        hm.explain(model, X, method, 1)
    change(net)
    fresh = hm.wrap(net, input_shape=shape)
    for method in METHODS:
        try:
            expected = hm.explain(fresh, X, method, 1)
        except hm.NotApplicable:
            with pytest.raises(hm.NotApplicable):
                hm.explain(model, X, method, 1)
            continue
        np.testing.assert_array_equal(hm.explain(model, X, method, 1), expected, err_msg=method)
    assert model.num_classes == fresh.num_classes and model.reading == fresh.reading
