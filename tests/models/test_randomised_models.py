"""Randomised copies: what is drawn, in which layers, that nothing stale is seen, and that the network comes back."""

from __future__ import annotations

import copy

import networks
import numpy as np
import pytest
from networks import ARCHITECTURES, FRAMEWORKS, native, pictures

import heatmark as hm
from heatmark.errors import UnknownName
from heatmark.models.queries import Query
from heatmark.models.wrap import wrap

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")

EVERY = {**ARCHITECTURES, "transformer": networks.transformer}


def fresh(name, framework, shape=(12, 12, 3)):
    return networks.model_of(EVERY[name](shape), framework)


def names_of(model):
    return [layer.name for layer in model.parameter_layers()]


def weights_of(model):
    if model.framework == "torch":
        return {name: value.clone().numpy() for name, value in model.net.state_dict().items()}
    return {variable.path: np.array(np.asarray(variable)) for variable in model.net.weights}


def same(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_layers_are_kernels_with_what_follows_them(framework):
    groups = {
        layer.name: [owner.name for owner in layer.owners] for layer in fresh("residual", framework).parameter_layers()
    }
    assert groups == {"stem": ["stem", "stem_norm"], "inner": ["inner"], "outer": ["outer"], "dense": ["dense"]}
    assert list(groups) == ["stem", "inner", "outer", "dense"]
    blocks = [[owner.name for owner in layer.owners] for layer in fresh("transformer", framework).parameter_layers()]
    assert ["positions", "block1_norm1"] in blocks and ["block2_out", "norm"] in blocks
    assert blocks[0] == ["patches"] and blocks[-1] == ["classifier"]


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_sizes_count_every_parameter(framework):
    subject = fresh("depthwise", framework)
    total = sum(value.size for value in weights_of(subject).values())
    assert sum(layer.size for layer in subject.parameter_layers()) == total


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("shape", [(12, 12, 3), (16, 2)])
def test_both_frameworks_draw_the_same_values(name, shape):
    outputs = []
    for framework in FRAMEWORKS:
        subject = fresh(name, framework, shape)
        names = names_of(subject)
        with subject.randomised(names, 7) as other:
            outputs.append([other.outputs(native(subject, pictures(3, shape)))])
        for layer in names:
            with subject.randomised([layer], 7):
                outputs[-1].append(subject.outputs(native(subject, pictures(3, shape))))
    for first, second in zip(*outputs, strict=True):
        assert np.abs(first).max() > 0
        np.testing.assert_allclose(first, second, rtol=0, atol=1e-4 * np.abs(first).max())


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_what_fresh_parameters_are(framework):
    subject = fresh("residual", framework)
    with subject.randomised(names_of(subject), 0):
        found = weights_of(subject)
    subject = wrap(subject.net, input_shape=subject.input_shape)
    if framework == "torch":
        kernel, norm = found["inner.weight"], [found[f"stem_norm.{name}"] for name in ("weight", "running_var")]
        zeros = [found["inner.bias"], found["stem_norm.bias"], found["stem_norm.running_mean"]]
    else:
        kernel = found["inner/kernel"]
        norm = [found[f"stem_norm/{name}"] for name in ("gamma", "moving_variance")]
        zeros = [found["inner/bias"], found["stem_norm/beta"], found["stem_norm/moving_mean"]]
    assert all((values == 1).all() for values in norm) and all((values == 0).all() for values in zeros)
    assert kernel.std() == pytest.approx(np.sqrt(2 / (6 * 9)), rel=0.15) and abs(kernel.mean()) < 0.03


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_parameters_of_unknown_meaning_keep_their_mean_and_deviation(framework):
    subject = fresh("transformer", framework)
    key = next(name for name in weights_of(subject) if name.replace("/", ".") == "positions.weight")
    before = weights_of(subject)[key]
    with subject.randomised(["positions"], 0):
        after = weights_of(subject)[key]
    assert not np.array_equal(before, after)
    assert after.std() == pytest.approx(before.std(), rel=0.2)
    assert after.mean() == pytest.approx(before.mean(), abs=0.2 * float(before.std()))


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_network_comes_back_also_after_an_exception(framework):
    subject = fresh("residual", framework)
    before, identity = weights_of(subject), subject.weights_id()
    names = names_of(subject)
    with pytest.raises(RuntimeError, match="stop"), subject.randomised(names, 0):
        assert subject.weights_id() != identity
        raise RuntimeError("stop")
    assert same(weights_of(subject), before) and subject.weights_id() == identity
    # Nested contexts, the same layer twice.
    with subject.randomised(names[2:], 0):
        middle = weights_of(subject)
        with subject.randomised(names, 1):
            assert not same(weights_of(subject), middle)
        assert same(weights_of(subject), middle)
    assert same(weights_of(subject), before)
    with pytest.raises(UnknownName, match="stem"), subject.randomised(["inner", "sten"], 0):
        pass
    assert same(weights_of(subject), before)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_values_depend_on_seed_and_layer_alone(framework):
    subject = fresh("residual", framework)
    key = "inner.weight" if framework == "torch" else "inner/kernel"

    def kernel(names, seed):
        with subject.randomised(names, seed):
            return weights_of(subject)[key]

    alone = kernel(["inner"], 0)
    assert np.array_equal(alone, kernel(["outer", "inner", "stem"], 0))
    assert not np.array_equal(alone, kernel(["inner"], 1))
    assert np.array_equal(kernel(["outer"], 0), weights_of(subject)[key])


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("method", ["fullgrad", "lrp", "grad_cam", "gradient", "deep_lift"])
def test_nothing_stale_is_seen(framework, method):
    # Explain first, so that whatever is kept from call to call is there.
    subject = fresh("residual", framework)
    x = native(subject, pictures(2))
    plain = hm.explain(subject, x, method, 1)
    with subject.randomised(names_of(subject), 3) as other:
        random = hm.explain(other, x, method, 1)
        if framework == "torch":
            net = copy.deepcopy(subject.net)
        else:
            net = keras.models.clone_model(subject.net)
            net.set_weights(subject.net.get_weights())
    expected = hm.explain(wrap(net, subject.preprocess, subject.input_shape), x, method, 1)
    assert np.abs(expected).max() > 0
    np.testing.assert_allclose(random, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
    assert not np.allclose(plain, random)
    np.testing.assert_array_equal(hm.explain(subject, x, method, 1), plain)


def test_tensorflow_traces_nothing_again():
    subject = fresh("plain", "tensorflow")
    x = native(subject, pictures(2))
    hm.explain(subject, x, "gradient", 1)
    assert subject.layers() and subject._found.keys() & {Query(), Query(input_gradient=True)}
    before = dict(subject._found)
    with subject.randomised(names_of(subject), 0):
        hm.explain(subject, x, "gradient", 1)
    assert subject._found == before


def test_the_copy_that_runs_in_bfloat16_is_randomised_too():
    net = fresh("plain", "tensorflow").net
    subject = wrap(net, precision="bf16")
    x = pictures(2)
    before = subject.outputs(x)
    with subject.randomised(names_of(subject), 0):
        random = subject.outputs(x)
        np.testing.assert_allclose(random, np.asarray(net(x)), rtol=0, atol=0.03 * np.abs(random).max())
    assert not np.allclose(before, random, atol=0.1 * np.abs(before).max())
    np.testing.assert_array_equal(subject.outputs(x), before)


def test_torch_networks_of_many_kinds():
    class Attending(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.token = torch.nn.Parameter(torch.randn(1, 1, 8))
            self.embed = torch.nn.Conv1d(2, 8, 4, 4)
            self.attention = torch.nn.MultiheadAttention(8, 2, batch_first=True)
            self.norm = torch.nn.LayerNorm(8)
            self.up = torch.nn.ConvTranspose1d(8, 4, 2)
            self.activation = torch.nn.PReLU()
            self.head = torch.nn.Linear(4, 3)

        def forward(self, x):
            tokens = torch.cat([self.token.expand(len(x), -1, -1), self.embed(x).transpose(1, 2)], 1)
            tokens = self.norm(tokens + self.attention(tokens, tokens, tokens)[0])
            hidden = self.activation(self.up(tokens.transpose(1, 2)).mean(2))
            return torch.nn.functional.linear(hidden, self.head.weight, self.head.bias)

    torch.manual_seed(0)
    net = Attending()
    net.head.weight.requires_grad_(False)
    subject = wrap(net, input_shape=(2, 16))
    layers = subject.parameter_layers()
    # The token stands before everything; the attention's output and a layer whose weights alone are used keep the
    # place of their definition.
    assert [[owner.name for owner in layer.owners] for layer in layers] == [
        [""], ["embed"], ["attention"], ["attention.out_proj", "norm"], ["up", "activation"], ["head"],
    ]  # fmt: skip
    before, gradient = weights_of(subject), net.up.weight.sum()
    with subject.randomised(names_of(subject), 0):
        random = weights_of(subject)
    assert same(weights_of(subject), before)
    gradient.backward()  # a graph that was there before has not noticed
    unchanged = {name for name in before if np.array_equal(before[name], random[name])}
    # Biases and scales that were fresh before are fresh again; a single number has no deviation to draw from.
    assert unchanged <= {
        "activation.weight", "norm.weight", "norm.bias", "attention.in_proj_bias", "attention.out_proj.bias"
    }  # fmt: skip
    assert random["up.weight"].std() == pytest.approx(np.sqrt(2 / 16), rel=0.25)
    assert not net.head.weight.requires_grad and net.up.weight.requires_grad


def test_keras_networks_of_many_kinds():
    layers = keras.layers
    inputs = keras.Input((16, 2))
    hidden = layers.Normalization(mean=0.5, variance=0.1)(inputs)
    hidden = layers.SeparableConv1D(8, 3, depth_multiplier=2, name="separable")(hidden)
    hidden = layers.MultiHeadAttention(2, 4, name="attention")(hidden, hidden)
    hidden = layers.Conv1DTranspose(4, 2, name="up")(hidden)
    hidden = layers.Dropout(0.5, seed=0)(layers.LayerNormalization(name="norm")(hidden))
    inner = keras.Sequential([keras.Input((15, 4)), layers.Conv1D(3, 3, name="conv")], name="inner")
    hidden = layers.GlobalAveragePooling1D()(inner(hidden))
    keras.utils.set_random_seed(0)
    subject = wrap(keras.Model(inputs, layers.Dense(3, name="head")(hidden)))
    found = [[owner.name for owner in layer.owners] for layer in subject.parameter_layers()]
    assert [owner for layer in found for owner in layer if not owner.startswith("attention")] == [
        "separable", "up", "norm", "inner/conv", "head",
    ]  # fmt: skip
    assert sorted(owner for layer in found for owner in layer if owner.startswith("attention")) == [
        f"attention/{part}" for part in ("attention_output", "key", "query", "value")
    ]
    before, x = weights_of(subject), native(subject, pictures(2, (16, 2)))
    outputs = subject.outputs(x)
    with subject.randomised(names_of(subject), 0):
        random = weights_of(subject)
        assert not np.allclose(subject.outputs(x), outputs)
    assert same(weights_of(subject), before)
    kept = {path for path in before if np.array_equal(before[path], random[path])}
    # Biases start at zero and scales at one; preprocessing statistics and the dropout's seed are no parameters.
    assert {path.rpartition("/")[2] for path in kept} <= {
        "bias", "beta", "gamma", "mean", "variance", "count", "seed_generator_state"
    }  # fmt: skip
    separable = {path.rpartition("/")[2]: values for path, values in random.items() if path.startswith("separable")}
    assert separable["depthwise_kernel"].std() == pytest.approx(np.sqrt(2 / 3), rel=0.5)
    assert separable["pointwise_kernel"].std() == pytest.approx(np.sqrt(2 / 4), rel=0.4)
    # Query kernels go from 8 channels to 2 heads of 4; the output's from all of them back.
    query = next(values for path, values in random.items() if "query/kernel" in path)
    assert query.std() == pytest.approx(np.sqrt(2 / 8), rel=0.3)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_network_without_parameters_has_no_layers(framework):
    if framework == "torch":
        net = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Flatten())
    else:
        net = keras.Sequential([keras.Input((6,)), keras.layers.ReLU()])
    assert wrap(net, input_shape=(6,)).parameter_layers() == ()


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("preprocess", ["normalisation", "none", "function"])
def test_a_shifted_model_gives_the_same_for_shifted_inputs(framework, preprocess):
    net = fresh("residual", framework).net
    known = {
        "normalisation": hm.Normalization((0.4, 0.5, 0.6), (0.2, 0.3, 0.4)),
        "none": None,
        "function": lambda x: 2 * x - 1,
    }[preprocess]
    subject = wrap(net, known, (3, 12, 12) if framework == "torch" else (12, 12, 3))
    x = native(subject, pictures(2))
    expected, passes = subject.outputs(x), subject.passes
    other = subject.shifted(-1.0)
    shifted = other.outputs_of(other.as_tensor(x - 1.0))
    np.testing.assert_allclose(shifted, expected, rtol=0, atol=1e-5)
    assert not np.allclose(other.outputs(x), expected, atol=1e-2)
    assert subject.passes == passes and other.passes.forward == 4
    assert subject.shifted(-1.0) is other and other.net is subject.net
    np.testing.assert_array_equal(subject.outputs(x), expected)
    if preprocess != "function":
        np.testing.assert_allclose(other.zero, subject.zero - 1.0, atol=1e-6)
