"""What a notebook shows of a board, a plan and a run: everything, and names as text."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from made_runs import THREE, known_entries, made_run, spaced, stored_curves  # noqa: F401  (autouse fixtures)

from heatmark.benchmark.running.execution import Run
from heatmark.benchmark.store.folder import RunStore
from heatmark.leaderboards.board import leaderboard
from heatmark.metrics.plan import plan

HOSTILE = "<script>alert(1)</script>"


class Words(HTMLParser):
    """Collects tags and the words between them."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.words: list[str] = []
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.words.append(data.strip())


def test_a_board_shows_its_verdict_and_tables(tmp_path: Path) -> None:
    made_run(tmp_path, {**THREE, HOSTILE: spaced(0.5, 0.4, noise=0.01, seed=4)}, frameworks=("torch", "tensorflow"))
    board = leaderboard(tmp_path)
    shown = Words(board._repr_html_())
    assert shown.tags.count("table") == len(board.tables) == 2 and "script" not in shown.tags
    assert HOSTILE in shown.words and "Random †" in shown.words
    assert any("Best of 3 methods: good" in words for words in shown.words)


def test_a_board_without_results_says_so(tmp_path: Path) -> None:
    made_run(tmp_path, THREE, missing=tuple(THREE))
    shown = Words(leaderboard(tmp_path)._repr_html_())
    assert "table" not in shown.tags and any("No method could be ranked." in words for words in shown.words)


def test_a_plan_shows_each_metric_and_the_sum() -> None:
    found = plan("deletion,insertion,n_ord")
    shown = Words(found._repr_html_())
    assert {"deletion", "insertion", "n_ord"} <= set(shown.words)
    assert str(found) in shown.words
    assert shown.tags.count("tr") == 4


def test_a_run_shows_its_summary_and_each_error_once(tmp_path: Path) -> None:
    made_run(tmp_path, THREE, failed=("good", "fair"))
    store = RunStore(tmp_path)
    run = Run(tmp_path, store, 3, 1, 0, 0, tuple(store.failures()), 1.0, notes=("no TensorFlow here",))
    shown = Words(run._repr_html_())
    assert run.summary in shown.words and "no TensorFlow here" in shown.words
    assert shown.words.count("RuntimeError: <b>boom</b>") == 1 and "2" in shown.words
    assert "table" not in Words(Run(tmp_path, store, 3, 3, 0, 0, (), 1.0)._repr_html_()).tags
