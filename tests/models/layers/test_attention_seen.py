"""Attention is seen in networks of any make: fused, in modules, in steps; PyTorch's, torchvision's and Keras' own."""

from __future__ import annotations

import numpy as np
import pytest
from networks import native, pictures

import heatmark as hm
from heatmark.errors import NotApplicable
from heatmark.methods.contracts import violations
from heatmark.models.layers.token_grid import TokenGrid
from heatmark.models.queries import Query
from heatmark.models.wrap import wrap

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")
functional = torch.nn.functional

METHODS = ("raw_attention", "attention_rollout", "chefer", "legrad")
QUERY = Query(attention=True, layer_gradients=True)


class Attending(torch.nn.Module):
    """Something that attends in tokens of a picture's four quarters, made into two logits."""

    def __init__(self, attend, channels=8):
        super().__init__()
        self.patches, self.attend = torch.nn.Conv2d(1, channels, 3, 3), attend
        self.norm, self.head = torch.nn.LayerNorm(channels), torch.nn.Linear(channels, 2)

    def forward(self, x):
        tokens = self.patches(x).flatten(2).mT
        return self.head(self.norm(tokens + self.attend(tokens)).mean(1))


class Fused(torch.nn.Module):
    """Fused attention with chosen options, two heads (one key head where they are grouped)."""

    def __init__(self, **options):
        super().__init__()
        self.options = options

    def forward(self, x):
        heads = x.unflatten(2, (2, 4)).transpose(1, 2)
        keys = heads[:, :1] if self.options.get("enable_gqa") else heads
        return functional.scaled_dot_product_attention(2 * heads, keys, keys, **self.options).transpose(1, 2).flatten(2)


class OneHead(torch.nn.Module):
    """Attention without an axis for heads, changed in place behind its softmax."""

    def forward(self, x):
        weights = (3 * x @ x.mT).softmax(-1)
        return weights.mul_(2.0) @ x


class Whole(torch.nn.Module):
    """nn.MultiheadAttention on one tensor; its weights are kept to compare with."""

    def __init__(self, heads=2, **options):
        super().__init__()
        self.inner, self.options = torch.nn.MultiheadAttention(8, heads, batch_first=True), options

    def forward(self, x):
        output, self.weights = self.inner(x, x, x, average_attn_weights=False, **self.options)
        return output


MASK = torch.tensor([[True, True, False, True]] * 4)
ATTENDING = {
    "fused": lambda: Fused(), "scaled": lambda: Fused(scale=0.3), "causal": lambda: Fused(is_causal=True),
    "masked": lambda: Fused(attn_mask=MASK), "biased": lambda: Fused(attn_mask=torch.linspace(0, 3, 16).view(4, 4)),
    "grouped": lambda: Fused(enable_gqa=True), "one head": OneHead,
    "module": lambda: Whole(need_weights=False), "with weights": Whole, "with one weight": lambda: Whole(1),
    "masked module": lambda: Whole(attn_mask=~MASK), "biased module": lambda: Whole(1, attn_mask=torch.rand(4, 4)),
    "layer": lambda: torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=True),
}  # fmt: skip


@pytest.mark.parametrize("kind", ATTENDING)
def test_attention_of_any_torch_network_is_seen(kind):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = Attending(ATTENDING[kind]()).eval()
    model = wrap(net, input_shape=(1, 6, 6))
    x = pictures(2, (1, 6, 6))
    before = torch.from_numpy(model.outputs(x))
    target = model.from_numpy(np.array([0, 1]))
    answer = model.run(QUERY, model.inputs(x), target)
    (attention,), (gradient,) = answer.attentions, answer.attention_gradients
    heads = 1 if "one" in kind or kind == "biased module" else 2
    assert attention.shape == gradient.shape == (2, heads, 4, 4) and gradient.abs().max() > 0
    torch.testing.assert_close(attention.sum(-1), torch.ones(2, heads, 4))
    torch.testing.assert_close(answer.logits, before, rtol=1e-4, atol=1e-6)  # computed in steps, the output is the same
    plain = model.run(Query(attention=True), model.inputs(x), None)
    torch.testing.assert_close(plain.attentions[0], attention)
    if kind in ("with weights", "with one weight", "masked module"):
        net(torch.from_numpy(x))
        torch.testing.assert_close(attention, net.attend.weights.detach())
    if kind in ("masked", "masked module"):
        assert (attention[..., 2] == 0).all() and (attention[..., [0, 1, 3]] > 0).all()
    if kind == "causal":
        assert (attention.triu(1) == 0).all()
    assert hm.explain(model, x, "chefer").shape == (2, 6, 6)


def test_attention_of_keras_layers_is_seen():
    inputs = keras.Input((6, 6, 1))
    tokens = keras.layers.Reshape((4, 8))(keras.layers.Conv2D(8, 3, 3)(inputs))
    attend = keras.layers.MultiHeadAttention(2, 4)
    output, scores = attend(tokens, tokens, return_attention_scores=True)
    mixed = keras.layers.MultiHeadAttention(3, 4)(output + tokens, output + tokens)
    logits = keras.layers.Dense(2)(keras.ops.mean(keras.layers.LayerNormalization()(mixed), axis=1))
    model = wrap(keras.Model(inputs, logits))
    x = pictures(2, (6, 6, 1))
    answer = model.run(QUERY, model.inputs(x), model.from_numpy(np.array([0, 1])))
    assert [tuple(item.shape) for item in answer.attention_gradients] == [(2, 2, 4, 4), (2, 3, 4, 4)]
    np.testing.assert_allclose(answer.attentions[0], keras.Model(inputs, scores)(x), rtol=1e-4, atol=1e-6)
    assert [item.heads for item in model.attentions()] == [2, 3]
    assert hm.explain(model, x, "attention_rollout").shape == (2, 6, 6)


def test_torchvision_transformers():
    from heatmark.models.zoo.torchvision_operators import import_torchvision

    library = import_torchvision().models
    assert "vit_b_16" in library.list_models()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = library.VisionTransformer(16, 4, 3, 2, 8, 16, num_classes=5).eval()
        windowed = library.SwinTransformer([4, 4], 8, [1, 1], [2, 2], [2, 2], num_classes=3).eval()
        assert (
            wrap(net, input_shape=(3, 16, 16)).layer().name == "encoder.layers.encoder_layer_2.ln_1"
        )  # its head is zero
        torch.nn.init.normal_(net.heads[0].weight)
    model = wrap(net, input_shape=(3, 16, 16))
    x = native(model, pictures(2, (16, 16, 3)))
    before = model.outputs(x)
    assert model.layer().name == "encoder.layers.encoder_layer_2.ln_1"
    assert model.tokens.grid(17) == TokenGrid(1, (4, 4)) and len(model.attentions()) == 3
    for method in (*METHODS, "grad_cam", "gradient"):
        result = hm.explain(model, x, method)
        assert result.shape == (2, 16, 16) and np.ptp(result) > 0
    assert violations(model, x, "chefer") == []
    np.testing.assert_array_equal(model.outputs(x), before)
    swin = wrap(windowed, input_shape=(3, 16, 16))
    assert swin.has_attention()
    with pytest.raises(NotApplicable, match="do not all see the same tokens"):
        hm.explain(swin, native(swin, pictures(1, (16, 16, 3))), "attention_rollout")
