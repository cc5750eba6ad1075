"""Metrics and their presets against the libraries that they are named after, each library at its own defaults.

Only what is random is handed over: both sides draw the same numbers, at the sizes that the library itself asks for.
What needs a library is skipped where it is not installed; ``tox -e peers`` installs them all.
"""

from __future__ import annotations

import warnings

import networks
import numpy as np
import pytest
from comparisons import peer, unbounded
from networks import native, pictures

import heatmark as hm
from heatmark.benchmark.work.batches import TargetedBatch
from heatmark.methods.registry import method_from
from heatmark.models.random_bank import RandomBank
from heatmark.models.wrap import wrap

torch = pytest.importorskip("torch")

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore::UserWarning")]

TARGET = np.array([0, 1, 2])


def scored(model, x, metric, method="gradient", target=TARGET):
    """Score a method's maps, with the method at hand."""
    maps = hm.explain(model, x, method, target)
    explainer = TargetedBatch(model, x, target).explainer(method_from(method), 0)
    return hm.score(model, x, maps, metric, target, explainer=explainer)


def smooth_network(side=8):
    """A network whose gradient changes with its input everywhere, and three grey pictures."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = torch.nn.Sequential(
            torch.nn.Conv2d(1, 4, 3), torch.nn.Tanh(), torch.nn.Flatten(), torch.nn.Linear(4 * (side - 2) ** 2, 3)
        ).eval()  # fmt: skip
    return net, wrap(net, input_shape=(1, side, side), device="cpu"), pictures(3, (1, side, side))


# Captum


def test_sensitivity_of_captum():
    attr, metrics = peer("captum.attr"), peer("captum.metrics")
    net, subject, x = smooth_network()
    draws = [RandomBank(0).generator("neighbourhood", number).random((1, 8, 8), np.float32) for number in range(10)]
    moved = torch.from_numpy(2 * np.stack(draws) - 1)
    theirs = metrics.sensitivity_max(
        attr.InputXGradient(net).attribute, torch.from_numpy(x),
        lambda rows, radius: rows + radius * moved.repeat(len(rows) // 10, 1, 1, 1), target=torch.from_numpy(TARGET),
    )  # fmt: skip
    ours = scored(subject, x, "max_sensitivity[captum]", "input_x_gradient")
    np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-4)


@pytest.mark.parametrize(
    ("metric", "options"),
    [
        ("infidelity[captum]", {}),
        ("infidelity[captum,samples=12,scaled=true]", {"n_perturb_samples": 12, "normalize": True}),
        ("infidelity[shap,samples=12]", {"n_perturb_samples": 12, "normalize": True}),
        ("infidelity[shap,samples=12,scaled=false]", {"n_perturb_samples": 12, "normalize": False}),
    ],
)
def test_infidelity_of_captum(model, metric, options):
    metrics = peer("captum.metrics")
    subject = model("residual", "torch")
    x = torch.tensor(native(subject, pictures(2)))
    maps = np.random.default_rng(2).standard_normal((2, 12, 12)).astype(np.float32)
    subsets = "shap" in metric
    stream = "infidelity subset" if subsets else "infidelity gaussian"
    parts = []
    for number in range(options.get("n_perturb_samples", 10)):
        draw = RandomBank(0).generator(stream, number)
        # Captum has no noise of its own; its documentation's example draws with a deviation of 0.003.
        parts.append(
            draw.random((12, 12), np.float32) < 0.5 if subsets else 0.003 * draw.standard_normal((12, 12), np.float32)
        )
    drawn = torch.tensor(np.stack(parts).astype(np.float32))

    def perturb(inputs):
        # Captum repeats each sample in a row. All of a map's value stands in the first channel for it.
        part = drawn.repeat(len(inputs) // len(drawn), 1, 1)[:, None].expand_as(inputs)
        return part, inputs - part * inputs if subsets else inputs - part

    attributions = torch.zeros_like(x)
    attributions[:, 0] = torch.tensor(maps)
    asked = unbounded(subject)
    expected = metrics.infidelity(
        lambda inputs: torch.tensor(asked.outputs(inputs.numpy())), perturb, x, attributions, target=1, **options
    )
    assert hm.score(subject, x.numpy(), maps, metric, 1) == pytest.approx(expected.numpy(), rel=1e-3)


# Quantus


@pytest.mark.parametrize(
    ("metric", "theirs"),
    [
        ("max_sensitivity", "MaxSensitivity"),
        ("avg_sensitivity", "AvgSensitivity"),
        ("local_lipschitz", "LocalLipschitzEstimate"),
        ("relative_input_stability", "RelativeInputStability"),
        ("relative_output_stability", "RelativeOutputStability"),
    ],
)
def test_robustness_of_quantus(metric, theirs):
    quantus = peer("quantus")
    net, subject, x = smooth_network()
    asked = unbounded(subject)

    def noisy(arr, indices, *, perturb_std=None, perturb_mean=0.0, lower_bound=0.02, upper_bound=None, **others):
        # The next neighbour's draw, at the size that the metric asks its own noise for.
        draw = RandomBank(0).generator("neighbourhood", next(numbers))
        if perturb_std is not None:
            moved = perturb_mean + perturb_std * draw.standard_normal((1, 8, 8), dtype=np.float32)
        else:
            low, high = (-lower_bound, lower_bound) if upper_bound is None else (lower_bound, upper_bound)
            moved = low + (high - low) * draw.random((1, 8, 8), dtype=np.float32)
        return arr + moved.reshape(1, -1)

    expected = []
    for row in range(3):  # one by one: Quantus divides maps by the largest value of their whole batch
        numbers = iter(range(200))
        (value,) = getattr(quantus, theirs)(perturb_func=noisy, disable_warnings=True)(
            model=net, x_batch=x[[row]], y_batch=TARGET[[row]], device="cpu",
            explain_func=lambda model, inputs, targets, **options: hm.explain(asked, inputs, "gradient", targets),
        )  # fmt: skip
        assert next(numbers, None) is None  # 200 neighbours
        expected.append(value)
    found = scored(subject, x, f"{metric}[quantus]")
    assert np.isfinite(found).any()
    np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_faithfulness_correlation_of_quantus(monkeypatch):
    quantus = peer("quantus")
    net, subject, x = smooth_network(24)
    x[:, :, 3, 5] = 0  # Quantus' black is the sample's smallest value
    maps = np.random.default_rng(3).standard_normal((3, 24, 24)).astype(np.float32)
    bank, numbers = RandomBank(0), iter(range(100))

    def choice(count, size, replace):
        return bank.generator("faithfulness_correlation", next(numbers)).choice(count, size, replace, shuffle=False)

    expected = []
    for row in range(3):
        numbers = iter(range(100))
        monkeypatch.setattr(np.random, "choice", choice)
        metric = quantus.FaithfulnessCorrelation(return_aggregate=False, disable_warnings=True)
        expected += metric(model=net, x_batch=x[[row]], y_batch=TARGET[[row]], a_batch=maps[[row], None], device="cpu")
        monkeypatch.undo()
        assert next(numbers, None) is None
    found = hm.score(subject, x, maps, "faithfulness_correlation[quantus]", TARGET)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_irof_of_quantus(monkeypatch):
    """With the fill of the paper, each channel's mean, which Quantus can be given."""
    quantus = peer("quantus")
    monkeypatch.setattr(np, "trapz", np.trapezoid, raising=False)  # whose old name it knows
    with torch.random.fork_rng():
        torch.manual_seed(1)
        net = torch.nn.Sequential(
            torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(4 * 38**2, 3)
        ).eval()  # fmt: skip
    x = np.kron(pictures(3, (3, 8, 8)), np.ones((1, 1, 5, 5), np.float32))  # plain squares, for superpixels to find
    subject = wrap(net, input_shape=(3, 40, 40), device="cpu")
    maps = hm.explain(subject, x, "smoothgrad[samples=2]", TARGET)
    expected = []
    for row in range(3):
        means = x[[row]].mean(axis=(2, 3), keepdims=True)
        metric = quantus.IROF(
            perturb_func=lambda arr, mask, means=means, **others: np.where(mask, means, arr),
            return_aggregate=False, disable_warnings=True,
        )  # fmt: skip
        expected += list(
            metric(model=net, x_batch=x[[row]], y_batch=TARGET[[row]], a_batch=maps[[row], None], device="cpu")
        )
    np.testing.assert_allclose(hm.score(subject, x, maps, "irof[quantus]", TARGET), expected, rtol=1e-4)


class Drawn(torch.nn.Linear):
    """A layer that is made anew with the numbers of the bank."""

    called = ""

    def reset_parameters(self):
        if not self.called:
            return super().reset_parameters()
        draw = RandomBank(0).generator(f"parameters {self.called}.weight")
        weight = np.sqrt(2 / self.in_features) * draw.standard_normal(tuple(self.weight.shape), dtype=np.float32)
        with torch.no_grad():
            self.weight.copy_(torch.from_numpy(weight))
            self.bias.zero_()
        return None


@pytest.mark.parametrize(("metric", "theirs"), [("mprt", "MPRT"), ("smooth_mprt", "SmoothMPRT")])
def test_randomisation_of_quantus(metric, theirs):
    """The gradient of layers without bends, which noise in the input leaves: Quantus' last noisy copy has none."""
    quantus = peer("quantus")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = torch.nn.Sequential(torch.nn.Flatten(), Drawn(64, 9), Drawn(9, 7), Drawn(7, 3)).eval()
    for name, layer in net.named_children():
        layer.called = name
    x = pictures(3, (1, 8, 8))
    by_layer = getattr(quantus, theirs)(disable_warnings=True)(
        model=net, x_batch=x, y_batch=TARGET, device="cpu",
        explain_func=lambda model, inputs, targets, **options: hm.explain(
            wrap(model, input_shape=(1, 8, 8), domain=(-100.0, 100.0), device="cpu"), inputs, "gradient", targets
        ),
    )  # fmt: skip
    by_layer.pop("original", None)  # the map with itself, which SmoothMPRT counts among the layers
    assert len(by_layer) == 3
    expected = np.mean(list(by_layer.values()), axis=0)
    found = scored(wrap(net, input_shape=(1, 8, 8), device="cpu"), x, f"{metric}[quantus]")
    np.testing.assert_allclose(found, expected, atol=1e-4)


# Xplique


def test_mu_fidelity_of_xplique(monkeypatch):
    fidelity = peer("xplique.metrics.fidelity")
    tensorflow = peer("tensorflow")
    subject = networks.model_of(networks.plain((18, 18, 3)), "tensorflow")
    x = pictures(2, (18, 18, 3))
    maps = np.random.default_rng(4).standard_normal((2, 18, 18)).astype(np.float32)

    def uniform(shape, minval, maxval, dtype):
        assert (minval, maxval) == (0, 1)
        draws = [RandomBank(0).generator("mu_fidelity", number).random(shape[1]) for number in range(shape[0])]
        return tensorflow.constant(np.stack(draws), dtype)

    monkeypatch.setattr(tensorflow.random, "uniform", uniform)
    reference = fidelity.MuFidelity(
        lambda inputs: inputs, x, np.eye(4, dtype=np.float32)[[1, 1]], batch_size=None,  # all subsets are drawn at once
        operator=lambda _, inputs, targets: tensorflow.reduce_sum(subject.outputs(np.asarray(inputs)) * targets, -1),
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = reference.evaluate(maps)
    found = hm.score(subject, x, maps, "mu_fidelity[xplique]", 1)
    assert found.mean() == pytest.approx(expected, abs=1e-3)


# PAIR saliency


def test_information_curves_of_pair(monkeypatch):
    pic = peer("saliency.metrics.pic")
    monkeypatch.setattr(np, "trapz", np.trapezoid, raising=False)  # whose old name it knows
    architecture = networks.plain((24, 24, 3), classes=3)
    subject = networks.model_of(architecture, "torch", seed=2)
    with torch.no_grad():
        dict(subject.net.named_parameters())["dense.weight"].mul_(3)  # so that it is sure of most pictures
    rng = np.random.default_rng(0)
    x = np.kron(rng.integers(0, 256, (12, 8, 8, 3)), np.ones((1, 3, 3, 1))).astype(np.uint8)
    x = np.clip(x.astype(int) + rng.integers(-9, 9, x.shape), 0, 255).astype(np.uint8)
    raw = native(subject, x.astype(np.float32) / 255)
    maps = rng.standard_normal((12, 24, 24)).astype(np.float32)
    target = subject.outputs(raw).argmax(axis=1)
    known = np.zeros(576, bool)
    known[RandomBank(0).generator("information").choice(576, 5, replace=False)] = True
    shares = [0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.07, 0.10, 0.13, 0.21, 0.34, 0.5, 0.75]
    values = {name: hm.score(subject, raw, maps, f"{name}[pair]", target) for name in ("sic", "aic")}
    compared = 0
    for row in range(12):

        def probability(batch, row=row):
            logits = subject.outputs(native(subject, batch.astype(np.float32) / 255)).astype(np.float64)
            return (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))[:, target[row]]

        def accuracy(batch, row=row):
            logits = subject.outputs(native(subject, batch.astype(np.float32) / 255))
            return (logits.argmax(axis=1) == target[row]).astype(float)

        for name, predict in (("sic", probability), ("aic", accuracy)):
            try:
                expected = pic.compute_pic_metric(x[row], np.abs(maps[row]), known.reshape(24, 24), predict, shares).auc
            except pic.ComputePicMetricError:
                assert np.isnan(values[name][row])
                continue
            compared += 1
            assert values[name][row] == pytest.approx(expected, abs=1e-3)
    assert compared >= 8 and any(np.isnan(one).any() for one in values.values())
