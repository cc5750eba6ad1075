"""Sweeps: what a grid means, that its axes are right, that it resumes, and which setting is called the best."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from heatmark.benchmark.sweep_axes import Axis, parsed, spelt
from heatmark.errors import BadInput, HeatmarkError, Interrupted, NotApplicable, UnknownName
from heatmark.leaderboards.galleries.colours import coloured
from heatmark.leaderboards.galleries.views import seen
from heatmark.leaderboards.standings.results import MethodRun
from heatmark.leaderboards.sweeps.plots import draw_maps, draw_scores, grid, write_sweep
from heatmark.leaderboards.sweeps.sweep import Sweep, sweep
from heatmark.methods.registry import METHODS

HERE = Path(__file__).parents[1] / "shared" / "plugins"
PLUGINS = [str(HERE / "tiny_plugin.py"), str(HERE / "grid_plugin.py")]
ACROSS, UP = (1, 2, 3, 5), (1, 4)


def heatmap(across: int, up: int) -> np.ndarray:
    """Return the map that the plugin's method gives: 8 by 8 values of which 10 * up + across are positive."""
    return np.where(np.arange(64) < 10 * up + across, 1.0, -1.0).astype(np.float32).reshape(8, 8)


def axes_of(*texts: str, method: str = "smoothgrad") -> list[tuple[Any, ...]]:
    return [axis.values for axis in parsed(method, texts)[1]]


# Axes


def test_a_range_has_both_ends_and_whole_numbers_where_the_parameter_is_whole():
    noise, samples = axes_of("noise=0.02:0.5:6", "samples=5:80:6")
    np.testing.assert_allclose(noise, np.linspace(0.02, 0.5, 6), rtol=1e-9)
    assert samples == (5, 20, 35, 50, 65, 80) and all(isinstance(value, int) for value in samples)
    assert axes_of("samples=1:3:5") == [(1, 2, 3)]  # 1.5 and 2.5 round to values that are there already
    assert axes_of("noise=0.1:0.7:7")[0][2] == 0.3
    assert axes_of("samples=20:5:4") == [(20, 15, 10, 5)]


def test_values_may_be_listed_or_given_as_they_are():
    assert axes_of("noise=0.1|0.4") == [(0.1, 0.4)]
    assert axes_of("baseline=black|white", method="integrated_gradients") == [("black", "white")]
    fixed, axes = parsed("smoothgrad[samples=7]", {"noise": [0.25, 0.5]})
    assert fixed.text == "smoothgrad[samples=7]" and axes == (Axis("noise", (0.25, 0.5)),)
    assert axes[0].is_numeric and not Axis("baseline", ("black", "white")).is_numeric
    assert [spelt(value) for value in (0.1, 7, None, "black", True)] == ["0.1", "7", "none", "black", "True"]


@pytest.mark.parametrize(
    ("method", "axes", "error", "words"),
    [
        ("smoothgrad", [], BadInput, "one or two parameters"),
        ("smoothgrad", ["noise=0:1:3", "samples=1:3:3", "seed=1:2:2"], BadInput, "got 3"),
        ("smoothgrad", ["nois=0:1:3"], UnknownName, "Did you mean 'noise'"),
        ("smoothgrad", ["noise"], BadInput, "name=low:high:count"),
        ("smoothgrad", ["noise=0:1:x"], BadInput, "got '0:1:x'"),
        ("smoothgrad", ["noise=0:1:1"], BadInput, "at least 2"),
        ("smoothgrad", ["noise=1:1:3"], BadInput, "two different ends"),
        ("smoothgrad", ["noise=0:inf:3"], BadInput, "two different ends"),
        ("smoothgrad", ["noise=0.5"], BadInput, "at least two"),
        ("smoothgrad", ["noise=0.02:0.5"], BadInput, "low:high:count, such as 0.02:0.5:6"),
        ("smoothgrad", ["noise=0:1:3", "noise=1:2:3"], BadInput, "given twice"),
        ("smoothgrad[noise=0.1]", ["noise=0:1:3"], BadInput, "given twice"),
        ("smoothgrad", ["samples=0:5:3"], BadInput, "at least 1"),
        ("smoothgrad", ["noise=-1|1"], BadInput, "at least 0"),
        ("smoothgrd", ["noise=0:1:3"], UnknownName, "Did you mean 'smoothgrad'"),
        ("smoothgrad|rise", ["noise=0:1:3"], (BadInput, UnknownName), "smoothgrad"),
    ],
)
def test_axes_that_cannot_be_used_are_refused_before_anything_runs(method, axes, error, words, tmp_path):
    with pytest.raises(error, match=words):
        sweep(method, axes, out=tmp_path / "s")
    assert not (tmp_path / "s").exists()


# Sweeps of a tiny network


@pytest.fixture(autouse=True)
def tiny_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "tiny"
    folder.mkdir()
    monkeypatch.setenv("TINY_FOLDER", str(folder))
    monkeypatch.chdir(tmp_path)
    yield folder


@pytest.fixture
def swept(tmp_path: Path) -> Callable[..., Sweep]:
    """Return a function that sweeps `spelling` on the tiny network in this process."""
    pytest.importorskip("torch")

    def begin(*axes: str, method: str = "spelling", metric: str = "many", **options: Any) -> Sweep:
        defaults: dict[str, Any] = {"out": tmp_path / "sweep", "engine": "serial", "device": "cpu", "progress": False}
        return sweep(
            method, axes or ("across=1|2|3|5", "up=1|4"), metric=metric, model="tiny", data="tiny-pictures",
            framework="torch", plugins=PLUGINS, **{**defaults, **options},
        )  # fmt: skip

    return begin


def calls(folder: Path) -> list[str]:
    path = folder / "spelt"
    return path.read_text().split() if path.exists() else []


def panels_of(figure: Any) -> np.ndarray:
    """Return the panels of the first sample, (lines, columns)."""
    return np.array(figure.subfigs[0].axes).reshape(len(UP), len(ACROSS) + 1)


def test_the_axes_are_not_swapped(swept):
    """The published figure of a course project had its axes swapped; here a grid of 4 by 2 spells its parameters."""
    found = swept()
    means = grid(found)
    assert list(means.columns) == ["1", "2", "3", "5"] and list(means.index) == ["4", "1"]
    np.testing.assert_array_equal(means.to_numpy(), [[10 * up + across for across in ACROSS] for up in (4, 1)])
    panel = draw_scores(found).axes[0]
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("across", "up")
    assert [label.get_text() for label in panel.get_xticklabels()] == ["1", "2", "3", "5"]
    assert [label.get_text() for label in panel.get_yticklabels()] == ["4", "1"]
    np.testing.assert_array_equal(panel.collections[0].get_array().reshape(2, 4), means.to_numpy())
    assert panel.yaxis_inverted()  # so the first row of the array is on top
    written = {text.get_position(): text.get_text() for text in panel.texts}
    assert written[0.5, 0.5] == "41.00" and written[3.5, 1.5] == "15.00"


def test_the_maps_stand_where_their_scores_stand(swept):
    figure = draw_maps(swept(), view="map")
    panels = panels_of(figure)
    for line, up in enumerate((4, 1)):
        for column, across in enumerate(ACROSS, 1):
            drawn = np.asarray(panels[line, column].get_images()[0].get_array())
            np.testing.assert_array_equal(drawn, coloured(heatmap(across, up), True, 100))
    assert [panel.get_xlabel() for panel in panels[1, 1:]] == ["across = 1", "2", "3", "5"]
    assert [panels[line, 1].get_ylabel() for line in (0, 1)] == ["up\n4", "1"]
    title = panels[0, 0].get_title()
    assert title.startswith("picture/0\n") and title.endswith(" %")


def test_maps_of_several_samples_in_another_view(swept):
    found = swept("across=1|3", "up=1|4")
    figure = draw_maps(found, pictures=2, view="mask")
    assert [part.axes[0].get_title().split("\n")[0] for part in figure.subfigs] == ["picture/0", "picture/1"]
    photograph = np.asarray(Image.open(found.standings.thumbnail(found.table.setting.task, "picture/1")))
    drawn = np.asarray(figure.subfigs[1].axes[2].get_images()[0].get_array())
    np.testing.assert_array_equal(drawn, seen(photograph, heatmap(3, 4), True, "mask"))


def test_a_series_is_drawn_with_its_maps(swept, monkeypatch):
    """Stored maps of a series have no photograph beside them: the series comes from the dataset, while it is there."""
    from heatmark.datasets import registry
    from heatmark.datasets.base import Sample

    found = swept("across=1|2")
    kept = MethodRun.maps
    monkeypatch.setattr(MethodRun, "maps", lambda run: kept(run).assign(map_shape=[[64]] * len(kept(run))))
    series = np.random.default_rng(0).random((64, 1), dtype=np.float32)
    known = type(
        "Known",
        (),
        {
            "__len__": lambda self: 2,
            "sample_id": lambda self, index: f"picture/{index}",
            "sample": lambda self, index: Sample(f"picture/{index}", series, 0),
        },
    )
    monkeypatch.setattr(registry, "load_dataset", lambda name: known())
    panels = draw_maps(found).subfigs[0].axes
    assert [len(panel.lines) for panel in panels] == [1, 1, 1]
    np.testing.assert_array_equal(panels[1].lines[0].get_ydata(), series[:, 0])

    def gone(name):
        raise UnknownName(name)

    monkeypatch.setattr(registry, "load_dataset", gone)
    panels = draw_maps(found).subfigs[0].axes
    assert [len(panel.lines) for panel in panels] == [0, 0, 0] and panels[1].get_images()


@pytest.mark.parametrize(("metric", "best", "words"), [("many", (5, 4), "higher"), ("few", (1, 1), "lower")])
def test_the_best_is_that_of_the_metrics_direction(swept, metric, best, words):
    found = swept(metric=metric)
    assert found.best is not None and found.best.values == best
    assert f"across={best[0]}, up={best[1]}" in found.verdict and f"({words} is better)" in found.verdict
    value = 10 * best[1] + best[0]
    assert f"{value}.00 [{value}.00, {value}.00] over 6 samples" in found.verdict
    panel = draw_scores(found).axes[0]
    (frame,) = [patch for patch in panel.patches if isinstance(patch, mpl.patches.Rectangle)]
    assert frame.get_xy() == (ACROSS.index(best[0]), 1 - UP.index(best[1]))
    framed = [
        (line, column)
        for (line, column), part in np.ndenumerate(panels_of(draw_maps(found)))
        if part.spines["left"].get_visible()
    ]
    assert framed == [(1 - UP.index(best[1]), 1 + ACROSS.index(best[0]))]
    # Bright stands for good in both directions.
    mesh = panel.collections[0]
    assert mesh.cmap(mesh.norm(float(value)))[:3] == mpl.colormaps["viridis"](1.0)[:3]


def test_what_shows_the_interval_is_what_the_note_says(swept, monkeypatch):
    found = swept("across=1|2")
    for numeric, words in ((True, "Band: 95 %"), (False, "Lines: 95 %")):
        monkeypatch.setattr(Axis, "is_numeric", property(lambda self, numeric=numeric: numeric))
        figure = draw_scores(found)
        filled = [one for one in figure.axes[0].collections if isinstance(one, mpl.collections.PolyCollection)]
        assert len(filled) == numeric and any(text.get_text().startswith(words) for text in figure.texts)


def test_separable_or_not(swept, tmp_path):
    """Six samples cannot separate eight settings after Holm's correction, but they can two."""
    assert "cannot be told apart from the runner-up, across=3, up=4 (43.00), nor from 6 further" in swept().verdict
    two = swept("across=1|2", out=tmp_path / "two")
    assert "It is separable from the runner-up, across=1 (11.00)." in two.verdict
    assert two.tied == []


def test_files_are_written_whole_and_say_what_they_hold(swept, tmp_path):
    found = swept(method="spelling[share=0.25]")
    written = write_sweep(found)
    assert [path.name for path in written] == [
        "sweep.csv",
        "sweep.png",
        "sweep.svg",
        "maps.png",
        "maps.svg",
    ]
    assert all(Image.open(path).format == "PNG" for path in written if path.suffix == ".png")
    assert all(path.read_bytes().startswith(b"<?xml") for path in written if path.suffix == ".svg")
    table = pd.read_csv(tmp_path / "sweep" / "sweep.csv")
    assert table[["across", "up"]].to_numpy().tolist() == [[across, up] for across in ACROSS for up in UP]
    np.testing.assert_array_equal(table["mean"], 10 * table["up"] + table["across"])
    assert (table["scored_images"] == 6).all() and set(table["method"]) == {"spelling[share=0.25]"}
    assert table.loc[table["best"], ["across", "up"]].to_numpy().tolist() == [[5, 4]]
    assert table.loc[table["best"], "rank"].tolist() == [1]
    before = {path: path.read_bytes() for path in written}
    again = write_sweep(swept(method="spelling[share=0.25]"))
    assert {path: path.read_bytes() for path in again} == before


def test_no_parameter_of_a_method_hides_a_column_of_the_table(swept):
    columns = {name for name in swept("across=1|2").frame if name != "across"}
    taken = {parameter.name for entry in METHODS for parameter in entry.parameters}
    assert columns & taken == set()


def test_the_folder_says_what_was_swept_and_on_what(swept):
    """Its leaderboard was headed with the packaged suite's name, whose network and data are others."""
    assert swept().standings.runs[0]["name"] == "tiny on tiny-pictures"


def test_a_sweep_goes_on_where_it_was_stopped(swept, tiny_folder, monkeypatch):
    from heatmark.benchmark.work.cell import CellJob
    from heatmark.benchmark.work.worker import Worker

    whole, done = Worker.run, []

    def stopping(self, job, report):
        if len(done) == 3:
            raise KeyboardInterrupt
        done.extend([job] if isinstance(job, CellJob) else [])  # before, the model was described
        return whole(self, job, report)

    monkeypatch.setattr(Worker, "run", stopping)
    with pytest.raises(Interrupted, match=r"3 finished points are kept in .*sweep"):
        swept()
    monkeypatch.setattr(Worker, "run", whole)
    first = calls(tiny_folder)
    assert set(first) == {"1,1", "1,4", "2,1"}
    swept()
    rest = calls(tiny_folder)[len(first) :]
    assert set(rest) == {"2,4", "3,1", "3,4", "5,1", "5,4"}
    swept("across=1|2|3|5", "up=4|1")  # the same points in another order
    with pytest.raises(BadInput, match=r"holds another run.*spelling\[across=4,up=1\].*--force"):
        swept("across=1:5:5", "up=1|4")
    finer = swept("across=1:5:5", "up=1|4", force=True)
    assert set(calls(tiny_folder)[len(first) + len(rest) :]) == {"4,1", "4,4"}
    assert len(finer.points) == 10 and all(np.isfinite(point.mean) for point in finer.points)


def test_a_point_that_fails_stays_empty_and_the_others_count(swept):
    found = swept("across=2|9", "up=1|4")
    assert found.best is not None and found.best.values == (2, 4)
    assert np.isnan(grid(found).to_numpy()).tolist() == [[False, True], [False, True]]
    panel = draw_scores(found).axes[0]
    assert [text.get_text() for text in panel.texts] == ["42.00", "12.00"]
    assert len(write_sweep(found)) == 5
    assert found.frame["mean"].isna().tolist() == [False, False, True, True]
    panels = np.array(draw_maps(found).subfigs[0].axes).reshape(2, 3)
    assert panels[0, 2].texts[0].get_text() == "no heatmap"
    assert len(found.standings.failures) == 2


def test_nothing_to_show_is_an_error_with_the_reason(swept, tmp_path):
    with pytest.raises(NotApplicable, match="it has no home"):
        swept("size=1|2", method="homeless")
    with pytest.raises(HeatmarkError, match=r"Every point of the sweep failed.*broken on purpose"):
        swept("up=1|2", method="spelling[across=9]", out=tmp_path / "other")


def test_one_parameter_is_a_line_with_its_interval(swept):
    found = swept("across=5|1|3")
    panel = draw_scores(found).axes[0]
    line = panel.lines[0]
    assert line.get_xdata().tolist() == [1, 3, 5] and line.get_ydata().tolist() == [11, 13, 15]
    assert panel.lines[1].get_xdata().tolist() == [5]  # the best
    assert panel.collections and panel.get_xlabel() == "across" and "Many ↑" in panel.get_ylabel()
    assert panel.get_legend().get_texts()[0].get_text() == "best: across=5"
    part = draw_maps(found).subfigs[0].axes
    assert [axis.get_xlabel() for axis in part] == ["", "across = 5", "1", "3"]


def test_names_are_an_axis_without_a_scale(swept):
    found = swept("kind=plain|fancy", method="spelling")
    panel = draw_scores(found).axes[0]
    assert [label.get_text() for label in panel.get_xticklabels()] == ["plain", "fancy"]
    both = swept("kind=plain|fancy", "up=1|4", method="spelling", force=True)
    assert list(grid(both).columns) == ["plain", "fancy"]


@pytest.mark.parametrize(("pictures", "view"), [(0, "map"), (9, "map"), (1, "map,mask"), (1, "maps")])
def test_drawings_that_cannot_be_made_are_refused_before_anything_runs(pictures, view):
    from heatmark.cli.main import app

    words = ["sweep", "smoothgrad", "noise=0:1:2", "--pictures", str(pictures), "--view", view, "--out", "s"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2 and "Traceback" not in result.stderr
    assert not Path("s").exists()


def test_the_command(tmp_path):
    pytest.importorskip("torch")
    from heatmark.cli.main import app

    plugins = [word for plugin in PLUGINS for word in ("--plugin", plugin)]
    options = ["--model", "tiny", "--data", "tiny-pictures", "--framework", "torch", "--device", "cpu"]
    words = ["sweep", "spelling", "across=1:5:3", "up=1|4", "--metric", "few", "--engine", "serial", "--limit", "4"]
    result = CliRunner().invoke(app, [*words, *options, *plugins, "--out", "s"])
    assert result.exit_code == 0, result.stderr
    assert "Best of 6 settings of spelling: across=1, up=1" in result.stdout and "over 4 samples" in result.stdout
    assert "sweep.csv" in result.stdout and (tmp_path / "s" / "maps.png").is_file()
    assert "[6/6] tiny on tiny-pictures" in result.stderr
    failing = ["sweep", "spelling", "across=1|9", "--metric", "few", "--engine", "serial", *options, *plugins]
    result = CliRunner().invoke(app, [*failing, "--out", "s", "--force"])
    assert result.exit_code == 1 and "failed: spelling[across=9]: ValueError: broken on purpose" in result.stderr
    shown = CliRunner().invoke(app, ["sweep", "--help"])
    assert "heatmark sweep smoothgrad noise=0.02:0.5:6 samples=5:80:6 --metric deletion" in shown.stdout
