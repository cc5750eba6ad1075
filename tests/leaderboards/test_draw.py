"""The public drawing functions: what they take in either framework, what they refuse, and series on pages."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from made_runs import THREE, known_entries, made_run, provenance, rows, specification, stored_curves  # noqa: F401  (fixtures)
from matplotlib.figure import Figure
from matplotlib.text import Text

import heatmark as hm
from heatmark.benchmark.store.cell import rows_schema
from heatmark.benchmark.store.folder import RunStore
from heatmark.benchmark.work.thumbnails import block_means
from heatmark.datasets.samples import Sample
from heatmark.errors import BadInput
from heatmark.leaderboards.galleries.colours import UNSIGNED_COLOURS, coloured
from heatmark.leaderboards.galleries.series_tiles import SHAPE, series_tile
from heatmark.leaderboards.report.score_matrix import draw_board
from heatmark.leaderboards.standings import stored_maps
from heatmark.leaderboards.standings.styles import family_styles

PICTURES = np.random.default_rng(0).random((2, 3, 8, 8)).astype(np.float32)
MAPS = np.random.default_rng(1).normal(size=(2, 8, 8))


def images(figure: Figure) -> list[np.ndarray]:
    return [np.asarray(panel.get_images()[0].get_array()) for panel in figure.axes if panel.get_images()]


def in_framework(values: np.ndarray, framework: str):
    if framework == "numpy":
        return values
    if framework == "torch":
        return pytest.importorskip("torch").from_numpy(values).requires_grad_()
    return pytest.importorskip("tensorflow").constant(np.moveaxis(values, 1, -1) if values.ndim == 4 else values)


@pytest.mark.parametrize("framework", ["numpy", "torch", "tensorflow"])
def test_a_gallery_takes_batches_as_networks_do(framework) -> None:
    figure = hm.draw.gallery(
        in_framework(PICTURES, framework), {"grad_cam": in_framework(MAPS.astype(np.float32), framework)}, view="map"
    )
    first, heatmap, *_ = images(figure)
    np.testing.assert_allclose(first, np.moveaxis(PICTURES[0], 0, -1))
    np.testing.assert_array_equal(heatmap, coloured(MAPS[0].astype(np.float32), False, 100.0))
    titles = [panel.get_title() for panel in figure.axes]
    assert "Grad-CAM" in titles and isinstance(figure, Figure)


def test_signs_are_the_methods_own_or_those_of_the_values() -> None:
    own = {"grad_cam": MAPS, "mine": MAPS, "other": np.abs(MAPS)}
    drawn = images(hm.draw.gallery(PICTURES, own, view="map"))[1:4]
    for found, signed, values in zip(drawn, (False, True, False), own.values(), strict=True):
        np.testing.assert_array_equal(found, coloured(values[0], signed, 100.0))
    told = images(hm.draw.gallery(PICTURES, {"mine": MAPS}, signed={"mine": False}, view="map"))[1]
    np.testing.assert_array_equal(told, coloured(MAPS[0], False, 100.0))


@pytest.mark.parametrize("series", [np.zeros((2, 1, 30)), np.zeros((2, 30, 1)), np.zeros((2, 30))])
def test_series_of_every_layout_are_lines(series) -> None:
    series = series + np.sin(np.arange(30.0)).reshape([30 if length == 30 else 1 for length in series.shape[1:]])
    figure = hm.draw.gallery(series, {"m": np.zeros((2, 30))})
    np.testing.assert_allclose(figure.axes[0].lines[0].get_ydata(), np.sin(np.arange(30.0)))


def test_what_is_no_batch_is_refused() -> None:
    for pictures, maps, words in (
        (PICTURES, {"m": MAPS[:1]}, "2 pictures"),
        ("cat.jpg", {}, "batch of numbers"),
        (np.zeros((2, 2, 2, 2, 2)), {}, "at most 3 axes"),
        (PICTURES, {"m": [None, None]}, "maps"),
        ([[1.0], [1.0, 2.0]], {}, "of one shape"),
        (PICTURES, [MAPS], "by method.*got list"),
        (np.zeros((2, 8, 8, 5)), {"m": MAPS}, "up to 4 channels"),
        # What would be drawn, and shows something else: all white, scaled for a network, turned, a channel each.
        (255 * PICTURES, {"m": MAPS}, r"one goes from .* to 25\d"),
        (PICTURES - 1, {"m": MAPS}, "before they were scaled"),
        (np.full_like(PICTURES, np.nan), {"m": MAPS}, "no numbers"),
        (np.zeros((2, 3, 8, 6)), {"m": np.zeros((2, 6, 8))}, r"shape \(6, 8\)"),
        (PICTURES, {"m": np.zeros((2, 8, 8, 3))}, "one value per position"),
        (np.zeros((2, 1, 30)), {"m": np.zeros((2, 20))}, r"positions \(30,\)"),
        # A picture alone, whose lines would be taken for series.
        (np.full((9, 12, 3), 0.5), {"m": np.zeros((9, 12))}, r"one picture or 9 series.*`pictures\[None\]`"),
        (np.full((9, 12, 4), 200, np.uint8), {"m": np.zeros((9, 12))}, "one picture or 9 series"),
        (np.full((8, 8, 1), 0.5), {"m": np.zeros((8, 8))}, r"\(n, channels, length\)"),
        (np.full((28, 28), 1.0), {"m": np.zeros((28, 28))}, "one picture or 28 series"),
    ):
        with pytest.raises(BadInput, match=words):
            hm.draw.gallery(pictures, maps)
    for options, words in (
        ({"view": "overlap"}, "view is one of"),
        ({"across": 0}, "at least 1"),
        ({"titles": "ab"}, "one per picture"),
        ({"signed": {"n": True}}, "signed names 'n'"),
    ):
        with pytest.raises(BadInput, match=words):
            hm.draw.gallery(PICTURES, {"m": MAPS}, **options)


@pytest.mark.parametrize("grid", [(4, 3), (7, 7), (14, 14), (8, 6), (40, 30), (1, 1)])
def test_maps_on_another_grid_lie_over_their_pictures(grid) -> None:
    hm.draw.gallery(np.zeros((1, 8, 6)) if grid[0] != grid[1] else np.zeros((1, 8, 8)), {"m": np.ones((1, *grid))})


def test_whole_numbers_are_drawn_as_they_are() -> None:
    whole = np.round(255 * np.moveaxis(PICTURES, 1, -1))
    for kind in (np.uint8, np.int64):
        np.testing.assert_array_equal(images(hm.draw.gallery(whole.astype(kind), {"m": MAPS}))[0], whole[0])


def test_a_board_is_drawn_task_by_task(tmp_path) -> None:
    made_run(tmp_path, THREE, frameworks=("torch", "tensorflow"))
    board = hm.leaderboard(tmp_path)
    drawn = [
        hm.draw.curves(board), hm.draw.ranks(board), hm.draw.pareto(board, "net on photos"), hm.draw.board(board),
        hm.draw.heatmaps(board), *hm.draw.figures(board).values(),
    ]  # fmt: skip
    assert all(isinstance(figure, Figure) for figure in drawn)
    words = [text.get_text() for text in hm.draw.curves(board, methods="fair").legends[0].get_texts()]
    assert words == ["1  fair", "Random †", "1 other method"]
    for call, words in (
        (lambda: hm.draw.curves(board, "net on photo"), "Did you mean 'net on photos'"),
        (lambda: hm.draw.curves(board, methods=["god"]), "Did you mean 'good'"),
        (lambda: hm.draw.heatmaps(board, methods="god"), "Did you mean 'good'"),
        (lambda: hm.draw.heatmaps(board, pictures=0), "at least 1"),
        (lambda: hm.draw.board(board, framework="jax"), "no results in 'jax'"),
        (lambda: hm.draw.ranks(tmp_path), "what heatmark.leaderboard"),
    ):
        with pytest.raises(BadInput, match=words):
            call()


def test_the_board_holds_the_tables_means_under_their_metrics(tmp_path) -> None:
    made_run(tmp_path, THREE)
    board = hm.leaderboard(tmp_path)
    (table,) = board.tables
    ranks, matrix = hm.draw.board(board).axes
    assert [label.get_text() for label in ranks.get_yticklabels()] == [
        "Random †" if row.method.control else row.method.id for row in table.rows[::-1]
    ]
    written = [text.get_text() for text in matrix.texts]
    assert written == [f"{value.mean:.3f}" for row in table.rows[::-1] for value in row.values]
    bold = [text.get_fontweight() == "bold" for text in matrix.texts]
    assert bold == [value.best for row in table.rows[::-1] for value in row.values] and any(bold)
    # The better the rank, the darker the cell.
    light = [sum(patch.get_facecolor()[:3]) for patch in matrix.patches]
    ranked = [value.rank for row in table.rows[::-1] for value in row.values]
    assert np.argsort(light).tolist() == np.argsort(ranked, kind="stable").tolist() or light == sorted(light)[::-1]


def test_a_board_of_many_metrics_is_no_wider_than_a_page(tmp_path) -> None:
    made_run(tmp_path, THREE)
    (table,) = hm.leaderboard(tmp_path).tables
    metric = next(one for one in table.metrics if one.higher_is_better is False)
    many = replace(
        table,
        metrics=tuple(replace(metric, id=f"metric_{number}") for number in range(31)),
        rows=tuple(replace(row, values=31 * row.values[:1]) for row in table.rows),
    )
    figure = draw_board(many, family_styles(row.method for row in many.rows))
    ranks, *blocks = figure.axes
    assert figure.get_figwidth() <= 7.0 and len(blocks) > 2
    heads = [label.get_text() for block in blocks for label in block.get_xticklabels()]
    assert heads == [f"metric_{number}\u00a0↓" for number in range(31)]
    for block in blocks:
        rows = [label.get_text() for label in (block.get_yticklabels() or ranks.get_yticklabels())]
        assert len(rows) == len(many.rows)
        assert len(block.texts) == len(rows) * len(block.get_xticklabels())
    figure.draw_without_rendering()
    boxes = [axes.get_tightbbox() for axes in figure.axes]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    assert min(box.x0 for box in boxes) >= 0 and max(box.x1 for box in boxes) <= figure.bbox.x1


def test_all_frameworks_of_a_task_are_drawn_wherever_the_runs_have_them(tmp_path) -> None:
    # The board's tables: PyTorch on photos, PyTorch on others, TensorFlow on photos.
    first = [specification(method, dataset=data) for data in ("photos", "others") for method in THREE]
    second = [specification(method, "tensorflow") for method in THREE]
    for name, specs in (("a", first), ("b", second)):
        store = RunStore.prepared(tmp_path / name)
        store.begin({"suite": {"name": name}}, specs)
        for spec in specs:
            store.write(spec, rows(spec, THREE[spec.method]), provenance(spec))
    board = hm.leaderboard([tmp_path / "a", tmp_path / "b"])
    assert [table.setting.framework for table in board.tables] == ["torch", "torch", "tensorflow"]
    words = "".join(text.get_text() for text in hm.draw.ranks(board, "net on photos").findobj(Text))
    assert "PyTorch" in words and "TensorFlow" in words
    assert hm.draw.board(board, "net on photos", "torch").axes
    stems = [stem for stem in hm.draw.figures(board) if stem.startswith("pareto")]
    assert stems == ["pareto-net-on-photos", "pareto-net-on-others"]


def test_a_gallery_says_of_each_framework_what_it_explains_where_they_differ(tmp_path) -> None:
    made_run(tmp_path / "same", THREE, frameworks=("torch", "tensorflow"))
    store = RunStore.prepared(tmp_path / "run")
    specs = [specification("good", framework) for framework in ("torch", "tensorflow")]
    store.begin({"suite": {"name": "made"}}, specs)
    store.write_thumbnail(specs[0].task, "s0", np.full((8, 8, 3), 128, np.uint8))
    store.write_thumbnail(specs[0].task, "s1", np.full((8, 8, 3), 128, np.uint8))
    for spec in specs:
        made = rows(spec, THREE["good"]).to_pylist()
        if spec.framework == "tensorflow":  # another class of the first photograph, and less sure of the second
            made[0] |= {"target": 2, "target_probability": 0.75}
            made[1]["target_probability"] = 0.25
        store.write(spec, pa.Table.from_pylist(made, schema=rows_schema(spec.metrics)), provenance(spec))

    def titles(run) -> list[str]:
        figure = hm.draw.heatmaps(hm.leaderboard(run))
        return [" ".join(axes.get_title().split()) for axes in figure.axes]

    assert "tench 50.0 %" in titles(tmp_path / "same")
    found = titles(tmp_path / "run")
    assert "PyTorch: tench, 50.0 % TensorFlow: class 2, 75.0 %" in found and "tench 50.0 %" in found
    board = hm.leaderboard(tmp_path / "run")
    board.write(tmp_path / "run")
    assert "<b>tench / class 2</b>" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


def test_drawing_goes_through_no_global_state() -> None:
    import subprocess
    import sys

    code = (
        "import sys, numpy as np, heatmark as hm;"
        "hm.draw.gallery(np.zeros((1, 3, 8, 8)), {'m': np.zeros((1, 8, 8))});"
        "print([m for m in ('torch', 'tensorflow', 'keras') if m in sys.modules],"
        " sys.modules['matplotlib.pyplot'].get_fignums() if 'matplotlib.pyplot' in sys.modules else [])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] []"


# Series on pages


def test_a_series_stands_as_a_line_over_its_maps_colours() -> None:
    series, heatmap = np.zeros((40, 1)), np.linspace(0.0, 1.0, 40)
    series[20:] = 1.0
    alone = series_tile(series, None, False, "overlay", 120)
    assert alone.shape == (round(SHAPE * 120), 120, 3) and alone[0].min() > 250
    rows = np.argmin(alone.sum(axis=2), axis=0)  # the darkest row of each column is the line
    assert (rows[5:50] > 60).all() and (rows[70:115] < 12).all()
    colours = series_tile(series, heatmap, False, "map", 120)
    np.testing.assert_allclose(colours[30, 1::3], coloured(heatmap, False, 100.0), atol=3)
    overlay = series_tile(series, heatmap, False, "overlay", 120)
    assert (overlay[30, 80:110] == series_tile(series, heatmap, False, "capped", 120)[30, 80:110]).all()
    assert overlay[rows[100], 100].max() < 60 and UNSIGNED_COLOURS == "inferno"
    points = series_tile(series, heatmap, False, "points", 120)
    assert points[:, 110].min() < 60 < 150 < points[:, 5].min()


def test_a_stored_map_of_a_long_series_lies_where_its_blocks_were(monkeypatch) -> None:
    heatmap = np.arange(128.0)
    row = {"map": block_means(heatmap), "map_shape": [112], "index": 3}
    spread = stored_maps.heatmap_over(row, np.zeros((128, 1)))
    assert spread.shape == (128,) and np.abs(spread - heatmap).max() <= 0.5 and (np.diff(spread) >= 0).all()
    np.testing.assert_array_equal(block_means(spread), row["map"])

    class Ramps:
        def __len__(self) -> int:
            return 10

        def sample_id(self, index: int) -> str:
            return f"s{index}"

        def sample(self, index: int) -> Sample:
            return Sample(f"s{index}", np.full((128, 1), float(index)), 0)

    monkeypatch.setattr("heatmark.datasets.registry.load_dataset", lambda name: Ramps())
    task = type("Task", (), {"dataset": "ramps"})
    found = stored_maps.seen_input(None, task, "s3", row)
    assert found is not None and (found == 3.0).all() and found.shape == (128, 1)
    chosen = stored_maps.seen_input(None, task, "s4", row)  # the fourth of the chosen samples is the fifth of the data
    assert chosen is not None and (chosen == 4.0).all()
    assert stored_maps.seen_input(None, task, "s12", row) is None  # the data have changed since
    assert stored_maps.seen_input(None, task, "s3", {**row, "map_shape": [64]}) is None
