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
    assert "It beats every control (Random)." in text


def test_ties_are_named_and_a_control_among_them_is_a_warning(tmp_path):
    made_run(tmp_path, {name: spaced(0.3, 0.6, noise=0.1, seed=seed) for seed, name in enumerate(("a", "b", "random"))})
    board = leaderboard(tmp_path)
    best, other = [row.method.id for row in board.tables[0].rows if not row.method.control]
    text = sentences(board)
    assert f"{best} (mean rank" in text and f"not told apart from {other}." in text
    assert "t is not told apart from the control Random." in text
    assert "says nothing about methods" in verdicts(board)[0].warnings[0]


def test_a_control_that_wins_is_said_to(tmp_path):
    made_run(tmp_path, {"random": THREE["good"], "a": THREE["fair"], "b": THREE["random"]})
    board = leaderboard(tmp_path)
    assert "The control Random beats it." in sentences(board)
    assert "is beaten by a control says nothing about methods" in verdicts(board)[0].warnings[0]


@pytest.mark.parametrize(
    ("oracle", "words"),
    [
        ("good", "The oracle, whose map is the truth, beats it, as it should."),
        ("random", "It beats the oracle, whose map is the truth: these metrics do not tell the truth here."),
    ],
)
def test_the_oracle_is_a_ceiling_and_no_control_to_beat(tmp_path, monkeypatch, oracle, words):
    monkeypatch.setattr("made_runs.CONTROLS", ("random", "oracle"))
    levels = {"oracle": THREE[oracle], "a": THREE["fair"]}
    made_run(tmp_path / "alone", levels)
    text = sentences(leaderboard(tmp_path / "alone"))
    assert f"No control was run, so whether the best method beats a picture of nothing is not known. {words}" in text
    assert not any("says nothing" in warning for warning in verdicts(leaderboard(tmp_path / "alone"))[0].warnings)
    made_run(tmp_path / "both", {**levels, "random": spaced(0.9, 0.05)})
    text = sentences(leaderboard(tmp_path / "both"))
    assert f"It beats every control (Random). {words}" in text


def test_a_method_level_with_the_oracle_is_no_warning(tmp_path, monkeypatch):
    monkeypatch.setattr("made_runs.CONTROLS", ("oracle",))
    made_run(tmp_path, {name: spaced(0.3, 0.6, noise=0.1, seed=seed) for seed, name in enumerate(("a", "oracle"))})
    (verdict,) = verdicts(leaderboard(tmp_path))
    assert "It is not told apart from the oracle, whose map is the truth." in " ".join(verdict.sentences)
    assert not any("says nothing" in warning for warning in verdict.warnings)


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
        ([0, 1, 2] * 4, [0, 1, 2] + [0] * 9, 3, "few samples do not tell the network from chance: 6 of 12 right"),
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
    assert "1 of 2 metrics passed every question of the audit on all of its data (" in text
    assert f"{table.metrics[1].name}: noise scores as well as maps)" in text


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
        (board_markdown(board, board.overall()), "| method"),
        (html_report(board, board.overall()), "<table"),
    ):
        assert text.index(first.split(":")[0]) < text.index(table)


@pytest.mark.parametrize(
    ("samples", "rows", "enough"), [(6, 2, True), (6, 3, False), (7, 3, True), (6, 4, False), (5, 2, False)]
)
def test_few_samples_tell_nothing_apart_however_large_the_difference(tmp_path, samples, rows, enough):
    """SciPy's signed-rank test of a pair that never changes its order, times the pairs, as Holm begins."""
    names = ["a", "b", "c", "d"][:rows]
    least = stats.wilcoxon(np.arange(1.0, samples + 1), method="exact").pvalue * rows * (rows - 1) / 2
    assert (least <= 0.05) == enough
    made_run(tmp_path, {name: spaced(0.2 * (place + 1), 0.1 * place)[:, :samples] for place, name in enumerate(names)})
    text = sentences(leaderboard(tmp_path))
    told = f"{samples} samples: too few for any of the {rows} rows to be told apart, however large the difference."
    assert (told in text) != enough
