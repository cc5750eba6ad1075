"""What validation finds of a submission that somebody changed; nothing that was submitted runs meanwhile."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_submissions import copied, made_submission, rehashed, with_description, with_rows, with_run
from registering import forgotten_again

from heatmark.leaderboards.board import leaderboard
from heatmark.leaderboards.submitting import verify as verifying
from heatmark.leaderboards.submitting.submit import Made
from heatmark.leaderboards.submitting.verify import chance_to_find, verify
from heatmark.leaderboards.trust.submission import (
    DESCRIPTION,
    REPRODUCED,
    Reproduction,
    add_reproduction,
    read_reproductions,
    read_submission,
)
from heatmark.leaderboards.trust.validation import validate
from heatmark.leaderboards.trust.words import submitted
from heatmark.methods.registry import METHODS

SCORE = "score:deletion[steps=8]"
HERE: dict[str, Any] = {"seed": "1", "trust": True, "engine": "serial", "device": "cpu", "progress": False}
"""How to verify in this process."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return made_submission(tmp_path_factory.mktemp("made"))


@pytest.fixture
def folder(made: Made, tmp_path: Path) -> Path:
    """A copy that may be changed."""
    return copied(made.folder, tmp_path)


def failing(folder: Path) -> str:
    """Return what fails, in sentences."""
    found = validate(folder)
    return " | ".join(finding.sentence for finding in found.findings if finding.verdict == "fails")


def test_what_was_made_is_valid_and_says_where_it_stands(made):
    assert made.validation.valid and {one.passed for one in made.contracts} == {True}
    assert made.submission == read_submission(made.folder)
    assert made.submission.authors == ("A. Author", "B. Author") and made.submission.isolation == "none"
    names = sorted(path.relative_to(made.folder).parts[0] for path in made.folder.iterdir())
    assert names == ["mine.py", "results", DESCRIPTION]
    assert len(made.standing) == 2  # a table in each framework
    for sentence in made.standing:
        assert "Mine has place" in sentence and "mean rank" in sentence and ", 95 % " in sentence
        assert "control" in sentence and ("between" in sentence or "before" in sentence or "behind" in sentence)
    assert "mine" not in METHODS.names()


def test_validating_runs_nothing(folder):
    """A file that ends the process when it is run, or leaves a trace, is validated all the same."""
    trace = folder.parent / "ran"
    with (folder / "mine.py").open("a", encoding="utf-8") as file:
        file.write(f"\nopen({str(trace)!r}, 'w')\nimport os\nos._exit(3)\n")
    rehashed(folder)
    assert failing(folder) == ""  # what identifies the method's code is the function, which is the same
    assert not trace.exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"schema = 1": "schema = 7"}, "has schema 7"),
        ({"schema = 1": "schema = 1\nfurther = 2"}, "unknown key 'further'"),
        ({'authors = ["A. Author", "B. Author"]': ""}, "the key 'authors' is missing"),
        ({'authors = ["A. Author", "B. Author"]': "authors = 3"}, "'authors' is 3. Give a list"),
        ({"schema = 1": "schema = ["}, "not valid TOML"),
        ({'name = "mine"': 'name = "other"'}, "the folder is called 'mine' and the submission 'other'"),
        ({'title = "Mine"': 'title = "Grad-CAM"'}, "the title 'Grad-CAM' is that of a method of heatmark's"),
        ({'family = "gradient"': 'family = "control"'}, "a family that it cannot have"),
        ({"passed = true": "passed = false"}, "every method kept its contract: not mine"),
        ({'method = "mine"': 'method = "grad_cam"'}, "grad_cam has no cells"),
        ({'file = "mine.py"': 'file = "../mine.py"'}, "has other characters than letters"),
    ],
)
def test_descriptions_that_are_wrong(folder, changes, said):
    assert said in failing(with_description(folder, changes))


def test_files_that_are_not_those_that_were_submitted(folder):
    with (folder / "mine.py").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    assert "mine.py has another SHA-256" in failing(folder)
    (folder / "mine.py").unlink()
    assert "mine.py is missing" in failing(folder)
    (folder / "mine.py").symlink_to("/etc/passwd")
    assert "mine.py is no plain file" in failing(folder)
    (folder / "mine.py").unlink()
    os.mkfifo(folder / "mine.py")
    assert "mine.py is no plain file" in failing(folder)
    (folder / "mine.py").unlink()
    (folder / "more.json").write_text("{}")
    assert "more.json is not in the list" in failing(folder)
    (folder / "more.so").write_text("x")
    assert "more.so is no plain file, or none that a submission has" in failing(folder)


def test_another_code_than_was_run(folder):
    text = (folder / "mine.py").read_text(encoding="utf-8")
    (folder / "mine.py").write_text(text.replace("share * gradient", "2 * share * gradient"), encoding="utf-8")
    rehashed(folder)
    assert "mine was another code than mine.py has" in failing(folder)


def set_to(value: float, column: str = SCORE):
    def change(rows: pd.DataFrame) -> None:
        rows.loc[rows.index[0], column] = value

    return change


def dropped(rows: pd.DataFrame) -> None:
    rows.loc[rows.index[1], "sample"] = rows.loc[rows.index[0], "sample"]


def other_answer(rows: pd.DataFrame) -> None:
    rows.loc[rows.index[0], "target_logit"] += 1.0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (set_to(1.5), "deletion[steps=8] is outside (0"),
        (set_to(np.inf), "deletion[steps=8] is infinite"),
        (set_to(1.2, "target_probability"), "a probability is none"),
        (set_to(-1.0, "explain_seconds"), "a time is negative"),
        (set_to(77, "index"), "rows of other samples than 0 to 9"),
        (dropped, "a sample stands there twice"),
        (other_answer, "the logit of one sample differs between methods"),
    ],
)
def test_rows_that_cannot_be(folder, change, said):
    """Every digest and checksum was written anew: only what the numbers say tells it."""
    assert said in failing(with_rows(folder, change))


def test_a_suite_that_is_not_the_one_that_was_run(folder):
    with_run(folder, lambda run: run["suite"]["metrics"].append("insertion"))
    assert "has other metrics than the suite" in failing(folder)


def test_a_name_that_another_submission_has(folder, tmp_path):
    other = with_description(
        copied(folder, tmp_path / "beside").rename(tmp_path / "other"), {'name = "mine"': 'name = "other"'}
    )
    said = failing(other)
    assert f"the method mine is submitted in {folder} already, and again in {other}" in said


def test_damage_is_named(folder):
    path = folder / "results" / "packed" / "rows.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[:40] + bytes([whole[40] ^ 1]) + whole[41:])
    assert "rows.parquet has another SHA-256" in failing(folder)
    path.write_bytes(whole[:-100])
    assert "rows.parquet is no table" in failing(folder)


@pytest.mark.parametrize(
    ("scores", "of", "differing", "counts"),
    [
        (300, 400, 0, True),
        (299, 9000, 0, True),
        (298, 9000, 0, False),
        (50, 50, 0, True),
        (49, 50, 0, False),
        (300, 400, 1, False),
        (0, 0, 0, False),
    ],
)
def test_a_record_counts_where_alterations_would_have_been_found(scores, of, differing, counts):
    record = Reproduction("C", "2026-01-01", "here", "0" * 64, "1", scores, of, differing, 0.01, "0.1", "none")
    assert record.counts is counts


def test_trust_words(folder):
    """Validated as long as nothing fails, reproduced where somebody got the same of this very submission."""
    run = folder / "results"

    def word() -> str:
        found = submitted(run)
        assert found is not None
        return found.trust.word

    assert word() == "validated"
    record = Reproduction(
        "C. Checker", "2026-01-01T00:00:00+00:00", "a machine", "0" * 64, "1", 300, 400, 0, 0.01, "0.1", "none"
    )
    add_reproduction(folder, record)
    assert word() == "validated"  # of another submission
    from heatmark.identity import file_digest

    own = file_digest(folder / DESCRIPTION)
    add_reproduction(folder, Reproduction(*[own if value == "0" * 64 else value for value in vars(record).values()]))
    assert word() == "reproduced" and len(read_reproductions(folder)) == 2
    found = submitted(run)
    assert found is not None and "reproduced by C. Checker, 2026-01-01, on a machine: 300 of 400" in found.trust.said
    with (folder / "mine.py").open("a", encoding="utf-8") as file:
        file.write("#\n")
    assert word() == "reported"


def test_boards_show_trust_and_submissions_change_no_other_row(folder, made, tmp_path):
    """A submission that lowers a control beside another run changes nothing there; alone it is told to be submitted."""
    from heatmark.benchmark.merge import merge_runs

    other = tmp_path / "run"
    merge_runs([made.folder / "results"], other)

    def lowered(rows: pd.DataFrame) -> None:
        rows[SCORE] = rows[SCORE].to_numpy() * 0.5

    with_rows(folder, lowered)
    alone, both = leaderboard(folder / "results"), leaderboard([folder / "results", other])
    for table in alone.tables:
        assert {row.trust.word for row in table.rows if row.trust is not None} == {"validated"}
        assert all(row.trust is not None for row in table.rows)
    for table, before in zip(both.tables, leaderboard(other).tables, strict=True):
        assert all(row.trust is None for row in table.rows)
        np.testing.assert_array_equal(table.results.scores, before.results.scores)
    assert set(alone.frame["trust"]) == {"validated"} and set(both.frame["trust"]) == {""}
    (row,) = [row for row in alone.tables[0].rows if not row.method.control]
    assert row.method.name == "Mine" and row.method.family == "gradient" and row.method.signed is True


@pytest.mark.parametrize(("of", "drawn"), [(40_000, 300), (1000, 300), (250, 250)])
def test_the_chance_to_find_altered_scores(of, drawn):
    """Against drawing: so many draws without replacement, how often one of the altered ones is among them."""
    altered = int(np.ceil(0.01 * of))
    bank = np.random.default_rng(0)
    trials = 4000
    found = np.mean([bank.hypergeometric(altered, of - altered, drawn) > 0 for _ in range(trials)])
    assert abs(found - chance_to_find(drawn, of)) < 4 * np.sqrt(0.05 * 0.95 / trials) + 1e-9
    assert chance_to_find(drawn, of) >= 0.95


def test_verifying_finds_what_was_altered_and_nothing_else(folder, made):
    """One score of all is altered with all digests written anew: validation cannot tell, computing again does."""
    with forgotten_again():
        first = verify(
            made.folder, seed="1", trust=True, engine="serial", device="cpu", who="C. Checker", progress=False
        )
    assert first.reproduced and first.of == len(first.compared) == 2 * 3 * 10 * 4 and first.finds == 1.0
    assert max(abs(one.submitted - one.again) for one in first.compared) <= 1e-4
    (record,) = read_reproductions(made.folder)
    assert (record.who, record.scores, record.differing, record.isolation) == ("C. Checker", 240, 0, "none")
    (made.folder / REPRODUCED).unlink()

    def better(rows: pd.DataFrame) -> None:
        rows.loc[rows.index[0], SCORE] = 0.5 * rows.loc[rows.index[0], SCORE]

    with_rows(folder, better)
    assert failing(folder) == ""
    with forgotten_again():
        found = verify(folder, who="C", **HERE)
    (one,) = found.differing
    assert one.metric == "deletion[steps=8]" and one.submitted == pytest.approx(0.5 * one.again, rel=1e-3)
    assert not found.reproduced and "not reproduced" in found.summary
    word = submitted(folder / "results")
    assert word is not None and word.trust.word == "validated"


def test_the_part_is_drawn_by_the_seed(made):
    known = verifying._submitted(made.folder)
    one, again, other = (verifying._drawn(known, 50, seed) for seed in ("a", "a", "b"))
    assert one == again != other and len({(item.spec.key, item.score) for item in one}) == 50
