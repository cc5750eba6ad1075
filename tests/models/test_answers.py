"""Questions whose answers decide whether a network can be trusted, asked of networks that are right and wrong."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

import heatmark as hm
from heatmark.errors import NotApplicable
from heatmark.methods.libraries import Library
from heatmark.methods.peers.wrapping import Peer, register_peers
from heatmark.methods.registry import METHODS, method_from
from heatmark.models.checking.answers import (
    answers_alone,
    answers_repeat,
    gradient_connected,
    identity_complete,
    memory_format,
    rectifiers_caught,
)
from heatmark.models.wrap import wrap
from heatmark.registry import Reference

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")
nn = torch.nn

X = np.random.default_rng(0).random((3, 12, 12, 3), dtype=np.float32)
QUESTIONS = (answers_repeat, answers_alone, memory_format, identity_complete, gradient_connected, rectifiers_caught)


class Chance(nn.Module):
    def __init__(self, on):
        super().__init__()
        self.on = on

    def forward(self, x):
        return nn.functional.dropout(x, 0.5, training=self.on)


def in_torch(fault):
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=fault != "batch"), nn.ReLU(),
        Chance(fault == "chance"), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3),
    )  # fmt: skip
    return wrap(net, input_shape=(3, 12, 12))


def in_keras(fault):
    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.conv, self.norm = (
                keras.layers.Conv2D(4, 3, activation="relu"),
                keras.layers.BatchNormalization(name="norm"),
            )
            self.drop, self.dense = keras.layers.Dropout(0.5, name="drop"), keras.layers.Dense(3)

        def call(self, x, training=None):
            x = self.norm(self.conv(x), training=fault == "batch")
            return self.dense(self.drop(tf.reduce_mean(x, (1, 2)), training=fault == "chance"))

    keras.utils.set_random_seed(0)
    return wrap(Net(), input_shape=(12, 12, 3))


def asked(subject, *questions):
    x = X if subject.framework == "tensorflow" else np.moveaxis(X, -1, 1)
    return [question(subject, subject.inputs(x)) for question in questions]


@pytest.mark.parametrize("make", [in_torch, in_keras])
def test_a_right_network_has_all_right_answers(make):
    found = asked(make(None), *QUESTIONS)
    assert [finding.verdict for finding in found] == ["holds"] * len(QUESTIONS), found
    assert len({finding.question for finding in found}) == len(QUESTIONS)


@pytest.mark.parametrize(
    ("make", "where"), [(in_torch, r"1 \(native_batch_norm\)"), (in_keras, r"norm.*moments \(Mean\)")]
)
def test_statistics_of_the_batch_are_told_with_the_layer(make, where):
    subject = make("batch")
    repeat, alone = asked(subject, answers_repeat, answers_alone)
    assert (repeat.verdict, alone.verdict) == ("holds", "fails")
    assert re.search(rf"the whole batch decides in .*{where}", alone.evidence)
    assert "running statistics" in alone.remedy


@pytest.mark.parametrize(("make", "where"), [(in_torch, "3 (bernoulli_)"), (in_keras, "drop")])
def test_chance_is_told_with_the_layer(make, where):
    repeat, alone = asked(make("chance"), answers_repeat, answers_alone)
    assert (repeat.verdict, alone.verdict) == ("fails", "doubtful")
    assert "random numbers are drawn in" in repeat.evidence and where in repeat.evidence


def test_dynamic_quantisation_looks_at_the_batch():
    net = nn.Sequential(nn.Flatten(), nn.Linear(432, 3))
    with pytest.warns(match=""):
        net = torch.ao.quantization.quantize_dynamic(net, {nn.Linear}, dtype=torch.qint8)
    alone, connected, identity = asked(
        wrap(net, input_shape=(3, 12, 12)), answers_alone, gradient_connected, identity_complete
    )
    assert alone.verdict == "fails" and "linear_dynamic" in alone.evidence
    assert connected.verdict == "doubtful" and "rise, occlusion" in connected.evidence
    assert identity.verdict == "holds" and "entries" in identity.evidence


def test_other_faults_are_named():
    class Viewing(nn.Module):
        def forward(self, x):
            return torch.round(x * 10).view(len(x), -1)[:, :3]

    viewing = wrap(Viewing(), input_shape=(3, 12, 12))
    formats, connected = asked(viewing, memory_format, gradient_connected)
    assert "it fails in channels_last: RuntimeError" in formats.evidence
    assert connected.verdict == "doubtful" and "is 0: it rounds" in connected.evidence
    with pytest.raises(NotApplicable, match="computes no ReLU"):
        asked(viewing, rectifiers_caught)
    scripted = wrap(
        torch.jit.script(nn.Sequential(nn.Conv2d(3, 2, 12), nn.ReLU(), nn.Flatten())), input_shape=(3, 12, 12)
    )
    (caught,) = asked(scripted, rectifiers_caught)
    assert caught.verdict == "doubtful" and "0 of 1: it is compiled by TorchScript" in caught.evidence

    class Holding(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.ones(3)

        def forward(self, x):
            return x.mean((2, 3)) * self.scale / 0.0

    identity, connected = asked(wrap(Holding(), input_shape=(3, 12, 12)), identity_complete, gradient_connected)
    assert identity.verdict == "doubtful" and "scale" in identity.evidence
    assert connected.verdict == "fails"


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_what_a_network_changes_in_every_pass_is_named_where_it_tells(framework):
    """A running mean that goes on in evaluation; a counter that goes on is none of the logits' business."""
    if framework == "torch":

        class Net(nn.Module):
            def __init__(self, weight):
                super().__init__()
                self.weight, self.dense = weight, nn.Linear(3, 2)
                self.register_buffer("running", torch.zeros(3))
                self.register_buffer("count", torch.zeros(()))

            def forward(self, x):
                self.running = 0.9 * self.running + 0.1 * x.mean((0, 2, 3)).detach()
                self.count += 1
                return self.dense(x.mean((2, 3)) - self.weight * self.running)

        models = [wrap(Net(weight), input_shape=(3, 12, 12)) for weight in (1.0, 0.0)]
    else:

        class Net(keras.Model):
            def __init__(self, weight):
                super().__init__()
                self.weight, self.dense = weight, keras.layers.Dense(2)
                self.running = self.add_weight(name="running", shape=(3,), initializer="zeros", trainable=False)
                self.count = self.add_weight(name="count", shape=(), initializer="zeros", trainable=False)

            def call(self, x):
                self.running.assign(0.9 * self.running + 0.1 * tf.reduce_mean(x, (0, 1, 2)))
                self.count.assign_add(1.0)
                return self.dense(tf.reduce_mean(x, (1, 2)) - self.weight * self.running)

        models = [wrap(Net(weight), input_shape=(12, 12, 3)) for weight in (1.0, 0.0)]
    running, still = (
        answers_repeat(model, model.inputs(np.moveaxis(X, -1, 1) if framework == "torch" else X)) for model in models
    )
    assert running.verdict == "fails" and "the network changes" in running.evidence and "running" in running.evidence
    assert "training mode only" in running.remedy
    assert still.verdict == "holds"


@pytest.mark.parametrize("make", [in_torch, in_keras])
def test_logits_that_are_not_finite_are_no_matter_of_chance(make):
    subject = make(None)
    if subject.framework == "torch":
        subject.net[-1].bias.data[0] = float("nan")
    else:
        subject.net.dense.bias.assign([np.nan, 0.0, 0.0])
    (repeat,) = asked(subject, answers_repeat)
    assert repeat.verdict == "fails" and repeat.evidence == "some logits are NaN or infinite."
    with pytest.raises(NotApplicable, match="do not compare"):
        asked(subject, answers_alone)


@pytest.mark.parametrize("make", [in_torch, in_keras])
def test_a_network_that_looks_at_the_batch_is_asked_one_input_at_a_time(make):
    with pytest.warns(UserWarning, match="asked one input at a time"):
        subject = make("batch")
    x = subject.to_numpy(subject.inputs(X if subject.framework == "tensorflow" else np.moveaxis(X, -1, 1)))
    plain = (
        subject.net(tf.constant(row)) if make is in_keras else subject.net(torch.tensor(row)) for row in x[:, None]
    )
    with torch.no_grad():
        alone = np.concatenate([np.asarray(logits) for logits in plain])
        together = np.asarray(subject.net(tf.constant(x) if make is in_keras else torch.tensor(x)))
    np.testing.assert_allclose(subject.outputs(x), alone, atol=1e-5)
    assert np.abs(together - alone).max() > 1e-3
    for method in ("gradient", "grad_cam", "occlusion[window=6,stride=6]"):
        rows = [hm.explain(subject, row, method, 1) for row in x[:, None]]
        np.testing.assert_allclose(hm.explain(subject, x, method, 1), np.concatenate(rows), atol=1e-5)


def test_a_network_that_comes_to_look_at_the_batch_is_told_of_and_asked_one_input_at_a_time():
    subject, x = in_torch(None), np.moveaxis(X, -1, 1)
    hm.explain(subject, x, "gradient", 1)
    subject.net[1] = nn.BatchNorm2d(4, track_running_stats=False)
    with pytest.warns(UserWarning, match="asked one input at a time"):
        together = hm.explain(subject, x, "gradient", 1)
    alone = [hm.explain(subject, row, "gradient", 1) for row in x[:, None]]
    np.testing.assert_allclose(together, np.concatenate(alone), atol=1e-6)
    subject.net[1] = nn.BatchNorm2d(4)
    subject.outputs(x)
    assert not subject.rows_alone  # mended, it is quick again


def test_other_libraries_are_refused_networks_that_look_at_the_batch(monkeypatch):
    installed = Library("Batched", "torch", ("numpy",))
    monkeypatch.setattr(METHODS, "add", lambda entry: added.append(entry))
    added = []
    peer = Peer(name="ones", kind="batched.Ones", summary="Ones.", reference=Reference("A", 2020, "B"), signed=True)
    register_peers(installed, [peer], lambda request, peer, options: request.operations.zeros(request.x.shape))
    (entry,) = added
    for fault in (None, "batch"):
        subject = in_torch(fault)
        chosen = replace(method_from("gradient"), entry=entry, parameters={})
        if fault is None:
            assert not hm.explain(subject, np.moveaxis(X, -1, 1), chosen, 1).any()
        else:
            with pytest.raises(NotApplicable, match="many inputs at once"):
                hm.explain(subject, np.moveaxis(X, -1, 1), chosen, 1)
