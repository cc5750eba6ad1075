"""Agreement with other libraries where the definition is the same; docs/methods.md says where it is not, and why.

What needs a library is skipped where it is not installed; ``tox -e peers`` installs them all.
"""

from __future__ import annotations

import numpy as np
import pytest
from comparisons import needed, peer, same, stretched, unbounded
from networks import native, pictures

import heatmark as hm
from heatmark.methods.libraries import CAPTUM, PYTORCH_GRAD_CAM, TF_KERAS_VIS, XPLIQUE
from heatmark.models.random_bank import RandomBank
from heatmark.models.wrap import wrap

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.peers

LAYER = "first_relu"  # as large as the input, so that no enlargement stands between two libraries' maps
TARGETS = [0, 1, 2]


@pytest.fixture(params=["plain", "residual"])
def pytorch(request, model):
    return model(request.param, "torch")


@pytest.fixture
def tensorflow(model):
    return model("plain", "tensorflow")


# Agreement in PyTorch


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("saliency", "captum:saliency"),
        ("input_x_gradient", "captum:input_x_gradient"),
        ("guided_backprop", "captum:guided_backprop"),
        ("deconvnet", "captum:deconvolution"),
        # The raw value that becomes 0: elsewhere Captum's maps do not sum to the logits' difference at max poolings.
        ("deep_lift[baseline=0.4]", "captum:deep_lift[baseline=0.4]"),
        ("integrated_gradients[steps=7]", "captum:integrated_gradients[steps=7,rule=riemann_middle]"),
        ("integrated_gradients[steps=7,rule=right]", "captum:integrated_gradients[steps=7,rule=riemann_right]"),
        (
            "integrated_gradients[steps=5,baseline=blur]",
            "captum:integrated_gradients[steps=5,baseline=blur,rule=riemann_middle]",
        ),
        ("occlusion[window=4,stride=2,score=logit]", "captum:occlusion[window=4,stride=2]"),
        ("occlusion[window=3,stride=3,score=logit,baseline=mean]", "captum:occlusion[window=3,stride=3,baseline=mean]"),
    ],
)
def test_captum_agrees(pytorch, ours, theirs):
    needed(CAPTUM)
    x = native(pytorch, pictures(3))
    same(hm.explain(pytorch, x, ours, TARGETS), hm.explain(pytorch, x, theirs, TARGETS))


@pytest.mark.parametrize("baseline", ["black", "white", "blur"])
def test_captum_deep_lift_agrees_for_every_baseline_without_max_pooling(model, baseline):
    needed(CAPTUM)
    subject = model("residual", "torch")
    x = native(subject, pictures(3))
    ours = hm.explain(subject, x, "deep_lift", TARGETS, baseline=baseline)
    same(ours, hm.explain(subject, x, "captum:deep_lift", TARGETS, baseline=baseline))


def test_captum_gauss_legendre_is_the_limit_of_midpoints():
    needed(CAPTUM)
    torch.manual_seed(0)
    layers = [torch.nn.Flatten(), torch.nn.Linear(48, 9), torch.nn.Tanh(), torch.nn.Linear(9, 4)]
    subject = wrap(torch.nn.Sequential(*layers), input_shape=(3, 4, 4))  # smooth, so that both converge
    x = native(subject, pictures(2, (4, 4, 3)))
    ours = hm.explain(subject, x, "integrated_gradients[steps=300]", [0, 1])
    same(ours, hm.explain(subject, x, "captum:integrated_gradients[steps=30]", [0, 1]), 1e-5)


def test_captum_smoothgrad_agrees_on_the_same_noise(pytorch, monkeypatch):
    needed(CAPTUM)
    x = native(pytorch, pictures(1))
    noise = RandomBank(0).normal("smoothgrad", (3, 12, 12))[np.arange(6)]
    monkeypatch.setattr(torch, "normal", lambda mean, deviation: torch.from_numpy(np.float32(noise)) * deviation)
    theirs = hm.explain(pytorch, x, "captum:noise_tunnel[samples=6,noise=0.2]", 1)
    same(hm.explain(pytorch, x, "smoothgrad[samples=6,noise=0.2]", 1), theirs)


def test_captum_gradient_shap_agrees_on_the_same_points(pytorch, monkeypatch):
    needed(CAPTUM)
    x = native(pytorch, pictures(1))
    points = RandomBank(0).uniform("expected_gradients", (1,))[np.arange(6)].ravel()
    monkeypatch.setattr(np.random, "uniform", lambda low, high, count: points)
    theirs = hm.explain(pytorch, x, "captum:gradient_shap[samples=6,baseline=black]", 1)
    same(hm.explain(pytorch, x, "expected_gradients[samples=6,baseline=black]", 1), theirs)


class Louder(torch.nn.Module):
    """A network whose logits, and so gradients, are so large that small numbers added to them do not count."""

    def __init__(self, net: torch.nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 1000 * self.net(x)


@pytest.mark.parametrize("layer", ["first_relu", "second_relu"])
@pytest.mark.parametrize(
    "name", ["grad_cam", "grad_cam_plus_plus", "xgrad_cam", "hires_cam", "layer_cam", "ablation_cam"]
)
def test_pytorch_grad_cam_agrees(model, name, layer):
    needed(PYTORCH_GRAD_CAM)
    plain = model("plain", "torch")
    # It adds 1e-6 inside the weights of Grad-CAM++, and 1e-7 to the range that every map is divided by.
    subject = wrap(Louder(plain.net), plain.preprocess, plain.input_shape, name="louder")
    x = native(subject, pictures(3))
    target = subject.outputs(x).argmax(axis=1)
    # Ablation-CAM divides by the logit, theirs sign and all, ours by its size.
    assert name != "ablation_cam" or (subject.outputs(x).max(axis=1) > 0).all()
    ours = stretched(hm.explain(subject, x, f"{name}[layer=net.{layer}]", target))
    same(ours, hm.explain(subject, x, f"pytorch-grad-cam:{name}[layer=net.{layer}]", target))


@pytest.mark.parametrize("name", ["eigen_cam", "eigen_grad_cam"])
def test_pytorch_grad_cam_agrees_on_eigen_cam_up_to_the_sign(model, name):
    needed(PYTORCH_GRAD_CAM)
    subject = model("plain", "torch")
    x = native(subject, pictures(6))
    ours = hm.explain(subject, x, f"{name}[layer={LAYER}]", 1)
    theirs = hm.explain(subject, x, f"pytorch-grad-cam:{name}[layer={LAYER}]", 1)
    for one, other in zip(stretched(ours), theirs, strict=True):
        opposite = np.minimum(one, other).max() < 1e-4  # the decomposition's sign is arbitrary, ours chosen
        assert opposite or np.abs(one - other).max() < 1e-4


def test_pytorch_grad_cam_agrees_on_score_cam_where_nothing_is_enlarged(model):
    needed(PYTORCH_GRAD_CAM)
    subject = model("plain", "torch")
    x = native(subject, pictures(2))
    bare = wrap(subject.net, input_shape=subject.input_shape, name="bare")  # it masks what the network itself sees
    ours = stretched(hm.explain(bare, x, f"score_cam[layer={LAYER},baseline=black]", 1))
    same(ours, hm.explain(bare, x, f"pytorch-grad-cam:score_cam[layer={LAYER}]", 1))


@pytest.mark.parametrize(
    ("name", "kind"),
    [("grad_cam", "GradCAM"), ("xgrad_cam", "XGradCAM"), ("layer_cam", "LayerCAM"), ("score_cam", "ScoreCAM")],
)
def test_torch_cam_agrees(model, name, kind):
    methods = peer("torchcam.methods")
    subject = model("plain", "torch")
    x = native(subject, pictures(1))
    bare = wrap(subject.net, input_shape=subject.input_shape, name="bare")
    with getattr(methods, kind)(subject.net, target_layer=LAYER, input_shape=bare.input_shape) as extractor:
        output = subject.net(torch.from_numpy(x).requires_grad_())
        (theirs,) = extractor(1, output, normalized=False)
    hidden = ",baseline=black" if name == "score_cam" else ""
    ours = hm.explain(bare, x, f"{name}[layer={LAYER}{hidden}]", 1)
    same(ours, np.maximum(theirs.detach().numpy(), 0))


# Agreement in TensorFlow


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("saliency", "tf-keras-vis:saliency"),
        (f"grad_cam[layer={LAYER}]", f"tf-keras-vis:grad_cam[layer={LAYER}]"),
        (f"layer_cam[layer={LAYER}]", f"tf-keras-vis:layer_cam[layer={LAYER}]"),
    ],
)
def test_tf_keras_vis_agrees(tensorflow, ours, theirs):
    needed(TF_KERAS_VIS)
    x = pictures(3)
    same(hm.explain(tensorflow, x, ours, TARGETS), hm.explain(tensorflow, x, theirs, TARGETS))


def test_tf_keras_vis_smoothgrad_agrees_on_the_same_noise(tensorflow, monkeypatch):
    needed(TF_KERAS_VIS)
    x = pictures(1)
    noise = np.moveaxis(RandomBank(0).normal("smoothgrad", (3, 12, 12))[np.arange(5)], 1, -1)[:, None]
    monkeypatch.setattr(np.random, "normal", lambda mean, deviation, shape: noise * np.asarray(deviation))
    theirs = hm.explain(tensorflow, x, "tf-keras-vis:smoothgrad[samples=5,noise=0.2]", 1)
    share = 0.2 * float(np.ptp(x))
    ours = hm.explain(tensorflow, x, "smoothgrad[absolute]", 1, samples=5, noise=share, channels=True)
    same(ours.max(axis=-1), theirs)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("saliency", "xplique:saliency"),
        ("smoothgrad[samples=5]", "xplique:smoothgrad[samples=5]"),
        ("integrated_gradients[steps=6,rule=trapezoid,baseline=black]", "xplique:integrated_gradients[steps=6]"),
        (f"grad_cam[layer={LAYER}]", f"xplique:grad_cam[layer={LAYER}]"),
        ("occlusion[window=4,stride=4,score=logit,baseline=black]", "xplique:occlusion[window=4,stride=4]"),
    ],
)
def test_xplique_agrees(tensorflow, ours, theirs):
    needed(XPLIQUE)
    x = pictures(3)
    same(hm.explain(tensorflow, x, ours, TARGETS), hm.explain(tensorflow, x, theirs, TARGETS))


# PAIR saliency, which asks for a function instead of a network


@pytest.fixture
def pair(model):
    core = peer("saliency.core")
    subject = model("plain", "tensorflow")
    asked, x = unbounded(subject), pictures(1)

    def call(rows, call_model_args=None, expected_keys=None):
        rows = np.asarray(rows, np.float32)
        found = {}
        if core.base.INPUT_OUTPUT_GRADIENTS in expected_keys:
            found[core.base.INPUT_OUTPUT_GRADIENTS] = hm.explain(asked, rows, "gradient", 1, channels=True)
        if core.base.OUTPUT_LAYER_VALUES in expected_keys:
            found[core.base.OUTPUT_LAYER_VALUES] = asked.outputs(rows)[:, 1]
        return found

    return core, subject, x, call


def test_pair_integrated_gradients_weigh_the_ends_in_full(pair):
    core, subject, x, call = pair
    steps = 9
    theirs = core.IntegratedGradients().GetMask(x[0], call, x_steps=steps, batch_size=4)

    def ours(rule, count):
        return hm.explain(subject, x, "integrated_gradients[baseline=black]", 1, rule=rule, steps=count, channels=True)

    ends = ours("left", 1) / 2 + ours("right", 1) / 2
    same(((steps - 1) * ours("trapezoid", steps) + ends) / steps, theirs[None])


def test_pair_smoothgrad_agrees_on_the_same_noise(pair, monkeypatch):
    core, subject, x, call = pair
    noise = iter(np.moveaxis(RandomBank(0).normal("smoothgrad", (3, 12, 12))[np.arange(4)], 1, -1))
    monkeypatch.setattr(np.random, "normal", lambda mean, deviation, shape: next(noise) * deviation)
    theirs = core.GradientSaliency().GetSmoothedMask(x[0], call, stdev_spread=0.2, nsamples=4, magnitude=False)
    share = 0.2 * float(np.ptp(x))
    same(hm.explain(subject, x, "smoothgrad", 1, samples=4, noise=share, channels=True), theirs[None])


def test_pair_occlusion_sums_where_ours_averages(pair):
    core, subject, x, call = pair
    theirs = core.Occlusion().GetMask(x[0], call, size=9)
    along = np.convolve(np.ones(4), np.ones(9))  # how many of the 4 windows of 9 cover each of 12 positions
    ours = hm.explain(subject, x, "occlusion[window=9,stride=1,score=logit,baseline=black]", 1)
    same(ours * np.outer(along, along), theirs[None, ..., 0])


def test_pair_guided_integrated_gradients(pair, monkeypatch):
    core, subject, x, call = pair
    quantile = np.quantile  # whose keyword it knows by the name that NumPy 2 has dropped
    monkeypatch.setattr(
        np, "quantile", lambda a, q, interpolation="linear", **k: quantile(a, q, **{"method": interpolation, **k})
    )
    theirs = core.GuidedIG().GetMask(
        x[0], call, x_steps=20, x_baseline=np.zeros_like(x[0]), max_dist=0.02, fraction=0.25
    )
    ours = hm.explain(subject, x, "guided_ig[baseline=black]", 1, steps=20, channels=True)
    same(ours, theirs[None])
