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
from heatmark.leaderboards.publishing.official_board import FRONT, front_of, short_tables, shown_tasks
from heatmark.leaderboards.publishing.pages import BEGIN, END, readme_with
from heatmark.leaderboards.publishing.publish import publication, publish
from heatmark.leaderboards.records.official import official_runs
from heatmark.leaderboards.writing.files import DOTS_PER_INCH

ROOT = Path(__file__).parents[3]
LEVELS = 8
"""Of 256: by so much may a pixel of a picture differ."""


@pytest.fixture(scope="module")
def board():
    return leaderboard(official_runs())


@pytest.fixture(scope="module")
def contents(board):
    if not (ROOT / "README.md").is_file():
        pytest.skip("the tests run without the repository")
    return publication(ROOT, official_runs(), board)


@pytest.mark.parametrize("name", ["README.md", "docs/results.md", "docs/published.md"])
def test_texts_are_those_of_the_official_results(contents, name):
    assert contents[name] == (ROOT / name).read_text(encoding="utf-8"), f"run `heatmark publish`: {name} is older"


@pytest.mark.parametrize("name", ["docs/leaderboard.png", "docs/gallery.png", "docs/pareto.png"])
def test_pictures_are_those_of_the_official_results(contents, name):
    figure = contents[name]
    assert isinstance(figure, Figure)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=DOTS_PER_INCH)
    images = [Image.open(file) for file in (drawn, ROOT / name)]
    if images[0].info["Software"] != images[1].info["Software"]:
        pytest.skip("another version of matplotlib sets words otherwise; constraints.txt has the one of the pictures")
    new, old = (np.asarray(image.convert("RGB"), np.int16) for image in images)
    assert new.shape == old.shape, f"run `heatmark publish`: {name} is older"
    # Another processor may round a colour otherwise; another digit turns pixels from dark to light.
    assert np.abs(new - old).max() <= LEVELS, f"run `heatmark publish`: {name} is older"


def test_another_digit_is_seen(contents):
    """What the test of the pictures allows is less than one digit of one number changes."""
    figure = contents["docs/leaderboard.png"]
    words = [text for axes in figure.axes for text in axes.texts if text.get_text()[:1].isdigit()]

    def drawn() -> np.ndarray:
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=DOTS_PER_INCH)
        return np.asarray(Image.open(file).convert("RGB"), np.int16)

    before, told = drawn(), words[0].get_text()
    words[0].set_text(f"{told[:-1]}{(int(told[-1]) + 1) % 10}")
    try:
        assert np.abs(drawn() - before).max() > LEVELS
    finally:
        words[0].set_text(told)


def test_the_front_is_photographs_with_controls_in_its_table(board):
    front = front_of(shown_tasks(board))
    assert (front.tables[0].setting.task.model, front.tables[0].setting.task.dataset) == FRONT
    (table, *_) = short_tables(front)
    assert "Random †" in table and "Protocols." not in table
    best = next(row for row in front.tables[0].rows if not row.method.control)
    assert table.index(best.method.name) < table.index("Random †")


def test_what_speaks_against_a_table_stands_above_it(board, contents):
    front = front_of(shown_tasks(board))
    (verdict, *_) = front.verdicts
    shown = contents["README.md"].partition(BEGIN)[2].partition(END)[0]
    assert verdict.warnings and all(
        f"**{warning}**" in shown.partition("**Table.**")[0] for warning in verdict.warnings
    )
    assert "Made by `heatmark run quick --out results/quick`." in shown


def test_a_readme_without_the_marks_is_refused(board):
    with pytest.raises(BadInput, match="has no part for the official results"):
        readme_with("# heatmark\n", board, Path("README.md"))
    again = readme_with(f"before\n{BEGIN}\nyesterday's words\n{END}\nafter\n", board, Path("README.md"))
    assert again.startswith("before\n") and again.endswith("\nafter\n") and "yesterday" not in again


def test_a_folder_that_is_no_checkout_is_refused(tmp_path):
    with pytest.raises(BadInput, match=r"it has no README\.md"):
        publish(tmp_path)
