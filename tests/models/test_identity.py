"""What identifies a network's weights covers all that its answers depend on, and is what it was for usual networks."""

from __future__ import annotations

import hashlib
import warnings

import numpy as np
import pytest

from heatmark.errors import BadInput
from heatmark.models.wrap import wrap

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")
nn = torch.nn


def identity(net, shape=(24,)):
    return wrap(net, input_shape=shape).weights_id()


def dense(seed):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(24, 4), nn.ReLU(), nn.Linear(4, 3)).eval()


def quantised_by_weights(seed):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.ao.quantization.quantize_dynamic(dense(seed), {nn.Linear}, dtype=torch.qint8)


def quantised_whole(seed):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kit = torch.ao.quantization
        net = nn.Sequential(kit.QuantStub(), *dense(seed), kit.DeQuantStub()).eval()
        net.qconfig = kit.get_default_qconfig(torch.backends.quantized.engine)
        prepared = kit.prepare(net)
        prepared(torch.rand(8, 24, generator=torch.Generator().manual_seed(seed)))
        return kit.convert(prepared)


class Extra(nn.Module):
    """Scales by what is neither parameter nor usual buffer."""

    def __init__(self, factor, how):
        super().__init__()
        self.how, self.factor = how, factor
        if how == "not persistent":
            self.register_buffer("scale", torch.tensor(float(factor)), persistent=False)

    def get_extra_state(self):
        return {"factor": self.factor, "history": [1, None, "x"], "object": self.factor if self.how == "odd" else 0}

    def set_extra_state(self, state):
        self.factor = state["factor"]

    def forward(self, x):
        return x[:, :3] * (self.scale if self.how == "not persistent" else float(self.factor))


def traced_with_constant(factor):
    scale = torch.arange(24.0) * factor  # ends up in the code

    class Scaling(nn.Module):
        def forward(self, x):
            return (x * scale)[:, :3]

    return torch.jit.trace(Scaling(), torch.ones(2, 24))


@pytest.mark.parametrize(
    "make",
    [
        dense, quantised_by_weights, quantised_whole, lambda seed: torch.jit.script(dense(seed)), traced_with_constant,
        lambda seed: Extra(seed + 1, "extra state"), lambda seed: Extra(seed + 1, "not persistent"),
        lambda seed: dense(seed).half(),
    ],
)  # fmt: skip
def test_networks_with_other_numbers_have_other_identities(make):
    first, again, other = identity(make(0)), identity(make(0)), identity(make(1))
    assert first == again != other


def test_what_cannot_be_hashed_is_refused_with_the_remedy():
    net = Extra(object(), "odd")
    net.forward = lambda x: x[:, :3]
    with pytest.raises(BadInput, match=r"_extra_state.*builtins\.object.*weights_id="):
        identity(net)
    subject = wrap(net, input_shape=(24,), weights_id="mine")
    assert subject.weights_id() == "mine"


def test_usual_networks_keep_the_identity_that_results_are_stored_under():
    net = nn.Sequential(nn.Conv1d(1, 2, 3), nn.BatchNorm1d(2), nn.Flatten(), nn.Linear(44, 3))
    hasher = hashlib.sha256()
    for name, value in sorted(net.state_dict().items()):
        array = value.numpy()
        hasher.update(f"{name}{value.dtype}{tuple(value.shape)}".encode())
        hasher.update(array.tobytes())
    assert identity(net, (1, 24)) == hasher.hexdigest()
    keras_net = keras.Sequential([keras.Input((24,)), keras.layers.Dense(3), keras.layers.BatchNormalization()])
    hasher = hashlib.sha256()
    for variable in keras_net.weights:
        array = np.asarray(variable)
        hasher.update(f"{variable.path}{array.dtype}{array.shape}".encode())
        hasher.update(array.tobytes())
    assert identity(keras_net, None) == hasher.hexdigest()


def test_keras_states_count_too():
    def own_variable(seed):
        class Scaling(keras.layers.Layer):
            def __init__(self):
                super().__init__(name="scaling")
                self.scale = tf.Variable(float(seed + 1))

            def call(self, x):
                return x * self.scale

        return keras.Sequential([keras.Input((24,)), Scaling(), keras.layers.Dense(3, kernel_initializer="ones")])

    def quantised(seed):
        keras.utils.set_random_seed(seed)
        net = keras.Sequential([keras.Input((24,)), keras.layers.Dense(4, name="a"), keras.layers.Dense(3, name="b")])
        net.quantize("int8")
        return net

    for make in (own_variable, quantised):
        keras.backend.clear_session()
        numbers = []
        for seed in (0, 1):
            net = make(seed)
            net.name = "net"
            hasher = [values for _, values in wrap(net)._weights()]
            numbers.append(hashlib.sha256(b"".join(hasher)).hexdigest())
        assert numbers[0] != numbers[1]


def test_what_may_be_hidden_is_named():
    class Holding(nn.Module):
        def __init__(self):
            super().__init__()
            self.dense, self.scale = nn.Linear(24, 3), torch.ones(3)

        def forward(self, x):
            return self.dense(x) * self.scale

    assert wrap(Holding(), input_shape=(24,)).hidden_state() == ["scale"]
    assert wrap(dense(0), input_shape=(24,)).hidden_state() == []
    inputs = keras.Input((24,))
    plain = keras.layers.Dense(3)(inputs)
    assert wrap(keras.Model(inputs, plain)).hidden_state() == []
    assert wrap(keras.Model(inputs, keras.layers.Lambda(lambda x: 2 * x, name="own")(plain))).hidden_state() == ["own"]
