"""The commands' exit statuses and words, and what submitting refuses before any work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from registering import forgotten_again
from typer.testing import CliRunner

from heatmark.benchmark.contracts.new_file import write_new
from heatmark.cli.main import app
from heatmark.errors import BadInput, Untrusted
from heatmark.leaderboards.submitting.submit import submit
from heatmark.toml_tables import toml_text

AUTHORS = ["A. Author"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working folder; what is registered in it is forgotten again."""
    monkeypatch.chdir(tmp_path)
    with forgotten_again():
        yield tmp_path


def invoked(*words: str):
    return CliRunner().invoke(app, list(words))


def test_new_and_test_say_what_they_did_and_end_with_a_status(here):
    made = invoked("new", "metric", "own_metric")
    assert made.exit_code == 0 and "Written: own_metric.py. Try it: heatmark test own_metric.py" in made.output
    text = Path("own_metric.py").read_text(encoding="utf-8")
    Path("own_metric.py").write_text(text.replace("whole - left", "float(left) / 0"), encoding="utf-8")
    found = invoked("test", "own_metric.py", "--frameworks", "torch")
    assert found.exit_code == 1 and "it raised ZeroDivisionError" in found.output.replace("\n", " ")
    assert "breaks its contract" in found.output and "Traceback" not in found.output
    assert invoked("new", "method", "a/b").exit_code == 2
    assert invoked("new", "thing", "x").exit_code == 2
    assert invoked("test", "gone.py").exit_code == 2
    assert invoked("validate", "gone").exit_code == 1


def test_what_cannot_be_submitted_is_refused_before_any_work(here):
    file = write_new("method", "own")
    metric = write_new("metric", "own_metric")
    with pytest.raises(BadInput, match="names its authors"):
        submit(file, authors=[" "])
    with pytest.raises(BadInput, match="letters, digits"):
        submit(file, authors=AUTHORS, name="../own")
    with pytest.raises(BadInput, match=r"no Python file gone\.py"):
        submit("gone.py", authors=AUTHORS)
    with pytest.raises(BadInput, match="registers no method"):
        submit(metric, authors=AUTHORS)
    with pytest.raises(BadInput, match="is no method of the file"):
        submit(file, authors=AUTHORS, methods="grad_cam")
    both = Path("both.py")
    both.write_text(
        file.read_text().replace('"own"', '"own_two"') + "\n" + metric.read_text().replace('"own_metric"', '"m2"')
    )
    with pytest.raises(BadInput, match="registers the metric m2 too"):
        submit(both, authors=AUTHORS)
    taken = Path("leaderboards/submissions/own")
    taken.mkdir(parents=True)
    (taken / "notes.txt").write_text("kept")
    with pytest.raises(BadInput, match="holds something that is no submission"):
        submit(file, authors=AUTHORS)
    assert [path.name for path in taken.iterdir()] == ["notes.txt"] and not Path("results").exists()


def test_a_broken_contract_is_told_and_nothing_is_written(here):
    file = write_new("method", "own")
    file.write_text(file.read_text().replace("signed=True", "signed=False"), encoding="utf-8")
    with pytest.raises(Untrusted, match=r"nothing was run or written:\n✗ maps declared unsigned are nowhere negative"):
        submit(file, authors=AUTHORS, frameworks="torch")
    assert not Path("leaderboards").exists() and not Path("results").exists()


def test_validating_needs_no_framework(here):
    code = (
        "import sys\nfrom heatmark.leaderboards.trust.validation import validate\nvalidate('gone')\n"
        "from heatmark.leaderboards.trust.words import submitted\n"
        "assert not {'torch', 'tensorflow', 'keras'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_toml_is_read_back():
    import tomllib

    values = {
        "text": 'a "quoted" \\ line\nand \x7f é ☃',
        "numbers": [1, 2.5, -3],
        "empty": [],
        "yes": True,
        "table": {"a.b/c": "x", "inner": {"deep": 1}},
        "rows": [{"name": "one", "flags": [False]}, {"name": "two"}],
        "none": None,
    }
    assert tomllib.loads(toml_text(values)) == {key: value for key, value in values.items() if value is not None}
