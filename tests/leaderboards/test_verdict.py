"""The verdict in words: the best method and its ties, controls, metrics, the network, and what the samples can tell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_audits import made
from made_runs import SAMPLES, THREE, known_entries, made_run, spaced, stored_curves  # noqa: F401  (autouse fixtures)
from rich.console import Console
from scipy import stats

from heatmark.leaderboards.board import Board, leaderboard
from heatmark.leaderboards.report.html import html_report
from heatmark.leaderboards.report.tables import board_markdown
from heatmark.leaderboards.report.verdict import least_difference, verdicts


def sentences(board: Board) -> str:
    (verdict,) = verdicts(board)
    return " ".join(verdict.sentences)


def relabelled(board: Board, labels: list[int], predicted: list[int], classes: int | None = 3) -> Board:
    """Return a board whose network was asked about samples of these labels."""
    table = board.tables[0]
    runs = [
        replace(run, rows=run.rows.assign(label=labels, predicted=predicted),
                provenances=tuple({**one, "classes": classes} for one in run.provenances))
        for run in table.results.methods
    ]  # fmt: skip
    right = float(np.mean(np.equal(labels, predicted)))
    facts = replace(table.model, samples=len(labels), unknown_labels=0, accuracy=right)
    return replace(board, tables=(replace(table, results=replace(table.results, methods=tuple(runs)), model=facts),))


def test_a_clear_winner_that_beats_the_control(tmp_path):
    made_run(tmp_path, THREE)
    text = sentences(leaderboard(tmp_path))
    assert "Best of 2 methods: good (mean rank 1.00), told apart from every other." in text
    assert "It beats every control (random)." in text


def test_ties_are_named_and_a_control_among_them_is_a_warning(tmp_path):
    made_run(tmp_path, {name: spaced(0.3, 0.6, noise=0.1, seed=seed) for seed, name in enumerate(("a", "b", "random"))})
    board = leaderboard(tmp_path)
    best, other = [row.method.id for row in board.tables[0].rows if not row.method.control]
    text = sentences(board)
    assert f"{best} (mean rank" in text and f"not told apart from {other}." in text
    assert "t is not told apart from the control random." in text
    assert "says nothing about methods" in verdicts(board)[0].warnings[0]


def test_a_control_that_wins_is_said_to(tmp_path):
    made_run(tmp_path, {"random": THREE["good"], "a": THREE["fair"], "b": THREE["random"]})
    assert "The control random beats it." in sentences(leaderboard(tmp_path))


def test_without_controls_or_methods(tmp_path):
    made_run(tmp_path / "one", {"good": THREE["good"]})
    text = sentences(leaderboard(tmp_path / "one"))
    assert "good is the only method that was ranked. No control was run" in text
    made_run(tmp_path / "none", THREE, missing=tuple(THREE))
    assert "No method could be ranked." in sentences(leaderboard(tmp_path / "none"))
    made_run(tmp_path / "control", {"random": THREE["random"]})
    assert "Only controls were ranked." in sentences(leaderboard(tmp_path / "control"))


def test_the_least_difference_is_that_of_an_interval_over_samples(tmp_path):
    generator = np.random.default_rng(1)
    made_run(tmp_path, {name: generator.random((2, SAMPLES)) for name in "abcd"})
    table = leaderboard(tmp_path).tables[0]
    # By pandas and a paired t-interval: the ranks of each sample on each metric, averaged over metrics.
    scores = table.results.scores
    order = [
        pd.DataFrame(scores[place]).rank(ascending=not metric.higher_is_better)
        for place, metric in enumerate(table.metrics)
    ]
    mean = (sum(order) / len(order)).to_numpy()
    widths = []
    for one in range(4):
        for other in range(one + 1, 4):
            found = stats.ttest_rel(mean[one], mean[other]).confidence_interval(1 - 0.05 / 6)
            widths.append((found.high - found.low) / 2)
    assert least_difference(table) == pytest.approx(np.median(widths), rel=1e-6)
    assert f"differ by about {np.median(widths):.1f} (of 1 to 4)" in sentences(leaderboard(tmp_path))


@pytest.mark.parametrize(
    ("labels", "predicted", "classes", "words"),
    [
        ([0, 1, 2] * 4, [0, 1, 2] * 4, 3, None),
        (
            [0, 1, 2] * 4,
            [0] * 12,
            3,
            "at chance on these samples: 4 of 12 right, and always saying the commonest label",
        ),
        ([0] * 10 + [1] * 2, [0] * 12, 2, "10 of 12 right, and always saying the commonest label gets 83.3 %"),
        (list(range(12)), [0, 1, *[5] * 10], 1000, None),  # two of a thousand classes is no chance
        (list(range(12)), [20] * 12, 1000, "guessing among 1000 classes gets 0.1 %"),
        ([1] * 12, [1] * 12, 3, "All samples have the same label"),
    ],
)
def test_a_network_at_chance_is_warned_of(tmp_path, labels, predicted, classes, words):
    made_run(tmp_path, THREE)
    (verdict,) = verdicts(relabelled(leaderboard(tmp_path), labels, predicted, classes))
    right = sum(one == other for one, other in zip(labels, predicted, strict=True))
    assert f"The network is right on {right} of 12" in verdict.sentences[-1]
    assert verdict.warnings == () if words is None else words in verdict.warnings[0]


def test_metrics_that_passed_their_audit_are_counted(tmp_path):
    made_run(tmp_path, THREE)
    board = leaderboard(tmp_path)
    assert "No audit of the 2 metrics is known" in sentences(board)
    table = board.tables[0]
    passed, failed = made({}), replace(made({"reactivity": 0.1}), metric=table.metrics[1].id)
    metrics = (replace(table.metrics[0], audit=passed), replace(table.metrics[1], audit=failed))
    text = sentences(replace(board, tables=(replace(table, metrics=metrics),)))
    assert "1 of 2 metrics passed every question of the audit (" in text
    assert f"{table.metrics[1].id} did not: " in text


def test_the_verdict_stands_before_every_table(tmp_path):
    made_run(tmp_path, THREE, frameworks=("torch", "tensorflow"))
    board = leaderboard(tmp_path)
    (verdict,) = verdicts(board)  # the same in both frameworks, so it is said once
    assert verdict.where == "net on photos in PyTorch and TensorFlow"
    console = Console(width=200, record=True)
    board.show(console)
    first = verdict.sentences[0]
    for text, table in (
        (console.export_text(), "mean"),
        (board_markdown(board), "| method"),
        (html_report(board), "<table"),
    ):
        assert text.index(first.split(":")[0]) < text.index(table)
