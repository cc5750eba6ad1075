"""Transformers: attention is seen and the network left alone; oracles for what is read from it; token grids."""

from __future__ import annotations

import networks
import numpy as np
import pytest
from comparisons import frameworks_agree, same
from networks import FRAMEWORKS, native, pictures

import heatmark as hm
from heatmark.errors import BadInput, NetworkFailed, NotApplicable
from heatmark.methods.contracts import violations
from heatmark.methods.registry import method_from
from heatmark.models.architecture.nodes import INPUT, Add, Architecture, Convolution, Dense
from heatmark.models.architecture.small_networks import vit_tiny
from heatmark.models.architecture.transformer_nodes import (
    ClassToken,
    FirstToken,
    MeanToken,
    PositionEmbedding,
    SelfAttention,
    TokenDense,
    Tokens,
)
from heatmark.models.queries import Layer, PassCount, Query
from heatmark.models.token_grid import TokenGrid
from heatmark.models.wrap import wrap

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")
functional = torch.nn.functional

ATTENTION = ("raw_attention", "attention_rollout", "chefer", "legrad")
#: Methods of other families that must run on tokens as well.
OTHERS = (
    "grad_cam", "layer_cam", "score_cam", "ablation_cam", "gradient", "integrated_gradients[steps=3]",
    "occlusion[window=4,stride=4]", "rise[masks=20,cells=4]",
)  # fmt: skip
SHAPES = {"2-D": (10, 14, 1), "1-D": (20, 2)}
QUERY = Query(attention=True, layer_gradients=True)


@pytest.fixture(scope="module")
def transformer():
    """Return a function from (framework, shape) to a small vision transformer, made once."""
    made = {}

    def get(framework, shape=(12, 12, 3)):
        if (framework, shape) not in made:
            made[framework, shape] = networks.model_of(networks.transformer(shape), framework)
        return made[framework, shape]

    return get


def asked(model, x, query=QUERY, target=0):
    """The model's answer for NumPy inputs, every part as NumPy."""
    targets = model.from_numpy(np.full(len(x), target, np.int64))
    return model.run(query, model.inputs(x), targets)


def agree(first, second):
    """Maps of both frameworks are the same; some may be flat (a CAM without a positive value), but not most."""
    varied = np.ptp(first, axis=tuple(range(1, first.ndim))) > 0
    assert varied.mean() > 0.5
    for one, other in zip(first, second, strict=True):
        frameworks_agree(one, other)


# What both frameworks give


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_frameworks_agree(transformer, shape):
    x = pictures(3, shape)
    pair = [transformer(framework, shape) for framework in FRAMEWORKS]
    outputs = [model.outputs(native(model, x)) for model in pair]
    np.testing.assert_allclose(outputs[0], outputs[1], atol=1e-4 * np.abs(outputs[0]).max())
    answers = [asked(model, native(model, x)) for model in pair]
    for part in ("attentions", "attention_gradients"):
        both = [[model.to_numpy(item) for item in getattr(a, part)] for model, a in zip(pair, answers, strict=True)]
        assert len(both[0]) == len(both[1]) == 2
        for one, other in zip(*both, strict=True):
            assert one.shape == other.shape and one.shape[1] == 2 and np.ptp(one) > 0
            np.testing.assert_allclose(one, other, atol=1e-4 * np.abs(one).max())
            if part == "attentions":
                np.testing.assert_allclose(one.sum(axis=-1), 1, rtol=1e-5)
    for method in (*ATTENTION, *OTHERS) if shape == SHAPES["2-D"] else ("attention_rollout", "chefer", "grad_cam"):
        agree(*(hm.explain(model, native(model, x), method, target=[0, 1, 2]) for model in pair))


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("method", ATTENTION)
def test_contract(transformer, framework, method):
    model = transformer(framework)
    assert violations(model, native(model, pictures(3)), method) == []
    constant = hm.explain(model, np.zeros((1, *model.input_shape), np.float32), method)
    assert constant.shape == (1, 12, 12) and np.isfinite(constant).all()


@pytest.mark.parametrize(
    ("method", "passes"),
    [("raw_attention", (1, 0)), ("attention_rollout", (1, 0)), ("chefer", (1, 1)), ("legrad", (2, 2)),
     ("legrad[blocks=1]", (1, 1))],
)  # fmt: skip
def test_pass_counts(transformer, method, passes):
    model = transformer("torch")
    hm.explain(model, native(model, pictures(1)), method, target=0)
    before = model.passes
    hm.explain(model, native(model, pictures(3)), method, target=0)
    assert model.passes - before == PassCount(3 * passes[0], 3 * passes[1])


# Known answers


def by_hand(framework, *scores):
    """A series of two patches and a class token, and one attention with these scores after another.

    Tokens have the channels (value, is class token, is patch 1, is patch 2). An attention adds, to a token's value,
    those of the tokens that it attends to; the logits are the class token's value and its negative.
    """
    nodes = [
        Convolution("patches", (INPUT,), 4, (2,), 2), Tokens("tokens", ("patches",)),
        ClassToken("class_token", ("tokens",)), PositionEmbedding("sum0", ("class_token",)),
    ]  # fmt: skip
    for number in range(1, len(scores) + 1):
        nodes += [
            TokenDense(f"parts{number}", (f"sum{number - 1}",), 12),
            SelfAttention(f"attention{number}", (f"parts{number}",), 1),
            Add(f"sum{number}", (f"sum{number - 1}", f"attention{number}")),
        ]
    nodes += [FirstToken("first", (f"sum{len(scores)}",)), Dense("logits", ("first",), 2)]
    architecture = Architecture("by-hand", (4, 1), tuple(nodes), "logits")
    weights = {name: np.zeros(shape, np.float32) for name, shape in architecture.parameter_shapes().items()}
    weights["patches.weight"][0] = 0.5  # a patch's value is its mean
    weights["sum0.weight"][:, 1:] = np.eye(3)
    weights["logits.weight"][:, 0] = [1, -1]
    for number, table in enumerate(scores, start=1):
        weight = weights[f"parts{number}.weight"]
        weight[1:4, 1:] = 2 * np.transpose(table)  # queries, the scale 1 / 2 undone
        weight[5:8, 1:] = np.eye(3)  # keys
        weight[8, 0] = 1  # values
    return wrap(networks.built(architecture, framework, weights), None, (1, 4) if framework == "torch" else (4, 1))


def patches(model, first, second):
    """One series with the two patches' values."""
    return np.array([first, first, second, second], np.float32).reshape(1, *model.input_shape)


def ends(model, x, method, target=0):
    """The map at both ends of the series, where linear enlargement leaves the patches' values as they are."""
    return hm.explain(model, x, method, target)[0, [0, -1]]


ALIKE = np.tile(np.log([1.0, 2.0, 4.0]), (3, 1))


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_one_head_by_hand(framework):
    model = by_hand(framework, ALIKE)
    x = patches(model, 0.3, 0.7)
    answer = asked(model, x)
    np.testing.assert_allclose(model.to_numpy(answer.attentions[0])[0, 0], np.tile([1, 2, 4], (3, 1)) / 7, rtol=1e-5)
    # The logit is the attention times the values (0, 0.3, 0.7), read in the class token's row.
    expected = np.zeros((3, 3))
    expected[0] = [0, 0.3, 0.7]
    np.testing.assert_allclose(model.to_numpy(answer.attention_gradients[0])[0, 0], expected, atol=1e-6)
    assert model.tokens.grid(3) == TokenGrid(1, (2,))
    np.testing.assert_allclose(ends(model, x, "raw_attention"), [2 / 7, 4 / 7], rtol=1e-5)
    np.testing.assert_allclose(ends(model, x, "attention_rollout"), [1 / 7, 2 / 7], rtol=1e-5)
    np.testing.assert_allclose(ends(model, x, "attention_rollout[residual=0.25]"), [1.5 / 7, 3 / 7], rtol=1e-5)
    np.testing.assert_allclose(ends(model, x, "chefer"), [0.3 * 2 / 7, 0.7 * 4 / 7], rtol=1e-5)
    # For the other class every product of gradient and attention is negative.
    np.testing.assert_array_equal(ends(model, x, "chefer", 1), [0, 0])
    # Only the second patch has a value, so only it can matter.
    first, second = ends(model, patches(model, 0.0, 0.7), "chefer")
    assert first == 0 and second == pytest.approx(0.7 * 4 / 7, rel=1e-5)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_rollout_multiplies_the_layers(framework):
    tables = np.random.default_rng(0).normal(0, 1, (2, 3, 3))
    model = by_hand(framework, *tables)
    first, second = np.exp(tables) / np.exp(tables).sum(axis=2, keepdims=True)
    x = patches(model, 0.3, 0.7)
    joint = (np.eye(3) + second) / 2 @ (np.eye(3) + first) / 2
    assert joint.sum(axis=1) == pytest.approx(np.ones(3))
    np.testing.assert_allclose(ends(model, x, "attention_rollout"), joint[0, 1:], rtol=1e-5)
    np.testing.assert_allclose(ends(model, x, "raw_attention"), second[0, 1:], rtol=1e-5)
    np.testing.assert_allclose(ends(model, x, "raw_attention[block=0]"), first[0, 1:], rtol=1e-5)
    with pytest.raises(BadInput, match="has 2, 0 to 1"):
        hm.explain(model, x, "raw_attention[block=2]")
    # Chefer: the value v1 = v0 + first v0 of each token after the first attention, gathered layer by layer.
    values = np.array([0, 0.3, 0.7])
    by_second = np.outer([1, 0, 0], values + first @ values)
    by_first = np.outer(np.eye(3)[0] + second[0], values)
    relevance = np.eye(3) + by_first * first
    relevance = relevance + by_second * second @ relevance
    np.testing.assert_allclose(ends(model, x, "chefer"), relevance[0, 1:], rtol=1e-5)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_rollout_of_identity_attention_shows_no_patch(framework):
    model = by_hand(framework, 200 * np.eye(3), 200 * np.eye(3))
    x = patches(model, 0.3, 0.7)
    np.testing.assert_allclose(ends(model, x, "attention_rollout"), [0, 0], atol=1e-30)
    np.testing.assert_allclose(ends(model, x, "raw_attention"), [0, 0], atol=1e-30)


def test_legrad_by_running_the_blocks(transformer):
    model = transformer("torch")
    net, x, target = model.net, native(model, pictures(2)), [1, 3]
    children = dict(net.named_children())
    values, found, maps = (torch.from_numpy(x) - 0.4) / 0.5, [], []
    for name in ("patches", "tokens", "class_token", "positions"):
        values = children[name](values)
    for block in ("block1", "block2"):
        parts = children[f"{block}_queries_keys_values"](children[f"{block}_norm1"](values))
        query, key, value = (item.unflatten(2, (2, 6)).transpose(1, 2) for item in parts.split(12, dim=2))
        found.append(torch.softmax(query @ key.mT / 6**0.5, -1).detach().requires_grad_())
        values = values + children[f"{block}_mixed"]((found[-1] @ value).transpose(1, 2).flatten(2))
        hidden = children[f"{block}_gelu"](children[f"{block}_hidden"](children[f"{block}_norm2"](values)))
        values = values + children[f"{block}_out"](hidden)
        logits = children["classifier"](children["norm"](values)[:, 0])
        (gradient,) = torch.autograd.grad(logits[[0, 1], target].sum(), found[-1], retain_graph=True)
        maps.append(gradient.clamp_min(0).mean((1, 2))[:, 1:].reshape(2, 1, 6, 6))
    for method, mean in {"legrad": (maps[0] + maps[1]) / 2, "legrad[blocks=1]": maps[1]}.items():
        expected = functional.interpolate(mean, size=(12, 12), mode="bilinear", align_corners=False)[:, 0]
        # What cancels to nearly nothing is off by a share of the map's largest value, not of its own.
        same(hm.explain(model, x, method, target), expected.numpy())


# The network afterwards


def traces(model):
    """Whatever heatmark might have left on a network."""
    if model.framework == "tensorflow":
        return [sorted(layer.__dict__) for layer in model.net.layers]
    hooks = [(len(module._forward_hooks), len(module._forward_pre_hooks)) for module in model.net.modules()]
    return [
        hooks,
        [parameter.requires_grad for parameter in model.net.parameters()],
        torch._C._len_torch_function_stack(),
    ]


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_network_is_left_as_it_was(transformer, framework):
    model = transformer(framework)
    before, outputs = traces(model), model.outputs(native(model, pictures(2)))
    for method in ATTENTION:
        hm.explain(model, native(model, pictures(1)), method)
    assert traces(model) == before

    def failing(operations, logits, target):
        assert traces(model) != before or framework == "tensorflow"
        raise KeyError("on purpose")

    shortcut = model.tokens.heads_of_blocks()[0]
    with pytest.raises(NetworkFailed, match="on purpose"):
        asked(
            model, native(model, pictures(1)), Query(failing, layer_gradients=True, attention=True, shortcut=shortcut)
        )
    assert traces(model) == before
    np.testing.assert_array_equal(model.outputs(native(model, pictures(2))), outputs)


# Tokens as maps


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_default_layer_is_the_last_one_where_patches_count(transformer, framework):
    model = transformer(framework)
    assert model.layer().name == "block2_norm1"
    query = Query(layers=("block2_norm1", "block2_norm2", "norm"), layer_gradients=True)
    gradients = [model.to_numpy(item) for item in asked(model, native(model, pictures(1)), query).layer_gradients]
    assert gradients[0][:, 1:].any() and not gradients[1][:, 1:].any() and not gradients[2][:, 1:].any()
    # Read at the mean token, the last normalisation counts, and no token leads.
    architecture = networks.transformer()
    nodes = [item for item in architecture.nodes if item.name != "class_token"]
    replaced = {"positions": PositionEmbedding("positions", ("tokens",)), "first": MeanToken("first", ("norm",))}
    mean = Architecture("mean", (12, 12, 3), tuple(replaced.get(item.name, item) for item in nodes), "classifier")
    model = networks.model_of(mean, framework)
    assert model.layer().name == "norm" and model.tokens.grid(36) == TokenGrid(0, (6, 6))
    x = native(model, pictures(1))
    seen = model.to_numpy(asked(model, x).attentions[1])
    expected = model.operations.resize(model.from_numpy(seen.mean(axis=(1, 2)).reshape(1, 6, 6)), (12, 12))
    np.testing.assert_allclose(hm.explain(model, x, "raw_attention"), model.to_numpy(expected), rtol=1e-4)


def test_tokens_are_read_as_maps_without_the_leading_ones(transformer):
    for framework in FRAMEWORKS:
        model = transformer(framework)
        tokens = model.from_numpy(np.arange(2 * 37 * 5, dtype=np.float32).reshape(2, 37, 5))
        maps = model.to_numpy(model.maps_of(Layer("norm", "LayerNorm", (37, 5)), tokens))
        assert maps.shape == (2, 5, 6, 6)
        np.testing.assert_array_equal(maps[1, 3].ravel(), (37 + np.arange(1, 37)) * 5 + 3)
        with pytest.raises(NotApplicable, match="no spatial positions"):
            hm.explain(model, native(model, pictures(1)), "grad_cam", layer="first")


@pytest.mark.parametrize(
    ("count", "grid"),
    [(36, (0, (6, 6))), (37, (1, (6, 6))), (41, (5, (6, 6))), (17, (1, (4, 4))), (45, None), (1, (0, (1, 1)))],
)
def test_grids(transformer, count, grid):
    expected = None if grid is None else TokenGrid(*grid)
    assert transformer("torch").tokens.grid(count) == expected


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_networks_without_attention_say_so(model, framework):
    subject = model("plain", framework)
    assert not subject.has_attention() and subject.attentions() == ()
    for method in ATTENTION:
        assert method_from(method).why_not(subject) == "plain has no attention layers"
    with pytest.raises(NotApplicable, match="no transformer that normalises"):
        subject.tokens.heads_of_blocks()


# The network that comes with heatmark


def test_vit_tiny_of_the_zoo():
    pair = [hm.load_model("vit-tiny", framework=framework) for framework in FRAMEWORKS]
    batch = hm.load_dataset("digits").take(6, pair[1])
    for method in (*ATTENTION, "grad_cam", "gradient"):
        agree(*(hm.explain(model, native(model, batch.x), method, target=batch.y) for model in pair))


@pytest.mark.parametrize("shape", [(3, 3, 1), (3, 1), (64,)])
def test_vit_tiny_says_which_samples_it_takes(shape):
    with pytest.raises(BadInput, match="vit-tiny takes"):
        vit_tiny(shape, 2)


@pytest.mark.parametrize("shape", [(13, 9, 2), (21, 2)])
def test_weights_mean_the_same_in_both_frameworks_and_come_back(shape):
    from heatmark.models.architecture.on_tensorflow import keras_weights
    from heatmark.models.architecture.on_torch import torch_weights

    architecture, generator = networks.transformer(shape), np.random.default_rng(0)
    weights = {
        name: generator.normal(0.2, 0.5, size).astype(np.float32)
        for name, size in architecture.parameter_shapes().items()
    }
    first, second = (networks.built(architecture, framework, weights) for framework in FRAMEWORKS)
    for found in (torch_weights(first), keras_weights(architecture, second)):
        assert found.keys() == weights.keys()
        assert all(np.array_equal(found[name], weights[name]) for name in weights)
    x = pictures(3, shape)
    with torch.inference_mode():
        expected = first(torch.from_numpy(np.moveaxis(x, -1, 1).copy())).numpy()
    assert np.ptp(expected) > 0
    np.testing.assert_allclose(second(x, training=False), expected, atol=1e-4 * np.abs(expected).max())
    copy = type(second).from_config(second.get_config(), custom_objects=_layers())
    assert [layer.name for layer in copy.layers] == [layer.name for layer in second.layers]


def _layers():
    from heatmark.models.architecture import transformer_on_tensorflow as module

    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type) and value.__module__ == module.__name__
    }


@pytest.mark.parametrize(
    ("node", "shape", "message"),
    [
        (SelfAttention("a", (INPUT,), 2), (5, 9), "not queries, keys and values"),
        (TokenDense("a", (INPUT,), 3), (5, 4, 2), r"needs \(tokens, channels\)"),
        (FirstToken("a", (INPUT,)), (7,), r"needs \(tokens, channels\)"),
    ],
)
def test_impossible_nodes_are_refused(node, shape, message):
    with pytest.raises(BadInput, match=message):
        Architecture("wrong", shape, (node,), "a")
