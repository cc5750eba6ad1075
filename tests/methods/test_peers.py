"""Other libraries' methods as entries.

What needs a library is skipped where it is not installed; ``tox -e peers`` installs them all.
"""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import networks
import numpy as np
import pytest
from comparisons import needed, same
from networks import FRAMEWORKS, native, pictures
from typer.testing import CliRunner

import heatmark as hm
from heatmark.cli.main import app
from heatmark.errors import MissingExtra, NotApplicable, UnknownName
from heatmark.methods import libraries
from heatmark.methods.contracts import violations
from heatmark.methods.libraries import CAPTUM, PYTORCH_GRAD_CAM
from heatmark.methods.registry import METHODS, method_from
from heatmark.models.queries import PassCount
from heatmark.models.wrap import wrap
from heatmark.selection import parse_selection

torch = pytest.importorskip("torch")

PEERS = [entry for entry in METHODS if entry.family == "peer"]
NAMES = [entry.name for entry in PEERS]
SMALL = {
    "captum:integrated_gradients": "steps=5",
    "captum:gradient_shap": "samples=5,noise=0.1",
    "captum:noise_tunnel": "samples=5",
    "captum:occlusion": "window=4,stride=4",
    "tf-keras-vis:smoothgrad": "samples=3",
    "xplique:integrated_gradients": "steps=5",
    "xplique:smoothgrad": "samples=5",
    "xplique:occlusion": "window=4,stride=4",
    "xplique:rise": "masks=20,cells=4",
}
#: Passes of each sample on `plain` (12 x 12, 8 maps in the last layer) with those parameters: forward, backward.
COUNTS = {
    "captum:deep_lift": (2, 2),
    "captum:integrated_gradients": (5, 5),
    "captum:gradient_shap": (5, 5),
    "captum:noise_tunnel": (5, 5),
    "captum:occlusion": (10, 0),
    "pytorch-grad-cam:eigen_cam": (1, 0),
    "pytorch-grad-cam:score_cam": (9, 0),
    "pytorch-grad-cam:ablation_cam": (10, 0),
    "tf-keras-vis:smoothgrad": (3, 3),
    "tf-keras-vis:score_cam": (9, 0),
    "xplique:integrated_gradients": (5, 5),
    "xplique:smoothgrad": (5, 5),
    "xplique:occlusion": (10, 0),
    "xplique:rise": (20, 0),
}
TARGETS = [0, 1, 2]


def framework_of(name: str) -> str:
    return next(iter(METHODS.get(name).frameworks))


def selected(name: str) -> str:
    return f"{name}[{SMALL[name]}]" if name in SMALL else name


# As entries


def test_names_with_colons_and_hyphens_are_selections():
    assert len(NAMES) == len(set(NAMES)) >= 30
    for name in NAMES:
        assert METHODS.find(name) == (METHODS.get(name), "")
        assert parse_selection(selected(name)).name == name
        assert parse_selection(method_from(selected(name)).id) == method_from(selected(name)).selection
        assert METHODS.get(name).summary and METHODS.get(name).reference
    with pytest.raises(UnknownName, match="Did you mean 'captum:saliency'"):
        METHODS.get("captum:salency")


@pytest.mark.parametrize("name", NAMES)
def test_the_wrong_framework_is_a_reason(model, name):
    other = next(item for item in FRAMEWORKS if item != framework_of(name))
    reason = method_from(name).why_not(model("plain", other))
    spelt = {"torch": "PyTorch", "tensorflow": "TensorFlow"}[framework_of(name)]
    assert reason == f"{METHODS.get(name).requires.name} is for {spelt} only"


def test_what_is_not_installed_is_listed_with_the_command_and_refused_with_it(model, monkeypatch):
    monkeypatch.setattr(libraries, "_version", lambda package: None)
    listed = json.loads(CliRunner().invoke(app, ["list", "methods", "--json"]).output)
    missing = {entry["name"]: entry["missing"] for entry in listed if "missing" in entry}
    assert sorted(missing) == sorted(NAMES)
    assert missing["captum:saliency"] == "not installed: captum (pip install 'heatmark[peers]')"
    assert "pip install --no-deps xplique" in missing["xplique:rise"]
    assert "not installed: captum" in CliRunner().invoke(app, ["list", "methods"], env={"COLUMNS": "300"}).output
    subject = model("plain", "torch")
    with pytest.raises(NotApplicable, match="not applicable to plain: not installed: captum"):
        hm.explain(subject, native(subject, pictures(1)), "captum:saliency")


def test_a_library_whose_own_needs_are_missing_says_so():
    broken = libraries.Library("Nothing", "torch", ("nothing",))
    with pytest.raises(MissingExtra, match="Nothing cannot be imported"):
        broken.module("heatmark_has_no_such_module")


def test_registering_imports_no_library():
    # The registry is loaded by this module's first lines; these packages are asked for inside tests alone.
    code = (
        "import sys; from heatmark.methods.registry import METHODS; METHODS.names(); "
        "print([name for name in ('captum', 'pytorch_grad_cam', 'xplique', 'tf_keras_vis', 'torch', 'keras') "
        "if name in sys.modules])"
    )
    import subprocess
    import sys

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


@pytest.mark.peers
@pytest.mark.parametrize("name", NAMES)
def test_contract_and_passes(model, name):
    needed(METHODS.get(name).requires)
    subject = model("plain", framework_of(name))
    x = native(subject, pictures(3))
    assert violations(subject, x, selected(name)) == []
    before = subject.passes
    hm.explain(subject, x, selected(name), TARGETS)
    forward, backward = COUNTS.get(name, (1, 1))
    assert subject.passes - before == PassCount(3 * forward, 3 * backward)


@pytest.mark.peers
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(10, 14, 1), (20, 2)], ids=["oblong", "1-D"])
def test_other_shapes_run_or_say_why_not(model, name, shape):
    needed(METHODS.get(name).requires)
    subject = model("residual", framework_of(name), shape)
    x = native(subject, pictures(2, shape))
    try:
        maps = hm.explain(subject, x, selected(name), [0, 1])
    except NotApplicable as error:
        assert len(shape) == 2 and "pictures alone" in str(error)
        return
    assert maps.shape == (2, *subject.spatial_shape) and np.isfinite(maps).all()
    assert np.ptp(maps) > 0


def numpy_state() -> np.ndarray:
    return np.random.get_state()[1].copy()  # noqa: NPY002


def state_of(net: object) -> list[object]:
    """Everything about a PyTorch network's modules that a library could leave changed."""
    modules = dict(net.named_modules())
    inner = {
        name: {key: list(value) if isinstance(value, dict) else value for key, value in vars(module).items()}
        for name, module in modules.items()
    }
    gradients = {name: parameter.grad for name, parameter in net.named_parameters()}
    frozen = {name: parameter.requires_grad for name, parameter in net.named_parameters()}
    return [modules, inner, gradients, frozen]


@pytest.mark.peers
@pytest.mark.parametrize("name", [name for name in NAMES if framework_of(name) == "torch"])
def test_a_pytorch_network_is_left_as_it_was(model, name):
    needed(METHODS.get(name).requires)
    subject = model("plain", "torch")
    net, digest = subject.net, subject.hash_weights()
    seen: list[object] = []
    handle = net.first_relu.register_forward_hook(lambda *rest: seen.append(1))
    net.train()
    net.first.weight.grad = torch.ones_like(net.first.weight)
    random_before, numpy_before = torch.get_rng_state(), numpy_state()
    try:
        before = state_of(net)
        hm.explain(subject, native(subject, pictures(2)), selected(name), [0, 1])
        assert state_of(net) == before and subject.hash_weights() == digest and seen
        assert torch.equal(torch.get_rng_state(), random_before)
        assert (numpy_state() == numpy_before).all()
    finally:
        handle.remove()
        net.first.weight.grad = None
        net.eval()


@pytest.mark.peers
def test_a_pytorch_network_is_left_as_it_was_when_a_library_raises(model, monkeypatch):
    needed(CAPTUM)
    needed(PYTORCH_GRAD_CAM)
    subject = model("plain", "torch")
    x = native(subject, pictures(1))
    before = state_of(subject.net)

    def fail(*rest, **options):
        raise RuntimeError("on purpose")

    hm.explain(subject, x, "pytorch-grad-cam:ablation_cam", 0)
    from pytorch_grad_cam.ablation_layer import AblationLayer

    with monkeypatch.context() as patch:
        patch.setattr(AblationLayer, "set_next_batch", fail)  # after it has put its layer in the network
        with pytest.raises(RuntimeError, match="on purpose"):
            hm.explain(subject, x, "pytorch-grad-cam:ablation_cam", 0)
    assert state_of(subject.net) == before
    with monkeypatch.context() as patch:
        patch.setattr(torch.autograd, "grad", fail)
        with pytest.raises(RuntimeError, match="on purpose"):
            hm.explain(subject, x, "captum:guided_backprop", 0)
    assert state_of(subject.net) == before


@pytest.mark.peers
@pytest.mark.parametrize("name", [name for name in NAMES if framework_of(name) == "tensorflow"])
def test_a_keras_model_is_left_as_it_was(name):
    needed(METHODS.get(name).requires)
    subject = networks.model_of(networks.plain(), "tensorflow")
    digest = subject.hash_weights()

    def state():
        return [(layer.name, layer.__dict__.get("call"), getattr(layer, "activation", None)) for layer in net.layers]

    net = subject.net
    before = state()
    hm.explain(subject, pictures(2), selected(name), [0, 1])
    assert state() == before and not any(hasattr(layer, "result") for layer in net.layers)
    assert subject.hash_weights() == digest


@pytest.mark.peers
@pytest.mark.parametrize("name", ["xplique:grad_cam", "tf-keras-vis:grad_cam", "tf-keras-vis:saliency"])
def test_a_final_softmax_is_left_out(name):
    needed(METHODS.get(name).requires)
    import keras

    bare = networks.model_of(networks.plain(), "tensorflow")
    ended = wrap(keras.Model(bare.net.inputs, keras.layers.Softmax()(bare.net.outputs[0])), bare.preprocess)
    x = pictures(2)
    one, other = (hm.explain(subject, x, name, [0, 1]) for subject in (ended, bare))
    same(one, other)


@pytest.mark.peers
@pytest.mark.parametrize("name", ["guided_backprop", "deconvolution", "deep_lift"])
def test_relus_that_captum_would_pass_over_are_told(model, name):
    needed(CAPTUM)
    subject = model("depthwise", "torch")
    with pytest.raises(NotApplicable, match=r"torch.nn.ReLU modules alone, and depthwise has 2 other ReLUs"):
        hm.explain(subject, native(subject, pictures(1)), f"captum:{name}")


def test_what_asks_another_library_is_marked():
    """Else `tox -e peers`, where the libraries are installed, would leave it out."""
    unmarked = []
    for path in sorted(Path(__file__).parents[1].rglob("test_*.py")):
        code = path.read_text(encoding="utf-8")
        as_a_whole = re.search(r"^pytestmark = .*mark\.peers", code, re.MULTILINE)
        if "\nfrom comparisons import" in code and not as_a_whole:
            for node in ast.parse(code).body:
                names = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
                if isinstance(node, ast.FunctionDef) and names & {"needed", "peer"}:
                    marks = [ast.unparse(mark) for mark in node.decorator_list]
                    unmarked += [] if "pytest.mark.peers" in marks else [f"{path.name}: {node.name}"]
        skipped = re.findall(r"importorskip\(.(captum|pytorch_grad_cam|quantus|saliency|torchcam|xplique|zennit)", code)
        unmarked += [f"{path.name}: {library} is asked for without `peer`" for library in skipped]
    assert unmarked == []
