"""The figures of a board: what is in ink, where numbers stand, panels of one size, and the files."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from made_runs import THREE, known_entries, made_run, stored_curves  # noqa: F401  (fixtures)
from matplotlib.figure import Figure
from PIL import Image

from heatmark.leaderboards.board import leaderboard
from heatmark.leaderboards.report.curves import PANEL, Cast, curves_figure, draw_curves, tag_places
from heatmark.leaderboards.report.figures import board_figures, looks, stems
from heatmark.leaderboards.report.ranks import ranks_figure
from heatmark.leaderboards.standings.kept_curves import POINTS, MeanCurve
from heatmark.leaderboards.standings.registered import MethodFacts, MetricFacts
from heatmark.leaderboards.standings.styles import family_styles
from heatmark.leaderboards.writing.files import write_files

STEMS = ("ranks", "curves", "pareto", "board-net-on-photos-pytorch", "board-net-on-photos-tensorflow", "heatmaps")
X = np.linspace(0.0, 1.0, POINTS)


def curve(level: float) -> MeanCurve:
    values = level * (1.0 - X)
    return MeanCurve(X, values, values - 0.05, values + 0.05)


def facts(count: int) -> list[MethodFacts]:
    return [MethodFacts(f"m{number}", "gradient") for number in range(count)] + [MethodFacts("random", "control")]


def drawn(metrics: int, frameworks: int = 1, count: int = 9) -> Figure:
    methods = facts(count)
    found = {
        f"framework {number}": {
            f"metric {n}": {method.id: curve(0.3 + 0.05 * place) for place, method in enumerate(methods)}
            for n in range(metrics)
        }
        for number in range(frameworks)
    }
    named = [MetricFacts(f"metric {n}", "curve", False) for n in range(metrics)]
    return draw_curves(found, named, Cast.of(methods), family_styles(methods))


def panels(figure: Figure) -> list:
    return [axes for axes in figure.axes if axes.axison]


def test_the_best_are_in_ink_and_the_others_faint() -> None:
    cast = Cast.of(facts(13))
    assert [method.id for method in cast.contenders] == ["m0", "m1", "m2", "m3", "m4"] and len(cast.faint) == 8
    assert [method.id for method in cast.controls] == ["random"]
    assert Cast.of(facts(7)).faint == ()
    chosen = Cast.of(facts(13), {"m9", "m2"})
    assert [method.id for method in chosen.contenders] == ["m2", "m9"] and len(chosen.faint) == 11
    (panel,) = panels(drawn(1))
    strong = [line for line in panel.lines if line.get_alpha() is None]
    assert len(strong) == 6 and len(panel.lines) == 10 and len(panel.collections) == 5
    assert {line.get_linestyle() for line in strong} == {"-", "--"}
    (legend,) = drawn(1).legends
    words = [text.get_text() for text in legend.get_texts()]
    assert words == ["1  m0", "2  m1", "3  m2", "4  m3", "5  m4", "Random †", "4 other methods"]


@pytest.mark.parametrize(("metrics", "frameworks", "lines"), [(1, 1, 1), (2, 1, 1), (3, 2, 2), (4, 2, 4), (7, 1, 3)])
def test_panels_and_words_have_one_size_however_many_there_are(metrics: int, frameworks: int, lines: int) -> None:
    figure = drawn(metrics, frameworks)
    shown = panels(figure)
    inches = np.array([axes.get_position().bounds[2:] * figure.get_size_inches() for axes in shown])
    assert len(shown) == metrics * frameworks and np.allclose(inches, PANEL)
    assert figure.get_figwidth() <= 7.0 and len({axes.get_position().y0 for axes in shown}) == lines
    assert {axes.title.get_fontsize() for axes in shown} == {drawn(1).axes[0].title.get_fontsize()}
    boxes = [axes.get_tightbbox() for axes in shown]
    assert not any(a.overlaps(b) for n, a in enumerate(boxes) for b in boxes[:n])
    (legend,) = figure.legends
    below = legend.get_window_extent()
    assert not any(below.overlaps(box) for box in boxes) and below.y0 >= 0 and below.x1 <= figure.bbox.x1


def test_numbers_stand_on_their_curves_apart_from_each_other() -> None:
    curves = {name: level * (1.0 - X) ** power for name, level, power in (("a", 1, 1), ("b", 1, 3), ("c", 1, 1))}
    places = tag_places(curves, [0.5 * (1.0 - X)], (-0.1, 1.1))
    for name, (x, y) in places.items():
        assert y == pytest.approx(curves[name][round(x * 100)])
    middles = np.array([(x * PANEL[0], y * PANEL[1] / 1.2) for x, y in places.values()])
    apart = [np.hypot(*(middles[n] - middles[m])) for n in range(3) for m in range(n)]
    assert min(apart) > 0.14  # a number's circle, also where two curves are the same
    assert tag_places({"a": np.full(POINTS, np.nan)}, [], (0.0, 1.0)) == {}


def test_every_figure_of_a_board_in_two_forms_with_the_same_bytes_each_time(tmp_path) -> None:
    made_run(tmp_path / "run", THREE, frameworks=("torch", "tensorflow"))
    board = leaderboard(tmp_path / "run")
    written = board.write_figures(tmp_path / "figures")
    names = [path.name for path in written]
    assert [name for name in names if name.startswith(STEMS)] == [f"{s}.{e}" for s in STEMS for e in ("png", "svg")]
    for path in written:
        if path.suffix == ".png":
            assert np.asarray(Image.open(path).convert("L")).std() > 5
    again = leaderboard(tmp_path / "run")
    figures = {f"{stem}.svg": figure for stem, figure in board_figures(again, again.overall()).items()}
    for path in write_files(tmp_path / "again", figures):  # drawn points differ where these would
        assert path.read_bytes() == (tmp_path / "figures" / path.name).read_bytes()


def test_a_method_looks_the_same_in_every_figure(tmp_path) -> None:
    made_run(tmp_path, THREE)
    board = leaderboard(tmp_path)
    styles = looks(board)
    figures = board_figures(board, board.overall())
    (table,) = board.tables
    for name, style in styles.items():
        place = next(row for row in table.rows if row.method.id == name)
        points = [
            line
            for line in figures["ranks"].axes[0].lines
            if list(line.get_xdata()) == [place.mean_rank] and line.get_marker() == style.marker
        ]
        assert points and all(line.get_markeredgecolor() == style.colour for line in points)
        for kind in ("curves", "pareto"):
            colours = {line.get_color() for line in figures[kind].axes[0].lines} | {
                line.get_markeredgecolor() for line in figures[kind].axes[0].lines
            }
            assert style.colour in colours


def test_mean_ranks_are_drawn_where_they_are_and_the_leaders_are_shaded(tmp_path) -> None:
    made_run(tmp_path, THREE)
    (table,) = leaderboard(tmp_path).tables
    figure = ranks_figure([table])
    (axes,) = figure.axes
    names = [label.get_text() for label in axes.get_yticklabels()][::-1]
    assert names == ["good", "fair", "Random †"]
    drawn_ranks = {
        round(float(line.get_ydata()[0])): line.get_xdata()[0] for line in axes.lines if len(line.get_xdata()) == 1
    }
    assert [drawn_ranks[len(names) - 1 - n] for n in range(len(names))] == [row.mean_rank for row in table.rows]
    assert len(axes.patches) == sum(row.leads for row in table.rows) > 0


def test_curves_may_be_named_by_the_reader(tmp_path) -> None:
    made_run(tmp_path, THREE)
    (table,) = leaderboard(tmp_path).tables
    (legend,) = curves_figure([table], {"fair"}).legends
    assert [text.get_text() for text in legend.get_texts()] == ["1  fair", "Random †", "1 other method"]


def test_files_of_several_tasks_are_told_apart() -> None:
    figure = Figure()
    assert list(stems("ranks", [("net on photos", figure)])) == ["ranks"]
    several = stems("ranks", [("net on photos", figure), ("net/2 on ../x", figure), ("net on photos", figure)])
    assert list(several) == ["ranks-net-on-photos", "ranks-net-2-on-x", "ranks-net-on-photos-2"]


def test_figures_are_drawn_at_any_resolution_without_a_window() -> None:
    buffer = BytesIO()
    drawn(2).savefig(buffer, format="png", dpi=40)
    assert Image.open(buffer).size[0] > 100
