"""Tables for papers and programs: the same numbers, marks that respect ties, names that nothing can be read into."""

from __future__ import annotations

import csv
import html
import json
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_runs import SAMPLES, THREE, known_entries, made_run, provenance, rows, spaced, specification, stored_curves  # noqa: F401  (autouse fixtures among them)
from typer.testing import CliRunner

from heatmark.benchmark.store.folder import RunStore
from heatmark.cli.main import app
from heatmark.errors import BadInput
from heatmark.leaderboards.board import Board, leaderboard
from heatmark.leaderboards.report.formats import FORMATS, latex_escaped
from heatmark.leaderboards.report.papers import chosen, marks, paper_tables
from heatmark.leaderboards.standings import standings as standings_module
from heatmark.leaderboards.statistics.significance import Places

HOSTILE = r"""[3]a<b>&"q'%$#_{x}~^\end{table}|`*=1"""


@pytest.fixture(autouse=True)
def protocols(known_entries: None, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811  (the fixture)
    """Let the made-up metrics have the protocol that their cells record."""
    known = standings_module.metric_facts
    monkeypatch.setattr(
        standings_module, "metric_facts",
        lambda text, identity: replace(known(text, identity), protocol=identity["protocol"]),
    )  # fmt: skip


@pytest.fixture
def board(tmp_path: Path) -> Board:
    made_run(tmp_path / "run", {**THREE, "grad_cam": spaced(0.5, 0.4, noise=0.01, seed=4)}, frameworks=("torch",))
    return leaderboard(tmp_path / "run")


def value(rank: float, places: tuple[int, int] | None, best: bool = False) -> Any:
    return SimpleNamespace(rank=rank, tied=None if places is None else Places(*places), best=best)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        # Each told apart from each.
        ([value(1, (1, 1), True), value(2, (2, 2)), value(3, (3, 3))], ["best", "second", ""]),
        # Two share the lead; the third is the best of the others, the fourth is not told apart from it.
        (
            [value(1, (1, 2), True), value(2, (1, 2), True), value(3, (3, 4)), value(4, (3, 4)), value(5, (5, 5))],
            ["best", "best", "second", "second", ""],
        ),
        # The order of rows is that of the mean rank, not of this metric.
        ([value(3, (3, 3)), value(1, (1, 1), True), value(2, (2, 2))], ["", "best", "second"]),
        # Nothing is told apart: no marks, whatever the means.
        ([value(1, (1, 3), True), value(2, (1, 3), True), value(3, (1, 3), True)], ["", "", ""]),
        # One that is not ranked is neither.
        ([value(1, (1, 1), True), value(np.nan, None), value(2, (2, 2))], ["best", "", "second"]),
        # Level with the best at the worst possible value: not the best, and so among the others.
        ([value(1, (1, 1), False), value(2, (2, 2))], ["second", ""]),
        ([value(np.nan, None)], [""]),
        ([], []),
    ],
)
def test_marks_respect_what_cannot_be_told_apart(values: list[Any], expected: list[str]) -> None:
    assert list(marks(values)) == expected


def test_the_table_has_the_boards_numbers_and_names(board: Board) -> None:
    (table,) = paper_tables(board)
    assert [head.words for head in table.heads] == ["Mean rank", "Deletion", "Insertion", "Cost"]
    assert [head.arrow for head in table.heads] == ["↓", "↓", "↑", "↓"]
    names = [name for name, _ in table.rows]
    assert names == ["good", "fair", "Grad-CAM", "Random †"]
    good = dict(table.rows)["good"]
    assert [cell.number for cell in good] == [
        "1.00",
        f"{THREE['good'][0].mean():.3f}",
        f"{THREE['good'][1].mean():.3f}",
        "4.0x",
    ]
    assert [cell.mark for cell in good] == ["", "best", "best", ""]
    assert [cells[1].mark for _, cells in table.rows] == ["best", "second", "", ""]
    for words in ("n = 12", "net", "PyTorch", "photos", "Deletion:", "† control", "right on 36.4 %"):
        assert words in table.caption


def test_a_choice_hides_and_ranks_nothing_anew(board: Board) -> None:
    (table,) = paper_tables(board, methods="grad_cam,random", metrics=["insertion"])
    assert [name for name, _ in table.rows] == ["Grad-CAM", "Random †"]
    assert [head.words for head in table.heads] == ["Mean rank", "Insertion", "Cost"]
    assert [cells[0].number for _, cells in table.rows] == ["3.00", "4.00"]
    assert all(cell.mark == "" for _, cells in table.rows for cell in cells)  # neither is first or second among all
    assert "among 4 ranked methods; 2 of them are not shown" in table.caption


def test_entries_are_chosen_by_what_tells_them_apart() -> None:
    known = ["gradient (version 1)", "gradient (version 2)", "deletion[rise] (steps 5, fill black)", "lime"]
    for names, expected in (
        ("gradient", known[:2]),
        ("gradient (version 2)", known[1:2]),
        ("gradient (version 2),lime", [known[1], known[3]]),
        ("deletion[rise] (steps 5, fill black),lime", known[2:]),
        ([known[2], "lime"], known[2:]),
        ("deletion[rise]", known[2:3]),
    ):
        assert chosen(names, known, "method") == set(expected)
    for names in ("gradient (version 3)", "lime (version 1)", ""):
        with pytest.raises(BadInput):
            chosen(names, known, "method")


def test_a_name_on_the_board_is_a_choice(tmp_path: Path) -> None:
    for version in (1, 2):
        spec = specification("grad_cam")
        spec = replace(spec, method_identity={**spec.method_identity, "version": version})
        store = RunStore.prepared(tmp_path / str(version))
        store.begin({"suite": {"name": "made"}}, [spec])
        store.write(spec, rows(spec, THREE["good"]), provenance(spec))
    board = leaderboard([tmp_path / "1", tmp_path / "2"])
    for methods, shown in (
        (["grad_cam (version 2)"], ["Grad-CAM (version 2)"]),
        ("grad_cam (version 1)", ["Grad-CAM (version 1)"]),
        ("grad_cam", ["Grad-CAM (version 1)", "Grad-CAM (version 2)"]),
    ):
        (table,) = paper_tables(board, methods)
        assert sorted(name for name, _ in table.rows) == shown
    with pytest.raises(BadInput, match="Empty item in ''"):
        paper_tables(board, "")


def test_a_caption_says_where_samples_are_fewer(tmp_path: Path) -> None:
    scores = {name: values.copy() for name, values in THREE.items()}
    scores["good"][1, 3] = np.nan  # insertion has no value there, so it compares nothing on that sample
    made_run(tmp_path / "run", scores)
    (table,) = paper_tables(leaderboard(tmp_path / "run"))
    assert "n = 12." in table.caption
    assert "every ranked method has a score: Insertion n = 11." in table.caption
    fair = dict(table.rows)["fair"]
    assert fair[2].number == f"{np.delete(THREE['fair'][1], 3).mean():.3f}"


def test_wide_tables_come_in_parts_and_lose_no_metric(board: Board) -> None:
    first, second = paper_tables(board, across=1)
    assert [[head.words for head in one.heads] for one in (first, second)] == [
        ["Mean rank", "Deletion", "Cost"], ["Mean rank", "Insertion", "Cost"]
    ]  # fmt: skip
    assert "part 1 of 2" in first.caption and first.label != second.label
    assert "Insertion:" not in first.caption and "Insertion:" in second.caption


def test_what_is_not_there_is_refused(board: Board, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no method 'grad_cm'.*grad_cam"):
        board.text("latex", methods="grad_cm")
    with pytest.raises(BadInput, match="no metric 'infidelity'"):
        board.text("json", metrics="infidelity")
    with pytest.raises(BadInput, match=r"Unknown format 'tex'.*latex"):
        board.text("tex")
    with pytest.raises(BadInput, match="at least 1"):
        board.text("html", across=0)
    made_run(tmp_path / "empty", THREE, missing=tuple(THREE))
    for form in ("latex", "markdown", "html", "csv"):
        with pytest.raises(BadInput, match="no results"):
            leaderboard(tmp_path / "empty").text(form)


def test_the_command_names_a_file_and_not_a_folder(board: Board, tmp_path: Path) -> None:
    words = ["leaderboard", str(board.stores[0].path), "--format", "csv", "--out", str(tmp_path)]
    said = CliRunner().invoke(app, words)
    assert said.exit_code == 2 and "is a folder. Name a file in it." in said.output


def test_csv_has_every_number_to_its_last_digit(board: Board) -> None:
    rows = {row["method"]: row for row in csv.DictReader(StringIO(board.text("csv")))}
    assert float(rows["good"]["deletion"]) == THREE["good"][0].mean()  # to the bit
    chosen = pd.read_csv(StringIO(board.text("csv", methods="good", metrics="insertion")))
    assert list(chosen["method"]) == ["good"] and not any(name.startswith("deletion") for name in chosen)


def test_json_has_doubles_identities_and_no_nan(tmp_path: Path) -> None:
    broken = spaced(0.3, 0.6, noise=0.01, seed=2)
    broken[0] = np.nan
    store = made_run(tmp_path, {**THREE, "broken": broken})
    found = json.loads(leaderboard(tmp_path).text("json"), parse_constant=lambda name: pytest.fail(name))
    (table,) = found["tables"]
    assert [one["metric"] for one in table["metrics"]] == ["deletion", "insertion"]
    spec = store.expected[0]
    assert table["metrics"][0]["identity"] == dict(spec.metric_identities[0])
    rows = {row["method"]: row for row in table["rows"]}
    assert rows["good"]["identity"] == dict(spec.method_identity)
    assert rows["good"]["values"][0]["mean"] == THREE["good"][0].mean()
    assert rows["broken"]["values"][0]["mean"] is None and rows["broken"]["place"] is None
    assert table["samples"] == SAMPLES


class Cells(HTMLParser):
    """Collects the texts of cells, and which tags there are."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        if tag in ("td", "th", "caption"):
            self.texts.append("")

    def handle_data(self, data: str) -> None:
        if self.texts:
            self.texts[-1] += data


def test_html_and_markdown_show_names_as_they_are(tmp_path: Path) -> None:
    made_run(tmp_path, {**THREE, HOSTILE: spaced(0.5, 0.4, noise=0.01, seed=4)})
    board = leaderboard(tmp_path)
    read = Cells()
    read.feed(board.text("html"))
    assert set(read.tags) <= {"table", "caption", "thead", "tbody", "tr", "th", "td", "strong", "u", "small"}
    assert HOSTILE in [text.strip() for text in read.texts]
    text = board.text("markdown")
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1
    assert "<b>" not in text
    assert html.unescape(re.sub(r"\\(.)", r"\1", lines[4])).startswith(f"| {HOSTILE} |")


def test_markdown_marks_the_best_and_the_second(board: Board) -> None:
    lines = board.text("markdown").splitlines()
    good, fair = (next(line for line in lines if line.startswith(f"| {name} |")) for name in ("good", "fair"))
    assert good.count("**") == 4 and re.search(r"\| \*0\.\d+\* ±", fair)
    assert "in italics: the best of the others" in lines[0]


def test_latex_is_of_booktabs_and_marks(board: Board) -> None:
    text = board.text("latex")
    assert text.count(r"\toprule") == text.count(r"\midrule") == text.count(r"\bottomrule") == 1
    assert text.count(r"\textbf{") == 2 and text.count(r"\underline{") == 2
    assert "Grad-CAM" in text and "grad_cam" not in text
    assert "Random $^\\dagger$" in text


def test_latex_prints_any_name(tmp_path: Path) -> None:
    assert latex_escaped(r"50 % & \x {y}_z^2~") == (
        r"50 \% \& \textbackslash{}x \{y\}\_z\textasciicircum{}2\textasciitilde{}"
    )
    if shutil.which("pdflatex") is None:
        pytest.skip("no pdflatex is installed, so LaTeX is written but not compiled")
    names = {
        HOSTILE: spaced(0.5, -0.4, noise=0.01, seed=4),
        "integrated_gradients[baseline=black,steps=20]": THREE["fair"],
        "[3]": spaced(0.6, 0.3, noise=0.01, seed=5),  # behind the end of a line: an option, were it not escaped
    }
    made_run(tmp_path / "run", {**THREE, **names}, frameworks=("torch", "tensorflow"))
    (tmp_path / "tables.tex").write_text(leaderboard(tmp_path / "run").text("latex"), encoding="utf-8")
    document = r"\documentclass{article}\usepackage{booktabs}\begin{document}\input{tables.tex}\end{document}"
    (tmp_path / "paper.tex").write_text(document, encoding="utf-8")
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"],
        cwd=tmp_path, capture_output=True, text=True, errors="replace", timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "paper.pdf").stat().st_size > 1000
    assert not re.findall(r"Overfull \\hbox|Missing character", (tmp_path / "paper.log").read_text(errors="replace"))


def test_every_format_is_the_same_twice(board: Board) -> None:
    for form in FORMATS:
        assert board.text(form) == board.text(form)
