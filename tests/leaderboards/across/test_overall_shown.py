"""The standing across tasks and the pairs of methods in every output: the same numbers, in words and pictures."""

from __future__ import annotations

import itertools
import re
from io import StringIO

import numpy as np
import pandas as pd
import pytest
from made_runs import THREE, known_entries, made_run, spaced, stored_curves  # noqa: F401  (autouse fixtures among them)
from made_tasks import levels, made_tasks
from rich.console import Console
from typer.testing import CliRunner

from heatmark.cli.main import app
from heatmark.leaderboards.board import leaderboard
from heatmark.leaderboards.report.figures import looks, overall_figures
from heatmark.leaderboards.report.pairs import Pairs, bar_levels, differences_figure, why_no_diagram, wins_figure
from heatmark.leaderboards.standings.standings import Standings

DATA = ("digits", "mnist", "shapes", "patches", "series", "mnist1d", "photos")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Seven tasks in which a is ahead of b, and both of the control; late has no place in the last."""
    folder = tmp_path_factory.mktemp("run")
    tasks = [
        ("net", data, levels({"a": 0.1, "b[<i>=2]": 0.2, "late": 0.3, "random": 0.9}, seed=number))
        for number, data in enumerate(DATA)
    ]
    tasks[-1][2].pop("late")
    made_tasks(folder, tasks)
    return folder


def printed(action):
    console = Console(record=True, width=100, file=StringIO())
    action(console)
    return console.export_text()


def test_every_output_shows_the_standing_across_tasks(run, tmp_path):
    board = leaderboard(run)
    standing = board.overall()
    board.write(tmp_path)
    text = printed(board.show)
    assert text.index("Across tasks") < text.index("net on digits ·")
    assert "1 [1-1] a" in text and "p = 0.031" in text and "no rank: late: no place in net on photos" in text
    markdown = (tmp_path / "leaderboard.md").read_text(encoding="utf-8")
    assert "## Across tasks" in markdown and "| 1 \\[1-1\\] | a |" in markdown
    assert "b\\[&lt;i&gt;=2\\]" in markdown and "<i>" not in markdown
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    section = page[page.index('<section id="overall">') : page.index('<section id="leaderboard">')]
    assert "1 [1-1]" in section and "b[&lt;i&gt;=2]" in section and "<i>" not in section
    assert "Tasks on the same samples" in section or "tasks on the same samples" in section
    frame = pd.read_csv(tmp_path / "overall.csv")
    assert frame["method"].tolist() == [row.method.id for row in standing.rows] == ["a", "b[<i>=2]", "random", "late"]
    np.testing.assert_allclose(frame["mean_rank"], [row.mean_rank for row in standing.rows])
    assert frame["rank"].tolist()[:3] == [1, 2, 3] and np.isnan(frame["rank"].tolist()[3])
    assert frame["block:digits"].tolist()[:3] == [1, 2, 3]
    # Seven blocks for two methods over the one control: the smallest p is 2/2^7, twice that after Holm.
    assert frame["p_controls"].tolist()[:2] == pytest.approx([2 / 64, 2 / 64])


def test_it_is_computed_once_for_all_outputs(run, tmp_path, monkeypatch):
    made = []
    read = Standings.tasks.fget
    monkeypatch.setattr(Standings, "tasks", property(lambda board: made.append(board) or read(board)))
    board = leaderboard(run)
    board.write(tmp_path)
    board.show(Console(file=StringIO(), width=100))
    board.show_overall(Console(file=StringIO(), width=100))
    assert made == [board]
    assert not board.overall(fold=False).fold and board.overall().fold


def test_a_method_looks_across_tasks_as_it_does_in_each(tmp_path):
    ranking = {"integrated_gradients[steps=10]": 0.1, "integrated_gradients[steps=20]": 0.2, "saliency": 0.3}
    made_tasks(tmp_path, [("net", data, levels(ranking)) for data in DATA[:2]])
    board = leaderboard(tmp_path)
    ((_, figure),) = overall_figures(board, board.overall())
    style, means = looks(board)["saliency"], {row.method.id: row.mean_rank for row in board.overall().rows}
    (mark,) = [line for line in figure.axes[0].lines if list(line.get_xdata()) == [means["saliency"]]]
    assert (mark.get_markeredgecolor(), mark.get_fillstyle()) == (style.colour, style.mark["fillstyle"])
    assert set(means) == {"integrated_gradients", "saliency"}  # the mean of the variants is drawn too
    assert len([line for line in figure.axes[0].lines if len(line.get_xdata()) == 1]) == 2


def test_complete_rows_only_changes_no_rank(run):
    board = leaderboard(run)
    everything = printed(lambda console: board.show_overall(console))
    complete = printed(lambda console: board.show_overall(console, complete=True))
    rows = [re.findall(r"^ *\d+ \[\d-\d\] .*$", text, re.MULTILINE) for text in (everything, complete)]
    assert len(rows[0]) == 3 and [row.rstrip() for row in rows[0]] == [row.rstrip() for row in rows[1]]
    assert "late" in everything and "late" not in complete


def test_one_task_has_no_standing_across_tasks_unless_it_is_asked_for(tmp_path):
    board = leaderboard(made_run(tmp_path, THREE))
    board.write()
    assert not (tmp_path / "overall.csv").exists() and "Across tasks" not in printed(board.show)
    assert 'id="overall"' not in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "No intervals: resampling fewer than 6" in printed(lambda console: board.show_overall(console))


def test_the_command_line(run, tmp_path):
    runner = CliRunner()
    shown = runner.invoke(app, ["leaderboard", str(run), "--out", str(tmp_path), "--overall", "--differences"])
    assert shown.exit_code == 0, shown.output
    assert "Across tasks" in shown.output and "net on digits ·" not in shown.output
    names = {path.name for path in tmp_path.iterdir()}
    assert {f"overall-{kind}.{form}" for kind in ("wins", "differences") for form in ("png", "svg")} <= names


def test_all_pairs_across_tasks_are_refused_with_the_reason_and_what_would_be_enough(tmp_path):
    made_tasks(tmp_path, [("net", data, levels({"a": 0.1, "b": 0.2, "c": 0.3})) for data in DATA[:2]])
    found = CliRunner().invoke(app, ["leaderboard", str(tmp_path), "--overall", "--differences"])
    assert found.exit_code == 1
    words = " ".join(found.output.split())
    assert "with 2 independent blocks (digits; mnist) the smallest signed-rank p value is 0.5" in words
    assert "7 blocks would be enough" in words
    assert (tmp_path / "leaderboard.csv").exists() and not list(tmp_path.glob("overall-*"))


def test_pairs_of_a_table_stand_in_the_report_with_words_for_those_who_see_no_picture(tmp_path):
    made_tasks(tmp_path / "run", [("net", data, levels({"a": 0.1, "b": 0.2, "random": 0.9})) for data in DATA[:2]])
    board = leaderboard(tmp_path / "run")
    board.write(tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count('alt="Win matrix, ') == page.count('alt="Critical difference diagram, ') == len(board.tables)
    board.write_figures(tmp_path / "figures")
    names = {path.name for path in (tmp_path / "figures").iterdir()}
    assert {
        "overall.png",
        "overall.svg",
        "wins-net-on-digits-pytorch.svg",
        "differences-net-on-digits-pytorch.png",
    } <= (names)


def test_the_bars_of_a_diagram_are_the_ties_of_the_table(tmp_path):
    noisy = {name: spaced(0.5, 0.5, noise=0.2, seed=number) for number, name in enumerate(("one", "two", "three"))}
    scores = {**noisy, "random": spaced(0.9, 0.1, noise=0.01), "$x$_": spaced(0.95, 0.05, noise=0.01)}
    table = leaderboard(made_run(tmp_path, scores)).tables[0]
    assert not why_no_diagram(table)
    figure = differences_figure(Pairs.of_table(table), "words")
    axes = figure.axes[0]
    ranks = {row.method.id: row.mean_rank for row in table.rows}
    bars = [sorted(line.get_xdata()) for line in axes.lines if len(set(line.get_ydata())) == 1]
    tied = {row.tied for row in table.rows if not row.tied.alone}
    assert [str(one) for one in tied] == ["1-3"]
    assert [bar for bar in bars if len(bar) > 1] == [sorted(ranks[name] for name in noisy)]
    words = [text.get_text() for text in axes.texts]
    # In the words of the tables, a dollar sign being no formula.
    assert all(sum(row.method.label in word for word in words) == 1 for row in table.rows)


def test_no_two_bars_on_one_line_seem_to_be_one():
    generator = np.random.default_rng(3)
    for _ in range(50):
        starts = generator.uniform(0, 40, 12)
        spans = sorted(zip(starts.tolist(), (starts + generator.uniform(0, 9, 12)).tolist(), strict=True))
        found = bar_levels(spans, 1.5)
        for level in set(found):
            mine = [span for span, other in zip(spans, found, strict=True) if other == level]
            assert all(low > end + 1.5 for (_, end), (low, _) in itertools.pairwise(mine))
        # No more lines than bars that stand in each other's way at one place.
        crowd = max(sum(low <= start <= high + 1.5 for low, high in spans) for start, _ in spans)
        assert max(found) == crowd
    assert bar_levels([], 1.0) == []


def test_too_few_samples_for_a_diagram_are_said(tmp_path):
    scores = {f"m{number}": spaced(0.1 * number, 0.5, noise=0.01, seed=number) for number in range(20)}
    table = leaderboard(made_run(tmp_path, scores)).tables[0]
    # 190 pairs: 380 / 2^12 = 0.093, 380 / 2^13 = 0.046.
    assert "12 samples cannot tell apart any of the 190 pairs of 20 rows" in why_no_diagram(table)
    assert "13 samples would be enough" in why_no_diagram(table)
    assert wins_figure(Pairs.of_table(table), "words") is not None


def test_nothing_to_draw_is_no_error(tmp_path):
    table = leaderboard(made_run(tmp_path, {"one": THREE["good"]})).tables[0]
    assert wins_figure(Pairs.of_table(table), "") is None and differences_figure(Pairs.of_table(table), "") is None
    assert "no pair to compare" in why_no_diagram(table)
