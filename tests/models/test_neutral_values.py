"""What stands for nothing being there: what is stated counts, and fills, baselines and masks go by it."""

from __future__ import annotations

import networks
import numpy as np
import pytest
from networks import FRAMEWORKS, native, pictures

import heatmark as hm
from heatmark.benchmark.work.batches import targeted_batches
from heatmark.datasets.arrays import ArrayDataset
from heatmark.datasets.base import ArrayFormat, RawValues
from heatmark.errors import BadInput
from heatmark.methods.explain import explain_batch
from heatmark.methods.registry import method_from
from heatmark.metrics.perturbing.fills import fill_of
from heatmark.metrics.registry import metrics_named
from heatmark.models.base import Model
from heatmark.models.normalization import Normalization
from heatmark.models.wrap import wrap
from heatmark.models.zoo.loading import list_models

GENERATED = {"shapes": (0.05, 0.4), "patches": (0.3, 0.6)}
"""Between which the background's colours are drawn."""


def told(model: Model, **stated: object) -> Model:
    """The same network with something stated."""
    return wrap(model.net, input_shape=model.input_shape, **stated)


def probability(model: Model, x: np.ndarray, target: int) -> np.ndarray:
    logits = model.outputs(x).astype(np.float64)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True))[:, target]


# What counts


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_model_counts_before_the_data_and_the_data_before_the_rule(model, framework):
    plain = model("plain", framework)
    said = RawValues((0.0, 1.0), 0.3)
    assert plain.raw_values() == RawValues((0.0, 1.0), "mean")
    assert plain.raw_values(said) == said
    assert told(plain, neutral=0.7).raw_values(said) == RawValues((0.0, 1.0), 0.7)
    assert told(plain, neutral="mean").raw_values(said).neutral == "mean"


@pytest.mark.parametrize(
    ("shape", "domain", "expected"),
    [
        ((12, 12, 3), None, "mean"),
        ((12, 12, 3), (-1.0, 1.0), "mean"),
        ((20, 2), None, "mean"),
        ((20, 2), (-4.0, 8.0), 2.0),
        ((4,), None, 0.0),
        ((4,), (1.0, 3.0), 1.0),
    ],
)
def test_the_rule_where_nothing_is_stated(model, shape, domain, expected):
    if len(shape) == 1:
        subject = networks.linear("torch", np.eye(4, dtype=np.float32), np.zeros(4, np.float32))
    else:
        subject = model("plain", "torch", shape)
    assert told(subject, domain=domain).raw_values().neutral == expected


@pytest.mark.parametrize(
    "stated", [{"neutral": "grey"}, {"neutral": 2.0, "domain": (0, 1)}, {"neutral": ()}, {"domain": (1, 0)}]
)
def test_what_makes_no_sense_is_refused(model, stated):
    with pytest.raises(BadInput, match=r"neutral|domain"):
        told(model("plain", "torch"), **stated)


def test_every_network_of_the_zoo_states_what_its_data_state():
    # Of photographs each has its own mean; small networks and the data they were trained on say the same.
    for entry in list_models():
        if entry.family != "small":
            continue
        (name,) = entry.datasets
        data = hm.load_dataset(name)
        assert hm.load_model(entry.name, "torch", "cpu").raw_values() == data.raw_values, entry.name
    assert hm.load_dataset("mnist1d").raw_values == RawValues((-6.0, 6.0), 0.0)
    assert hm.load_dataset("imagenet-samples").neutral == "mean"


@pytest.mark.parametrize("name", GENERATED)
def test_a_background_is_the_middle_of_its_colours(name):
    data = hm.load_dataset(f"{name}[seed=5]")
    assert data.neutral == pytest.approx(sum(GENERATED[name]) / 2)
    batch = data.take(20, ArrayFormat((64, 64, 3)))
    # Most of a picture is background, so the median of its pixels lies near.
    assert np.median(batch.x) == pytest.approx(data.neutral, abs=0.06)


# Fills and baselines


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_black_neutral_and_white_of_a_signed_series(framework):
    subject = hm.load_model("cnn-1d", framework, "cpu")
    x = subject.inputs(hm.load_dataset("mnist1d").take(2, subject).x)
    for name, value in {"black": -6.0, "neutral": 0.0, "white": 6.0}.items():
        assert np.unique(subject.to_numpy(fill_of(subject, x, name, 0))).tolist() == [value]
    noise = subject.to_numpy(fill_of(subject, x, "noise", 0))
    assert -6 <= noise.min() < -3 and 3 < noise.max() <= 6


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_one_value_for_each_channel(model, framework):
    subject = told(model("plain", framework), neutral=(0.1, 0.2, 0.3))
    fill = subject.to_numpy(fill_of(subject, subject.inputs(native(subject, pictures(2))), "neutral", 0))
    np.testing.assert_array_equal(fill.ravel(), np.float32([0.1, 0.2, 0.3]))
    wrong = told(model("plain", framework), neutral=(0.1, 0.2))
    with pytest.raises(BadInput, match="3 channels, but 2 values"):
        hm.explain(wrong, native(wrong, pictures(1)), "occlusion[window=6,stride=6]", 0)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_occlusion_of_a_whole_series_leaves_its_neutral_value(framework):
    subject = hm.load_model("cnn-1d", framework, "cpu")
    batch = hm.load_dataset("mnist1d").take(3, subject)
    maps = hm.explain(subject, batch.x, "occlusion[window=40,stride=40]", 4)
    x = subject.to_numpy(batch.x)
    expected = probability(subject, x, 4) - probability(subject, np.zeros_like(x), 4)
    np.testing.assert_allclose(maps, np.broadcast_to(expected[:, None], (3, 40)), atol=1e-5)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_average_drop_tells_maps_of_a_series_from_noise(framework):
    """Black is -6 there, so far outside the data that hiding anything with it drops everything."""
    subject = hm.load_model("cnn-1d", framework, "cpu")
    x = hm.load_dataset("mnist1d").take(24, subject).x
    good, noise = (hm.explain(subject, x, method) for method in ("occlusion", "random"))
    drops = {
        fill: [np.mean(hm.score(subject, x, maps, f"average_drop[fill={fill}]")) for maps in (good, noise)]
        for fill in ("neutral", "black")
    }
    assert drops["neutral"][0] < 20 and drops["neutral"][1] > 60 and min(drops["black"]) > 80


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_contributions_start_from_the_neutral_value(model, framework):
    plain = model("plain", framework)
    x = native(plain, pictures(2))
    for neutral in (0.4, "mean"):
        subject = told(plain, neutral=neutral)
        blank = np.full_like(x, 0.4) if neutral == 0.4 else x.mean(axis=subject.spatial_axes, keepdims=True) + 0 * x
        change, from_black = ((subject.outputs(x) - subject.outputs(one))[:, 1] for one in (blank, 0 * x))
        assert (np.abs(change - from_black) > 0.02).all()  # so that the test can fail
        # Integrated Gradients is a sum over kinks here; the others are exact.
        exact = {"integrated_gradients[steps=300]": 1e-2, "deep_lift": 1e-4, "shapley_sampling[permutations=1]": 1e-4}
        for method, error in exact.items():
            maps = hm.explain(subject, x, method, 1)
            np.testing.assert_allclose(maps.sum(axis=(1, 2)), change, atol=error, err_msg=method)
        assert hm.score(subject, x, np.ones((2, 12, 12)), "completeness", 1) == pytest.approx(
            np.abs(144 - change) / np.abs(change), rel=1e-3
        )


@pytest.mark.parametrize("metric", ["deletion[steps=1]", "insertion[steps=1]"])
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_metrics_of_a_dataset_fill_with_what_it_states(model, framework, metric):
    plain = model("plain", framework)
    data = ArrayDataset("own", pictures(4), np.arange(4), neutral=0.3)
    seen = []
    for subject, blank in ((plain, 0.3), (told(plain, neutral=0.8), 0.8)):
        (chosen,) = metrics_named(metric)
        method = method_from("random")
        for batch, _, asked in targeted_batches(subject, data, range(4), "label", 4):
            found = asked.scores(asked.maps(method, 0), [chosen], 0, asked.explainer(method, 0)).scores[chosen.id]
            x = subject.to_numpy(batch.x)
            whole, left = (
                np.array([probability(subject, one, target)[target] for target in range(4)])
                for one in (x, np.full_like(x, blank))
            )
            np.testing.assert_allclose(found, (whole + left) / 2, atol=1e-5)
            seen.append(found)
    assert np.abs(seen[0] - seen[1]).max() > 1e-3  # the two differ, so the test can fail


def test_a_users_statement_is_part_of_the_revision():
    x = pictures(3)
    plain, grey, other = (ArrayDataset("own", x, neutral=neutral) for neutral in (None, 0.5, 0.4))
    wide = ArrayDataset("own", x, domain=(-1, 1))
    assert len({data.revision for data in (plain, grey, other, wide)}) == 4
    assert grey.subset([1]).neutral == 0.5 and wide.first(2).domain == (-1, 1)
    with pytest.raises(BadInput, match=r"expected finite ones in \[0, 1\]"):
        ArrayDataset("own", x - 1)
    assert ArrayDataset("own", x - 1, domain=(-1, 1)).take(2, ArrayFormat((12, 12, 3))).x.min() < 0


# Sizes of noise are shares of the domain


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize(
    "method", ["smoothgrad[samples=3]", "integrated_gradients[steps=5,baseline=white]", "expected_gradients[samples=4]"]
)
def test_a_wider_domain_changes_units_alone(model, framework, method):
    """The same network behind (v + 100) / 200 gives the same maps, in units of v."""
    plain = told(model("plain", framework))
    wide = told(plain, preprocess=Normalization((-100.0,), (200.0,)), domain=(-100, 100))
    x = native(plain, pictures(2))
    rate = 200.0 if method.startswith("smoothgrad") else 1.0  # a gradient is per unit, a contribution is not
    pairs = (plain, x), (wide, 200 * x - 100)
    first, second = (hm.explain(subject, inputs, method, 1) for subject, inputs in pairs)
    np.testing.assert_allclose(first, rate * second, rtol=1e-3, atol=1e-4 * np.abs(first).max())
    for metric in ("deletion[fill=noise,steps=3]", "deletion[fill=linear,steps=3]", "max_sensitivity[samples=2]"):
        found = [
            hm.score(subject, inputs, maps, metric, 1, explainer=explainer(method))
            for (subject, inputs), maps in zip(pairs, (first, second), strict=True)
        ]
        tolerance = 2e-3 if "sensitivity" in metric else 1e-3
        np.testing.assert_allclose(*found, rtol=tolerance, err_msg=metric)


def explainer(method: str):
    return lambda model, x, target, rows: explain_batch(model, method_from(method), x, target)
