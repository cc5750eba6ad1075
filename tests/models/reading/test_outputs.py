"""What a network's outputs are: told, left out, undone, or refused; and what of it metrics and methods see."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import heatmark as hm
from heatmark.errors import BadInput, Doubt, NotApplicable
from heatmark.metrics.perturbing.target_scores import TargetScores
from heatmark.models.reading.outputs import Ending, probabilities_of, read
from heatmark.models.reading.scores import target_score

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")

X = np.random.default_rng(0).random((4, 3, 12, 12), dtype=np.float32)
ZERO_MAP = np.zeros((4, 12, 12), np.float32)
FEATURES = np.random.default_rng(1).random((5, 6), dtype=np.float32)
WEIGHT = np.random.default_rng(2).normal(0, 2, (6, 4)).astype(np.float32)
LOGITS = FEATURES @ WEIGHT
SIGMOIDS = 1 / (1 + np.exp(-LOGITS.astype(np.float64)))
SOFTMAX = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)


def torch_net(function=None, classes: int = 4, *, inline: bool = False) -> torch.nn.Module:
    """Return a linear network behind a function: a module of its own, or a call in its forward."""

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = torch.nn.Linear(6, classes, bias=False)
            self.head.weight.data = torch.tensor(WEIGHT[:, :classes].T.copy())
            self.end = None if inline else function

        def forward(self, x):
            scores = self.head(x)
            return scores if function is None else function(scores)

    return Net()


def keras_net(ending: str, classes: int = 4) -> keras.Model:
    """Return the same in Keras, ending in one of the ways in which Keras networks do."""
    inputs = keras.Input((6,))
    where, _, function = ending.partition(" ")
    dense = keras.layers.Dense(classes, use_bias=False, activation=function if where == "dense" else None, name="head")
    outputs = dense(inputs)
    if where == "activation":
        outputs = keras.layers.Activation(function)(outputs)
    if where == "operation":
        outputs = getattr(keras.ops, function)(outputs)
    net = keras.Model(inputs, outputs)
    dense.set_weights([WEIGHT[:, :classes]])
    if where == "subclass":

        class Own(keras.Model):
            def __init__(self) -> None:
                super().__init__()
                self.inner, self.end = net, keras.layers.Activation(function)

            def call(self, x):
                return self.end(self.inner(x))

        return Own()
    return keras.Sequential([keras.Input((6,)), net]) if where == "nested" else net


def in_silence(net, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return hm.wrap(net, input_shape=(6,), **options)


def test_a_sigmoid_of_one_output_is_a_probability_in_torch() -> None:
    """The values of the case: the curve of a map of zeros starts and ends at true probabilities."""
    torch.manual_seed(0)
    body = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(),
        torch.nn.Linear(4, 1),
    )  # fmt: skip
    with torch.no_grad():
        body[-1].weight.mul_(6)
        body[-1].bias.fill_(-2.0)
    net = torch.nn.Sequential(*body, torch.nn.Sigmoid()).eval()
    x = torch.tensor(X)
    with torch.no_grad():
        true = net(x)[:, 0].numpy()
        black, half = net(0 * x)[:, 0].numpy(), x.clone()
        half[:, :, :6] = 0  # the first half of the positions, row by row
        middle = net(half)[:, 0].numpy()
    model = hm.wrap(net, input_shape=(3, 12, 12))
    found = hm.score(model, X, ZERO_MAP, metric="morf[steps=2,fill=black]", target=0)
    np.testing.assert_allclose(found, (true + middle + black) / 3, rtol=1e-5)
    assert found[0] == pytest.approx(0.10655, abs=1e-5)
    plain = hm.wrap(body.eval(), input_shape=(3, 12, 12))
    np.testing.assert_array_equal(model.outputs(X), plain.outputs(X))
    assert model.reading.kind == "binary" and model.reading.told == "final layer"


def test_a_sigmoid_of_one_output_is_a_probability_in_keras() -> None:
    keras.utils.set_random_seed(0)
    net = keras.Sequential([
        keras.Input((12, 12, 3)), keras.layers.Conv2D(4, 3, activation="relu"),
        keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(1, activation="sigmoid"),
    ])  # fmt: skip
    x = np.moveaxis(X, 1, -1).copy()
    half = x.copy()
    half[:, :6] = 0
    true, middle, black = (net(one).numpy()[:, 0] for one in (x, half, 0 * x))
    model = hm.wrap(net)
    found = hm.score(model, x, ZERO_MAP, metric="morf[steps=2,fill=black]", target=0)
    np.testing.assert_allclose(found, (true + middle + black) / 3, rtol=1e-5)
    given = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(given)
        probability = net(given)
        log_odds = tf.math.log(probability / (1 - probability))
    expected = tape.gradient(log_odds, given).numpy().sum(axis=-1)
    np.testing.assert_allclose(hm.explain(model, x, "gradient", 0), expected, rtol=1e-3, atol=1e-5)


ENDS = {
    "softmax": (lambda: torch.nn.Softmax(1), "probabilities"),
    "sigmoid": (lambda: torch.nn.Sigmoid(), "multi-label"),
    "log_sigmoid": (lambda: torch.nn.LogSigmoid(), "multi-label"),
}


@pytest.mark.parametrize("function", ENDS)
@pytest.mark.parametrize("where", ["torch", "dense", "activation", "nested dense", "subclass"])
def test_a_final_layer_is_left_out(function: str, where: str) -> None:
    made, kind = ENDS[function]
    if where == "torch":
        net = torch_net(made())
    elif where == "nested dense":
        net = keras.Sequential([keras.Input((6,)), keras_net(f"dense {function}")])
    else:
        net = keras_net(f"{where} {function}")
    before = net(torch.tensor(FEATURES)).detach().numpy() if where == "torch" else net(FEATURES).numpy()
    model = in_silence(net)
    assert (model.reading.kind, model.reading.told) == (kind, "final layer")
    np.testing.assert_allclose(model.outputs(FEATURES), LOGITS, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(
        hm.explain(model, FEATURES, "gradient", 2), np.tile(WEIGHT[:, 2], (5, 1)), rtol=1e-5, atol=1e-6
    )
    after = net(torch.tensor(FEATURES)).detach().numpy() if where == "torch" else net(FEATURES).numpy()
    np.testing.assert_array_equal(before, after)


def test_a_layer_that_is_called_elsewhere_too_stays() -> None:
    """A shared sigmoid cannot be left out at the end alone: its values tell what it is."""

    class Shared(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last, self.gate = torch.nn.Linear(6, 6), torch.nn.Linear(6, 3), torch.nn.Sigmoid()

        def forward(self, x):
            return self.gate(self.last(self.gate(self.first(x))))

    net = Shared().eval()
    with pytest.warns(UserWarning, match="independent probabilities.*log odds"):
        model = hm.wrap(net, input_shape=(6,))
    true = net(torch.tensor(FEATURES)).detach().numpy()
    np.testing.assert_allclose(probabilities_of(model.outputs(FEATURES), model.link), true, rtol=1e-5)
    gate = keras.layers.Activation("sigmoid")
    inputs = keras.Input((6,))
    shared = keras.Model(inputs, gate(keras.layers.Dense(3)(gate(keras.layers.Dense(6)(inputs)))))
    with pytest.warns(UserWarning, match="independent probabilities.*log odds"):
        model = hm.wrap(shared)
    np.testing.assert_allclose(
        probabilities_of(model.outputs(FEATURES), model.link), shared(FEATURES).numpy(), rtol=1e-5
    )


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
@pytest.mark.parametrize(
    "function, classes, kind, true",
    [
        ("softmax", 4, "probabilities", SOFTMAX),
        ("sigmoid", 4, "multi-label", SIGMOIDS),
        ("sigmoid", 1, "binary", SIGMOIDS[:, :1]),
    ],
)
def test_probabilities_are_told_by_their_values(framework, function, classes, kind, true) -> None:
    """Neither framework says what an operation in a forward pass is; what comes out is the same as with the layer."""
    if framework == "torch":
        called = {"softmax": lambda z: z.softmax(dim=1), "sigmoid": torch.sigmoid}[function]
        net = torch_net(called, classes, inline=True)
    else:
        net = keras_net(f"operation {function}", classes)
    with pytest.warns(UserWarning, match=r"looks like .*hm.wrap\(net, output='logits'\)"):
        model = hm.wrap(net, input_shape=(6,))
    assert (model.reading.kind, model.reading.told) == (kind, "values")
    logits = model.outputs(FEATURES)
    np.testing.assert_allclose(probabilities_of(logits, model.link), true, rtol=1e-4)
    found = hm.score(model, FEATURES, np.zeros((5, 6), np.float32), "average_drop[mask=top,share=1]", 0)
    np.testing.assert_allclose(found, 0, atol=1e-5)  # with everything shown, nothing of the probability is lost
    if function == "sigmoid":  # a softmax's logarithm differs from the logit by what all classes share
        expected = np.tile(WEIGHT[:, 0], (5, 1))
        np.testing.assert_allclose(hm.explain(model, FEATURES, "gradient", 0), expected, rtol=2e-3, atol=1e-4)


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_logits_may_be_stated_to_be_multi_label(framework) -> None:
    net = torch_net() if framework == "torch" else keras_net("dense linear")
    plain, stated = in_silence(net), in_silence(net, output="multi-label")
    assert plain.link == "softmax" and stated.link == "logistic"
    np.testing.assert_array_equal(plain.outputs(FEATURES), stated.outputs(FEATURES))
    target = np.array([0, 1, 2, 3, 0])
    rows = np.arange(5)
    for model, true in ((plain, SOFTMAX), (stated, SIGMOIDS)):
        logits = model.from_numpy(LOGITS)
        said = target_score(model.operations, logits, model.from_numpy(target), "probability", model.link)
        np.testing.assert_allclose(model.to_numpy(said), true[rows, target], rtol=1e-4)
        found = TargetScores.of(LOGITS, target, model.link)
        np.testing.assert_allclose(found.probability, true[rows, target], rtol=1e-5)
        drop = hm.explain(model, FEATURES, "occlusion[window=6,stride=6,baseline=0.0]", target)
        gone = 0.25 if model is plain else 0.5
        np.testing.assert_allclose(drop[:, 0], true[rows, target] - gone, rtol=1e-4, atol=1e-6)
    predicted = TargetScores.of(LOGITS, target, "logistic").top
    np.testing.assert_array_equal(predicted, LOGITS[rows, target] >= 0)


def test_what_is_stated_holds_or_is_refused_with_numbers() -> None:
    with pytest.warns(UserWarning, match="taken as stated, though it ends in the softmax"):
        model = hm.wrap(torch_net(torch.nn.Softmax(1)), input_shape=(6,), output="logits")
    np.testing.assert_allclose(model.outputs(FEATURES), SOFTMAX, rtol=1e-5)
    with pytest.warns(UserWarning, match="taken as stated"):
        model = hm.wrap(keras_net("dense softmax"), output="logits")
    np.testing.assert_allclose(model.outputs(FEATURES), SOFTMAX, rtol=1e-5)
    with pytest.raises(BadInput, match=r"values from -?\d.*probabilities lie in \[0, 1\]"):
        hm.wrap(torch_net(), input_shape=(6,), output="probabilities")
    with pytest.raises(BadInput, match="has 4 outputs; 'binary' is one probability"):
        hm.wrap(torch_net(torch.nn.Sigmoid()), input_shape=(6,), output="binary")
    with pytest.raises(BadInput, match=r"sum to \d.* and \d.* instead of 1"):
        hm.wrap(torch_net(torch.sigmoid, inline=True), input_shape=(6,), output="probabilities")
    with pytest.raises(BadInput, match="a sigmoid of its own"):
        hm.wrap(keras_net("dense sigmoid"), output="probabilities")
    with pytest.raises(BadInput, match="softmax over a single output"):
        hm.wrap(keras_net("dense softmax", 1))
    with pytest.raises(BadInput, match="Did you mean 'logits'"):
        hm.wrap(torch_net(), input_shape=(6,), output="logit")
    assert in_silence(torch_net(torch.sigmoid, inline=True), output="multi-label").reading.undone == "log odds"
    assert in_silence(torch_net(torch.sigmoid, 1, inline=True), output="probabilities").reading.kind == "binary"


def test_log_probabilities_are_logits() -> None:
    for net in (torch_net(torch.nn.LogSoftmax(1)), keras_net("dense log_softmax")):
        model = in_silence(net)
        assert model.reading.kind == "logits" and "log-probabilities" in model.reading.evidence
        np.testing.assert_allclose(model.outputs(FEATURES), np.log(SOFTMAX), rtol=1e-4, atol=1e-4)
    inline = in_silence(torch_net(lambda z: z.log_softmax(1), inline=True))
    assert inline.reading.told == "values" and "log-probabilities" in inline.reading.evidence


def test_certain_probabilities_give_finite_logits_and_gradients() -> None:
    for framework in ("torch", "tensorflow"):
        net = torch_net(torch.sigmoid, inline=True) if framework == "torch" else keras_net("operation sigmoid")
        model = in_silence(net, output="multi-label")
        logits = model.outputs(1e4 * FEATURES)
        assert np.isfinite(logits).all() and np.isfinite(hm.explain(model, 1e4 * FEATURES, "gradient", 1)).all()
        np.testing.assert_array_equal(probabilities_of(logits, model.link).round(), LOGITS > 0)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("inside", [True, False])
def test_a_softmax_in_half_precision_is_noticed(policy: str, inside: bool) -> None:
    keras.config.set_dtype_policy(policy)
    try:

        class Net(keras.Model):
            def __init__(self) -> None:
                super().__init__()
                self.head = keras.layers.Dense(40, activation="softmax" if inside else None)

            def call(self, x):
                return self.head(x) if inside else keras.ops.softmax(self.head(x))

        net = Net()
        true = net(FEATURES).numpy().astype(np.float32)
    finally:
        keras.config.set_dtype_policy("float32")
    with warnings.catch_warnings():
        warnings.simplefilter("error" if inside else "ignore")
        warnings.filterwarnings("ignore", ".*computes in 16 bits", Doubt)  # which is told of all such networks
        model = hm.wrap(net, input_shape=(6,))
    assert model.reading.kind == "probabilities"
    np.testing.assert_allclose(probabilities_of(model.outputs(FEATURES), model.link), true, atol=2e-3)


def test_half_precision_widens_the_tolerance_alone() -> None:
    near = np.array([[0.504, 0.5], [0.25, 0.754]])  # sums of 1.004
    far = np.array([[0.1, 0.904]])
    assert read("net", None, None, near, lambda: far, 2.0**-7).kind == "probabilities"
    assert read("net", None, None, near, lambda: far, 1e-4).kind == "multi-label"
    assert read("net", None, None, near, lambda: 40 * far, 2.0**-7).kind == "logits"
    assert read("net", None, None, 0 * near, lambda: 0 * far, 1e-4).kind == "logits"  # nothing can be told of zeros
    assert read("net", None, Ending("end", "sigmoid"), near[:, :1], lambda: far, 1e-4).link == "logistic"


@pytest.mark.parametrize("method", ["lrp[epsilon]", "deep_lift[baseline=black]"])
def test_relevance_starts_at_the_logit(method: str) -> None:
    """The graph that relevance goes through ends where the logits are."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6,))
    hidden = keras.layers.Dense(5, activation="relu")(inputs)
    head = keras.layers.Dense(2, name="head")
    plain = keras.Model(inputs, head(hidden))
    ended = keras.Model(inputs, keras.layers.Activation("sigmoid")(plain.output))
    body = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.ReLU(), torch.nn.Linear(5, 2))

    class Inline(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = body

        def forward(self, x):
            return torch.sigmoid(self.body(x))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the sigmoid in the code is told by its values
        inline = hm.wrap(Inline(), input_shape=(6,))
    expected = hm.explain(in_silence(plain), FEATURES, method, 1)
    np.testing.assert_allclose(hm.explain(in_silence(ended), FEATURES, method, 1), expected, rtol=1e-5, atol=1e-6)
    expected = hm.explain(in_silence(body), FEATURES, method, 1)
    layered = in_silence(torch.nn.Sequential(*body, torch.nn.Sigmoid()))
    for model in (layered, inline):
        np.testing.assert_allclose(hm.explain(model, FEATURES, method, 1), expected, rtol=1e-5, atol=1e-6)
    operation = keras.Model(inputs, keras.ops.sigmoid(plain.output))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        told = hm.wrap(operation)
    with pytest.raises(NotApplicable, match="made of its outputs"):
        hm.explain(told, FEATURES, method, 1)
    with pytest.raises(NotApplicable, match="taken out of its outputs by a function"):
        hm.explain(in_silence(body, outputs=lambda o: 2 * o), FEATURES, method, 1)
