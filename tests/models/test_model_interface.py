"""The model interface: one meaning in both frameworks, and the user's network comes back as it was."""

from __future__ import annotations

import gc
import warnings

import networks
import numpy as np
import pytest
from networks import ARCHITECTURES, FRAMEWORKS, native, pictures

import heatmark as hm
from heatmark.errors import BadInput, NetworkFailed, NotApplicable, OutOfMemory, UnknownName
from heatmark.models.engine import Engine, Pairs
from heatmark.models.queries import Query
from heatmark.models.wrap import wrap

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")

QUERIES = {
    "gradient": Query(input_gradient=True),
    "probability": Query("probability", input_gradient=True),
    "guided": Query(input_gradient=True, rule="guided"),
    "deconvnet": Query(input_gradient=True, rule="deconvnet"),
}


def asked(model, query, x, target):
    tensor, classes = model.inputs(native(model, x)), model.from_numpy(target)
    ((_, answer),) = Engine(model, chunk=len(x)).stream(query, tensor, classes, Pairs.grid(len(x), 1))
    return answer


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("query", QUERIES)
def test_frameworks_agree_on_every_query(model, name, query):
    x, target = pictures(3), np.array([0, 2, 3])
    answers = [asked(model(name, framework), QUERIES[query], x, target) for framework in FRAMEWORKS]
    first, second = (
        model(name, framework).to_numpy(model(name, framework).channels_first(answer.input_gradient))
        for framework, answer in zip(FRAMEWORKS, answers, strict=True)
    )
    assert np.abs(first).max() > 0
    np.testing.assert_allclose(first, second, rtol=0, atol=1e-4 * np.abs(first).max())


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_gradients_agree_with_finite_differences(model, framework):
    subject, x = model("residual", framework), pictures(1)
    gradient = subject.to_numpy(asked(subject, QUERIES["gradient"], x, np.array([1])).input_gradient)
    direction = gradient / np.abs(gradient).max()  # where the change is largest against rounding
    base = native(subject, x)
    step = 1e-3
    change = (subject.outputs(base + step * direction) - subject.outputs(base - step * direction))[0, 1] / (2 * step)
    assert np.sum(gradient * direction) == pytest.approx(change, rel=2e-2)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_layer_gradients_are_those_of_the_rest_of_the_network(model, framework):
    subject, x = model("residual", framework), pictures(2)
    query = Query(layers=("sum_relu",), layer_gradients=True)
    answer = asked(subject, query, x, np.array([1, 3]))
    # After the last feature map stand the average over 6 x 6 positions and the dense layer.
    weights = {
        "torch": lambda: subject.net.dense.weight.detach().numpy(),
        "tensorflow": lambda: subject.net.get_layer("dense").get_weights()[0].T,
    }[framework]()
    gradients = subject.to_numpy(subject.channels_first(answer.layer_gradients[0]))
    expected = np.broadcast_to(weights[[1, 3], :, None, None] / 36, gradients.shape)
    np.testing.assert_allclose(gradients, expected, rtol=1e-5)


def test_guided_differs_from_the_gradient_and_deconvnet(model):
    x, target = pictures(2), np.array([0, 1])
    subject = model("plain", "torch")
    maps = [subject.to_numpy(asked(subject, QUERIES[name], x, target).input_gradient) for name in
            ("gradient", "guided", "deconvnet")]  # fmt: skip
    assert not np.allclose(maps[0], maps[1]) and not np.allclose(maps[1], maps[2])


def test_guided_covers_functional_and_in_place_rectifiers():
    class Functional(torch.nn.Module):
        def __init__(self, kind):
            super().__init__()
            torch.manual_seed(0)
            self.first, self.last = torch.nn.Linear(6, 8), torch.nn.Linear(8, 3)
            self.kind, self.module = kind, torch.nn.ReLU(inplace=True)

        def forward(self, x):
            hidden = self.first(x)
            hidden = {
                "module": lambda: self.module(hidden), "function": lambda: torch.nn.functional.relu(hidden),
                "method": lambda: hidden.relu(), "in_place": lambda: hidden.relu_(),
                "torch": lambda: torch.relu(hidden),
            }[self.kind]()  # fmt: skip
            return self.last(hidden)

    x = np.random.default_rng(0).random((2, 6), dtype=np.float32)
    results = []
    for kind in ("module", "function", "method", "in_place", "torch"):
        subject = wrap(Functional(kind), input_shape=(6,))
        query = Query(input_gradient=True, rule="guided")
        results.append(subject.run(query, subject.inputs(x), subject.from_numpy(np.array([0, 1]))).input_gradient)
    first, last = Functional("torch").first.weight, Functional("torch").last.weight
    hidden = torch.tensor(x) @ first.T + Functional("torch").first.bias
    by_hand = (last[[0, 1]].clamp(min=0) * (hidden > 0)) @ first
    for result in results:
        np.testing.assert_allclose(result.numpy(), by_hand.detach().numpy(), rtol=1e-5, atol=1e-7)


def test_a_network_without_rectifiers_has_no_guided_pass():
    for framework in FRAMEWORKS:
        subject = networks.linear(framework, np.eye(3, dtype=np.float32), np.zeros(3, np.float32))
        with pytest.raises(NotApplicable, match="no ReLU"):
            subject.run(Query(input_gradient=True, rule="guided"), subject.inputs(np.ones((1, 3))), None)


def test_the_torch_network_comes_back_unchanged_also_after_an_exception():
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.ReLU(inplace=True), torch.nn.Dropout(0.5),
        torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(4, 3),
    )  # fmt: skip
    net.train()
    net[3].eval()
    net[0].bias.requires_grad_(False)

    def state():
        return (
            [module.training for module in net.modules()], [item.requires_grad for item in net.parameters()],
            [len(module._forward_hooks) + len(module._backward_hooks) for module in net.modules()],
            [value.clone() for value in net.state_dict().values()], [item.grad for item in net.parameters()],
        )  # fmt: skip

    before = state()
    subject = wrap(net, input_shape=(3, 8, 8))
    x = subject.inputs(pictures(2, (3, 8, 8)))
    target = subject.from_numpy(np.array([0, 1]))
    for query in (*QUERIES.values(), Query(layers=("2",), layer_gradients=True)):
        subject.run(query, x, target)
    with pytest.raises(NetworkFailed, match=r"asked for the output and gradient of '2'.*to have 3 channels"):
        subject.run(Query(layers=("2",), layer_gradients=True), x[:, :2], target)
    after = state()
    assert before[:3] == after[:3] and before[4] == after[4]
    assert all(torch.equal(first, second) for first, second in zip(before[3], after[3], strict=True))


def test_the_keras_network_comes_back_unchanged():
    inputs = keras.Input((8, 8, 3))
    features = keras.layers.Conv2D(4, 3, activation="relu")(inputs)
    features = keras.layers.Dropout(0.5)(keras.layers.BatchNormalization()(features))
    outputs = keras.layers.Dense(3, activation="softmax")(keras.layers.GlobalAveragePooling2D()(features))
    net = keras.Model(inputs, outputs)
    weights, config = net.get_weights(), net.get_config()
    before = net(pictures(2, (8, 8, 3)), training=False).numpy()
    calls = [dict(layer.__dict__).keys() for layer in net.layers]
    subject = wrap(net)
    x, target = subject.inputs(pictures(2, (8, 8, 3))), subject.from_numpy(np.array([0, 1]))
    for query in (*QUERIES.values(), Query(layers=(net.layers[1].name,), layer_gradients=True)):
        subject.run(query, x, target)
    assert net.layers[-1].activation is keras.activations.softmax
    assert [dict(layer.__dict__).keys() for layer in net.layers] == calls
    assert net.get_config() == config
    assert all(np.array_equal(first, second) for first, second in zip(weights, net.get_weights(), strict=True))
    assert np.array_equal(net(pictures(2, (8, 8, 3)), training=False).numpy(), before)


@pytest.mark.parametrize("ending", ["activation", "layer", "activation_layer", "nested"])
def test_a_final_softmax_of_keras_is_taken_off(ending):
    inputs = keras.Input((5,))
    dense = keras.layers.Dense(3, activation="softmax" if ending in ("activation", "nested") else None)
    hidden = dense(inputs)
    if ending == "layer":
        hidden = keras.layers.Softmax()(hidden)
    if ending == "activation_layer":
        hidden = keras.layers.Activation("softmax")(hidden)
    net = keras.Model(inputs, hidden)
    if ending == "nested":
        net = keras.Sequential([keras.Input((5,)), net])
    x = np.random.default_rng(0).random((4, 5), dtype=np.float32)
    kernel, bias = dense.get_weights()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        logits = wrap(net).outputs(x)
    np.testing.assert_allclose(logits, x @ kernel + bias, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(net(x).numpy().sum(axis=1), 1, rtol=1e-5)


def test_probabilities_of_unknown_origin_are_told():
    class Functional(torch.nn.Linear):
        def forward(self, x):
            return super().forward(x).softmax(dim=1)

    net = Functional(5, 3)
    x = np.random.default_rng(0).random((4, 5), dtype=np.float32)
    with pytest.warns(UserWarning, match="looks like probabilities"):
        subject = wrap(net, input_shape=(5,))
    np.testing.assert_allclose(np.exp(subject.outputs(x)), net(torch.tensor(x)).detach().numpy(), rtol=1e-5)


def test_nothing_is_left_behind_by_many_calls():
    import psutil

    subject = networks.model_of(networks.plain((8, 8, 1)), "torch")
    x, target = subject.inputs(native(subject, pictures(2, (8, 8, 1)))), subject.from_numpy(np.array([0, 1]))

    def tensors() -> int:
        gc.collect()
        return sum(issubclass(type(item), torch.Tensor) for item in gc.get_objects())

    subject.run(QUERIES["guided"], x, target)
    before = tensors()
    for _ in range(1000):
        subject.run(QUERIES["guided"], x, target)
        subject.run(Query(layers=("second_relu",), layer_gradients=True), x, target)
    resident = psutil.Process().memory_info().rss
    for _ in range(1000):
        subject.run(QUERIES["guided"], x, target)
    assert tensors() <= before
    assert psutil.Process().memory_info().rss - resident < 20 * 2**20


def test_keras_graphs_are_traced_once_per_query():
    traces = []

    class Counting(keras.layers.Layer):
        def call(self, inputs):
            traces.append(1)
            return inputs

    net = keras.Sequential([keras.Input((6,)), Counting(), keras.layers.Dense(3)])
    subject = wrap(net)
    traces.clear()
    for size in (1, 2, 3, 5, 8):
        subject.outputs(np.ones((size, 6)))
    assert len(traces) <= 1


@pytest.mark.parametrize("framework", FRAMEWORKS)
class TestBadInput:
    def test_shape(self, model, framework):
        with pytest.raises(BadInput, match=r"takes \(n, "):
            model("plain", framework).inputs(np.zeros((2, 5, 5)))

    def test_layout(self, model, framework):
        shape = (2, 12, 12, 3) if framework == "torch" else (2, 3, 12, 12)
        with pytest.raises(BadInput, match="wrong side"):
            model("plain", framework).inputs(np.zeros(shape))

    def test_missing_batch_axis(self, model, framework):
        subject = model("plain", framework)
        with pytest.raises(BadInput, match="Add the batch axis"):
            subject.inputs(np.zeros(subject.input_shape))

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_values(self, model, framework, value):
        subject = model("plain", framework)
        x = np.zeros((3, *subject.input_shape), np.float32)
        x[1].flat[0] = value
        with pytest.raises(BadInput, match=r"1 NaN or infinite values, in sample\(s\) 1"):
            subject.inputs(x)

    def test_empty(self, model, framework):
        subject = model("plain", framework)
        with pytest.raises(BadInput, match="empty"):
            subject.inputs(np.zeros((0, *subject.input_shape)))

    @pytest.mark.parametrize("target", [4, -1, [0, 9], 0.5, [[1]]])
    def test_target(self, model, framework, target):
        with pytest.raises(BadInput):
            model("plain", framework).targets(target, 2)

    def test_layer(self, model, framework):
        with pytest.raises(UnknownName, match="Did you mean 'second_relu'"):
            model("plain", framework).layer("second_rely")


def test_inputs_are_copies(model):
    for framework in FRAMEWORKS:
        subject = model("plain", framework)
        x = native(subject, pictures(1))
        before = x.copy()
        tensor = subject.inputs(x)
        if framework == "torch":
            tensor += 1
        assert np.array_equal(x, before)


def test_what_is_no_network_is_refused():
    with pytest.raises(BadInput, match=r"torch.nn.Module or a keras.Model"):
        wrap(lambda x: x)
    with pytest.raises(BadInput, match=r"\(n, classes\)"):
        wrap(torch.nn.Conv2d(3, 2, 1), input_shape=(3, 4, 4))
    with pytest.raises(BadInput, match="5 outputs, but num_classes=4"):
        wrap(torch.nn.Linear(3, 5), input_shape=(3,), num_classes=4)
    with pytest.raises(BadInput, match="failed on inputs of shape"):
        wrap(torch.nn.Linear(3, 5), input_shape=(4,))


def test_a_torch_network_takes_the_shape_of_its_input():
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(4, 2)
    )
    subject = wrap(net)
    assert not subject.knows_shape
    with pytest.raises(BadInput, match="not known yet"):
        _ = subject.input_shape
    assert subject.outputs(np.zeros((1, 3, 9, 9))).shape == (1, 2)
    assert subject.input_shape == (3, 9, 9)
    assert subject.outputs(np.zeros((1, 3, 7, 5))).shape == (1, 2)
    assert subject.input_shape == (3, 7, 5) and subject.layer().shape == (4, 5, 3)


class Failing(torch.nn.Module):
    """Runs out of memory above a number of rows."""

    def __init__(self, most):
        super().__init__()
        self.most, self.rows, self.dense = most, [], torch.nn.Linear(4, 2)

    def forward(self, x):
        if len(x) > self.most:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
        self.rows.append(len(x))
        return self.dense(x)


def test_the_chunk_is_halved_when_memory_runs_out():
    net = Failing(5)
    subject = wrap(net, input_shape=(4,))
    # Small whole numbers, whose sums are exact in whatever order a chunk size adds them.
    generator = np.random.default_rng(0)
    x = generator.integers(-9, 10, (23, 4)).astype(np.float32)
    weight, bias = (generator.integers(-9, 10, shape).astype(np.float32) for shape in ((2, 4), 2))
    net.dense.load_state_dict({"weight": torch.tensor(weight), "bias": torch.tensor(bias)})
    net.rows.clear()
    np.testing.assert_array_equal(subject.outputs(x), x @ weight.T + bias)
    assert sum(net.rows) == 23 and max(net.rows) <= 5
    assert subject.passes.forward == 23
    choice = subject.engine.chunk_choices()["forward"]
    assert choice.reason == "memory ran out above it" and choice.size == subject.chunks["forward"] <= 5
    subject.engine.chunk = 3
    choice = subject.engine.chunk_choices()["forward"]
    assert (choice.size, choice.reason, choice.tried) == (3, "given", ())


def test_memory_that_never_suffices_is_said_so():
    net = Failing(2)
    subject = wrap(net, input_shape=(4,))
    net.most = 0
    with pytest.raises(OutOfMemory, match="single input"):
        subject.outputs(np.zeros((3, 4)))


def test_inputs_are_converted_once():
    subject = networks.model_of(networks.plain(), "torch")
    x, converted = native(subject, pictures(2)), []
    convert = subject.as_tensor
    subject.as_tensor = lambda given: converted.append(1) or convert(given)
    maps = hm.explain(subject, x, "gradient")
    hm.score(subject, x, maps, "average_drop")
    hm.evaluate(subject, x, methods="gradient", metrics="average_drop")
    assert len(converted) == 3
