"""What is shown of the official results is what they say: README, docs and pictures are made anew and compared."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from heatmark.errors import BadInput
from heatmark.leaderboards.board import leaderboard
from heatmark.leaderboards.publishing.official_board import FRONT, front_of, short_tables, tasks_of
from heatmark.leaderboards.publishing.pages import BEGIN, END, readme_with
from heatmark.leaderboards.publishing.publish import publication, publish
from heatmark.leaderboards.records.official import official_runs
from heatmark.leaderboards.writing.files import DOTS_PER_INCH

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def contents():
    if not (ROOT / "README.md").is_file():
        pytest.skip("the tests run without the repository")
    runs = official_runs()
    return publication(ROOT, runs, leaderboard(runs))


@pytest.mark.parametrize("name", ["README.md", "docs/results.md", "docs/published.md"])
def test_texts_are_those_of_the_official_results(contents, name):
    assert contents[name] == (ROOT / name).read_text(encoding="utf-8"), f"run `heatmark publish`: {name} is older"


@pytest.mark.parametrize("name", ["docs/leaderboard.png", "docs/gallery.png", "docs/pareto.png"])
def test_pictures_are_those_of_the_official_results(contents, name):
    figure = contents[name]
    assert isinstance(figure, Figure)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=DOTS_PER_INCH)
    new, old = (np.asarray(Image.open(file).convert("RGB"), np.float64) for file in (drawn, ROOT / name))
    assert new.shape == old.shape, f"run `heatmark publish`: {name} is older"
    # Fonts may be smoothed otherwise by another version of a library; another number changes more.
    assert np.abs(new - old).mean() < 0.5


def test_the_front_is_photographs_with_controls_in_its_table():
    board = leaderboard(official_runs())
    front = front_of(tasks_of(board))
    assert (front.tables[0].setting.task.model, front.tables[0].setting.task.dataset) == FRONT
    (table, *_) = short_tables(front)
    assert "Random †" in table and "Protocols." not in table
    best = next(row for row in front.tables[0].rows if not row.method.control)
    assert table.index(best.method.name) < table.index("Random †")


def test_a_readme_without_the_marks_is_refused():
    board = leaderboard(official_runs())
    with pytest.raises(BadInput, match="has no part for the official results"):
        readme_with("# heatmark\n", board, Path("README.md"))
    again = readme_with(f"before\n{BEGIN}\nyesterday's words\n{END}\nafter\n", board, Path("README.md"))
    assert again.startswith("before\n") and again.endswith("\nafter\n") and "yesterday" not in again


def test_a_folder_that_is_no_checkout_is_refused(tmp_path):
    with pytest.raises(BadInput, match=r"it has no README\.md"):
        publish(tmp_path)
