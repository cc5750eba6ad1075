"""How cost grows: which rows are measured, exponents of made-up times, and networks of another size."""

from __future__ import annotations

import numpy as np
import pytest
import runtime_plugin  # noqa: F401  (registers the network)
from runtime_rows import case, record, row

from heatmark.benchmark.timing.measure import Choice
from heatmark.benchmark.timing.resized_networks import changed_network
from heatmark.benchmark.timing.rows import Place, RuntimeCase
from heatmark.benchmark.timing.scaling import AXES, ScalingPoint, scaling_points, steps_parameter
from heatmark.errors import BadInput, NotApplicable
from heatmark.leaderboards.costs.scaling import draw_scaling, exponent, scaling_curves, scaling_frame
from heatmark.methods.registry import method_from

FRAMEWORKS = ("torch", "tensorflow")


def choice(*methods: str) -> Choice:
    return Choice(methods, ("net",), (Place("torch", "cpu"),), ("float32",), ("1",))


def test_every_axis_has_its_rows_and_methods_without_steps_have_no_curve_there():
    points = scaling_points(choice("saliency", "rise"), ["images=1|4", "size=32|64", "steps=8|16", "classes=2|3"])
    by_axis = {axis: [point for point in points if point.axis == axis] for axis in AXES}
    assert [point.case.batch for point in by_axis["images"]] == ["1", "4"] * 2
    assert [(point.x, point.case.size) for point in by_axis["size"]] == [(32, 32), (64, 64)] * 2
    assert [point.case.method for point in by_axis["steps"]] == ["rise[masks=8]", "rise[masks=16]"]
    assert [point.case.classes for point in by_axis["classes"]] == [2, 3] * 2
    # Where something else is varied, a method has few steps, so that the rows stay short.
    assert {point.case.method for point in by_axis["size"]} == {"saliency", "rise[masks=16]"}


def test_steps_that_were_said_stay():
    points = scaling_points(choice("rise[masks=5]"), ["images=1|2"])
    assert {point.case.method for point in points} == {"rise[masks=5]"}


def test_images_fill_chunks_unless_numbers_are_said():
    points = scaling_points(choice("saliency"), ["images"])
    assert [point.case.batch for point in points] == ["1xfull", "2xfull", "4xfull", "8xfull"]
    assert all(point.x is None for point in points)


@pytest.mark.parametrize("text", ["colour", "images=", "images=4", "images=0|1", "size=a|b"])
def test_axes_that_cannot_be_used(text):
    with pytest.raises(BadInput, match=r"axis"):
        scaling_points(choice("saliency"), [text])


@pytest.mark.parametrize(
    ("method", "name"),
    [("integrated_gradients", "steps"), ("smoothgrad", "samples"), ("rise", "masks"), ("saliency", None)],
)
def test_what_methods_call_their_steps(method, name):
    assert steps_parameter(method_from(method)) == name


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_exponents_of_exact_powers_are_exact(power):
    x = [1, 2, 4, 8]
    found = exponent(x, [[3.0 * place**power] * 3 for place in x])
    assert found == pytest.approx((power, power, power))


def test_an_exponent_interval_covers_the_truth():
    generator, x, hits = np.random.default_rng(0), [1, 2, 4, 8], 0
    for seed in range(100):
        found = exponent(x, [list(place * generator.lognormal(0.0, 0.05, 9)) for place in x], 200, seed)
        hits += found.low <= 1.0 <= found.high
    assert hits >= 85


def curves():
    base = case()
    images = [(1, [0.01]), (2, [0.02]), (4, [0.04])]
    rows = [row(case(batch=f"{number}xfull"), times, images=number) for number, times in images]
    points = [ScalingPoint("images", base, None, one.case) for one in rows]
    sizes = [row(case(size=side, batch="2xfull"), [1e-6 * side**2], images=2) for side in (32, 64)]
    points += [ScalingPoint("size", base, one.case.size, one.case) for one in sizes]
    return scaling_curves(points, record(*rows, *sizes))


def test_curves_of_whole_calls_for_images_and_of_single_images_for_sizes():
    images, sizes = curves()
    assert images.x == (1, 2, 4) and images.seconds == (0.01, 0.02, 0.04)
    assert sizes.seconds == pytest.approx((5e-7 * 32**2, 5e-7 * 64**2))
    assert sizes.exponent.value == pytest.approx(2.0)
    assert len(scaling_frame((images, sizes))) == 5


def test_rows_that_failed_leave_a_shorter_curve():
    points = [ScalingPoint("images", case(), None, case(batch=text)) for text in ("1", "2")]
    (curve,) = scaling_curves(points, record(row(case(batch="1"), [0.01])))
    assert curve.x == (1,) and np.isnan(curve.exponent.value)


def test_the_plot_has_a_panel_for_each_axis_with_the_exponents():
    drawn = curves()
    figure = draw_scaling(drawn)
    panels = [axes for axes in figure.axes if axes.axison]
    assert [axes.get_xlabel() for axes in panels] == ["images a call", "input side in pixels"]
    assert [axes.get_xscale() + axes.get_yscale() for axes in panels] == ["loglog"] * 2
    assert [text.get_text() for axes in panels for text in axes.texts] == ["1.00", "2.00"]


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_network_of_heatmarks_own_takes_another_size_and_other_classes(framework):
    pytest.importorskip(framework)
    model = changed_network("small-cnn", framework, "cpu", "float32", 16, 7)
    assert model.spatial_shape == (16, 16) and model.num_classes == 7
    assert model.outputs(np.zeros((1, *model.input_shape), np.float32)).shape == (1, 7)


def test_a_network_that_cannot_be_changed_says_so():
    pytest.importorskip("torch")
    with pytest.raises(NotApplicable, match="takes no inputs of 16"):
        changed_network("runtime-net", "torch", "cpu", "float32", 16, None)
    with pytest.raises(NotApplicable, match="fixed number of classes"):
        changed_network("runtime-net", "torch", "cpu", "float32", None, 7)
    with pytest.raises(NotApplicable, match="fixed size"):
        changed_network("runtime-net", "tensorflow", "cpu", "float32", 16, None)


def test_rows_are_told_apart_by_size_and_classes():
    one, other = RuntimeCase("a", "b", Place("torch", "cpu"), size=8), RuntimeCase("a", "b", Place("torch", "cpu"))
    assert one.key != other.key and one.network != other.network
