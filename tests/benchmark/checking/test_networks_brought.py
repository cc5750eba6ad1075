"""`heatmark check` of networks as people bring them: what it must say of each, and nothing else.

What is not named here must hold, or have no meaning for the network.
"""

from __future__ import annotations

import networks_brought
import pytest

from heatmark.benchmark.checking.examine import check
from heatmark.benchmark.checking.questions import QUESTIONS
from heatmark.models.wrap import wrap

pytestmark = pytest.mark.filterwarnings("ignore")  # wrap tells some of it too

PLACE = "framework, device and dtype"
INPUTS = "inputs: shape, layout, domain"
OUTPUTS = "what the outputs are"
ALONE = "answers do not depend on the batch"
MEMORY = "memory format"
CONNECTED = "the score depends differentiably on the input"
GRADIENT = "input gradient is the derivative"
LAYER_GRADIENT = "default layer's gradient is the derivative"
LAYER = "default layer"
REACH = "backward rules reach every ReLU"
COMPLETE = "integrated gradients are complete"
FULLGRAD = "FullGrad is complete"

CUT = {CONNECTED: ("!", "lets no gradient through")}
#: In 16 bits it hangs on the processor whether differences say anything; that a gradient is wrong they must not say.
COARSE = {GRADIENT: ("✓!", "differs from central differences"), LAYER_GRADIENT: ("✓!", "central differences")}
#: Of each network: what does not hold, or is worth a look, and words that the evidence or the remedy must have.
TORCH: dict[str, dict[str, tuple[str, str]]] = {
    "usual": {},
    "flattened by view": {MEMORY: ("✓", "inputs are given contiguous; it fails in channels_last")},
    "one sigmoid": {OUTPUTS: ("✓", "the probability of one class, told by its last layer")},
    "multi-label, stated": {OUTPUTS: ("✓", "as stated")},
    "several sigmoids": {OUTPUTS: ("✓", "classes that do not exclude each other")},
    "softmax in a forward": {OUTPUTS: ("!", "hm.wrap(net, output=...)")},
    "subtracts in place": {FULLGRAD: ("!", "is in neither")},
    "multiplies in place": {},
    "first ReLU in place": {INPUTS: ("✓", "raw values from -0.4 to 0.6")},
    "float64": {PLACE: ("✓", "519 float64")},
    "bfloat16": {PLACE: ("!", "1 in 256"), **COARSE},
    "float16": {PLACE: ("!", "1 in 2,048"), **COARSE},
    "ModelOutput": {},
    "dict of logits": {},
    "list of one": {},
    "tuple, stated": {},
    "no_grad": CUT,
    "inference_mode": CUT,
    "detach": CUT,
    "data": CUT,
    "round": {
        CONNECTED: ("!", "it rounds, steps, or is saturated"), GRADIENT: ("!", "too rough"),
        COMPLETE: ("!", "the map sums to 0"), FULLGRAD: ("!", "is in neither"),
    },
    "channels last inside": {LAYER: ("✓", "norm (LayerNorm), 24 channels (last")},
    "volumes": {LAYER: ("✓", "5 (ReLU), 6 channels (first")},
    "open size": {INPUTS: ("✓", "3 x 12 x 9")},
    "batch statistics": {
        ALONE: ("✗", "the whole batch decides in 1 (native_batch_norm)"), FULLGRAD: ("!", "in neither"),
    },
    "left in training": {},
    "scripted": {REACH: ("!", "0 of 2: it is compiled by TorchScript"), FULLGRAD: ("!", "in neither")},
    "traced": {REACH: ("!", "0 of 2: it is compiled by TorchScript"), FULLGRAD: ("!", "in neither")},
    "half scripted": {
        LAYER: ("!", "The part '0' of it is compiled by TorchScript"), REACH: ("!", "1 of 2: the part '0'"),
        FULLGRAD: ("!", "in neither"),
    },
    "DataParallel": {},
    "compiled": {},
    "quantised": {ALONE: ("✗", "the whole batch decides in 6 (linear_dynamic)"), **CUT},
    "preprocess function": {},
    "residual sum in a forward": {LAYER: ("✓", "1 (Called), 6 channels")},
}  # fmt: skip
KERAS: dict[str, dict[str, tuple[str, str]]] = {
    "usual": {},
    "softmax": {OUTPUTS: ("✓", "probabilities of classes that exclude each other, told by its last layer")},
    "one sigmoid": {OUTPUTS: ("✓", "the probability of one class, told by its last layer")},
    "several sigmoids": {OUTPUTS: ("✓", "classes that do not exclude each other")},
    "nested, with Rescaling": {INPUTS: ("!", "is given raw values times 255")},
    "dict": {},
    "open size": {INPUTS: ("✓", "12 x 9 x 3")},
    "stop_gradient": CUT,
    "round": CUT,
    "tf.function": {REACH: ("✓", "2 of 2")},
    "jit": {REACH: ("✓", "2 of 2")},
    "recompute_grad": {REACH: ("!", "tf.recompute_grad")},
    "mixed_float16": {PLACE: ("!", "1 in 2,048"), OUTPUTS: ("✓", "told by its last layer"), **COARSE},
    "mixed_bfloat16": {PLACE: ("!", "256 (bfloat16)"), OUTPUTS: ("✓", "told by its last layer"), **COARSE},
}  # fmt: skip


def held_against(made, expected):
    net, options, x = made
    found = check(wrap(net, **options), x)
    assert len(found.findings) == len(QUESTIONS) and not [
        one for one in found.findings if "could not be answered" in one.evidence
    ]
    said = {one.question: one for one in found.findings}
    for name, one in said.items():
        signs, words = expected.get(name, ("✓–", ""))
        assert one.sign in signs and words in one.evidence + one.remedy, one
    signs = {sign for sign, _ in expected.values()}
    assert found.worst == ("fails" if "✗" in signs else "doubtful" if "!" in signs else "holds")


@pytest.mark.parametrize("kind", TORCH)
def test_torch(kind):
    pytest.importorskip("torch")
    held_against(networks_brought.torch_networks()[kind](), TORCH[kind])


@pytest.mark.parametrize("kind", KERAS)
def test_keras(kind):
    pytest.importorskip("keras")
    held_against(networks_brought.keras_networks()[kind](), KERAS[kind])


def test_every_kind_is_examined():
    pytest.importorskip("torch")
    pytest.importorskip("keras")
    assert set(networks_brought.torch_networks()) == set(TORCH)
    assert set(networks_brought.keras_networks()) == set(KERAS)
