"""Cost tables and plots: numbers by hand, devices that are never mixed, and the front of quality against cost."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console
from runtime_rows import case, record, row

from heatmark.benchmark.timing.rows import CHUNK, NotMeasured
from heatmark.leaderboards.costs.pareto import Pareto, ParetoPoint, on_front, paretos_markdown
from heatmark.leaderboards.costs.pareto_plot import draw_paretos
from heatmark.leaderboards.costs.plots import figures_by_device, tick_text
from heatmark.leaderboards.costs.tables import COLUMNS, cost_frame, cost_tables, costs_markdown, print_costs
from heatmark.leaderboards.standings.registered import MethodFacts
from heatmark.leaderboards.statistics.timed import Estimate


def test_times_costs_and_overheads_by_hand():
    # 4 images in 0.8 s: 0.2 s each, 20 bare forward passes. 12 passes forward, 8 of them backward as well:
    # 4 x 0.01 + 8 x 0.02 = 0.2 s bare.
    (table,) = cost_tables(record(row(case(), [0.8, 0.8, 0.8], images=4, passes=(12, 8))))
    (found,) = table.rows
    assert found.measurement.latency.median == pytest.approx(0.2) and found.measurement.throughput == pytest.approx(5.0)
    assert found.relative == pytest.approx((20.0, 20.0, 20.0)) and found.overhead.value == pytest.approx(4.0)
    assert found.passes == (3.0, 2.0)


def test_work_that_goes_forward_only_is_compared_with_forward_passes():
    (table,) = cost_tables(record(row(case("rise"), [0.6], passes=(50, 0))))
    assert table.rows[0].overhead.value == pytest.approx(0.6 / 0.5)
    (table,) = cost_tables(record(row(case("random"), [0.1], passes=(0, 0))))
    assert np.isnan(table.rows[0].overhead.value)


def test_devices_frameworks_and_precisions_never_share_a_table_or_a_plot():
    rows = [
        row(case(framework=framework, device=device, precision=precision), [0.1], device_name=name)
        for framework in ("torch", "tensorflow")
        for device, name in (("cpu", "cpu"), ("cuda", "A GPU"))
        for precision in ("float32", "bf16")
    ]
    tables = cost_tables(record(*rows))
    assert len(tables) == 8 and all(len(table.rows) == 1 for table in tables)
    figures = figures_by_device(tables)
    assert sorted(figures) == ["net · A GPU", "net · A GPU · bf16", "net · cpu", "net · cpu · bf16"]


def test_rows_of_another_size_are_no_part_of_the_table():
    assert cost_tables(record(row(case(size=64), [0.1]), row(case(classes=7), [0.1]))) == ()


def test_the_row_with_the_most_images_stands_for_a_method():
    (table,) = cost_tables(record(row(case(batch=CHUNK), [0.8], images=8), row(case(), [0.3])))
    assert table.by_method["saliency"].measurement.images == 8
    assert [item.batch for item in table.rows] == ["1", "8 (chunk)"]


def test_noisy_and_disturbed_rows_are_marked():
    rows = [row(case(), [0.1], noisy=True), row(case("rise"), [0.1], others_busy_cores=0.9)]
    rows += [row(case("lime", device="cuda"), [0.1], others_busy_cores=0.9)]
    marks = {item.method: item.marks for table in cost_tables(record(*rows)) for item in table.rows}
    assert marks == {"saliency": "~", "rise": "!", "lime": ""}


def test_every_output_shows_the_same_numbers(tmp_path):
    found = record(
        row(case(), [0.8, 0.9, 1.0], images=4),
        row(case("rise[masks=8]"), [2.0]),
        NotMeasured(case("greedy"), "ran out of memory", failed=True),
    )
    tables = cost_tables(found)
    markdown = costs_markdown(tables, found)
    assert "| saliency | 4 | 225 ms | 206 ms to 244 ms |" in markdown and "rise\\[masks=8\\]" in markdown
    assert "failed: greedy" in markdown and "a processor (2 cores, 8 GiB)" in markdown
    frame = cost_frame(tables).set_index("method")
    assert frame.loc["saliency", "latency_median"] == pytest.approx(0.225)
    console = Console(width=110, record=True, file=(tmp_path / "out").open("w"))
    print_costs(tables, found, console)
    shown = console.export_text()
    assert "225 ms" in shown and "failed: greedy" in shown and "ran out of memory" in shown
    assert len(COLUMNS) == len(markdown.splitlines()[8].split("|")) - 2


def test_bars_are_the_medians_on_a_logarithmic_scale():
    tables = cost_tables(record(row(case(), [0.02]), row(case("rise"), [0.5]), row(case("sobel"), [0.03])))
    (figure,) = figures_by_device(tables).values()
    left, right = figure.axes
    ends = sorted(bar.get_x() + bar.get_width() for bar in left.patches)
    assert ends == pytest.approx([0.02, 0.03, 0.5]) and left.get_xscale() == "log"
    assert sorted(bar.get_x() + bar.get_width() for bar in right.patches) == pytest.approx([2.0, 3.0, 50.0])
    # The dearest at the bottom; controls are marked.
    assert [label.get_text() for label in left.get_yticklabels()] == ["RISE", "Sobel Edges †", "Saliency"]


@pytest.mark.parametrize(
    ("seconds", "text"), [(1.0, "1 s"), (0.01, "10 ms"), (2e-5, "20 µs"), (1e-9, "1 ns"), (20.0, "20 s")]
)
def test_tick_texts(seconds, text):
    assert tick_text(seconds) == text


def test_the_front_is_what_no_other_beats():
    generator = np.random.default_rng(0)
    for _ in range(50):
        pairs = [tuple(map(float, pair)) for pair in generator.integers(0, 5, (6, 2))]
        found = on_front([pair[0] for pair in pairs], [pair[1] for pair in pairs])
        for one, chosen in zip(pairs, found, strict=True):
            beaten = any(other[0] <= one[0] and other[1] <= one[1] and other != one for other in itertools.chain(pairs))
            assert chosen == (not beaten)
        assert any(found)


def pareto(place: str = "PyTorch · cpu") -> Pareto:
    def point(name, rank, cost, on, family=""):
        method = MethodFacts(name, family)
        return ParetoPoint(method, Estimate(rank, rank - 0.2, rank + 0.2), Estimate(cost, cost, cost), cost / 100, on)

    points = [
        point("random", 4.0, 0.001, False, "control"),
        point("saliency", 3.0, 3.0, True),
        point("slow", 3.5, 9.0, False),
        point("rise", 1.0, 500.0, True),
    ]
    return Pareto("net on photos", place, tuple(points), measured=True)


def markers_of(axes):
    """Return each point's look by where it stands."""
    points = [line for line in axes.lines if len(line.get_xdata()) == 1]
    return {
        (line.get_xdata()[0], line.get_ydata()[0]): (line.get_markeredgecolor(), line.get_marker()) for line in points
    }


def test_the_front_is_joined_and_its_numbers_are_bold_and_the_best_is_at_the_top():
    (axes,) = draw_paretos([pareto()]).axes
    # The control is drawn at the cheapest that the axis shows.
    assert set(markers_of(axes)) == {(0.01, 4.0), (3.0, 3.0), (9.0, 3.5), (500.0, 1.0)}
    assert axes.yaxis_inverted() and axes.get_xscale() == "log"
    numbers = {text.get_text(): text.get_fontweight() for text in axes.texts}
    assert numbers == {"1": "bold", "2": "bold", "3": "normal", "4": "normal"}
    assert {text.get_text(): text.xy for text in axes.texts}["1"] == (500.0, 1.0)
    stairs = [line for line in axes.lines if line.get_linestyle() == ":"]
    assert len(stairs) == 1 and list(stairs[0].get_xdata()) == [3.0, 500.0]
    assert [item.method.id for item in pareto().front] == ["saliency", "rise"]


def test_frameworks_are_panels_of_one_size_with_the_same_looks_and_numbers():
    one, two, three = (draw_paretos([pareto(f"place {n}") for n in range(count)]) for count in (1, 2, 3))
    inches = [
        tuple(axes.get_position().bounds[2:] * figure.get_size_inches())
        for figure in (one, two, three)
        for axes in figure.axes
    ]
    assert np.allclose(inches, inches[0]) and two.get_figwidth() == three.get_figwidth() <= 7.0
    first, second = two.axes
    assert markers_of(first) == markers_of(second) and first.get_ylim() == second.get_ylim()
    assert [text.get_text() for text in first.texts] == [text.get_text() for text in second.texts]
    assert [axes.get_title(loc="left") for axes in two.axes] == ["place 0", "place 1"]


def test_long_names_and_high_costs_are_written_in_whole_and_what_is_cheaper_than_the_axis_is_said():
    cheap, dear = pareto(), replace(pareto(), points=pareto().points[1:])
    names = [f"integrated_gradients[baseline=black,steps={steps}]" for steps in range(100, 112)]
    points = [
        ParetoPoint(MethodFacts(name), Estimate(2.0 + n), Estimate(39e3), 1.0, n == 0) for n, name in enumerate(names)
    ]
    for found in ([cheap], [dear], [replace(cheap, points=tuple(points))], 2 * [replace(cheap, points=tuple(points))]):
        figure = draw_paretos(found)
        figure.canvas.draw()
        boxes = [figure.legends[0].get_window_extent(), *(axes.get_tightbbox() for axes in figure.axes)]
        assert all(box.x0 >= 0 and box.x1 <= figure.bbox.x1 for box in boxes)
        notes = [text.get_text() for text in figure.texts]
        assert any("Costs below 0.01x stand there." in note for note in notes) == (found == [cheap])


def test_the_table_of_quality_against_cost():
    lines = [line for line in paretos_markdown([pareto()]).splitlines() if line.startswith("| ")]
    assert [line.split("|")[1].strip() for line in lines[2:]] == ["Random †", "Saliency", "slow", "RISE"]
    assert [line.split("|")[-2].strip() for line in lines[2:]] == ["", "yes", "", "yes"]
